package historytest

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"holdfast/server/history"
)

// Tape is an open room with a sink that remembers. Now and the methods of Log may be called
// from any goroutine. The others stop the test if the log fails, so they are for the
// goroutine of the test.
type Tape struct {
	history.Log
	t  testing.TB
	mu sync.Mutex
	// heard is closed and replaced at each call of the sink.
	heard chan struct{}
	lines []history.Entry

	// Marks is the number of the last line made of each source, by its name.
	Marks map[string]uint64
}

// Record opens a room of s, and stops the test if it can't.
func Record(t testing.TB, s history.Store, room string) *Tape {
	t.Helper()
	p := &Tape{t: t, heard: make(chan struct{}), Marks: make(map[string]uint64)}
	var err error
	p.Log, err = s.Open(room, p.hear)
	noError(t, err)
	return p
}

func (p *Tape) hear(lines []history.Entry) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lines = append(p.lines, lines...)
	close(p.heard)
	p.heard = make(chan struct{})
}

// Now returns what was heard, and a channel that is closed when there is more.
func (p *Tape) Now() ([]history.Entry, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.lines[:len(p.lines):len(p.lines)], p.heard
}

// Wait returns the first n lines as soon as they were heard. It gives up after 20 seconds.
func (p *Tape) Wait(n int) []history.Entry {
	p.t.Helper()
	for {
		lines, more := p.Now()
		if len(lines) >= n {
			return lines[:n]
		}
		select {
		case <-more:
		case <-time.After(20 * time.Second):
			p.t.Fatalf("heard %d of %d lines", len(lines), n)
		}
	}
}

// Line makes the next line of a source of ana's.
func (p *Tape) Line(source, text string) history.Line {
	p.Marks[source]++
	return history.Line{User: "ana", Source: source, N: p.Marks[source], Kind: "say", Text: text, At: time.Now()}
}

// Say appends texts as lines of one source and waits until they are durable.
func (p *Tape) Say(source string, texts ...string) []history.Entry {
	p.t.Helper()
	have, _ := p.Now()
	for _, text := range texts {
		noError(p.t, p.Append(p.Line(source, text)))
	}
	return p.Wait(len(have) + len(texts))[len(have):]
}

// SayN appends n lines and waits, as Say does.
func (p *Tape) SayN(n int) []history.Entry {
	p.t.Helper()
	var texts []string
	for i := range n {
		texts = append(texts, fmt.Sprint("line ", i))
	}
	return p.Say("s", texts...)
}

// Texts returns what the lines after a position say.
func (p *Tape) Texts(after uint64) (texts []string) {
	p.t.Helper()
	lines, err := p.Read(after, 1000)
	noError(p.t, err)
	for _, line := range lines {
		texts = append(texts, line.Text)
	}
	return texts
}

// From is the log's Start.
func (p *Tape) From(cursor string, backlog int) history.Start {
	p.t.Helper()
	s, err := p.Log.Start(cursor, backlog)
	noError(p.t, err)
	return s
}

func noError(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func equal[T comparable](t testing.TB, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}
