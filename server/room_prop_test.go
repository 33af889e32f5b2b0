package server_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"holdfast/e2e/property"
	"holdfast/server"
	"holdfast/server/history"
	"holdfast/session/wire"
)

// Whatever clients do, honest or not, in whatever order: each line is in the log once,
// as the next of its source; what is said about it is true, and never nothing; each
// reader sees one run of the log, and who is there.
func TestRoomProperties(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		property.Check(t, rt, func(t *testing.T) {
			opts := &server.Options{InFlight: window, Linger: linger}
			run(t, opts, history.Memory(), func(w *world) {
				p := &party{w: w, lounge: lounge{streams: map[string]*stream{}, members: map[string]time.Time{}}}
				rt.Repeat(map[string]func(*rapid.T){
					"": p.check, "hello": p.hello, "send": p.send, "send again": p.send, "drop": p.drop, "bye": p.bye,
					"history": p.history, "shut": p.shut, "open": p.open, "full": p.fill, "plain": p.comePlain,
					"plain says": p.sayPlain, "plain leaves": p.leavePlain, "time": p.time,
					"two at once": func(rt *rapid.T) { p.hello(rt); p.hello(rt) }, // before anybody is told of the first
					"a flap":      func(rt *rapid.T) { p.bye(rt); p.hello(rt) },
				})
				p.open(rt)
				p.check(rt)
				p.readAll(rt)
			})
		})
	})
}

// party is a room with guests, and what must become of it.
type party struct {
	w *world
	lounge
	texts int
	gus   *plainClient
}

// cursor returns the point before line i of the log, as some connected guest was told.
func (p *party) cursor(i int) string {
	for _, g := range p.guests {
		if g.from == i {
			return g.welcome.Cursor
		}
	}
	return ""
}

func (p *party) hello(rt *rapid.T) {
	g := &guest{user: rapid.SampledFrom([]string{"ana", "bob"}).Draw(rt, "user"), device: rapid.SampledFrom([]string{"d1", "d2"}).Draw(rt, "device")}
	h := &wire.Hello{Device: g.device, Key: keyOf(g.user), Host: "server", Backlog: rapid.IntRange(-1, 4).Draw(rt, "backlog")}
	at := 0
	switch rapid.IntRange(0, 3).Draw(rt, "cursor") {
	case 0: // none
	case 1:
		h.Cursor = "nonsense"
	default:
		if n := rapid.IntRange(0, len(p.log)).Draw(rt, "at"); p.cursor(n) != "" {
			at, h.Cursor = n, p.cursor(n)
		}
	}
	for _, name := range rapid.SampledFrom([][]string{{"s1"}, {"s2"}, {"s1", "s2"}, {"s2", "s1"}}).Draw(rt, "sources") {
		s := p.stream(g.user, name)
		base := uint64(rapid.IntRange(0, int(s.durable)).Draw(rt, "base"))
		if rapid.IntRange(0, 9).Draw(rt, "ahead") == 0 {
			base = s.mark + 2
		}
		h.Sources = append(h.Sources, wire.Base{Source: name, Base: base})
	}
	old := slices.IndexFunc(p.guests, func(o *guest) bool { return o.user == g.user && o.device == g.device })
	acks := p.greet(g, h.Sources)
	g.client = p.w.joinWith("general", g.user, h)
	g.looked = 1
	p.checkWelcome(rt, g, h, at, acks)
	if old >= 0 {
		o := p.guests[old]
		if o.wantEnd(wire.Superseded); g.welcome.Generation <= o.welcome.Generation {
			rt.Fatalf("generation %d follows %d", g.welcome.Generation, o.welcome.Generation)
		}
		synctest.Wait() // the server is done with it, too
		p.leave(o, false)
	}
}

func (p *party) checkWelcome(rt *rapid.T, g *guest, h *wire.Hello, at int, acks []wire.Ack) {
	w, head := g.welcome, len(p.log)
	tail := head
	for shown := 0; tail > 0 && (shown < h.Backlog || h.Backlog < 0); tail-- {
		if p.log[tail-1].refuse == "" {
			shown++
		}
	}
	resumed, missed := false, head-tail
	reason := wire.ReasonFresh
	g.from = tail
	switch h.Cursor {
	case "":
	case "nonsense":
		if reason = wire.ReasonDiverged; h.Backlog == 0 { // it shows some at least
			g.from, missed = max(head-200, 0), min(head, 200)
		}
	default:
		reason, resumed, missed = "", true, head-at
		g.from = min(at, tail)
	}
	if w.Resumed != resumed || w.Reason != reason || int(w.Missed) != missed {
		rt.Fatalf("hello at %d of %d, backlog %d: resumed %v %q, %d missed; want %v %q, %d", at, head, h.Backlog,
			w.Resumed, w.Reason, w.Missed, resumed, reason, missed)
	}
	if here, sure := p.here(); sure && !slices.Equal(w.Members, here) {
		rt.Fatalf("welcome names %v, here are %v", w.Members, here)
	}
	if !slices.Equal(w.Acks, acks) {
		rt.Fatalf("welcome acknowledges %v, want %v", w.Acks, acks)
	}
}

// check lets all come to rest and judges what everybody was told since the last time.
func (p *party) check(rt *rapid.T) {
	pass(500 * time.Millisecond) // presence is told a little later
	here, sure := p.here()
	for _, g := range p.guests {
		p.checkFrames(rt, g)
		g.mu.Lock()
		events := slices.Clone(g.events)
		g.mu.Unlock()
		if !slices.EqualFunc(events, p.log[g.from:], is) {
			rt.Fatalf("%s has read %d lines from %d on, of %d", g.user, len(events), g.from, len(p.log))
		}
		if names := present(g); sure && !slices.Equal(names, here) {
			rt.Fatalf("%s sees %v, here are %v", g.user, names, here)
		}
	}
}

// is reports whether an event is that line.
func is(e wire.Event, l spoken) bool {
	if l.refuse != "" {
		return e.Kind == wire.KindVoid && e.Source == l.from.name && e.N == l.n && e.From == l.user
	}
	if l.from != nil && e.Source != l.from.name {
		return false
	}
	return e.Kind == "" && e.Text == l.text && e.From == l.user && e.N == l.n
}

// present is who is there, as the welcome and what followed told.
func present(g *guest) []string {
	names := map[string]bool{}
	for _, m := range g.welcome.Members {
		names[m] = true
	}
	for _, f := range got[*wire.Presence](g.client) {
		for _, m := range f.Joined {
			names[m] = true
		}
		for _, m := range f.Left {
			delete(names, m)
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// checkFrames judges the frames besides events that came since the last time.
func (p *party) checkFrames(rt *rapid.T, g *guest) {
	g.mu.Lock()
	frames := g.seen[g.looked:]
	g.looked = len(g.seen)
	g.mu.Unlock()
	last := map[string]uint64{}
	for _, f := range frames {
		switch f := f.(type) {
		case *wire.Ack:
			if last[f.Source] = f.N; f.N > g.named[f.Source].acked() {
				rt.Fatalf("%s is told that %s %d is on disk; it is up to %d", g.user, f.Source, f.N, g.named[f.Source].acked())
			}
		case *wire.Retry:
			if len(g.retries) == 0 || f.Source != g.retries[0].Source || f.N != g.retries[0].N {
				rt.Fatalf("%s is told %+v, want %+v", g.user, f, g.retries)
			}
			g.retries = g.retries[1:]
		case *wire.Refused:
			if len(g.refusals) == 0 || f.Source != g.refusals[0].Source || f.N != g.refusals[0].N || f.Code != g.refusals[0].Code {
				rt.Fatalf("%s is told %+v, want %+v", g.user, f, g.refusals)
			}
			g.refusals = g.refusals[1:]
		}
	}
	if len(g.retries)+len(g.refusals) > 0 || !maps.Equal(last, g.acks) {
		rt.Fatalf("%s is told acks %v, want %v, and not %+v %+v", g.user, last, g.acks, g.retries, g.refusals)
	}
	clear(g.acks)
}

func (p *party) guest(rt *rapid.T) *guest {
	if len(p.guests) == 0 {
		rt.Skip("nobody is connected")
	}
	return p.guests[rapid.IntRange(0, len(p.guests)-1).Draw(rt, "guest")]
}

func (p *party) send(rt *rapid.T) {
	g := p.guest(rt)
	s := g.named[rapid.SampledFrom(slices.Sorted(maps.Keys(g.named))).Draw(rt, "source")]
	p.texts++
	f := &wire.Send{Source: s.name, N: s.mark + 1, Text: fmt.Sprint("text ", p.texts)}
	switch rapid.IntRange(0, 5).Draw(rt, "n") {
	case 0:
		f.N += uint64(rapid.IntRange(1, 3).Draw(rt, "gap"))
	case 1, 2:
		f.N = uint64(rapid.IntRange(1, int(f.N)).Draw(rt, "again"))
	}
	bad := ""
	switch rapid.IntRange(0, 9).Draw(rt, "fit") {
	case 0:
		f.Text, bad = " \n", wire.RefusedBlank
	case 1:
		f.Kind, bad = "shout", wire.RefusedKind
	}
	p.lounge.send(g, f, bad)
	g.write(f)
}

func (p *party) drop(rt *rapid.T) {
	g := p.guest(rt)
	g.client.drop()
	p.leave(g, false)
}

func (p *party) bye(rt *rapid.T) {
	g := p.guest(rt)
	g.write(&wire.Bye{})
	synctest.Wait()
	p.leave(g, true)
}

func (p *party) history(rt *rapid.T) {
	g := p.guest(rt)
	before, limit := rapid.IntRange(0, len(p.log)+1).Draw(rt, "before"), rapid.IntRange(1, 10).Draw(rt, "limit")
	want := p.log
	if before > 0 {
		want = want[:before-1]
	}
	end := len(want) <= limit
	want = want[max(len(want)-limit, 0):]
	g.write(&wire.History{ID: "h", Before: uint64(before), Limit: limit})
	synctest.Wait()
	pages := got[*wire.Page](g.client)
	if page := pages[len(pages)-1]; !slices.EqualFunc(page.Events, want, is) || page.End != end {
		rt.Fatalf("%d before %d: %d lines, end %v; want %d, %v", limit, before, len(page.Events), page.End, len(want), end)
	}
}

// While the store is shut, lines are on their way to the disk.
func (p *party) shut(*rapid.T) { p.w.store.close(); p.lounge.shut = true }

func (p *party) open(*rapid.T) {
	p.w.store.open()
	p.lounge.shut = false
	p.settle()
}

func (p *party) fill(*rapid.T) {
	if p.full = !p.full; p.full {
		p.w.store.refuse(history.ErrFull)
	} else {
		p.w.store.refuse(nil)
	}
}

func (p *party) comePlain(rt *rapid.T) {
	if p.plain {
		if _, resp, err := p.w.dial("general", "gus"); err == nil || resp.StatusCode != 409 {
			rt.Fatal("a second gus is let in")
		}
		return
	}
	p.gus, p.plain = p.w.plain("general", "gus", "?backlog=0"), true
	p.members["gus"] = time.Time{}
}

func (p *party) sayPlain(rt *rapid.T) {
	if !p.plain {
		rt.Skip("gus is not here")
	}
	p.texts++
	text := fmt.Sprint("text ", p.texts)
	p.gus.say(text)
	if p.full || p.waitingOf("gus") >= window {
		p.gus.mu.Lock()
		defer p.gus.mu.Unlock()
		if !strings.HasSuffix(p.gus.said, "; try again\n") {
			rt.Fatalf("a line was not stored, and gus is told %q", p.gus.said)
		}
		return
	}
	p.said++
	p.append(spoken{user: "gus", n: p.said, text: text})
}

func (p *party) leavePlain(rt *rapid.T) {
	if !p.plain || p.waitingOf("gus") > 0 {
		rt.Skip("gus is not here, or has lines on their way")
	}
	p.plain, p.said = false, 0
	p.gus.leave()
	p.gone("gus", true)
}

func (p *party) time(rt *rapid.T) {
	pass(rapid.SampledFrom([]time.Duration{5 * time.Second, 70 * time.Second}).Draw(rt, "passes"))
}

// readAll has somebody new read the room from the beginning.
func (p *party) readAll(rt *rapid.T) {
	c := p.w.join("general", "zoe")
	synctest.Wait()
	if !slices.EqualFunc(c.events, p.log, is) {
		rt.Fatalf("the room holds %d lines, want %d", len(c.events), len(p.log))
	}
}
