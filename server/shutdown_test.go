package server_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/server"
	"holdfast/session/wire"
)

// shutdown runs Shutdown beside the test and waits for it in the end.
func (w *world) shutdown(ctx context.Context) (wait func() error) {
	var down sync.WaitGroup
	var err error
	down.Go(func() { err = w.srv.Shutdown(ctx) })
	synctest.Wait()
	return func() error { down.Wait(); return err }
}

func TestShutdown(t *testing.T) {
	bubble(t, &server.Options{Linger: time.Hour}, func(w *world) {
		ana, bob := w.join("general", "ana"), w.join("other", "bob")
		w.join("general", "gone").drop()
		greeting := w.connect("general", "greeting")
		pass(time.Second)
		w.store.close()
		for n := range uint64(10) {
			ana.send(n+1, "on its way")
			bob.send(n+1, " ")
		}
		synctest.Wait()
		start := time.Now()
		wait := w.shutdown(context.Background())
		ana.send(11, "too late")
		bob.send(1, "again")
		pass(3 * time.Second)
		want[*wire.Bye](ana)
		want[*wire.Bye](bob)
		if _, _, err := w.dial("general", "newcomer", wire.Subprotocol); err == nil {
			w.Error("a newcomer was let in")
		}
		w.store.open()
		if err := wait(); err != nil {
			w.Error(err)
		}
		if took := time.Since(start); took > 4*time.Second {
			w.Errorf("took %v", took)
		}
		for _, c := range []*client{ana, bob, greeting} {
			if bye := c.wantEnd(wire.Draining); bye.RetryMS < 0 || bye.RetryMS > 2000 {
				w.Errorf("retry_ms is %d", bye.RetryMS)
			}
		}
		for _, c := range []*client{ana, bob} {
			if acks := got[*wire.Ack](c); len(acks) == 0 || acks[len(acks)-1].N != 10 {
				w.Errorf("%s: acks %+v", c.source, acks)
			}
		}
		if n := len(got[*wire.Refused](bob)); n != 10 {
			w.Errorf("told of %d refusals", n)
		}
	})
}

// The acks of what was taken must reach the client, however they fall together
// with the bye.
func TestAcksBeforeBye(t *testing.T) {
	for range 30 {
		bubble(t, nil, func(w *world) {
			var crowd []*client
			for i := range 5 {
				crowd = append(crowd, w.join("general", fmt.Sprint("user", i)))
			}
			w.store.close()
			for _, c := range crowd {
				c.send(1, "last")
			}
			synctest.Wait()
			wait := w.shutdown(context.Background())
			w.store.open()
			if err := wait(); err != nil {
				w.Error(err)
			}
			for _, c := range crowd {
				c.wantEnd(wire.Draining)
				want(c, ack(c.source, 1))
			}
		})
	}
}

func TestShutdownSpreadsTheReturn(t *testing.T) {
	bubble(t, nil, func(w *world) {
		var crowd []*client
		for i := range 100 {
			crowd = append(crowd, w.join(fmt.Sprint("room", i%7), fmt.Sprint("user", i)))
		}
		if err := w.srv.Shutdown(context.Background()); err != nil {
			w.Error(err)
		}
		var early, late int
		for _, c := range crowd {
			switch bye := c.wantEnd(wire.Draining); {
			case bye.RetryMS < 1000:
				early++
			case bye.RetryMS <= 2000:
				late++
			}
		}
		if early < 25 || late < 25 || early+late != 100 {
			w.Errorf("%d early, %d late", early, late)
		}
	})
}

func TestShutdownIsBound(t *testing.T) {
	bubble(t, &server.Options{PresenceDelay: time.Hour}, func(w *world) {
		ana, stuck := w.join("general", "ana"), w.join("general", "stuck")
		greeting := w.connect("general", "greeting")
		pass(time.Second)
		w.store.close()
		ana.send(1, "on its way")
		synctest.Wait()
		stuck.link.Stall(true, true)
		greeting.link.Stall(true, true)
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		start := time.Now()
		if err := w.srv.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
			w.Error(err)
		}
		if took := time.Since(start); took != 2*time.Second {
			w.Errorf("took %v", took)
		}
		pass(2 * time.Second)
		for range ana.frames { // it was cut
		}
		want[*wire.Ack](ana)
		w.store.open()
		start = time.Now()
		for range 2 {
			if err := w.srv.Shutdown(context.Background()); err != nil {
				w.Error(err)
			}
		}
		if took := time.Since(start); took > time.Second {
			w.Errorf("the second took %v", took)
		}
	})
}

func TestShutdownsAtOnce(t *testing.T) {
	bubble(t, nil, func(w *world) {
		for i := range 20 {
			w.join("general", fmt.Sprint("user", i))
		}
		var all sync.WaitGroup
		for i := range 10 {
			all.Go(func() {
				ctx, cancel := context.WithTimeout(context.Background(), time.Duration(i)*77*time.Millisecond)
				defer cancel()
				_ = w.srv.Shutdown(ctx)
			})
		}
		all.Wait()
	})
}

func TestShutdownWithoutAnyone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := server.New(nil)
		for range 2 {
			if err := srv.Shutdown(context.Background()); err != nil {
				t.Error(err)
			}
		}
	})
}

// TestShutdownAtAnyMoment lets clients of all kinds go on while the server stops;
// the bubble proves that nothing is left, and every ack must be of a stored line.
func TestShutdownAtAnyMoment(t *testing.T) {
	for seed := range uint64(60) {
		bubble(t, &server.Options{Linger: 3 * time.Second, InFlight: 8}, func(w *world) {
			rng := rand.New(rand.NewPCG(seed, 0))
			var all sync.WaitGroup
			for i := range 12 {
				delay := time.Duration(rng.IntN(40)) * time.Millisecond
				room, user := fmt.Sprint("room", i%3), fmt.Sprint("user", i)
				leave := rng.IntN(3)
				all.Go(func() {
					time.Sleep(delay)
					if i%4 == 3 {
						if c, _, err := w.dial(room, user); err == nil {
							for k := range 5 {
								_ = c.ws.Write(context.Background(), 1, fmt.Append(nil, "plain ", k))
							}
							_ = c.ws.CloseNow()
						}
						return
					}
					c, _, err := w.dial(room, user, wire.Subprotocol)
					if err != nil {
						return
					}
					all.Go(c.read)
					challenge, ok := (<-c.frames).(*wire.Challenge)
					if !ok {
						return
					}
					_ = c.ws.Write(context.Background(), 1, wire.Encode(sign(hello(user), challenge, user)))
					for n := range uint64(10) {
						time.Sleep(3 * time.Millisecond)
						_ = c.ws.Write(context.Background(), 1, wire.Encode(&wire.Send{Source: c.source, N: n + 1, Text: "line"}))
					}
					switch leave {
					case 0:
						_ = c.ws.Close(1000, "")
					case 1:
						_ = c.ws.CloseNow()
					}
				})
			}
			if seed%2 == 0 {
				w.store.close()
				all.Go(func() { time.Sleep(45 * time.Millisecond); w.store.open() })
			}
			time.Sleep(time.Duration(rng.IntN(60)) * time.Millisecond)
			if err := w.srv.Shutdown(context.Background()); err != nil {
				w.Errorf("seed %d: %v", seed, err)
			}
			all.Wait()
		})
	}
}

func TestStoreFailure(t *testing.T) {
	for _, when := range []string{"before", "while"} {
		t.Run(when+" shutting down", func(t *testing.T) {
			bubble(t, nil, func(w *world) {
				ana, bob := w.join("general", "ana"), w.join("other", "bob")
				plain := w.plain("general", "plain", "")
				pass(time.Second)
				w.store.close()
				ana.send(1, "lost")
				synctest.Wait()
				wait := func() error { return w.srv.Shutdown(context.Background()) }
				code := wire.Internal
				if when == "while" {
					wait = w.shutdown(context.Background())
				}
				w.store.fail()
				synctest.Wait()
				select {
				case <-w.srv.Failed():
				default:
					w.Error("Failed is not closed")
				}
				if when == "before" {
					ana.wantEnd(code)
					bob.wantEnd(code)
					if plain.code != 1011 {
						w.Errorf("plain mode was closed with %d", plain.code)
					}
					status, _, _ := w.request("GET", "/chat/general/new", "")
					if status != 503 {
						w.Errorf("a newcomer got %d", status)
					}
				}
				if err := wait(); err != nil {
					w.Error(err)
				}
				want[*wire.Ack](ana)
				for range bob.frames {
				}
			})
		})
	}
}
