package server_test

import (
	"testing"
	"testing/synctest"
	"time"

	"holdfast/server"
	"holdfast/server/history"
	"holdfast/session/wire"
)

// limited is a hello of who wants so many lines at first.
func limited(lines int64) func(*wire.Hello) {
	return func(h *wire.Hello) { h.Window = lines }
}

// With a window as many lines come as were asked for, and live when all have come. All
// else does not wait.
func TestWindow(t *testing.T) {
	bubble(t, nil, func(w *world) {
		writer := w.join("general", "writer")
		writer.talk(1, 20, number)
		ana := w.join("general", "ana", limited(5))
		ana.wantRun(1, 5)
		want[*wire.Live](ana)
		ana.send(1, "mine")
		ana.write(&wire.History{ID: "h", Limit: 3})
		pass(time.Second)
		w.join("general", "bob")
		pass(time.Second)
		want(ana, ack("s-ana", 1))
		want(ana, joined("ana", "writer"), joined("bob"))
		if pages := got[*wire.Page](ana); len(pages) != 1 {
			t.Errorf("%d pages", len(pages))
		}
		ana.wantRun(1, 5)
		ana.write(&wire.More{Lines: 3})
		ana.wantRun(1, 8)
		ana.write(&wire.More{Lines: 1})
		ana.write(&wire.More{Lines: 1}) // it adds up
		ana.wantRun(1, 10)
		want[*wire.Live](ana)
		ana.write(&wire.More{Lines: 11}) // and the window is level with the room
		synctest.Wait()
		if n := len(ana.texts()); n != 21 {
			t.Errorf("%d lines", n)
		}
		want(ana, &wire.Live{})
		writer.send(21, "further")
		synctest.Wait()
		if n := len(ana.texts()); n != 21 {
			t.Errorf("%d lines", n)
		}
		ana.write(&wire.More{Lines: wire.MaxNumber})
		ana.write(&wire.More{Lines: wire.MaxNumber})
		for n := range uint64(10) {
			writer.send(22+n, "on and on")
		}
		synctest.Wait()
		if n := len(ana.texts()); n != 32 {
			t.Errorf("%d lines", n)
		}
		want(ana, &wire.Live{})
	})
}

// Each room has a window of its own, and so has a room that is joined again.
func TestWindowOfEachRoom(t *testing.T) {
	bubble(t, nil, func(w *world) {
		for _, room := range []string{"attic", "cellar"} {
			w.join(room, "writer").talk(1, 9, number)
		}
		ana := w.join("general", "ana", limited(1))
		for range 2 {
			ana.join("attic", func(f *wire.Join) { f.Window = 2 })
			ana.join("cellar")
			ana.wantIn("attic", "line 1", "line 2")
			ana.write(&wire.More{Lines: 5}) // for the door
			ana.write(&wire.More{Room: "nowhere", Lines: 5})
			ana.write(&wire.More{Room: "cellar", Lines: 1}) // which has no window
			ana.wantIn("attic", "line 1", "line 2")
			if n := len(ana.textsIn("cellar")); n != 9 {
				t.Errorf("%d lines of the cellar", n)
			}
			ana.write(&wire.More{Room: "attic", Lines: 1})
			ana.wantIn("attic", "line 1", "line 2", "line 3")
		}
	})
}

// What is hidden from a client costs it nothing, and its cursor moves on.
func TestWindowAndHiddenLines(t *testing.T) {
	bubble(t, nil, func(w *world) {
		w.whispers = true
		ana, _ := w.join("general", "ana"), w.join("general", "bob")
		n := uint64(0)
		whisper := func(times int) {
			for range times {
				n++
				ana.private(n, "bob", "psst")
			}
			pass(time.Second)
		}
		say := func() { n++; ana.send(n, "aloud"); synctest.Wait() }
		whisper(100)
		say()
		whisper(100)
		say()
		eve := w.join("general", "eve", limited(1))
		eve.wantTexts("aloud")
		want[*wire.Live](eve)
		eve.write(&wire.More{Lines: 1})
		eve.wantTexts("aloud", "aloud")
		want(eve, &wire.Live{})
		before := eve.cursor
		whisper(2 * server.MaxHidden) // with no credit left
		if eve.cursor == before {
			t.Error("hidden lines wait for credit")
		}
		say()
		eve.wantTexts("aloud", "aloud")
		eve.write(&wire.More{Lines: 1})
		eve.wantTexts("aloud", "aloud", "aloud")
	})
}

// Who waits for credit costs no look at the log, however far behind.
func TestWaitingIsFree(t *testing.T) {
	bubble(t, nil, func(w *world) {
		writer := w.join("general", "writer")
		writer.talk(1, server.TailLines+100, number)
		ana := w.join("general", "ana", limited(1))
		ana.wantRun(1, 1)
		reads := w.store.reads.Load()
		writer.talk(server.TailLines+101, server.TailLines+150, number)
		for range 1000 { // more of what has no effect
			writer.write(&wire.More{Lines: 1})
		}
		synctest.Wait()
		if n := w.store.reads.Load() - reads; n != 0 {
			t.Errorf("the log was read %d times", n)
		}
		ana.write(&wire.More{Lines: 1})
		ana.wantRun(1, 2)
		ana.write(&wire.More{Lines: server.TailLines + 148})
		ana.wantRun(1, server.TailLines+150)
		want(ana, &wire.Live{})
	})
}

// A flood of more is as good as one.
func TestMoreFlood(t *testing.T) {
	bubble(t, nil, func(w *world) {
		writer := w.join("general", "writer")
		writer.talk(1, 300, number)
		ana := w.join("general", "ana", limited(1))
		for range 200 {
			ana.write(&wire.More{Lines: 1})
		}
		ana.wantRun(1, 201)
		for range 5000 {
			ana.write(&wire.More{Lines: wire.MaxNumber})
		}
		ana.wantRun(1, 300)
		for _, bad := range []string{`{"type":"more","lines":0}`, `{"type":"more"}`, `{"type":"more","lines":-1}`} {
			c := w.join("general", "bad")
			c.raw([]byte(bad))
			c.wantEnd(wire.Malformed)
		}
	})
}

// Retention that overtakes who waits for credit is told when they go on: where there
// are more rooms, in that one alone.
func TestTrimOvertakesWhoWaits(t *testing.T) {
	for _, many := range []bool{false, true} {
		bubble(t, &server.Options{Keep: history.Retention{Lines: 10}}, func(w *world) {
			writer := w.join("general", "writer")
			writer.talk(1, 20, number)
			ana := w.join("general", "ana", limited(3))
			if many {
				ana.join("attic")
			}
			ana.wantRun(1, 3)
			writer.talk(21, 20+2*server.TailLines, number)
			pass(2 * time.Minute)
			ana.wantByes()
			ana.write(&wire.More{Lines: 100})
			if !many {
				ana.wantEnd(wire.Resync)
				return
			}
			ana.wantByes("general resync")
			ana.sendIn("attic", 1, "still here")
			ana.wantIn("attic", "still here")
			ana.join("general", func(f *wire.Join) { f.Cursor = ana.cursor })
			synctest.Wait()
			if texts := ana.texts(); len(texts) != 10 {
				t.Errorf("then it has %q", texts)
			}
		})
	}
}
