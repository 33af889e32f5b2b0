// Package server is the chat server: an http.Handler with rooms behind it, made when
// first joined, at the route /chat/{room}/{user}.
//
// # The idea
//
// A room is a log of lines; a connection is a cursor on it. Replay and live are one
// path: a peer's writer takes what lies after its cursor, from the encoded tail in
// memory or from disk, as many lines as fit a frame, and writes. There is no queue per
// peer: a slow one only lags, and nobody waits for it.
//
// Only durable lines exist. The store gives a line back through the room's sink
// when it is on disk; that one call makes it visible, moves its source's mark and
// causes its ack. What the server holds in memory can be lost at any time.
//
// A private line is a line of the log that only two are shown; see private.go.
//
// # Who owns what
//
//   - hub: which rooms are open. A room is held by its peers, by its lingering
//     members and by lines on their way to disk; when nothing holds it, it closes.
//   - room: members, sources, tail. Its lock is held for memory only.
//   - peer: one connection. Its reader is the goroutine that serves it; its writer
//     is a goroutine while there is something to write.
//   - source: the mark up to which a client's numbered lines were taken, and the one
//     up to which they are durable. It lives while a peer named it or lines of it
//     are on their way.
//
// # Locks
//
// room.mu comes first; under it hub.mu, out.mu and the store's queue may be taken,
// which are leaves. So a room's lines enter the store in the order of their marks.
// None is held across I/O or a wait.
//
// # Goroutines
//
// All are started through Server.wg and awaited by Shutdown: one reader for each
// connection, a writer for each that has something to write, the housekeeper, and
// the one that watches the store. Shutdown's own work is done by one more, which goes
// on if a caller's context ends first.
package server
