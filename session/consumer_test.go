package session_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/server"
	"holdfast/session"
	"holdfast/transport/netsim"
)

// Close says bye: without it the user would linger for an hour.
func TestCloseLeavesAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T, n *netsim.Net) {
		serve(t, n, &server.Options{Linger: time.Hour})
		ana, bob := open(t, n, nil), openAs(t, n, "bob", nil)
		bobs := follow(bob)
		awaitThat(t, bobs, func(p session.Presence) bool { return contains(p.Joined, "ana") })
		start := time.Now()
		must(t, ana.Close())
		if p := await[session.Presence](t, bobs); !contains(p.Left, "ana") || time.Since(start) > 2*time.Second {
			t.Errorf("%+v after %v", p, time.Since(start))
		}
		if err := ana.Err(); !errors.Is(err, session.ErrClosed) {
			t.Errorf("Err: %v", err)
		}
		if _, err := ana.Send("late"); !errors.Is(err, session.ErrClosed) {
			t.Errorf("Send after Close: %v", err)
		}
		must(t, ana.Close())
	})
}

func contains(list []string, s string) bool {
	return strings.Contains(" "+strings.Join(list, " ")+" ", " "+s+" ")
}

func TestDrain(t *testing.T) {
	bubble(t, func(t *testing.T, n *netsim.Net) {
		serve(t, n, nil)
		bob := openAs(t, n, "bob", nil)
		tp := follow(bob)
		awaitState(t, tp, session.Online)
		ana := open(t, n, nil) // nobody consumes
		send(t, ana, numbered("a", 1, 3000)...)
		drain(t, ana)
		equal(t, "lines", texts(t, tp, 3000), numbered("a", 1, 3000))
	})
}

func TestDrainGivesUp(t *testing.T) {
	bubble(t, func(t *testing.T, n *netsim.Net) {
		s := open(t, n, nil)
		send(t, s, "a1", "a2", "a3")
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		start := time.Now()
		err := s.Drain(ctx)
		if !errors.Is(err, session.ErrUnsent) || !strings.HasSuffix(err.Error(), ": 3") || time.Since(start) != 30*time.Second {
			t.Errorf("after %v: %v", time.Since(start), err)
		}
		if _, err := s.Send("late"); !errors.Is(err, session.ErrClosed) {
			t.Errorf("Send: %v", err)
		}
	})
}

// Draining must not wait for a consumer that does not come: it broke off, waits for
// the Drain itself, or is stuck.
func TestDrainWithoutConsumer(t *testing.T) {
	lines := numbered("a", 1, 4000)
	for name, use := range map[string]func(t *testing.T, s *session.Session){
		"broke off": func(t *testing.T, s *session.Session) {
			for range s.Events() {
				break
			}
			send(t, s, lines...)
			drain(t, s)
		},
		"inside the loop": func(t *testing.T, s *session.Session) {
			for range s.Events() {
				send(t, s, lines...)
				drain(t, s)
				break
			}
		},
		"stuck": func(t *testing.T, s *session.Session) {
			stuck, done := make(chan struct{}), make(chan struct{})
			go func() {
				defer close(done)
				for range s.Events() {
					<-stuck
				}
			}()
			synctest.Wait()
			send(t, s, lines...)
			drain(t, s)
			close(stuck)
			<-done
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, n *netsim.Net) {
				serve(t, n, nil)
				dir := t.TempDir()
				use(t, open(t, n, in(dir)))
				if left := session.Outbox(t, dir); len(left) > 0 {
					t.Errorf("%d lines left", len(left))
				}
				s := open(t, n, in(dir)) // what was not consumed comes now
				for m := range s.Messages() {
					if m.Text == lines[len(lines)-1] {
						break
					}
				}
			})
		})
	}
}

func TestCloseAnytime(t *testing.T) {
	closing := func(t *testing.T, s *session.Session) {
		t.Helper()
		start := time.Now()
		if err := s.Close(); !errors.Is(err, session.ErrUnsent) {
			t.Errorf("Close: %v", err)
		}
		if d := time.Since(start); d > 1500*time.Millisecond {
			t.Errorf("Close took %v", d)
		}
	}
	for name, test := range map[string]func(t *testing.T, n *netsim.Net, s *session.Session){
		"during a dial": func(t *testing.T, n *netsim.Net, s *session.Session) {
			n.Partition("ana", true)
			time.Sleep(time.Second)
			closing(t, s)
		},
		"during a wait": func(t *testing.T, n *netsim.Net, s *session.Session) {
			n.SetDown("server", true)
			time.Sleep(time.Minute)
			closing(t, s)
		},
		"before the welcome": func(t *testing.T, n *netsim.Net, s *session.Session) {
			scripted(t, n).accept()
			closing(t, s)
		},
		"on a dead link": func(t *testing.T, n *netsim.Net, s *session.Session) {
			scripted(t, n).join()
			n.Links()[0].Stall(true, true)
			closing(t, s)
			n.Links()[0].Reset()
		},
		"during replay, nobody consumes": func(t *testing.T, n *netsim.Net, s *session.Session) {
			p := scripted(t, n).accept()
			p.welcome(nil)
			p.send(batchFrom("c0", "c400", 1, 400))
			time.Sleep(time.Second)
			closing(t, s)
		},
		"in the loop, during replay": func(t *testing.T, n *netsim.Net, s *session.Session) {
			srv := scripted(t, n)
			go func() {
				p := srv.accept()
				p.welcome(nil)
				for i, c := 0, numbered("c", 0, 4000); i < 4000 && p.try(batchFrom(c[i], c[i+400], i+1, 400)); i += 400 {
				}
			}()
			lines := 0
			for range s.Messages() {
				if lines++; lines == 10 {
					time.Sleep(10 * time.Second) // the feed is full
					closing(t, s)
				}
			}
			if lines != 10 {
				t.Errorf("%d lines, want none after Close", lines)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, n *netsim.Net) {
				s := open(t, n, nil)
				send(t, s, "unsent")
				test(t, n, s)
			})
		})
	}
}

// A program that only sends needs no consumer; one that comes late gets everything,
// once.
func TestLateConsumer(t *testing.T) {
	for name, o := range map[string]session.Options{
		"from now on": {}, "with history": {Backlog: -1}, "fresh": {Fresh: true},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, n *netsim.Net) {
				serve(t, n, nil)
				bob := openAs(t, n, "bob", nil)
				bobs := follow(bob)
				send(t, bob, "old1", "old2")
				texts(t, bobs, 2)
				ana := open(t, n, func(opts *session.Options) { opts.Backlog, opts.Fresh = o.Backlog, o.Fresh })
				awaitThat(t, bobs, func(p session.Presence) bool { return contains(p.Joined, "ana") })
				for i := 1; i <= 1500; i += 100 {
					send(t, bob, numbered("b", i, i+99)...)
					send(t, ana, numbered("a", i, i+99)...)
					time.Sleep(time.Second)
				}
				want := texts(t, bobs, 3000)
				if o.Backlog != 0 {
					want = append([]string{"old1", "old2"}, want...)
				}
				if len(ana.Unsent()) > 0 {
					t.Errorf("%d lines unsent", len(ana.Unsent()))
				}
				tp := follow(ana)
				equal(t, "lines", texts(t, tp, len(want)), want)
				send(t, bob, "more")
				equal(t, "lines", texts(t, tp, 1), []string{"more"})
			})
		})
	}
}

// A consumer that comes and goes while lines come misses none.
func TestLateConsumerWhileLinesCome(t *testing.T) {
	bubble(t, func(t *testing.T, n *netsim.Net) {
		serve(t, n, nil)
		bob, ana := openAs(t, n, "bob", nil), open(t, n, nil)
		bobs := follow(bob)
		awaitThat(t, bobs, func(p session.Presence) bool { return contains(p.Joined, "ana") })
		go func() {
			for i := 1; i <= 6000; i += 50 {
				_, _ = bob.Send(numbered("b", i, i+49)...)
				time.Sleep(107 * time.Millisecond)
			}
		}()
		var got []string
		for _, wait := range []time.Duration{4 * time.Second, 3 * time.Second, 5 * time.Second, 0} {
			time.Sleep(wait)
			for m := range ana.Messages() {
				got = append(got, m.Text)
				if wait > 0 && len(got)%50 == 0 || len(got) == 6000 {
					must(t, ana.Commit(m))
					break
				}
			}
		}
		equal(t, "lines", got, numbered("b", 1, 6000))
	})
}

func TestSlowConsumer(t *testing.T) {
	bubble(t, func(t *testing.T, n *netsim.Net) {
		serve(t, n, nil)
		bob, ana := openAs(t, n, "bob", nil), open(t, n, nil)
		bobs := follow(bob)
		awaitThat(t, bobs, func(p session.Presence) bool { return contains(p.Joined, "ana") })
		var got []string
		receipts := uint64(0)
		done := make(chan struct{})
		go func() {
			defer close(done)
			for e := range ana.Events() {
				switch e := e.(type) {
				case session.Message:
					if got = append(got, e.Text); len(got)%500 == 0 {
						time.Sleep(7 * time.Minute)
					}
				case session.Receipt:
					if receipts++; e.ID.N != receipts {
						t.Errorf("receipt for %d, want %d", e.ID.N, receipts)
					}
				}
				if len(got) == 4000 && receipts == 1000 {
					return
				}
			}
		}()
		send(t, bob, numbered("b", 1, 3000)...)
		send(t, ana, numbered("a", 1, 1000)...)
		want := texts(t, bobs, 4000)
		<-done
		equal(t, "lines", got, want)
		must(t, ana.Close())
	})
}

// A consumer that takes a few events at a time misses nothing, whatever it does
// meanwhile.
func TestBreakOffAndRangeAgain(t *testing.T) {
	bubble(t, func(t *testing.T, n *netsim.Net) {
		serve(t, n, nil)
		dir := t.TempDir()
		bob := openAs(t, n, "bob", nil)
		bobs := follow(bob)
		awaitState(t, bobs, session.Online)
		var got []string
		ana := open(t, n, in(dir))
		awaitThat(t, bobs, func(p session.Presence) bool { return contains(p.Joined, "ana") })
		send(t, bob, numbered("b", 1, 5000)...)
		for i := 0; len(got) < 5000; i++ {
			for m := range ana.Messages() {
				if got = append(got, m.Text); len(got)%100 == 0 {
					must(t, ana.Commit(m))
					break
				}
			}
			if i%10 == 0 {
				time.Sleep(time.Minute)
			}
			if i%15 == 14 {
				must(t, ana.Close())
				ana = open(t, n, in(dir))
			}
		}
		equal(t, "lines", got, numbered("b", 1, 5000))
	})
}

func TestFlags(t *testing.T) {
	bubble(t, func(t *testing.T, n *netsim.Net) {
		serve(t, n, nil)
		dir := t.TempDir()
		bob := openAs(t, n, "bob", nil)
		bobs := follow(bob)
		send(t, bob, "b1")
		texts(t, bobs, 1)
		ana := open(t, n, in(dir))
		tp := follow(ana)
		awaitState(t, tp, session.Online)
		for _, s := range []*session.Session{ana, bob} {
			send(t, s, map[*session.Session]string{ana: "a1", bob: "b2"}[s])
			if m := await[session.Message](t, tp); m.Replayed || m.Seen || m.Own != (m.From == "ana") {
				t.Errorf("live line %+v", m)
			}
		}
		must(t, ana.Close())
		send(t, bob, "b3")
		texts(t, bobs, 3)

		tail := open(t, n, func(o *session.Options) { o.Dir, o.Fresh, o.Backlog = dir, true, 2 })
		tp = follow(tail)
		for _, want := range []string{"b2", "b3"} {
			if m := await[session.Message](t, tp); m.Text != want || m.Seen || !m.Replayed || m.Own {
				t.Errorf("Fresh: %+v, want %s", m, want)
			}
		}
		must(t, tail.Close())

		again := open(t, n, func(o *session.Options) { o.Dir, o.Backlog = dir, -1 })
		tp = follow(again)
		for _, want := range []string{"b1", "a1", "b2", "b3"} {
			// b1 was before the first session: it was not shown, but neither was it
			// missed; what lies before what was seen counts as seen.
			if m := await[session.Message](t, tp); m.Text != want || m.Seen != (want != "b3") || !m.Replayed {
				t.Errorf("with history: %+v, want %s", m, want)
			}
		}
		must(t, again.Close())

		last := open(t, n, in(dir))
		tp = follow(last)
		awaitState(t, tp, session.Online)
		none[session.Message](t, tp)
	})
}

// A line that went out, whose ack and echo were lost with the connection, is known
// as one's own all the same.
func TestOwnAfterAnOutage(t *testing.T) {
	bubble(t, func(t *testing.T, n *netsim.Net) {
		serve(t, n, nil)
		dir := t.TempDir()
		first := open(t, n, in(dir))
		tp := follow(first)
		awaitState(t, tp, session.Online)
		must(t, first.Close())
		n.SetDown("server", true)
		second := open(t, n, in(dir))
		send(t, second, "a1")
		if err := second.Close(); !errors.Is(err, session.ErrUnsent) {
			t.Fatal(err)
		}
		n.SetDown("server", false)
		third := open(t, n, in(dir))
		tp = follow(third)
		send(t, third, "a2")
		for _, want := range []string{"a1", "a2"} {
			if m := await[session.Message](t, tp); m.Text != want || !m.Own {
				t.Errorf("%+v, want %s, own", m, want)
			}
		}
	})
}
