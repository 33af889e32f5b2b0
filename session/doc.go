// Package session is a chat client that outlives its connections, its process and
// its machine's power. A line that [Session.Send] has taken reaches the room exactly
// once and in order; what was said while the link was down comes back in order.
//
//	s, err := session.Open("wss://chat.example", &session.Options{Room: "general", Name: "ana"})
//	if err != nil {
//		return err
//	}
//	defer s.Close()
//	s.Send("hello from a train") // on disk when it returns; works in the tunnel
//	for m := range s.Messages() {
//		fmt.Printf("%s: %s\n", m.From, m.Text)
//	}
//	return s.Err()
//
// Open does not wait for the network, and no error of the network ends the session: it
// redials until Close, or until the server says that it will not have this client (a
// [RejectedError]). The loop may do what it likes, and Send may be called from anywhere.
// [Session.Events] yields, besides lines, what became of those that were sent, who is there, and
// how the link is. [Session.History] asks for older lines. [Session.Next] is for a program that
// can't hold a loop, and [Session.Wait] for one that must know that its line has arrived.
//
// # Consumed means done
//
// A line is consumed when the loop asks for the next one. A body that breaks, returns, panics
// or has its session closed meanwhile has not consumed its line: the next loop, in this process
// or the next one, begins with it. After a crash, lines that were consumed in its last fifth of
// a second may come again. So by itself the package gives each line at least once.
//
// A program whose answer to a line must be said once replies in one step: [Session.Reply]
// puts the answer in the outbox and consumes the line in the same transaction. With
// Options.ManualCommit, lines are consumed by that and by [Session.Commit] alone; with
// Options.Exclusive, no second process answers the same lines. A line that Options.Backlog
// shows again has [Message.Seen]: it is consumed, and not to be answered. A bot knows its own
// lines by Message.From, since Own is about this process.
//
//	for m := range s.Messages() {
//		if q, ok := strings.CutPrefix(m.Text, "!add "); ok && m.From != s.Name() && !m.Seen {
//			if _, err := s.Reply(m, sum(q)); err != nil {
//				return err // m comes again when the program is started again
//			}
//		}
//	}
//
// What holds when the process is killed depends on when:
//   - before Reply has returned: either nothing has happened and m comes again, or the answer
//     goes out and m does not come again;
//   - after Reply has returned: the answer goes out, and m does not come again;
//   - in a body with effects of its own, before Commit has returned: m may come again. Make the
//     effect one that can be repeated, by [Message.ID] or (Room, Seq);
//   - after Commit has returned: m does not come again.
//
// [Session.SendOnce] is for a line that may be said several times, by several processes of a user
// or for a cause that comes again, and is to be stored once. A bridge between two servers is made
// of it: see the example.
//
// # Many rooms
//
// A [Client] holds one connection and one file for any number of rooms; each room it joins
// is a Session as above, and [Client.Messages] yields the lines of all of them. A room that
// is idle costs some kilobytes of memory and nothing on the wire; after a break, all rooms are
// joined again in one round trip.
//
// # Slow consumers
//
// A body may take as long as it likes. The server sends no more lines than fit
// Options.Window, and goes on when they are consumed; acks, answers and signs of life
// pass meanwhile, so that the connection lives, and Send and History from the body are as
// quick as ever.
//
// # Tests
//
// Package holdfast/server/servertest gives the tests of a program that chats a real server and a
// link that they can break, in fake time.
//
// # Limits
//
// A line has 1 to [holdfast/session/wire.MaxText] bytes of UTF-8, no control characters but tab
// and line break, and is not blank; History gives up to wire.MaxPage lines; SetAway takes
// wire.MaxAway bytes; names have up to wire.MaxName characters; the outbox of a room holds
// Options.MaxLines and MaxBytes; one user may be open 256 times in a room on one machine.
//
// # Inside: how it holds fast
//
// Each session mints a source when it is opened, and numbers its lines 1, 2, 3… there. A line
// keeps its (source, number) for ever; the server takes only the next number of a
// source and stores it with the line, so sending again is always safe. A line
// leaves the outbox when the server says that it is on disk, not when it was
// written to a socket. Lines of an earlier source go first, all of them.
//
// What comes in is a contiguous run of the room's log. Each batch says which cursor
// it follows; one that does not fit is not shown, and the session comes back and
// asks again. The cursor on disk moves with each line that is consumed,
// and never back: a batch that was cut short comes again, and what of it was consumed is
// skipped.
//
// What is not a line is not kept: who is away, and requests for older lines, live as
// long as the process (asks.go). Lines that waited for long can be held for the user's
// word (stale.go).
//
// # Inside: files
//
// The state of one open session, or of one open Client, is a slot: a file with outbox and
// cursors, locked by the process that has it. Sessions of the same name in the same room,
// say a chat and a script, each have their own. Open takes the first free slot with a
// cursor, or for a Fresh session one without, and takes unsent lines over from the other
// free ones; so the lines of a killed process go out when the next one starts. Sessions of
// one room and clients find each other's lines and cursors (slots.go). The identity is
// shared by all.
//
// # Inside: who runs what
//
//   - Client.run owns the connection: one loop over transport.Conns, whose body is link,
//     one connection's life. It reads, and never waits for a consumer.
//   - link.send writes, for each room in turn, and ends with the connection.
//   - keeper owns the slot's file. Send hands it lines and waits; acks and cursors
//     it writes along with the next lines, or a little later: they may be lost in a
//     crash, since sending or reading again is safe.
//
// A room has no goroutine. Data has mutexes that are leaves: outbox (lines and what of them
// was sent), feed (events on their way to the consumer, and what of them is consumed),
// link.mu (which rooms the connection is in), Session.mu (status).
package session
