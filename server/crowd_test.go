package server_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/server"
	"holdfast/session/wire"
)

// A thousand rooms on one connection cost memory, and not one goroutine.
func TestThousandRooms(t *testing.T) {
	bubble(t, nil, func(w *world) {
		ana := w.join("general", "ana")
		pass(time.Second)
		goroutines, heap := runtime.NumGoroutine(), heapInUse()
		const rooms = 1000
		for i := range rooms {
			ana.join(fmt.Sprint("room", i))
			if i%100 == 0 {
				synctest.Wait()
			}
		}
		pass(time.Second)
		if n := len(got[*wire.Live](ana)); n != rooms+1 {
			t.Fatalf("%d rooms are live", n)
		}
		for len(ana.frames) > 0 {
			<-ana.frames
		}
		ana.seen = nil
		if n := runtime.NumGoroutine() - goroutines; n > 0 {
			t.Errorf("%d goroutines more", n)
		}
		perRoom := (int64(heapInUse()) - int64(heap)) / rooms
		t.Logf("%d bytes a room", perRoom)
		if perRoom > 8<<10 {
			t.Errorf("a room takes %d bytes", perRoom)
		}
		ana.sendIn("room77", 1, "here")
		ana.sendIn("room999", 1, "and here")
		synctest.Wait()
		if acks := got[*wire.Ack](ana); len(acks) != 2 {
			t.Errorf("acks %s", show(acks))
		}
	})
}

func heapInUse() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// A busy room does not keep the others waiting: lines take turns, and all else goes
// before them.
func TestTurns(t *testing.T) {
	bubble(t, nil, func(w *world) {
		busy, quiet := w.join("busy", "writer"), w.join("quiet", "writer")
		busy.talk(1, 200, long)
		quiet.talk(1, 1, number)
		ana := w.join("general", "ana")
		pass(time.Second)
		ana.link.Stall(false, true)
		ana.join("busy") // which is more than fits on the way
		synctest.Wait()
		ana.join("quiet")
		ana.send(1, "mine")
		synctest.Wait()
		ana.link.Heal()
		synctest.Wait()
		var order []string
		for len(ana.frames) > 0 {
			switch f := (<-ana.frames).(type) {
			case *wire.Welcome:
				order = append(order, "welcome "+f.Room)
			case *wire.Ack:
				order = append(order, "ack")
			case *wire.Events:
				order = append(order, f.Room)
			}
		}
		i, n := slices.Index(order, "welcome quiet"), len(order)
		if i < 0 || n < 50 || order[i+1] != "ack" || !slices.Contains(order[i:i+5], "quiet") || !slices.Contains(order[:i], "busy") || order[n-1] != "busy" {
			t.Errorf("frames come in the order %q", order)
		}
	})
}

// Who joins more rooms than there may be, and does not read that, is cut before it fills
// memory. Who joins one room again and again gives up what was to be read: that may go on.
func TestJoinFlood(t *testing.T) {
	for name, room := range map[string]func(i int) string{
		"one room":       func(int) string { return "attic" },
		"too many rooms": func(i int) string { return fmt.Sprint("room", i) },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, &server.Options{MaxRooms: 2}, func(w *world) {
				evil := w.join("general", "evil")
				synctest.Wait()
				evil.link.Stall(false, true)
				var flood sync.WaitGroup
				flood.Go(func() {
					for i := range 3 * server.MaxQueued {
						f := &wire.Join{Room: room(i), Device: "d", Sources: []wire.Base{{Source: "s"}}}
						_ = evil.ws.Write(context.Background(), 1, wire.Encode(f)) // nobody may read it any more
					}
				})
				synctest.Wait()
				evil.link.Heal()
				if name == "too many rooms" {
					evil.wantEnd(wire.TooSlow)
				}
				flood.Wait()
				evil.drop()
				pass(2 * time.Minute)
				if n := w.srv.OpenRooms(); n != 0 {
					t.Errorf("%d rooms are open", n)
				}
			})
		})
	}
}

// Many are in many rooms, and come, go, take over and speak at once. In each room, each
// line is there once and in order, and in the end nothing is open.
func TestManyRoomsUnderLoad(t *testing.T) {
	for seed := range uint64(4) {
		bubble(t, &server.Options{Linger: 7 * time.Millisecond, PresenceDelay: 2 * time.Millisecond}, func(w *world) {
			var all sync.WaitGroup
			for i := range 8 {
				all.Go(func() { w.roam(rand.New(rand.NewPCG(seed, uint64(i))), i) })
			}
			all.Wait()
			pass(time.Minute)
			if n := w.store.rooms(); n != 0 || w.srv.OpenRooms() != 0 {
				w.Errorf("%d rooms are open", n)
			}
			spoke := 0
			for room := range 4 {
				next := map[string]uint64{}
				c := w.join(fmt.Sprint("room", room), "reader")
				synctest.Wait()
				for _, e := range c.events {
					if next[e.From]++; e.N != next[e.From] {
						w.Errorf("seed %d: line %d of %s, want %d", seed, e.N, e.From, next[e.From])
					}
				}
				spoke += len(next)
			}
			if spoke < 16 {
				w.Errorf("seed %d: only %d have spoken", seed, spoke)
			}
		})
	}
}

// roam is in and out of rooms on a few connections. Users share names, so they take
// over from one another.
func (w *world) roam(rng *rand.Rand, i int) {
	user := fmt.Sprint("user", i/2)
	for range 6 {
		c, _, err := w.dial("room0", user, wire.Subprotocol)
		if err != nil {
			w.Error("dial:", err)
			return
		}
		var reader sync.WaitGroup
		reader.Go(c.read)
		send := func(f wire.Frame) { _ = c.ws.Write(context.Background(), 1, wire.Encode(f)) }
		said := map[string]uint64{}
		for steps := 60; steps > 0; steps-- {
			var f wire.Frame
			select {
			case f = <-c.frames:
			case <-time.After(2 * time.Millisecond):
			}
			switch f := f.(type) {
			case *wire.Challenge:
				send(sign(hello(user), f, user))
				for room := 1; room < 4; room++ {
					send(&wire.Join{Room: fmt.Sprint("room", room), Device: "d-" + user, Sources: []wire.Base{{Source: c.source}}, Window: rng.Int64N(3)})
				}
			case *wire.Welcome:
				said[f.Room] = f.Acks[0].N
			}
			room := fmt.Sprint("room", rng.IntN(4))
			label := strings.TrimSuffix(room, "room0")
			switch n := rng.IntN(12); {
			case n < 5 && len(said) > 0:
				said[label]++
				send(&wire.Send{Room: room, Source: c.source, N: said[label], Text: "line"})
			case n < 6:
				send(&wire.Join{Room: room, Device: fmt.Sprint("d", rng.IntN(2)), Sources: []wire.Base{{Source: c.source}}})
			case n < 7:
				send(&wire.Bye{Room: room})
			case n < 8:
				send(&wire.More{Room: room, Lines: 5})
			case n < 9:
				time.Sleep(time.Duration(rng.IntN(10)) * time.Millisecond)
			}
		}
		if rng.IntN(2) == 0 {
			send(&wire.Bye{})
		}
		_ = c.ws.CloseNow()
		reader.Wait()
		time.Sleep(time.Duration(rng.IntN(20)) * time.Millisecond)
	}
}
