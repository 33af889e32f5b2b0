// Package disk keeps history in a directory, on Pebble.
//
// A store fails for good at its first write or sync that goes wrong, and nothing is
// written after that: what is on disk then is all that anyone was told of, and perhaps
// some lines more, which nobody was told of yet. A full disk is no failure: lines are
// refused until there is room, and all else goes on.
//
// One goroutine, the committer, writes all lines, in batches with one sync for all that
// wait; see commit.go. Pebble writes through the fence, which is what stops at the first
// failure, and that through what waits for room; see fence.go and space.go.
package disk
