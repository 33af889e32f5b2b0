package history_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"holdfast/server/history"
)

// engine is a kind of store under test.
type engine struct {
	name   string
	open   func(t *testing.T) history.Store
	reopen func(t *testing.T, s history.Store) history.Store // nil: nothing survives
}

func engines() []engine {
	return []engine{
		{name: "memory", open: func(t *testing.T) history.Store { return closeLater(t, history.Memory()) }},
		diskEngine("disk", func(t *testing.T) (string, vfs.FS) { return t.TempDir() + "/history", nil }),
		diskEngine("crashable", func(*testing.T) (string, vfs.FS) { return "history", vfs.NewCrashableMem() }),
	}
}

func diskEngine(name string, place func(*testing.T) (string, vfs.FS)) engine {
	var dir string
	var fs vfs.FS
	reopen := func(t *testing.T, s history.Store) history.Store {
		if s != nil {
			noError(t, s.Close())
		}
		return openDisk(t, dir, fs)
	}
	return engine{name, func(t *testing.T) history.Store {
		dir, fs = place(t)
		return reopen(t, nil)
	}, reopen}
}

func openDisk(t *testing.T, dir string, fs vfs.FS) history.Store {
	t.Helper()
	s, err := history.OpenDisk(dir, &history.DiskOptions{FS: fs})
	noError(t, err)
	return closeLater(t, s)
}

func closeLater(t *testing.T, s history.Store) history.Store {
	t.Cleanup(func() { s.Close() })
	return s
}

// each runs test on every engine; more picks those that survive a restart.
func each(t *testing.T, survives bool, test func(t *testing.T, e engine)) {
	for _, e := range engines() {
		if survives && e.reopen == nil {
			continue
		}
		t.Run(e.name, func(t *testing.T) { test(t, e) })
	}
}

// tape is a room with a sink that remembers.
type tape struct {
	history.Log
	t  testing.TB
	mu sync.Mutex
	// heard is closed and replaced at each call of the sink.
	heard   chan struct{}
	lines   []history.Entry
	batches int
	marks   map[string]uint64 // appended so far, by source
}

func record(t testing.TB, s history.Store, room string) *tape {
	t.Helper()
	p := &tape{t: t, heard: make(chan struct{}), marks: make(map[string]uint64)}
	var err error
	p.Log, err = s.Open(room, p.hear)
	noError(t, err)
	return p
}

func (p *tape) hear(lines []history.Entry) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lines = append(p.lines, lines...)
	p.batches++
	close(p.heard)
	p.heard = make(chan struct{})
}

// now returns what was heard, and a channel for more.
func (p *tape) now() ([]history.Entry, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.lines[:len(p.lines):len(p.lines)], p.heard
}

// wait returns the first n lines when they were heard.
func (p *tape) wait(n int) []history.Entry {
	p.t.Helper()
	for {
		lines, more := p.now()
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

// line makes the next line of a source.
func (p *tape) line(source, text string) history.Line {
	p.marks[source]++
	return history.Line{User: "ana", Source: source, N: p.marks[source], Kind: "say", Text: text, At: time.Now()}
}

// say appends texts as lines of one source and waits until they are durable.
func (p *tape) say(source string, texts ...string) []history.Entry {
	p.t.Helper()
	have, _ := p.now()
	for _, text := range texts {
		noError(p.t, p.Append(p.line(source, text)))
	}
	return p.wait(len(have) + len(texts))[len(have):]
}

// sayN appends n lines and waits.
func (p *tape) sayN(n int) []history.Entry {
	p.t.Helper()
	var texts []string
	for i := range n {
		texts = append(texts, fmt.Sprint("line ", i))
	}
	return p.say("s", texts...)
}

// texts returns what the lines after a position say.
func (p *tape) texts(after uint64) (texts []string) {
	p.t.Helper()
	lines, err := p.Read(after, 1000)
	noError(p.t, err)
	for _, line := range lines {
		texts = append(texts, line.Text)
	}
	return texts
}

func (p *tape) start(cursor string, backlog int) history.Start {
	p.t.Helper()
	s, err := p.Start(cursor, backlog)
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

// tables counts the tables that the engine has written to h.
func tables(t *testing.T, fs vfs.FS) (n int) {
	t.Helper()
	names, err := fs.List("h")
	noError(t, err)
	for _, name := range names {
		if strings.HasSuffix(name, ".sst") {
			n++
		}
	}
	return n
}
