// Package history keeps what was said: rooms as logs of lines, the marks that
// make every line count once, and the names that users claimed.
//
// A line and its source's mark are one atomic write, so a line is stored exactly
// once however often it is sent. A cursor is a point in a room's log. Inside, it
// holds the position, a digest of all up to there, and the epoch that was writing:
// the id of one opening of the store. The digest proves that the reader and the
// log share one past. When it does not fit, an older copy was restored under
// the reader; the epoch then tells how far the two pasts agree, and the reader
// goes on from there, so it neither misses nor repeats a line of the new past.
//
// # Engines
//
// [Memory] serves tests and servers that need not survive. An engine that needs other
// modules has a package of its own; history/disk is the one of the command. So who imports
// the server builds, downloads and has in go.sum only the engine that it names. Engines are
// not modules of their own: that would save an importer nothing but names in go mod graph,
// and go test ./... would no longer cover them.
//
// The interfaces leave room for engines shared by several servers: positions may have
// gaps, cursors are the engine's own, a sink gets every durable line whoever appended it,
// and claims live in the store.
//
// Whoever writes an engine finds here what all of ours have in common: [Claim] judges who
// may have a name, [Members] keeps who is where, and [Past] finds where a reader goes on,
// given the [Point] of each line and the [Spans] of the epochs. history/historytest has the
// tests that an engine must pass.
package history
