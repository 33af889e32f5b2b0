package session_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cenkalti/backoff/v4"

	"holdfast/session"
	"holdfast/session/wire"
	"holdfast/transport"
	"holdfast/transport/netsim"
)

// rejectedWith waits until the session has ended and checks why.
func rejectedWith(t *testing.T, s *session.Session, tp *tape, want wire.Code) *session.RejectedError {
	t.Helper()
	var r *session.RejectedError
	c := awaitState(t, tp, session.Closed)
	<-s.Done()
	if !errors.As(s.Err(), &r) || r.Code.Word != want.Word || !errors.Is(c.Err, s.Err()) {
		t.Fatalf("ended with %v (%+v), want %s", s.Err(), r, want.Word)
	}
	if _, err := s.Send("late"); !errors.Is(err, s.Err()) {
		t.Errorf("Send after the end: %v", err)
	}
	return r
}

func TestRejectedByHTTP(t *testing.T) {
	for status, code := range map[int]wire.Code{
		401: wire.Forbidden, 403: wire.Forbidden, 409: wire.NameTaken, 426: wire.Version, 404: {Word: "refused"},
	} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			bubble(t, func(t *testing.T, n *netsim.Net) {
				srv := scripted(t, n)
				srv.refuse.Store(int64(status))
				s := open(t, n, nil)
				if r := rejectedWith(t, s, follow(s), code); r.Message != "go away" {
					t.Errorf("message %q", r.Message)
				}
			})
		})
	}
}

func TestRejectedByCloseCode(t *testing.T) {
	for close, code := range map[int]wire.Code{
		4502: wire.NameTaken, 4503: wire.Forbidden, 4504: wire.Version,
		1008: {Word: "closed"}, 4999: {Word: "closed"},
	} {
		t.Run(fmt.Sprint(close), func(t *testing.T) {
			bubble(t, func(t *testing.T, n *netsim.Net) {
				srv := scripted(t, n)
				s := open(t, n, nil)
				tp := follow(s)
				srv.join().close(close, "reason")
				rejectedWith(t, s, tp, code)
			})
		})
	}
}

// TestSuperseded: what takes over from a client may be its own hello, of a connection
// that it gave up, or of the process before it. It comes back once for each, and not
// for more: two clients with one state would push each other out for ever.
func TestSuperseded(t *testing.T) {
	push := map[string]func(*peer){
		"bye":  func(p *peer) { p.send(&wire.Bye{Code: wire.Superseded.Word}) },
		"code": func(p *peer) { p.close(4500, "superseded") },
	}
	for name, push := range push {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, n *netsim.Net) {
				srv := scripted(t, n)
				s := open(t, n, nil)
				tp := follow(s)
				for range 2 {
					_ = srv.accept().ws.CloseNow() // a hello without an answer, as good as one on its way
				}
				for range 3 { // these two and the predecessor's
					push(srv.join())
				}
				push(srv.join())
				rejectedWith(t, s, tp, wire.Superseded)
				if srv.dials.Load() != 6 {
					t.Errorf("%d dials", srv.dials.Load())
				}
			})
		})
	}
}

// The close code may be lost; the bye before it counts.
func TestRejectedByBye(t *testing.T) {
	bubble(t, func(t *testing.T, n *netsim.Net) {
		srv := scripted(t, n)
		s := open(t, n, nil)
		tp := follow(s)
		send(t, s, "a1")
		p := srv.accept()
		p.send(&wire.Bye{Code: wire.NameTaken.Word, Message: "ana is someone else"})
		p.drop()
		if r := rejectedWith(t, s, tp, wire.NameTaken); r.Message != "ana is someone else" {
			t.Errorf("message %q", r.Message)
		}
		if err := s.Close(); !errors.Is(err, session.ErrUnsent) {
			t.Errorf("Close: %v, want ErrUnsent", err)
		}
	})
}

// An unknown bye leaves it to the close code, also before the welcome.
func TestUnknownBye(t *testing.T) {
	bubble(t, func(t *testing.T, n *netsim.Net) {
		srv := scripted(t, n)
		s := open(t, n, nil)
		tp := follow(s)
		p := srv.accept()
		p.send(&wire.Bye{Code: "tired"}, &wire.Live{}) // and something else instead of a close
		p.gone()
		p = srv.join()
		p.send(&wire.Bye{Code: "tired"}) // and nothing at all
		start := time.Now()
		p.gone()
		if d := time.Since(start); d > 15*time.Second {
			t.Errorf("waited %v for the close", d)
		}
		p = srv.join()
		p.send(&wire.Bye{Code: "tired"})
		p.close(4700, "")
		rejectedWith(t, s, tp, wire.Code{Word: "closed"})
	})
}

func TestByeRetryIsObeyed(t *testing.T) {
	bubble(t, func(t *testing.T, n *netsim.Net) {
		srv := scripted(t, n)
		tp := follow(open(t, n, nil))
		for _, known := range []string{wire.Draining.Word, "tired"} {
			p := srv.join()
			p.send(&wire.Bye{Code: known, RetryMS: 40_000})
			p.close(4000, "")
			start := time.Now()
			srv.accept().drop()
			if d := time.Since(start); d < 40*time.Second || d > 61*time.Second {
				t.Errorf("%s: came back after %v, want 40 to 60 s", known, d)
			}
			if c := awaitState(t, tp, session.Waiting); known != "tired" && !strings.Contains(c.Err.Error(), wire.Draining.Text) {
				t.Errorf("waits because of %v", c.Err)
			}
			awaitState(t, tp, session.Waiting)
		}
		p := srv.join() // one that can't count must not keep a client away for years
		p.send(&wire.Bye{Code: wire.Draining.Word, RetryMS: 10_000_000_000})
		start := time.Now()
		p.close(4000, "")
		srv.join()
		if d := time.Since(start); d < time.Hour || d > 91*time.Minute {
			t.Errorf("came back after %v", d)
		}
	})
}

// A server that welcomes and drops must not be hammered.
func TestWelcomeThenDropBacksOff(t *testing.T) {
	bubble(t, func(t *testing.T, n *netsim.Net) {
		srv := scripted(t, n)
		s := open(t, n, nil)
		send(t, s, "a1")
		start := time.Now()
		for range 40 {
			srv.join().drop()
		}
		// 40 draws of full jitter have a mean of 7.5 s from the sixth on
		if d := time.Since(start); d < 2*time.Minute {
			t.Errorf("40 connections in %v", d)
		}
	})
}

// After a first ack the schedule starts anew.
func TestAckResetsBackoff(t *testing.T) {
	bubble(t, func(t *testing.T, n *netsim.Net) {
		srv := scripted(t, n)
		s := open(t, n, nil)
		for range 40 {
			id := send(t, s, "a")
			p := srv.join()
			expect[*wire.Send](p)
			p.send(&wire.Ack{Source: id.Source, N: id.N})
			p.quiet(time.Second)
			p.drop()
			start := time.Now()
			srv.join().drop()
			if d := time.Since(start); d > time.Second { // the first wait is at most 500 ms
				t.Fatalf("came back after %v", d)
			}
		}
	})
}

// TestLineResetsBackoff: who only reads has no acks, and must not wait longer and longer
// on a link that breaks again and again.
func TestLineResetsBackoff(t *testing.T) {
	bubble(t, func(t *testing.T, n *netsim.Net) {
		srv := scripted(t, n)
		open(t, n, nil)
		for i := range uint64(40) {
			p := srv.join()
			next := fmt.Sprint("c", i+1)
			p.send(&wire.Events{After: fmt.Sprint("c", i), Cursor: next, Events: []wire.Event{{
				Seq: i + 1, At: wire.Time{Time: time.Now()}, From: "bob", Source: "b", N: i + 1, Text: "x",
			}}})
			p.quiet(time.Second)
			p.drop()
			start := time.Now()
			srv.join().drop()
			if d := time.Since(start); d > time.Second {
				t.Fatalf("came back after %v", d)
			}
		}
	})
}

func TestHelloTimeout(t *testing.T) {
	bubble(t, func(t *testing.T, n *netsim.Net) {
		srv := scripted(t, n)
		open(t, n, nil)
		p := srv.accept()
		start := time.Now()
		p.gone()
		if d := time.Since(start); d < 9*time.Second || d > 11*time.Second {
			t.Errorf("gave up on the welcome after %v, want 10 s", d)
		}
		srv.join()
	})
}

func TestMalformedFromServer(t *testing.T) {
	bubble(t, func(t *testing.T, n *netsim.Net) {
		srv := scripted(t, n)
		s := open(t, n, nil)
		tp := follow(s)
		for _, bad := range []string{`{"type":"ack","source":1}`, `{"type":"live","type":"live"}`, "no json", "\xff"} {
			p := srv.join()
			p.raw([]byte(bad))
			if code := p.gone(); code != 4002 {
				t.Errorf("%q: closed with %d", bad, code)
			}
		}
		for _, bad := range []string{`{"type":"welcome","cursor":1}`, "no json"} {
			p := srv.accept()
			p.raw([]byte(bad))
			p.gone()
		}
		p := srv.accept()
		p.welcome(nil)
		p.send(batch("c0", "c1", 1))
		equal(t, "lines", texts(t, tp, 1), []string{"m1"})
	})
}

// In plain mode hello, with the key in it, would be a line for everyone to read.
func TestKeyIsNotSentInPlainMode(t *testing.T) {
	bubble(t, func(t *testing.T, n *netsim.Net) {
		srv := scripted(t, n)
		srv.speak = "-"
		s := open(t, n, nil)
		rejectedWith(t, s, follow(s), wire.Version)
		p := srv.connect()
		p.gone()
		if len(p.in) > 0 {
			t.Errorf("the client said %+v", <-p.in)
		}
	})
}

func TestRedial(t *testing.T) {
	bubble(t, func(t *testing.T, n *netsim.Net) {
		n.SetDown("server", true)
		srv := scripted(t, n)
		s := open(t, n, nil)
		tp := follow(s)
		s.Redial() // while dialling
		var c session.StateChange
		for c.RetryIn < 8*time.Second {
			c = awaitState(t, tp, session.Waiting)
		}
		if st := s.Status(); st.State != session.Waiting || st.Attempt != c.Attempt || st.Err == nil || time.Until(st.RetryAt) < 7*time.Second {
			t.Errorf("status %+v", st)
		}
		n.SetDown("server", false)
		start := time.Now()
		s.Redial()
		p := srv.join()
		if d := time.Since(start); d > 2100*time.Millisecond {
			t.Errorf("dialled %v after Redial", d)
		}
		awaitState(t, tp, session.Online)
		pass(time.Second)
		if st := s.Status(); st.State != session.Online || st.Err != nil || st.Heard.IsZero() {
			t.Errorf("status %+v", st)
		}
		n.Links()[0].Stall(true, true)
		start = time.Now()
		s.Redial() // while online: a probe
		awaitState(t, tp, session.Waiting)
		if d := time.Since(start); d < 2900*time.Millisecond || d > 3100*time.Millisecond {
			t.Errorf("a dead link was noticed %v after Redial", d)
		}
		n.Links()[0].Reset()
		p.gone()
	})
}

// A gateway's 401 passes where the program says so, with a token that is made anew for each
// attempt; a schedule that ends ends the session.
func TestTokenIsRenewed(t *testing.T) {
	bubble(t, func(t *testing.T, n *netsim.Net) {
		srv := scripted(t, n)
		srv.refuse.Store(401)
		var attempts atomic.Int64
		s := open(t, n, func(o *session.Options) {
			o.Prepare = func(_ context.Context, a *transport.Attempt) error {
				a.Header.Set("Authorization", fmt.Sprint("Bearer ", attempts.Add(1)))
				return nil
			}
			o.Retryable = func(err error) bool {
				var refused *transport.DialError
				return transport.Retryable(err) || errors.As(err, &refused) && refused.Status == 401
			}
		})
		pass(time.Hour)
		if st := s.Status().State; st == session.Closed || attempts.Load() < 100 {
			t.Fatalf("%v after %d attempts", st, attempts.Load())
		}
		srv.refuse.Store(0)
		p := srv.accept()
		if got := p.req.Header.Get("Authorization"); got != fmt.Sprint("Bearer ", attempts.Load()) {
			t.Errorf("attempt %d says %q", attempts.Load(), got)
		}
	})
}

func TestBackoffStops(t *testing.T) {
	bubble(t, func(t *testing.T, n *netsim.Net) {
		s := open(t, n, func(o *session.Options) {
			o.Backoff = func() backoff.BackOff { return backoff.WithMaxRetries(backoff.NewConstantBackOff(time.Second), 3) }
		})
		<-s.Done()
		if err := s.Err(); !errors.Is(err, transport.ErrGaveUp) {
			t.Errorf("ended with %v", err)
		}
	})
}
