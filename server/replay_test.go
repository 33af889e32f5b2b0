package server_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/server"
	"holdfast/server/history"
	"holdfast/session/wire"
)

// talk sends lines and waits for all acks, a window at a time.
func (c *client) talk(from, to uint64, text func(n uint64) string) {
	c.w.Helper()
	for n := from; n <= to; n++ {
		c.send(n, text(n))
		if n%200 == 0 || n == to {
			synctest.Wait()
		}
	}
	if acks := got[*wire.Ack](c); len(acks) == 0 || acks[len(acks)-1].N != to {
		c.w.Fatalf("acks end with %+v, want %d", acks, to)
	}
}

func number(n uint64) string { return fmt.Sprint("line ", n) }

func long(n uint64) string { return fmt.Sprint("line ", n, strings.Repeat(" long", 700)) }

// wantRun checks that the events are those numbered from to to.
func (c *client) wantRun(from, to uint64) {
	c.w.Helper()
	synctest.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	if uint64(len(c.events)) != to-from+1 {
		c.w.Errorf("%s has %d events, want %d to %d", c.source, len(c.events), from, to)
		return
	}
	for i, e := range c.events {
		if e.N != from+uint64(i) {
			c.w.Errorf("%s has number %d at %d, want %d", c.source, e.N, i, from+uint64(i))
			return
		}
	}
}

func resume(cursor string, backlog int) func(*wire.Hello) {
	return func(h *wire.Hello) { h.Cursor, h.Backlog = cursor, backlog }
}

// TestReplay reads rooms of all sizes around the border between memory and disk
// from every kind of place.
func TestReplay(t *testing.T) {
	for _, size := range []struct {
		lines uint64
		text  func(uint64) string
	}{
		{0, number},
		{1, number},
		{server.ReadAhead - 1, number},
		{server.ReadAhead + 1, number},
		{server.TailLines - 1, number},
		{server.TailLines, number},
		{server.TailLines + 1, number},
		{server.TailLines + 2*server.ReadAhead + 7, number},
		{server.TailBytes/3500 + 20, long},
	} {
		bubble(t, &server.Options{Linger: time.Second}, func(w *world) {
			writer := w.join("general", "writer")
			if size.lines > 0 {
				writer.talk(1, size.lines, size.text)
			}
			check := func(what string) {
				w.Helper()
				full := w.join("general", "full")
				full.wantRun(1, size.lines)
				if n := len(got[*wire.Live](full)); n != 1 {
					w.Errorf("%s: live came %d times", what, n)
				}
				if full.welcome.Missed != int64(size.lines) {
					w.Errorf("%s: missed %d", what, full.welcome.Missed)
				}
				none := w.join("general", "none", resume("", 0))
				none.wantTexts()
				some := w.join("general", "some", resume("", 3))
				some.wantRun(size.lines-min(3, size.lines)+1, size.lines)
				full.drop()
				back := w.join("general", "full", resume(full.cursor, 0))
				back.wantTexts()
				if !back.welcome.Resumed || back.welcome.Missed != 0 || back.welcome.Cursor != full.cursor {
					w.Errorf("%s: welcome %s", what, wire.Encode(back.welcome))
				}
				more := w.join("general", "full", resume(full.cursor, 2))
				more.wantRun(size.lines-min(2, size.lines)+1, size.lines)
				if !more.welcome.Resumed || more.welcome.Missed != 0 {
					w.Errorf("%s: welcome %s", what, wire.Encode(more.welcome))
				}
				for _, c := range []*client{none, some, back, more} {
					c.drop()
				}
			}
			check("from memory")
			writer.drop()
			pass(time.Minute)
			if n := w.srv.OpenRooms(); n != 0 {
				w.Fatalf("%d rooms are open", n)
			}
			check("from disk")
		})
	}
}

// TestResumeEverywhere comes back to each line of a room that is partly in memory.
func TestResumeEverywhere(t *testing.T) {
	bubble(t, nil, func(w *world) {
		writer := w.join("general", "writer")
		const lines = server.TailLines + 40
		writer.talk(1, lines, number)
		cursors := map[uint64]string{}
		watcher := w.join("general", "watcher")
		for f := range watcher.frames {
			if e, ok := f.(*wire.Events); ok {
				cursors[e.Events[len(e.Events)-1].N] = e.Cursor
			}
			if _, ok := f.(*wire.Live); ok {
				break
			}
		}
		for n := uint64(1); n <= 30; n++ { // one by one, for a cursor at each
			writer.talk(lines+n, lines+n, number)
			cursors[lines+n] = writer.cursor
		}
		for n, cursor := range cursors {
			c := w.join("general", "reader", resume(cursor, 0))
			c.wantRun(n+1, lines+30)
			if !c.welcome.Resumed || c.welcome.Missed != int64(lines+30-n) || c.welcome.Reason != "" {
				w.Errorf("from %d: %s", n, wire.Encode(c.welcome))
			}
			c.drop()
		}
		if len(cursors) < 35 {
			w.Errorf("only %d cursors", len(cursors))
		}
	})
}

func TestStrangeCursors(t *testing.T) {
	bubble(t, nil, func(w *world) {
		w.join("general", "writer").talk(1, 300, number)
		other := w.join("other", "writer")
		other.talk(1, 10, number)
		for _, cursor := range []string{other.cursor, "nonsense"} {
			c := w.join("general", "reader", resume(cursor, 5))
			c.wantRun(296, 300)
			if wl := c.welcome; wl.Resumed || wl.Reason != wire.ReasonDiverged || wl.Lost != -1 || wl.Missed != 5 {
				w.Errorf("%s", wire.Encode(wl))
			}
		}
	})
}

func TestExpiredCursor(t *testing.T) {
	bubble(t, &server.Options{Keep: history.Retention{Lines: 50}}, func(w *world) {
		writer := w.join("general", "writer")
		writer.talk(1, 10, number)
		cursor := writer.cursor
		writer.talk(11, 100, number)
		pass(2 * time.Minute)
		c := w.join("general", "reader", resume(cursor, 0))
		c.wantRun(51, 100)
		if wl := c.welcome; wl.Resumed || wl.Reason != wire.ReasonExpired || wl.Lost != 40 || wl.Missed != 50 {
			w.Errorf("%s", wire.Encode(wl))
		}
	})
}

// A reader that lags comes level by itself, and nobody waits for it.
func TestLaggingReader(t *testing.T) {
	bubble(t, nil, func(w *world) {
		writer, slow, fast := w.join("general", "writer"), w.join("general", "slow"), w.join("general", "fast")
		synctest.Wait()
		slow.link.Stall(false, true)
		start := time.Now()
		const lines = 3 * server.TailLines
		writer.talk(1, lines, number)
		fast.wantRun(1, lines)
		if took := time.Since(start); took > time.Second {
			w.Errorf("the others waited %v", took)
		}
		pass(5 * time.Second)
		slow.link.Heal()
		slow.wantRun(1, lines)
		slow.talk(1, 1, func(uint64) string { return "level" })
		for _, c := range []*client{slow, fast, writer} {
			want(c, &wire.Live{})
		}
	})
}

func TestStuckReaderIsCut(t *testing.T) {
	bubble(t, nil, func(w *world) {
		writer, stuck := w.join("general", "writer"), w.join("general", "stuck")
		synctest.Wait()
		stuck.link.Stall(false, true)
		writer.talk(1, 400, long)
		pass(30 * time.Second)
		writer.talk(401, 402, long)
		writer.wantRun(1, 402)
		if len(w.net.Links()) != 2 { // the stuck one is closed on one side only
			w.Errorf("%d links", len(w.net.Links()))
		}
		stuck.link.Heal()
		for range stuck.frames { // ends when the connection has ended
		}
		pass(time.Second)
		want(writer, joined("stuck", "writer"))
	})
}

// Retention that overtakes a reader must not leave a hole that it can't see.
func TestTrimOvertakesReader(t *testing.T) {
	bubble(t, &server.Options{Keep: history.Retention{Lines: 100}, DeadAfter: 10 * time.Minute, Heartbeat: 5 * time.Minute}, func(w *world) {
		writer, slow := w.join("general", "writer"), w.join("general", "slow")
		synctest.Wait()
		pass(55 * time.Second)
		slow.link.Stall(false, true)
		writer.talk(1, 2*server.TailLines, number)
		pass(6 * time.Second)
		slow.link.Heal()
		slow.wantEnd(wire.Resync)
		c := w.join("general", "slow", resume(slow.cursor, 0))
		last := slow.events[len(slow.events)-1].N
		c.wantRun(2*server.TailLines-99, 2*server.TailLines)
		if wl := c.welcome; wl.Reason != wire.ReasonExpired || wl.Lost != int64(2*server.TailLines-100-last) {
			w.Errorf("after line %d: %s", last, wire.Encode(wl))
		}
	})
}

func TestHistoryPages(t *testing.T) {
	bubble(t, nil, func(w *world) {
		ana := w.join("general", "ana", resume("", 0))
		ana.write(&wire.History{ID: "empty", Limit: 10})
		if p := await[*wire.Page](ana); p.ID != "empty" || len(p.Events) != 0 || !p.End {
			w.Errorf("page %s", wire.Encode(p))
		}
		ana.talk(1, 450, number)
		var before uint64
		for _, want := range []struct {
			from, to uint64
			limit    int
			end      bool
		}{{251, 450, 200, false}, {250, 250, 1, false}, {51, 249, 199, false}, {1, 50, 50, true}} {
			ana.write(&wire.History{ID: "x", Before: before, Limit: want.limit})
			p := await[*wire.Page](ana)
			n := len(p.Events)
			if n == 0 || p.Events[0].N != want.from || p.Events[n-1].N != want.to || p.End != want.end {
				w.Fatalf("want %+v, page has %d events, end %v", want, n, p.End)
			}
			before = p.Events[0].Seq
		}
		ana.talk(451, 500, long)
		ana.write(&wire.History{ID: "big", Limit: 200})
		p := await[*wire.Page](ana)
		if n := len(p.Events); n < 10 || n > 20 || p.Events[n-1].N != 500 || p.End {
			w.Errorf("a page of long lines has %d events, end %v", n, p.End)
		}
		for _, limit := range []int{0, 201} {
			c := w.join("general", "bad")
			c.write(&wire.History{ID: "x", Limit: limit})
			c.wantEnd(wire.Malformed)
		}
	})
}
