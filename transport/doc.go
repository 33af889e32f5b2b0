// Package transport wraps one WebSocket, alive or dead, and dials it again for as
// long as it takes. It carries bytes and knows nothing of chat.
//
// A [Conn] proves both ends alive by heartbeats and, once dead, stays dead.
// [Conns] yields one Conn after another: the body of a range loop over it is the
// connection's lifetime, so there is no state machine to drive and no callback
// to get wrong. Whoever imports it writes
//
//	for conn, err := range transport.Conns(ctx, url, nil) {
//		if err != nil {
//			log.Print(err) // why there is no connection, and when it is tried again
//			continue
//		}
//		serve(conn)
//	}
//
// Three invariants carry the package:
//
//   - Only what comes in proves liveness: frames, and pieces of large ones. A write
//     that succeeds proves nothing: the kernel takes megabytes for a peer that is
//     gone.
//   - Everything ends. Dialling, one message in, one message out, a close
//     handshake, silence: each has its time, and when it is over the Conn dies.
//   - Whoever waits for a dead Conn is woken: Read and Write return, Done closes.
//     The first reason for death stands, and whoever noted it closes the socket:
//     tidying up never cuts short a close that still has a code to deliver.
//
// # Who runs what
//
// A Conn owns one timer, no goroutine. The timer's short call decides whether the
// peer is dead and whether a ping is due; a ping in flight has a goroutine
// until its pong is there. So ten thousand idle peers cost ten thousand timers.
// Close returns only when all that has ended.
//
// # Why so
//
// The library's own timeouts are contexts that cost an allocation and a goroutine
// per call, and cancelling one closes the socket anyway. So Read and Write take
// no context: what ends them is the Conn's death, and one reusable timer for
// each direction bounds a message. The library's close handshake may take ten
// seconds and its Ping leaves a silent socket open; both are bounded here. It takes
// the end of the stream for the end of a message and returns half of it as whole:
// here no stream ends with io.EOF. Its pong waits five seconds for a message under
// way and then gives up the connection: an accepted Conn writes its own pongs.
package transport
