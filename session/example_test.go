package session_test

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"strings"
	"time"

	"holdfast/server"
	"holdfast/session"
)

// serving is a server and a directory for the state of who chats there, for one example. In
// a test of your own, fake time does better: see package servertest.
func serving() (url, dir string, stop func()) {
	chat := server.New(nil)
	web := httptest.NewServer(chat)
	dir, err := os.MkdirTemp("", "holdfast")
	if err != nil {
		panic(err)
	}
	return strings.Replace(web.URL, "http", "ws", 1), dir, func() {
		_ = chat.Shutdown(context.Background())
		web.Close()
		_ = os.RemoveAll(dir)
	}
}

// say is somebody else, who says something in a room.
func say(url, dir, room, name string, lines ...string) {
	s, err := session.Open(url, &session.Options{Room: room, Name: name, Dir: dir})
	if err == nil {
		_, err = s.Send(lines...)
		err = errors.Join(err, s.Drain(context.Background()))
	}
	if err != nil {
		panic(err)
	}
}

// Chat: a loop over what is said, and Send whenever there is something to say.
func ExampleOpen() {
	url, dir, stop := serving()
	defer stop()
	say(url, dir, "general", "bob", "is anybody here?")

	s, err := session.Open(url, &session.Options{Room: "general", Name: "ana", Dir: dir, Backlog: 20})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer s.Close()
	if _, err := s.Send("I am, in a train"); err != nil { // it is on disk, and will arrive
		fmt.Println(err)
		return
	}
	for m := range s.Messages() {
		fmt.Printf("%s: %s\n", m.From, m.Text)
		if m.Own {
			break
		}
	}
	// Output:
	// bob: is anybody here?
	// ana: I am, in a train
}

// Besides lines there are receipts, presence, gaps, and how the link is.
func ExampleSession_Events() {
	url, dir, stop := serving()
	defer stop()
	s, err := session.Open(url, &session.Options{Room: "general", Name: "ana", Dir: dir})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer s.Close()
	for e := range s.Events() {
		switch e := e.(type) {
		case session.StateChange:
			fmt.Println(e.State)
			if e.State == session.Online {
				_, _ = s.Send("hello")
			}
		case session.Presence:
			fmt.Println("here:", e.Here)
		case session.Receipt:
			fmt.Println("on the server's disk:", e.Err == nil)
			_ = s.Close() // ends the loop, too
		}
	}
	fmt.Println(s.Err())
	// Unordered output:
	// dialing
	// resuming
	// here: [ana]
	// online
	// on the server's disk: true
	// closed
	// session: closed
}

// A bot that answers each line once, whenever it is killed and started again: Reply puts
// the answer in the outbox and consumes the line in one step.
func ExampleSession_Reply() {
	url, dir, stop := serving()
	defer stop()

	bot := func() error {
		s, err := session.Open(url, &session.Options{
			Room: "general", Name: "echo", Dir: dir, Backlog: -1,
			ManualCommit: true, // only Reply and Commit consume lines
			Exclusive:    true, // a second bot is refused, and does not answer too
		})
		if err != nil {
			return err
		}
		defer s.Close()
		for m := range s.Messages() {
			what, asked := strings.CutPrefix(m.Text, "!echo ")
			switch {
			case m.Seen: // consumed by an earlier run; Backlog shows it again, for context
			case m.From == s.Name(): // an answer; Own is about this process alone
				fmt.Println(m.Text)
				if err := s.Commit(m); err != nil {
					return err
				}
			case asked:
				if _, err := s.Reply(m, what+" "+what); err != nil {
					return err // if the disk is full, say: m comes again
				}
			default:
				return errors.New("the bot does not understand " + m.Text)
			}
			if !m.Seen && m.Text == "two two" {
				return nil
			}
		}
		return s.Err()
	}
	say(url, dir, "general", "ana", "!echo one", "!echo two")
	fmt.Println("ended:", bot())
	say(url, dir, "general", "ana", "hello?")
	fmt.Println("ended:", bot())
	fmt.Println("ended:", bot()) // it has answered neither, and begins with the same line
	// Output:
	// one one
	// two two
	// ended: <nil>
	// ended: the bot does not understand hello?
	// ended: the bot does not understand hello?
}

// Where there is no loop to hold, Next waits for one line, as long as a context lasts.
func ExampleSession_Next() {
	url, dir, stop := serving()
	defer stop()
	say(url, dir, "general", "bob", "done")
	s, err := session.Open(url, &session.Options{Room: "general", Name: "ana", Dir: dir, Backlog: 1})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer s.Close()
	m, err := s.Next(context.Background())
	fmt.Println(m.Text, err)

	enough := errors.New("nothing more was said")
	ctx, cancel := context.WithTimeoutCause(context.Background(), 50*time.Millisecond, enough)
	defer cancel()
	_, err = s.Next(ctx)
	fmt.Println(err)
	// Output:
	// done <nil>
	// nothing more was said
}

// A program that must know that its line has arrived waits for it.
func ExampleSession_Wait() {
	url, dir, stop := serving()
	defer stop()
	s, err := session.Open(url, &session.Options{Room: "alerts", Name: "backup", Dir: dir})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer s.Close()
	id, err := s.Send("the backup is done")
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	switch err := s.Wait(ctx, id); {
	case err == nil:
		fmt.Println("it is on the server's disk")
	case errors.Is(err, context.DeadlineExceeded):
		fmt.Println("not yet; it stays in the outbox")
	default:
		fmt.Println(err) // refused, or the session ended
	}
	// Output: it is on the server's disk
}

// Two machines report the same, and the room is told once.
func ExampleSession_SendOnce() {
	url, dir, stop := serving()
	defer stop()
	s, err := session.Open(url, &session.Options{Room: "alerts", Name: "cron", Dir: dir, Fresh: true})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer s.Close()
	for _, line := range []string{"disk full on db1", "disk full on db1, says the other one", "all is well"} {
		key := "db1/2024-05-01" // what is the same for lines of which one is enough
		if line == "all is well" {
			key = "db1/2024-05-02"
		}
		id, err := s.SendOnce(key, line)
		if err == nil {
			err = s.Wait(context.Background(), id)
		}
		if err != nil {
			fmt.Println(err)
			return
		}
	}
	lines, _, err := s.History(context.Background(), 0, 10)
	for _, m := range lines {
		fmt.Println(m.Text)
	}
	fmt.Println(err)
	// Output:
	// disk full on db1
	// all is well
	// <nil>
}

// A private line is shown to one other user, now or when they next come.
func ExampleSession_SendTo() {
	url, dir, stop := serving()
	defer stop()
	say(url, dir, "general", "bob", "hello") // the server knows who bob is
	ana, err := session.Open(url, &session.Options{Room: "general", Name: "ana", Dir: dir})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer ana.Close()
	for _, to := range []string{"bob", "nobody"} {
		id, err := ana.SendTo(to, "between us")
		if err == nil {
			err = ana.Wait(context.Background(), id)
		}
		var refused *session.RefusedError
		fmt.Println(to, "refused:", errors.As(err, &refused))
	}
	// Output:
	// bob refused: false
	// nobody refused: true
}

// Older lines are read page by page, which consumes nothing.
func ExampleSession_History() {
	url, dir, stop := serving()
	defer stop()
	say(url, dir, "general", "bob", "one", "two", "three", "four", "five")
	s, err := session.Open(url, &session.Options{Room: "general", Name: "ana", Dir: dir})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer s.Close()
	for e := range s.Events() { // History wants a connection
		if c, ok := e.(session.StateChange); ok && c.State == session.Online {
			break
		}
	}
	before := uint64(0) // the newest
	for end := false; !end; {
		var page []session.Message
		page, end, err = s.History(context.Background(), before, 3)
		if err != nil {
			fmt.Println(err) // ErrOffline: try again later
			return
		}
		for _, m := range page {
			fmt.Println(m.Seq, m.Text)
		}
		if len(page) > 0 {
			before = page[0].Seq
		}
	}
	// Output:
	// 3 three
	// 4 four
	// 5 five
	// 1 one
	// 2 two
}

// A program that is about to end waits until all its lines have arrived. If it can't, they are
// kept, and the next session sends them.
func ExampleSession_Drain() {
	url, dir, stop := serving()
	stop() // nobody is there
	s, err := session.Open(url, &session.Options{Room: "general", Name: "ana", Dir: dir})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	_, err = s.Send("one", "two")
	fmt.Println(err)
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	fmt.Println(s.Drain(ctx))

	s, err = session.Open(url, &session.Options{Room: "general", Name: "ana", Dir: dir})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, l := range s.Unsent() {
		fmt.Println(l.Text)
	}
	_ = s.Close()
	// Output:
	// <nil>
	// session: lines left unsent: 2
	// one
	// two
}
