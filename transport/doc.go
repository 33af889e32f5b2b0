// Package transport wraps one WebSocket, alive or dead, and dials it again for as
// long as it takes. It carries messages, text or binary, for any protocol.
//
//	for conn, err := range transport.Conns(ctx, "wss://host/path", nil) {
//		if err != nil {
//			log.Print(err) // why there is no connection; a *RedialError also says when the next try is
//			continue
//		}
//		for {
//			msg, err := conn.Read()
//			if err != nil {
//				break // the Conn is dead; the next one follows
//			}
//			handle(conn, msg) // which may Write
//		}
//	}
//
// The loop's body is the connection's lifetime, so there is no state machine to drive.
// [Dial] makes a single [Conn] and [Accept] is the server's half.
//
//   - Somebody must always be in [Conn.Read]; any goroutine may call [Conn.Write].
//     They carry text. [Conn.ReadMessage], [Conn.WriteMessage] and Options.Kinds
//     are for protocols with binary messages.
//   - A Conn lives until somebody calls [Conn.Close], the peer closes it, falls silent
//     for 25 s, takes 10 s for a message or sends one of the wrong kind or of more than
//     64 KiB, or the connection breaks. [Options] sets these limits. Then it stays dead:
//     [Conn.Err] says why, [Conn.Done] is closed, [Conn.Context] is cancelled.
//   - An error from [Conns] is a *[RedialError] around a *[DialError] or a Conn's
//     reason for death: errors.Is and errors.As find them. [Retryable] decides whether
//     to go on, unless Options.Retryable does; Options.Backoff decides when.
//   - Options.Header and Options.Prepare give credentials to an attempt,
//     [Conn.Response] has the answer, Options.Observer is told of dials and ends.
//   - Read and Write take no context: a WebSocket that is left in the middle of a
//     message can't be used any more. To let a Conn end with a context, say so once:
//     context.AfterFunc(ctx, func() { conn.Close(transport.CloseNormal, "") }).
//
// # Inside
//
// What follows is for whoever changes the package. It knows nothing of chat. Three
// invariants carry it:
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
// A Conn owns one timer, no goroutine. The timer's short call decides whether the
// peer is dead and whether a ping is due; a ping in flight has a goroutine
// until its pong is there. So ten thousand idle peers cost ten thousand timers.
// Close returns only when all that has ended.
//
// The library's own timeouts are contexts that cost an allocation and a goroutine
// per call, and cancelling one closes the socket anyway. That is the other reason why
// Read and Write take none: what ends them is the Conn's death, and one reusable timer
// for each direction bounds a message. The library's close handshake may take ten
// seconds and its Ping leaves a silent socket open; both are bounded here. It takes
// the end of the stream for the end of a message and returns half of it as whole:
// here no stream ends with io.EOF. Its pong waits five seconds for a message under
// way and then gives up the connection: an accepted Conn writes its own pongs.
package transport
