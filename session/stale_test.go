package session_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"holdfast/session"
	"holdfast/session/wire"
	"holdfast/transport/netsim"
)

// hoarder is a session with lines of two ages in its outbox, as an earlier process left
// them, that meets a server.
func hoarder(t *testing.T, n *netsim.Net) (*session.Session, *tape, *script, *peer) {
	t.Helper()
	dir := t.TempDir()
	s := open(t, n, in(dir))
	send(t, s, "old 1", "old 2")
	pass(2 * time.Hour)
	send(t, s, "new 1")
	if err := s.Close(); !errors.Is(err, session.ErrUnsent) {
		t.Fatal(err)
	}
	s = open(t, n, func(o *session.Options) { o.Dir, o.StaleAfter = dir, time.Hour })
	send(t, s, "new 2")
	srv := scripted(t, n)
	tape := follow(s)
	p := srv.join()
	e := await[session.Stale](t, tape)
	if age := time.Since(e.Oldest); e.Lines != 2 || age < 2*time.Hour || age > 3*time.Hour {
		t.Errorf("stale: %+v", e)
	}
	return s, tape, srv, p
}

// takesTexts checks that the client's next lines are these.
func (p *peer) takesTexts(want ...string) {
	p.t.Helper()
	var got []string
	for range want {
		got = append(got, expect[*wire.Send](p).Text)
	}
	equal(p.t, "the client sent", got, want)
}

// Nothing goes out before the user has said what is to become of stale lines, and then
// all in order.
func TestStale(t *testing.T) {
	bubble(t, func(t *testing.T, n *netsim.Net) {
		s, _, _, p := hoarder(t, n)
		send(t, s, "new 3")
		p.quiet(time.Minute)
		if st := s.Status(); st.Stale != 2 || st.Unsent != 5 {
			t.Errorf("status: %+v", st)
		}
		s.Release()
		p.takesTexts("old 1", "old 2", "new 1") // the next source waits for their acks
		if st := s.Status(); st.Stale != 0 {
			t.Errorf("status: %+v", st)
		}
	})
}

// Released is released: also on the next connection.
func TestStaleIsAskedOnce(t *testing.T) {
	bubble(t, func(t *testing.T, n *netsim.Net) {
		s, tape, srv, p := hoarder(t, n)
		s.Release()
		p.takesTexts("old 1", "old 2", "new 1")
		srv.refuse.Store(503)
		p.drop()
		pass(3 * time.Hour)
		send(t, s, "newest")
		if st := s.Status(); st.Stale != 0 {
			t.Errorf("asks while it is offline: %+v", st)
		}
		srv.refuse.Store(0)
		p = srv.join()
		p.takesTexts("old 1", "old 2", "new 1")
		none[session.Stale](t, tape)
	})
}

// Discarded lines are gone for good, and those behind them go out.
func TestDiscardStale(t *testing.T) {
	bubble(t, func(t *testing.T, n *netsim.Net) {
		s, tape, _, p := hoarder(t, n)
		lines := s.Unsent()
		if got := s.Discard(lines[0].ID, lines[1].ID, session.ID{Source: "another", N: 1}); got != 2 {
			t.Errorf("discarded %d", got)
		}
		for _, text := range []string{"old 1", "old 2"} {
			r := await[session.Receipt](t, tape)
			if r.Err == nil || r.Err.Code != "discarded" || r.Err.Text != text {
				t.Errorf("receipt: %+v", r)
			}
		}
		p.takesTexts("new 1")
	})
}

// Of a line that the server may have nobody can say that it is discarded.
func TestDiscard(t *testing.T) {
	bubble(t, func(t *testing.T, n *netsim.Net) {
		dir := t.TempDir()
		s := open(t, n, in(dir))
		first := send(t, s, "left behind")
		if err := s.Close(); !errors.Is(err, session.ErrUnsent) {
			t.Fatal(err)
		}
		s = open(t, n, in(dir))
		never := send(t, s, "never sent")
		if got := s.Discard(first); got != 0 {
			t.Errorf("discarded %d of an earlier process, offline", got)
		}
		if got := s.Discard(never); got != 1 {
			t.Errorf("discarded %d that were never sent", got)
		}
		kept := send(t, s, "kept")
		srv := scripted(t, n)
		p := srv.join()
		p.takesTexts("left behind")
		if got := s.Discard(first); got != 0 {
			t.Errorf("discarded %d on their way", got)
		}
		if got := s.Discard(kept); got != 1 { // behind the barrier between sources
			t.Errorf("discarded %d that wait", got)
		}
		p.drop()
		if got := s.Discard(first); got != 0 {
			t.Errorf("discarded %d that were sent", got)
		}
		p = srv.accept()
		p.welcome(nil)
		p.takesTexts("left behind")
	})
}

// The numbers of discarded lines are missed by the server, which is then told that they
// will not come; in a real one all others arrive, once and in order.
func TestDiscardInTheMiddle(t *testing.T) {
	bubble(t, func(t *testing.T, n *netsim.Net) {
		s := open(t, n, nil)
		tape := follow(s)
		id := send(t, s, "1", "2", "3", "4", "5")
		for _, k := range []uint64{0, 2, 4} {
			if s.Discard(session.ID{Source: id.Source, N: id.N + k}) != 1 {
				t.Fatal("not discarded")
			}
		}
		serve(t, n, nil)
		equal(t, "the room's", texts(t, tape, 2), []string{"2", "4"})
		send(t, s, "6")
		equal(t, "the room's", texts(t, tape, 1), []string{"6"})
		drain(t, s)
	})
}

// Acks in a welcome stop before a refusal that the client has not heard of. What is
// stored behind it is in the outbox still, and can't be discarded.
func TestDiscardOfWhatIsStored(t *testing.T) {
	bubble(t, func(t *testing.T, n *netsim.Net) {
		serve(t, n, nil)
		bob := follow(openAs(t, n, "bob", nil))
		awaitState(t, bob, session.Online)
		s := open(t, n, func(o *session.Options) { o.StaleAfter = time.Hour })
		tape := follow(s)
		awaitState(t, tape, session.Online)
		pass(time.Second)
		for _, k := range n.Links() {
			if k.From() == "ana" {
				k.Stall(false, true) // ana hears nothing any more
			}
		}
		_, err := s.SendTo("nobody", "psst")
		must(t, err)
		id := send(t, s, "public words")
		pass(2 * time.Second)
		n.Partition("ana", true)
		pass(2 * time.Hour)
		never := send(t, s, "second thoughts")
		n.Partition("ana", false)
		await[session.Stale](t, tape)
		equal(t, "bob's", texts(t, bob, 1), []string{"public words"})
		if got := s.Discard(id, never); got != 1 {
			t.Errorf("discarded %d", got)
		}
		s.Release()
		drain(t, s)
		none[session.Message](t, bob)
	})
}

// When all that the user was asked about has gone by itself, the rest goes out.
func TestStaleGoesByItself(t *testing.T) {
	bubble(t, func(t *testing.T, n *netsim.Net) {
		s, _, _, p := hoarder(t, n)
		p.send(&wire.Ack{Source: s.Unsent()[0].ID.Source, N: 2}) // they were on their way to the server's disk
		p.takesTexts("new 1")
	})
}

// A discarded line is off the disk when it is reported, and a closed session has no say.
func TestDiscardIsDurable(t *testing.T) {
	bubble(t, func(t *testing.T, n *netsim.Net) {
		dir, copied := t.TempDir(), t.TempDir()
		s := open(t, n, in(dir))
		id := send(t, s, "oops", "kept")
		if s.Discard(id) != 1 {
			t.Fatal("not discarded")
		}
		must(t, os.CopyFS(filepath.Join(copied, "state"), os.DirFS(dir))) // as kill -9 leaves it
		if err := s.Close(); !errors.Is(err, session.ErrUnsent) {
			t.Fatal(err)
		}
		if got := s.Discard(session.ID{Source: id.Source, N: id.N + 1}); got != 0 {
			t.Errorf("a closed session discarded %d", got)
		}
		for _, dir := range []string{filepath.Join(copied, "state"), dir} {
			if left := open(t, n, in(dir)).Unsent(); len(left) != 1 || left[0].Text != "kept" {
				t.Errorf("%s has %v", dir, left)
			}
		}
	})
}
