package session_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"holdfast/session"
	"holdfast/session/wire"
	"holdfast/transport/netsim"
)

// Wait tells what became of a line, to whoever asks, and whenever.
func TestWait(t *testing.T) {
	bubble(t, func(t *testing.T, n *netsim.Net) {
		srv := scripted(t, n)
		dir := t.TempDir()
		s := open(t, n, in(dir))
		first := send(t, s, "good")
		second := send(t, s, "bad")
		third := send(t, s, "late")
		p := srv.accept()
		p.welcome(nil)
		f := expect[*wire.Send](p)
		time.AfterFunc(time.Minute, func() {
			p.send(&wire.Ack{Source: f.Source, N: 1}, &wire.Refused{Source: f.Source, N: 2, Code: wire.RefusedRejected, Message: "not here"})
		})
		began := time.Now()
		must(t, s.Wait(t.Context(), first))
		if time.Since(began) < time.Minute {
			t.Error("did not wait")
		}
		for range 2 {
			var no *session.RefusedError
			if err := s.Wait(t.Context(), second); !errors.As(err, &no) || no.Message != "not here" || no.Text != "bad" {
				t.Errorf("the bad one: %v", err)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := s.Wait(ctx, third); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the late one: %v", err)
		}
		if err := s.Wait(t.Context(), session.ID{Source: "another's", N: 1}); !errors.Is(err, session.ErrOption) {
			t.Errorf("another's: %v", err)
		}
		time.AfterFunc(time.Minute, func() { _ = s.Close() })
		if err := s.Wait(t.Context(), third); !errors.Is(err, session.ErrUnsent) || !errors.Is(err, session.ErrClosed) {
			t.Errorf("at the end: %v", err)
		}
		_ = s.Close() // again, to see its end
		s = open(t, n, in(dir))
		p = srv.accept()
		p.welcome(func(w *wire.Welcome) { w.Acks = []wire.Ack{{Source: third.Source, N: 3}} })
		must(t, s.Wait(t.Context(), third))
	})
}

// SendOnce: one line in the outbox for a key, and a server that has one already is as good as an
// ack.
func TestSendOnce(t *testing.T) {
	bubble(t, func(t *testing.T, n *netsim.Net) {
		srv := scripted(t, n)
		dir := t.TempDir()
		s := open(t, n, in(dir))
		once := func(key, text string) session.ID {
			t.Helper()
			id, err := s.SendOnce(key, text)
			must(t, err)
			return id
		}
		if _, err := s.SendOnce("", "x"); !errors.Is(err, session.ErrOption) {
			t.Errorf("without a key: %v", err)
		}
		first := once("order 1", "one")
		if again := once("order 1", "one, once more"); again != first {
			t.Errorf("%v, and then %v", first, again)
		}
		second := once("order 2", "two")
		if err := s.Close(); !errors.Is(err, session.ErrUnsent) {
			t.Error(err)
		}
		s = open(t, n, in(dir))
		if again := once("order 2", "two, by the next process"); again != second {
			t.Errorf("%v, and then %v", second, again)
		}
		tp := follow(s)
		p := srv.accept()
		p.welcome(nil)
		one, two := expect[*wire.Send](p), expect[*wire.Send](p)
		if one.Once == "" || one.Once == two.Once || one.Text != "one" || two.Text != "two" {
			t.Errorf("sent %+v, %+v", one, two)
		}
		p.send(&wire.Ack{Source: one.Source, N: 1}, &wire.Refused{Source: two.Source, N: 2, Code: wire.RefusedDuplicate})
		if r := await[session.Receipt](t, tp); r.ID != first || r.Err != nil || r.Duplicate {
			t.Errorf("first receipt %+v", r)
		}
		if r := await[session.Receipt](t, tp); r.ID != second || r.Err != nil || !r.Duplicate {
			t.Errorf("second receipt %+v", r)
		}
		must(t, s.Wait(t.Context(), second))
		must(t, s.Close())
		if aside := session.Aside(t, dir); len(aside) > 0 {
			t.Errorf("set aside: %v", aside)
		}
	})
}
