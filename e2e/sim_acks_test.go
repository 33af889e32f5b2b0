package e2e

import (
	"sync"

	"holdfast/session"
)

// gate lets a reader pass, or not.
type gate struct {
	mu   sync.Mutex
	shut chan struct{} // nil while it is open
}

func (g *gate) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.shut == nil {
		g.shut = make(chan struct{})
	}
}

func (g *gate) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.shut != nil {
		close(g.shut)
		g.shut = nil
	}
}

func (g *gate) pass() {
	g.mu.Lock()
	shut := g.shut
	g.mu.Unlock()
	if shut != nil {
		<-shut
	}
}

// acks knows which line a receipt is for, and which lines had one.
type acks struct {
	mu    sync.Mutex
	lines map[session.ID]utterance
	acked map[string]bool
}

// utterance is a line and who said it: a client, or a second device of its.
type utterance struct{ voice, line string }

func newAcks() acks { return acks{lines: map[session.ID]utterance{}, acked: map[string]bool{}} }

func (a *acks) sent(voice string, first session.ID, lines []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for i, line := range lines {
		a.lines[session.ID{Source: first.Source, N: first.N + uint64(i)}] = utterance{voice, line}
	}
}

// receipt tells the oracle of an ack.
func (s *sim) receipt(r session.Receipt) {
	a := &s.acks
	a.mu.Lock()
	of, ok := a.lines[r.ID]
	a.acked[of.line] = true
	a.mu.Unlock()
	if !ok || r.Err != nil {
		s.t.Errorf("a receipt for %v %v: %v", r.ID, of, r.Err)
		return
	}
	s.oracle.Acked(of.voice, of.line)
}

func (a *acks) has(line string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.acked[line]
}

// learnt notes an ack without a receipt and reports whether that is news.
func (a *acks) learnt(line string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	news := !a.acked[line]
	a.acked[line] = true
	return news
}
