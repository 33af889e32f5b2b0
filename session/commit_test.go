package session_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"holdfast/session"
	"holdfast/session/wire"
	"holdfast/transport/netsim"
)

func manual(dir string) func(*session.Options) {
	return func(o *session.Options) { o.Dir, o.ManualCommit = dir, true }
}

// A body that breaks, returns early, panics or is left by Close has not consumed its line: the
// next loop begins with it, in this process or the next. One that says Commit has.
func TestBodyThatFails(t *testing.T) {
	type end struct {
		name   string
		commit bool
		how    func(s *session.Session) bool // whether to break
	}
	for _, e := range []end{
		{"break", false, func(*session.Session) bool { return true }},
		{"commit and break", true, func(*session.Session) bool { return true }},
		{"panic", false, func(*session.Session) bool { panic("the body") }},
		{"commit and panic", true, func(*session.Session) bool { panic("the body") }},
		{"Close", false, func(s *session.Session) bool { return s.Close() != nil }},
		{"Close and break", false, func(s *session.Session) bool { _ = s.Close(); return true }},
	} {
		for mode, tune := range map[string]func(string) func(*session.Options){"automatic": in, "manual": manual} {
			t.Run(mode+" "+e.name, func(t *testing.T) {
				bubble(t, func(t *testing.T, n *netsim.Net) {
					srv := scripted(t, n)
					dir := t.TempDir()
					s := open(t, n, tune(dir))
					p := srv.accept()
					p.welcome(nil)
					p.send(batch("c0", "c4", 1, 2, 3, 4))
					func() {
						defer func() { _ = recover() }()
						for m := range s.Messages() {
							if m.Seq == 1 {
								must(t, s.Commit(m))
							}
							if m.Seq != 2 {
								continue
							}
							if e.commit {
								must(t, s.Commit(m))
							}
							if e.how(s) {
								break
							}
						}
					}()
					want := uint64(2)
					if e.commit {
						want = 3
					}
					if !strings.HasPrefix(e.name, "Close") { // the same process
						go answerJoins(p, "c0", batch("c0", "c4", 1, 2, 3, 4))
						for m := range s.Messages() {
							if m.Seq != want {
								t.Errorf("goes on with %d, want %d", m.Seq, want)
							}
							break
						}
						must(t, s.Close())
					}
					again := open(t, n, tune(dir))
					p = srv.accept()
					p.welcome(nil)
					p.send(batch("c0", "c4", 1, 2, 3, 4))
					for m := range again.Messages() {
						if m.Seq != want {
							t.Errorf("the next process goes on with %d, want %d", m.Seq, want)
						}
						break
					}
				})
			})
		}
	}
}

// answerJoins serves a client that goes back to what it has committed.
func answerJoins(p *peer, cursor string, frames ...wire.Frame) {
	for {
		select {
		case f := <-p.in:
			if j, ok := f.(*wire.Join); ok {
				p.try(&wire.Welcome{
					Room: j.Room, Cursor: cursor, Resumed: true, HeartbeatMS: 10_000, TimeoutMS: 25_000,
					Limits: wire.Limits{InFlight: 256}, Now: wire.Time{Time: time.Now()},
				})
				for _, f := range frames {
					p.try(f)
				}
			}
		case <-p.ended:
			return
		}
	}
}

// With manual commit the cursor stands where the last commit put it, however far the
// consumer has read; a commit of a line is one of all before it.
func TestManualCommit(t *testing.T) {
	bubble(t, func(t *testing.T, n *netsim.Net) {
		srv := scripted(t, n)
		dir := t.TempDir()
		s := open(t, n, manual(dir))
		p := srv.accept()
		p.welcome(nil)
		p.send(batch("c0", "c3", 1, 2, 3), batch("c3", "c6", 4, 5, 6))
		next := func(want uint64) session.Message {
			t.Helper()
			m, err := s.Next(t.Context())
			if err != nil || m.Seq != want {
				t.Fatalf("next is %d, %v; want %d", m.Seq, err, want)
			}
			return m
		}
		next(1)
		second := next(2)
		next(3)
		must(t, s.Commit(second))
		cut := copyOf(t, dir) // what a power cut now would leave
		for q := uint64(4); q <= 6; q++ {
			next(q)
		}
		must(t, s.Commit(second)) // is no step back, and no news
		pass(time.Second)
		must(t, s.Close())
		s = open(t, n, manual(cut))
		p = srv.accept()
		p.welcome(nil)
		p.send(batch("c0", "c3", 1, 2, 3))
		next(3)
		must(t, s.Close())
		s = open(t, n, manual(dir))
		p = srv.accept()
		if p.hello.Cursor != "c0" {
			t.Errorf("resumes at %q", p.hello.Cursor)
		}
		p.welcome(nil)
		p.send(batch("c0", "c3", 1, 2, 3), batch("c3", "c6", 4, 5, 6))
		var last session.Message
		for q := uint64(3); q <= 6; q++ {
			last = next(q)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := s.Next(ctx); !errors.Is(err, context.DeadlineExceeded) { // but it has learnt where the batch ends
			t.Errorf("there is a next one: %v", err)
		}
		must(t, s.Commit(last))
		must(t, s.Close())
		open(t, n, manual(dir))
		if p = srv.accept(); p.hello.Cursor != "c6" {
			t.Errorf("resumes at %q", p.hello.Cursor)
		}
	})
}

// An answer and the cursor are one step: after a Reply, the line never comes again, and
// the answer goes out once; a second one is refused.
func TestReply(t *testing.T) {
	bubble(t, func(t *testing.T, n *netsim.Net) {
		srv := scripted(t, n)
		dir := t.TempDir()
		s := open(t, n, manual(dir))
		p := srv.accept()
		p.welcome(nil)
		p.send(batch("c0", "c3", 1, 2, 3))
		for m := range s.Messages() {
			if m.Seq == 3 {
				break
			}
			if _, err := s.Reply(m, "re: "+m.Text); err != nil {
				t.Error(err)
			}
			if _, err := s.Reply(m, "again"); !errors.Is(err, session.ErrCommitted) {
				t.Errorf("a second answer: %v", err)
			}
		}
		lines := copyOf(t, dir) // what a power cut now would leave
		state := session.Outbox(t, lines)
		if len(state) != 2 || !strings.HasSuffix(state[0], "re: m1") || !strings.HasSuffix(state[1], "re: m2") {
			t.Errorf("on disk: %v", state)
		}
		_ = s.Close()
		s = open(t, n, manual(lines))
		p = srv.accept()
		p.welcome(nil)
		p.send(batch("c0", "c3", 1, 2, 3))
		m, err := s.Next(t.Context())
		if err != nil || m.Seq != 3 {
			t.Errorf("goes on with %d, %v", m.Seq, err)
		}
		if _, err := s.Reply(m); err != nil { // no answer is one, too
			t.Error(err)
		}
		if _, err := s.Reply(m, "x"); !errors.Is(err, session.ErrCommitted) {
			t.Error(err)
		}
		if _, err := s.Reply(session.Message{Text: "by hand"}, "x"); err == nil {
			t.Error("answered what was never said")
		}
	})
}

// Reply takes nothing of a line if the answer can't be taken.
func TestReplyThatIsNotTaken(t *testing.T) {
	bubble(t, func(t *testing.T, n *netsim.Net) {
		srv := scripted(t, n)
		s := open(t, n, func(o *session.Options) { o.MaxLines = 1 })
		p := srv.accept()
		p.welcome(nil)
		p.send(batch("c0", "c1", 1))
		m, err := s.Next(t.Context())
		must(t, err)
		if _, err := s.Reply(m, "one", "two"); !errors.Is(err, session.ErrOutboxFull) {
			t.Errorf("two lines fit one: %v", err)
		}
		if _, err := s.Reply(m, " "); !refusedAs(err, wire.RefusedBlank) {
			t.Errorf("a blank answer: %v", err)
		}
		if _, err := s.Reply(m, "one"); err != nil {
			t.Error(err)
		}
	})
}

// Next consumes nothing before it is called again; its context takes nothing away.
func TestNext(t *testing.T) {
	bubble(t, func(t *testing.T, n *netsim.Net) {
		srv := scripted(t, n)
		dir := t.TempDir()
		s := open(t, n, in(dir))
		p := srv.accept()
		p.welcome(nil)
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, errors.New("enough"))
		defer cancel()
		if _, err := s.Next(ctx); err == nil || err.Error() != "enough" {
			t.Errorf("nothing was said: %v", err)
		}
		p.send(batch("c0", "c2", 1, 2))
		for want := uint64(1); want <= 2; want++ {
			if m, err := s.Next(t.Context()); err != nil || m.Seq != want {
				t.Fatalf("%+v, %v", m, err)
			}
		}
		for m := range s.Messages() { // 2 is not done yet
			if m.Seq != 2 {
				t.Errorf("ranges from %d", m.Seq)
			}
			break
		}
		must(t, s.Close())
		if _, err := s.Next(t.Context()); !errors.Is(err, session.ErrClosed) {
			t.Errorf("after Close: %v", err)
		}
		s = open(t, n, in(dir))
		p = srv.accept()
		p.welcome(nil)
		p.send(batch("c0", "c2", 1, 2))
		if m, err := s.Next(t.Context()); err != nil || m.Seq != 2 {
			t.Errorf("goes on with %d, %v", m.Seq, err)
		}
	})
}

// A second consumer is a mistake, and is told so.
func TestSecondConsumer(t *testing.T) {
	bubble(t, func(t *testing.T, n *netsim.Net) {
		srv := scripted(t, n)
		c := newClient(t, n, nil)
		s := joined(t, c, "hall")[0]
		p := srv.accept()
		p.welcome(nil)
		p.send(batch("c0", "c1", 1))
		panics := func(what string, f func()) {
			t.Helper()
			defer func() {
				if why := fmt.Sprint(recover()); !strings.Contains(why, "second consumer") {
					t.Errorf("%s: %s", what, why)
				}
			}()
			f()
		}
		for range s.Events() {
			panics("Events", func() {
				for range s.Events() {
				}
			})
			panics("Messages", func() {
				for range s.Messages() {
				}
			})
			panics("Next", func() { _, _ = s.Next(t.Context()) })
			break
		}
		for range c.Messages() {
			panics("Client.Messages", func() {
				for range c.Messages() {
				}
			})
			break
		}
	})
}
