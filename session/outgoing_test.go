package session_test

import (
	"strings"
	"testing"
	"time"

	"holdfast/session"
	"holdfast/session/wire"
	"holdfast/transport/netsim"
)

func TestHello(t *testing.T) {
	bubble(t, func(t *testing.T, n *netsim.Net) {
		srv := scripted(t, n)
		s := open(t, n, func(o *session.Options) { o.Room, o.Backlog, o.Client = "GeneraL", 7, "test 1" })
		id := send(t, s, "a1", "a2")
		p := srv.accept()
		if p.req.URL.Path != "/chat/general/ana" {
			t.Error("path", p.req.URL.Path)
		}
		h := p.hello
		if h.Cursor != "" || h.Backlog != 7 || h.Client != "test 1" || len(h.Device) < 16 || len(h.Key) < 40 {
			t.Errorf("hello %+v", h)
		}
		if len(h.Sources) != 1 || h.Sources[0] != (wire.Base{Source: id.Source}) || id.N != 1 {
			t.Errorf("sources %+v, line %+v", h.Sources, id)
		}
		p.welcome(nil)
		p.takes(id.Source, 1, 2)
		p.send(&wire.Ack{Source: id.Source, N: 1})
		p.quiet(time.Second)
		p.drop()
		p = srv.accept()
		if h := p.hello; h.Cursor != "c0" || h.Backlog != 0 || h.Sources[0].Base != 1 {
			t.Errorf("second hello %+v", h)
		}
		p.welcome(nil)
		p.takes(id.Source, 2, 2)
	})
}

func TestNothingBeforeWelcome(t *testing.T) {
	bubble(t, func(t *testing.T, n *netsim.Net) {
		srv := scripted(t, n)
		s := open(t, n, nil)
		id := send(t, s, "a1")
		p := srv.accept()
		p.quiet(9 * time.Second)
		p.welcome(nil)
		p.takes(id.Source, 1, 1)
	})
}

func TestWindow(t *testing.T) {
	bubble(t, func(t *testing.T, n *netsim.Net) {
		srv := scripted(t, n)
		s := open(t, n, nil)
		id := send(t, s, numbered("a", 1, 9)...)
		p := srv.accept()
		p.welcome(func(w *wire.Welcome) { w.Limits.InFlight = 3 })
		p.takes(id.Source, 1, 3)
		p.quiet(time.Second)
		p.send(&wire.Ack{Source: id.Source, N: 2})
		p.takes(id.Source, 4, 5)
		p.quiet(time.Second)
		p.send(&wire.Ack{Source: id.Source, N: 5})
		p.takes(id.Source, 6, 8)
		p.quiet(time.Second)
	})
}

// What an earlier process left goes first, all of it, before this one's lines.
func TestBarrierBetweenSources(t *testing.T) {
	bubble(t, func(t *testing.T, n *netsim.Net) {
		dir := t.TempDir()
		first := open(t, n, in(dir))
		old := send(t, first, "a1", "a2", "a3")
		if err := first.Close(); err == nil {
			t.Fatal("no word of the lines that are left")
		}
		srv := scripted(t, n)
		s := open(t, n, in(dir))
		id := send(t, s, "b1", "b2")
		p := srv.accept()
		if h := p.hello.Sources; len(h) != 2 || h[0].Source != old.Source || h[1].Source != id.Source {
			t.Fatalf("sources %+v", h)
		}
		p.welcome(nil)
		p.takes(old.Source, 1, 3)
		p.quiet(time.Second)
		p.send(&wire.Ack{Source: old.Source, N: 2})
		p.quiet(time.Second)
		p.send(&wire.Ack{Source: old.Source, N: 3})
		p.takes(id.Source, 1, 2)
	})
}

func TestAcks(t *testing.T) {
	bubble(t, func(t *testing.T, n *netsim.Net) {
		srv := scripted(t, n)
		s := open(t, n, nil)
		tp := follow(s)
		id := send(t, s, numbered("a", 1, 6)...)
		p := srv.accept()
		p.welcome(func(w *wire.Welcome) { w.Acks = []wire.Ack{{Source: id.Source, N: 2}} })
		p.takes(id.Source, 3, 6)
		p.send(&wire.Ack{Source: id.Source, N: 1}, &wire.Ack{Source: "other", N: 6}) // neither says anything new
		p.quiet(time.Second)
		if n := len(s.Unsent()); n != 4 {
			t.Errorf("%d lines unsent, want 4", n)
		}
		p.send(&wire.Ack{Source: id.Source, N: 6}, &wire.Ack{Source: id.Source, N: 6})
		for i := uint64(1); i <= 6; i++ {
			if r := await[session.Receipt](t, tp); r.ID != (session.ID{Source: id.Source, N: i}) || r.Err != nil {
				t.Errorf("receipt %+v, want for %d", r, i)
			}
		}
		none[session.Receipt](t, tp)
		must(t, s.Close())
	})
}

// A line that was only written to a socket is sent again.
func TestUnackedIsSentAgain(t *testing.T) {
	bubble(t, func(t *testing.T, n *netsim.Net) {
		srv := scripted(t, n)
		s := open(t, n, nil)
		id := send(t, s, "a1", "a2")
		for range 3 {
			p := srv.accept()
			p.welcome(nil)
			p.takes(id.Source, 1, 2)
			p.drop()
		}
		p := srv.accept()
		p.welcome(func(w *wire.Welcome) { w.Acks = []wire.Ack{{Source: id.Source, N: 2}} })
		drain(t, s)
	})
}

func TestRetry(t *testing.T) {
	bubble(t, func(t *testing.T, n *netsim.Net) {
		srv := scripted(t, n)
		s := open(t, n, nil)
		id := send(t, s, numbered("a", 1, 4)...)
		p := srv.accept()
		p.welcome(nil)
		p.takes(id.Source, 1, 4)
		p.send(&wire.Retry{Source: id.Source, N: 2, Code: wire.RetryGap})
		p.takes(id.Source, 2, 4)
		start := time.Now()
		p.send(&wire.Retry{Source: id.Source, N: 3, AfterMS: 20_000, Code: wire.RetryStorage})
		p.send(&wire.Retry{Source: id.Source, N: 3, AfterMS: 2_000, Code: wire.RetryRate}) // does not shorten it
		p.send(&wire.Retry{Source: id.Source, N: 3, Code: wire.RetryGap})
		p.takes(id.Source, 3, 4)
		if d := time.Since(start); d < 20*time.Second || d > 21*time.Second {
			t.Errorf("sent again after %v, want 20 s", d)
		}
		start = time.Now()
		p.send(&wire.Retry{Source: id.Source, N: 4, AfterMS: 1_000, Code: wire.RetryRate})
		p.send(&wire.Retry{Source: id.Source, N: 3, AfterMS: 5_000, Code: wire.RetryRate})
		p.takes(id.Source, 3, 4)
		if d := time.Since(start); d < 5*time.Second || d > 6*time.Second {
			t.Errorf("sent again after %v, want 5 s", d)
		}
		p.send(&wire.Ack{Source: id.Source, N: 4})
		drain(t, s)
	})
}

// TestHeld: a server that can't store says so once, however often it is asked, and it is
// over with the next ack or with the connection.
func TestHeld(t *testing.T) {
	bubble(t, func(t *testing.T, n *netsim.Net) {
		srv := scripted(t, n)
		s := open(t, n, nil)
		tp := follow(s)
		id := send(t, s, "a1", "a2")
		p := srv.accept()
		p.welcome(nil)
		later := &wire.Retry{Source: id.Source, N: 1, AfterMS: 1000, Code: wire.RetryStorage}
		for range 3 {
			p.takes(id.Source, 1, 2)
			p.send(later)
		}
		if e := await[session.Held](t, tp); e.Code != wire.RetryStorage || s.Status().Held != wire.RetryStorage {
			t.Errorf("%+v, status %+v", e, s.Status())
		}
		p.takes(id.Source, 1, 2)
		p.send(&wire.Ack{Source: id.Source, N: 1})
		if e := await[session.Held](t, tp); e.Code != "" || s.Status().Held != "" {
			t.Errorf("after an ack: %+v, status %+v", e, s.Status())
		}
		later.N = 2
		p.send(later)
		if e := await[session.Held](t, tp); e.Code != wire.RetryStorage {
			t.Errorf("again: %+v", e)
		}
		_ = p.ws.CloseNow()
		if e := await[session.Held](t, tp); e.Code != "" {
			t.Errorf("the connection is over: %+v", e)
		}
		p = srv.join()
		p.send(&wire.Ack{Source: id.Source, N: 2})
		awaitThat(t, tp, func(r session.Receipt) bool { return r.ID.N == 2 })
		if got := s.Status().Held; got != "" {
			t.Errorf("held for %q", got)
		}
		drain(t, s)
	})
}

func TestRefusedLine(t *testing.T) {
	bubble(t, func(t *testing.T, n *netsim.Net) {
		srv := scripted(t, n)
		dir := t.TempDir()
		s := open(t, n, in(dir))
		tp := follow(s)
		id := send(t, s, "a1", "a2", "a3")
		p := srv.accept()
		p.welcome(nil)
		p.takes(id.Source, 1, 3)
		p.send(&wire.Ack{Source: id.Source, N: 1},
			&wire.Refused{Source: id.Source, N: 2, Code: wire.RefusedKind, Message: "no such kind"},
			&wire.Ack{Source: id.Source, N: 3})
		for i := uint64(1); i <= 3; i++ {
			r := await[session.Receipt](t, tp)
			if r.ID.N != i || (r.Err != nil) != (i == 2) {
				t.Errorf("receipt %+v, want for %d", r, i)
			}
			if i == 2 && *r.Err != (session.RefusedError{Code: wire.RefusedKind, Message: "no such kind", Text: "a2"}) {
				t.Errorf("refused: %+v", *r.Err)
			}
		}
		drain(t, s)
		aside := session.Aside(t, dir)
		if len(aside) != 1 || !strings.Contains(aside[0], `"text":"a2"`) || !strings.Contains(aside[0], `"code":"kind"`) {
			t.Errorf("aside: %q", aside)
		}
		if left := session.Outbox(t, dir); len(left) != 0 {
			t.Errorf("left: %v", left)
		}
	})
}

// A limit on messages somewhere on the way must not close every connection for ever.
func TestTooBigLine(t *testing.T) {
	bubble(t, func(t *testing.T, n *netsim.Net) {
		srv := scripted(t, n)
		dir := t.TempDir()
		s := open(t, n, in(dir))
		tp := follow(s)
		id := send(t, s, "a1", strings.Repeat("x", 3000), "a3")
		p := srv.accept()
		p.welcome(nil)
		p.takes(id.Source, 1, 3)
		p.close(1009, "")
		r := await[session.Receipt](t, tp)
		if r.ID.N != 2 || r.Err == nil || r.Err.Code != "too_big" || len(r.Err.Text) != 3000 {
			t.Errorf("receipt %+v", r)
		}
		p = srv.accept()
		p.welcome(nil)
		p.takes(id.Source, 1, 1)
		p.takes(id.Source, 3, 3)
		p.send(&wire.Ack{Source: id.Source, N: 3})
		drain(t, s)
		if aside := session.Aside(t, dir); len(aside) != 1 {
			t.Errorf("aside: %d lines", len(aside))
		}
	})
}

// No ack for 3 s is a reason for doubt; the pong then has 3 s.
func TestNoAckProbes(t *testing.T) {
	bubble(t, func(t *testing.T, n *netsim.Net) {
		srv := scripted(t, n)
		s := open(t, n, nil)
		tp := follow(s)
		p := srv.join()
		awaitState(t, tp, session.Online)
		pass(1234 * time.Millisecond) // no clock of ours must matter
		n.Links()[0].Stall(true, true)
		start := time.Now()
		send(t, s, "a1")
		awaitState(t, tp, session.Waiting)
		if d := time.Since(start); d < 5900*time.Millisecond || d > 6100*time.Millisecond {
			t.Errorf("noticed after %v, want 3 s + 3 s", d)
		}
		n.Links()[0].Reset()
		p.gone()
		srv.join()
		awaitState(t, tp, session.Online)
	})
}

// A server that is only slow with its acks is alive.
func TestSlowAckIsNoDeath(t *testing.T) {
	bubble(t, func(t *testing.T, n *netsim.Net) {
		srv := scripted(t, n)
		s := open(t, n, nil)
		p := srv.join()
		id := send(t, s, "a1")
		p.takes(id.Source, 1, 1)
		p.quiet(2 * time.Minute)
		p.send(&wire.Ack{Source: id.Source, N: 1})
		drain(t, s)
	})
}

// 1009 in a session that has nothing on its way names no line.
func TestTooBigNothing(t *testing.T) {
	bubble(t, func(t *testing.T, n *netsim.Net) {
		srv := scripted(t, n)
		s := open(t, n, nil)
		srv.join().close(1009, "")
		id := send(t, s, "a1")
		p := srv.accept()
		p.welcome(nil)
		p.takes(id.Source, 1, 1)
	})
}
