package server_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/server"
	"holdfast/session/wire"
)

func TestRoomClosesAndOpensAgain(t *testing.T) {
	bubble(t, &server.Options{Linger: 5 * time.Second}, func(w *world) {
		var cursor string
		for round := range uint64(4) {
			c := w.join("general", "ana", resume(cursor, 0))
			if c.welcome.Acks[0].N != round {
				w.Errorf("round %d: acks %+v", round, c.welcome.Acks)
			}
			c.send(round+1, fmt.Sprint("round ", round))
			c.wantTexts(fmt.Sprint("round ", round))
			if seq := c.events[0].Seq; seq != round+1 {
				w.Errorf("round %d: seq %d", round, seq)
			}
			cursor = c.cursor
			if round%2 == 0 {
				c.drop()
				pass(4 * time.Second)
				if n := w.store.rooms(); n != 1 {
					w.Errorf("while ana lingers %d rooms are open", n)
				}
				pass(2 * time.Second)
			} else {
				c.write(&wire.Bye{})
				pass(time.Second)
			}
			if n := w.store.rooms(); n != 0 || w.srv.OpenRooms() != 0 {
				w.Errorf("round %d: %d rooms are open", round, n)
			}
		}
	})
}

// Lines on their way keep a room open when everybody has gone.
func TestLinesKeepARoomOpen(t *testing.T) {
	bubble(t, &server.Options{Linger: -1}, func(w *world) {
		ana := w.join("general", "ana")
		w.store.close()
		ana.send(1, "one")
		synctest.Wait()
		ana.drop()
		pass(time.Minute)
		if n := w.store.rooms(); n != 1 {
			w.Errorf("%d rooms are open", n)
		}
		back := w.join("general", "ana")
		back.send(1, "one")
		back.send(2, "two")
		synctest.Wait()
		want[*wire.Ack](back)
		back.drop()
		w.store.open()
		pass(time.Minute)
		if n := w.store.rooms(); n != 0 {
			w.Errorf("%d rooms are open", n)
		}
		w.join("general", "bob").wantTexts("one", "two")
	})
}

// TestHubUnderLoad has many join, speak, leave and linger at once in few rooms,
// which open and close all the time. Every client ends with its lines stored, in
// order and once.
func TestHubUnderLoad(t *testing.T) {
	for seed := range uint64(4) {
		bubble(t, &server.Options{Linger: 7 * time.Millisecond, PresenceDelay: 2 * time.Millisecond}, func(w *world) {
			const people, visits = 16, 12
			var all sync.WaitGroup
			for i := range people {
				all.Go(func() { w.visit(rand.New(rand.NewPCG(seed, uint64(i))), i, visits) })
			}
			all.Wait()
			pass(time.Minute)
			if n := w.store.rooms(); n != 0 || w.srv.OpenRooms() != 0 {
				w.Errorf("%d rooms are open", n)
			}
			for room := range 3 {
				next := map[string]uint64{}
				c := w.join(fmt.Sprint("room", room), "reader")
				synctest.Wait()
				for _, e := range c.events {
					if next[e.From]++; e.N != next[e.From] {
						w.Errorf("seed %d: line %d of %s, want %d", seed, e.N, e.From, next[e.From])
					}
				}
				if len(next) == 0 {
					w.Errorf("seed %d: nobody spoke in room %d", seed, room)
				}
			}
		})
	}
}

// visit comes and goes, each time with a line or two for a room.
func (w *world) visit(rng *rand.Rand, i, visits int) {
	user := fmt.Sprint("user", i)
	said, most := map[string]uint64{}, map[string]uint64{}
	for range visits {
		room := fmt.Sprint("room", rng.IntN(3))
		c, _, err := w.dial(room, user, wire.Subprotocol)
		if err != nil {
			w.Error("dial:", err)
			return
		}
		var reader sync.WaitGroup
		reader.Go(c.read)
		send := func(f wire.Frame) { _ = c.ws.Write(context.Background(), 1, wire.Encode(f)) }
		acked := uint64(0)
		for f := range c.frames {
			if challenge, ok := f.(*wire.Challenge); ok {
				send(sign(hello(user), challenge, user))
			}
			if wl, ok := f.(*wire.Welcome); ok {
				acked = wl.Acks[0].N
				break
			}
		}
		if acked > most[room] {
			w.Errorf("%s is welcomed with %d acked of %d", user, acked, most[room])
		}
		said[room] = acked // more may be on its way to the disk: it is said again
		for range 1 + rng.IntN(2) {
			said[room]++
			most[room] = max(most[room], said[room])
			send(&wire.Send{Source: c.source, N: said[room], Text: "line"})
		}
		switch rng.IntN(4) {
		case 0:
			send(&wire.Bye{})
		case 1:
			time.Sleep(time.Duration(rng.IntN(10)) * time.Millisecond)
			_ = c.ws.Close(1000, "")
		case 2:
			time.Sleep(time.Duration(rng.IntN(10)) * time.Millisecond)
		}
		_ = c.ws.CloseNow()
		reader.Wait()
		time.Sleep(time.Duration(rng.IntN(20)) * time.Millisecond)
	}
}
