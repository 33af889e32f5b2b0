// Package server is the chat server: an http.Handler for the route /chat/{room}/{user},
// and for what can be read without joining, below /rooms. Rooms are made when first
// joined.
//
// # In a program of yours
//
//	chat := server.New(&server.Options{Store: store}) // nil: in memory, keys say who is who
//	mux.Handle("/chat/", chat)
//	mux.Handle("/rooms", chat)
//	mux.Handle("/rooms/", chat)
//	…
//	err := chat.Shutdown(ctx) // before http.Server's: connections are unknown to that one
//
// Under a prefix, wrap it in http.StripPrefix. A store on disk is history.OpenDisk's; the
// program closes it after Shutdown. When [Server.Failed] is closed, shut down and end.
//
// Without more, whoever comes first has a name, by the key of their client. A program with
// users of its own says who comes in, as whom and with which rights in
// [Options.Authorize]; what may be said in [Options.Accept]; and hears what happens from
// an [Observer]. It acts in the rooms without a connection by [Server.Say],
// [Server.Disconnect], [Server.Members], [Server.Rooms] and [Server.History]. What it can
// do by wrapping the store is told at [history.Store].
//
// # Inside
//
// The idea: a room is a log of lines; a connection is a cursor on it. Replay and live are
// one path: a peer's writer takes what lies after its cursor, from the encoded tail in
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
//   - link: one connection, of one user. Its reader is the goroutine that serves it;
//     its writer is a goroutine while there is something to write. Its lock guards
//     which rooms it is in and what waits to be written.
//   - peer: a link's part in one room. It is memory, and no goroutine: a program may
//     be in a thousand rooms. Its position in the log is the writer's.
//   - watch: what the observer has yet to be told. Its lock is a leaf, too.
//   - source: the mark up to which a client's numbered lines were taken, and the one
//     up to which they are durable. It lives while a peer named it or lines of it
//     are on their way.
//
// A peer ends in three steps. Nothing more is queued for it; then the writer writes
// what was, and the bye; then it leaves the room and gives back its hold. So the
// writer never reads from a room that may be closed. Where the connection has ended
// the reader does the rest, when the writer has stopped.
//
// # Locks
//
// room.mu comes first; under it hub.mu, link.mu and the store's queue may be taken,
// which are leaves. So a room's lines enter the store in the order of their marks.
// None is held across I/O or a wait.
//
// # Goroutines
//
// All are started through Server.wg and awaited by Shutdown: one reader for each
// connection, a writer for each that has something to write, the housekeeper, and
// the one that watches the store. Shutdown's own work is done by one more, which goes
// on if a caller's context ends first. The one that tells the observer, if there is one,
// ends last. Authorize and Accept are called by the reader of the connection that they
// are about; before the upgrade Authorize is, by the request's goroutine. A client that waits for nothing but credit, or
// for lines, has no goroutine but its reader, and no timer.
package server
