package e2e

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"syscall"
	"testing"
	"time"

	"holdfast/e2e/oracle"
	"holdfast/session/wire"
)

// message is a line of tail --json.
type message struct {
	Type     string
	Room     string
	Seq      uint64
	From     string
	Text     string
	At       time.Time
	Replayed bool
}

// log reads a room's whole log with the real tail.
func (w *world) log(room string) (log []oracle.Entry) {
	w.t.Helper()
	lines, code := run(w.t, w.reader, "tail", "--server", w.url(), "--room", room, "--as", "witness", "--history", "all", "--until-live", "--json")
	if code != 0 {
		w.t.Fatalf("tail: exit code %d", code)
	}
	for _, l := range lines {
		var m message
		if err := json.Unmarshal([]byte(l), &m); err != nil {
			w.t.Fatalf("tail printed %q: %v", l, err)
		}
		if m.Type != "message" || m.Room != room || !m.Replayed || time.Since(m.At).Abs() > time.Hour {
			w.t.Fatalf("tail printed %q", l)
		}
		log = append(log, oracle.Entry{Seq: m.Seq, From: m.From, Text: m.Text})
	}
	return log
}

// TestTenThousandLines pours lines into send while the link is cut ten times, after a
// number of bytes and so in the middle of a frame, and the server is killed
// three times.
func TestTenThousandLines(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var o oracle.Oracle
	lines := make([]string, 10_000)
	for i := range lines {
		lines[i] = fmt.Sprintf("line %d of many", i)
		o.Said("ana", lines[i])
	}
	p := start(t, t.TempDir(), "send", "--server", w.url(), "--room", "general", "--as", "ana", "--retry-for", "0s")
	w.proxy.CutAfter(50_000)
	go func() {
		p.say(lines...)
		_ = p.stdin.Close()
	}()
	for cut := range 10 {
		before := w.proxy.Stats()
		if cut%3 == 2 { // in full flow
			until(t, "traffic", func() bool { return w.proxy.Stats().Up > before.Up+10_000 })
			w.crash()
		}
		until(t, fmt.Sprint("cut ", cut), func() bool { return w.proxy.Stats().Resets > before.Resets })
		w.proxy.CutAfter(int64(30_000 + rand.IntN(20_000)))
	}
	select {
	case <-p.ended:
		t.Fatal("all was sent before all faults had happened: nothing is proved")
	default:
	}
	w.proxy.CutAfter(0)
	if code := p.wait(); code != 0 {
		t.Fatalf("send: exit code %d", code)
	}
	for _, l := range lines {
		o.Acked("ana", l)
	}
	if err := o.CheckLive(w.log("general")); err != nil {
		t.Error(err)
	}
}

// TestKilledClient kills a client that holds lines which the server never got, while
// another says its own. They arrive once, in order, when it is started again.
func TestKilledClient(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	home := t.TempDir()
	var o oracle.Oracle
	join := []string{"join", "general", "--as", "ana", "--server", w.url()}
	p := start(t, home, join...)
	p.say("before")
	o.Said("ana", "before")
	until(t, "a line in the log", func() bool { return len(w.log("general")) == 1 })
	w.proxy.HoleUp(true)
	sent := 0
	for i := range 100 {
		line := fmt.Sprintf("unsent %d", i)
		p.say(line)
		o.Said("ana", line)
		sent += 6 + len(wire.Encode(&wire.Send{Source: strings.Repeat("x", 16), N: uint64(i + 2), Text: line}))
	}
	// A line is on disk before it is sent, so once all frames fell into the hole, all
	// lines were stored.
	until(t, "lines sent into the void", func() bool { return w.proxy.Stats().Lost >= int64(sent) })
	p.kill()
	w.proxy.Reset()
	w.proxy.HoleUp(false)
	p = start(t, home, join...)
	p.say("after")
	o.Said("ana", "after")
	_ = p.stdin.Close()
	if code := p.wait(); code != 0 {
		t.Fatalf("join: exit code %d", code)
	}
	o.Acked("ana", "after") // the receipts of the others died with the first process
	log := w.log("general")
	if err := o.Check(log); err != nil || len(log) != 102 {
		t.Errorf("%d lines: %v", len(log), err)
	}
}

// TestTalkers has four real clients chat through every fault that the proxy knows and
// a server that is killed, and asks what each of them saw.
func TestTalkers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "--heartbeat", "300ms", "--dead-after", "900ms")
	const each = 40
	var o oracle.Oracle
	names := []string{"ana", "ben", "cem", "dia"}
	talkers := map[string]*process{}
	for _, n := range names {
		talkers[n] = start(t, t.TempDir(), "join", "general", "--as", n, "--server", w.url(), "--history", "all")
		o.Reader(n, oracle.View{Omit: n})
	}
	faults := []func(){
		func() { w.proxy.Reset() },
		func() { w.proxy.Hole(true); w.moment(); w.proxy.Hole(false); w.proxy.Reset() },
		func() { w.proxy.HoleDown(true); w.moment(); w.proxy.HoleDown(false); w.proxy.Reset() },
		func() { heal := w.proxy.Stall(); w.moment(); heal() },
		func() { _ = w.proxy.Refuse(true); w.proxy.Reset(); w.moment(); _ = w.proxy.Refuse(false) },
		func() { w.crash() },
		func() { w.proxy.Slice(3); w.moment(); w.proxy.Slice(0) },
		func() { w.proxy.CutAfter(700); w.moment(); w.proxy.CutAfter(0) },
	}
	for i := range each {
		for _, n := range names {
			line := fmt.Sprintf("%s says %d", n, i)
			o.Said(n, line)
			talkers[n].say(line)
		}
		if i%5 == 4 {
			faults[(i/5)%len(faults)]()
		}
	}
	all := each * len(names)
	for _, n := range names {
		p := talkers[n]
		until(t, n+" is level", func() bool { return len(said(p.out.all())) >= all-each })
	}
	for _, n := range names {
		_ = talkers[n].stdin.Close()
		if code := talkers[n].wait(); code != 0 {
			t.Errorf("%s: exit code %d", n, code)
		}
		for i := range each {
			o.Acked(n, fmt.Sprintf("%s says %d", n, i)) // it ended with 0
		}
		for _, l := range said(talkers[n].out.all()) {
			from, text, _ := strings.Cut(l, ": ")
			o.Saw(n, 0, from, text)
		}
	}
	if err := o.CheckLive(w.log("general")); err != nil {
		t.Error(err)
	}
}

// moment lets a fault last until it has met traffic, or for a second if there is none.
func (w *world) moment() {
	w.t.Helper()
	before, began := w.proxy.Stats(), time.Now()
	until(w.t, "a moment", func() bool {
		lasted := time.Since(began)
		return lasted > time.Second || lasted > 300*time.Millisecond && w.proxy.Stats() != before
	})
}

// said returns the lines of the chat, without joins and leaves.
func said(out []string) (lines []string) {
	for _, l := range out {
		if strings.Contains(l, ": ") {
			lines = append(lines, l)
		}
	}
	return lines
}

// TestDrain stops a server with SIGTERM in the middle of a stream: it ends with 0 and
// soon, what it took is there, and the client goes on with its successor.
func TestDrain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var o oracle.Oracle
	p := start(t, t.TempDir(), "send", "--server", w.url(), "--room", "general", "--as", "ana", "--retry-for", "0s")
	lines := make([]string, 5000)
	for i := range lines {
		lines[i] = fmt.Sprint("line ", i)
		o.Said("ana", lines[i])
	}
	p.say(lines[:2500]...)
	until(t, "traffic", func() bool { return w.proxy.Stats().Up > 20_000 })
	stopped := time.Now()
	w.server.signal(syscall.SIGTERM)
	if code := w.server.wait(); code != 0 || time.Since(stopped) > 15*time.Second {
		t.Errorf("server: exit code %d after %v", code, time.Since(stopped))
	}
	w.proxy.SetUpstream(w.serve())
	p.say(lines[2500:]...)
	_ = p.stdin.Close()
	if code := p.wait(); code != 0 {
		t.Fatalf("send: exit code %d", code)
	}
	for _, l := range lines {
		o.Acked("ana", l)
	}
	if err := o.CheckLive(w.log("general")); err != nil {
		t.Error(err)
	}
}
