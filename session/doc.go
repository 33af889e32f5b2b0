// Package session is a chat client that outlives its connections, its process and
// its machine's power. A line that [Session.Send] has taken reaches the room exactly
// once and in order; what was said while the link was down comes back in order.
//
//	s, err := session.Open("wss://chat.example", &session.Options{Room: "general", Name: "ana"})
//	if err != nil {
//		return err
//	}
//	defer s.Close()
//	s.Send("hello from a train") // works in the tunnel
//	for m := range s.Messages() {
//		fmt.Printf("%s: %s\n", m.From, m.Text)
//	}
//	return s.Err()
//
// # How it holds fast
//
// Each process start mints a source, and numbers its lines 1, 2, 3… there. A line
// keeps its (source, number) for ever; the server takes only the next number of a
// source and stores it with the line, so sending again is always safe. A line
// leaves the outbox when the server says that it is on disk, not when it was
// written to a socket. Lines of an earlier source go first, all of them.
//
// What comes in is a contiguous run of the room's log. Each batch says which cursor
// it follows; one that does not fit is not shown, and the session comes back and
// asks again. The cursor on disk moves with each line that the consumer has taken,
// and never back: a batch that was cut short comes again, and what of it was taken is
// skipped. In a crash the last of these moves may be lost, and lines are shown again.
//
// What is not a line is not kept: who is away, and requests for older lines, live as
// long as the process (asks.go). Lines that waited for long can be held for the user's
// word (stale.go).
//
// # Slots
//
// The state of one open session is a slot: a file with outbox and cursor, locked by
// the process that has it. Sessions of the same name in the same room, say a chat
// and a script, each have their own. Open takes the first free slot with a cursor, or
// for a Fresh session one without, and takes unsent lines over from the other free
// ones; so the lines of a killed process go out when the next one starts. The
// identity key is shared by all.
//
// # Who runs what
//
//   - run owns the connection: one loop over transport.Conns, whose body is link,
//     one connection's life. It reads; it alone fills the feed.
//   - link.send writes lines to one connection, and ends with it.
//   - keeper owns the slot's file. Send hands it lines and waits; acks and cursors
//     it writes along with the next lines, or a little later: they may be lost in a
//     crash, since sending or reading again is safe.
//
// Data has mutexes that are leaves: outbox (lines and what of them was sent), feed
// (events on their way to the consumer), status.
package session
