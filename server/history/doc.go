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
// A store on disk fails for good at its first write or sync that goes wrong, and
// nothing is written after that: what is on disk then is all that anyone was
// told of, and perhaps some lines more, which nobody was told of yet. A full disk
// is no failure: lines are refused until there is room, and all else goes on.
//
// [Memory] serves tests and servers that need not survive; [OpenDisk] is the
// default. The interfaces leave room for engines shared by several servers:
// positions may have gaps, cursors are the engine's own, a sink gets every
// durable line whoever appended it, and claims live in the store.
package history
