//go:build linux || darwin || freebsd || openbsd || netbsd

package lineui

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// maxQueue bounds what waits while the terminal takes no output, in bytes with
// lineCost for each line: some ten thousand lines of a chat.
const (
	maxQueue = 1 << 20
	lineCost = 16 // an empty line takes memory, too
)

// board holds what other goroutines want to see on screen until the painter
// looks. No method waits for anything but the mutex.
type board struct {
	wake chan struct{} // holds a token when something changed

	mu       sync.Mutex
	queue    []string // lines to go above the prompt
	size     int      // of queue, as maxQueue counts
	dropped  int      // lines that no longer fitted into queue
	cleared  bool     // the screen goes before queue
	rung     bool     // the bell is to ring
	lastRung time.Time
	status   []string
	prompt   string
}

// news is what waited on a board.
type news struct {
	cleared bool
	rung    bool
	lines   []string
	status  []string // of the screen; must not be changed
	prompt  string
}

// bellPause is the least time between two rings: a bell that never ends is no
// signal.
const bellPause = 2 * time.Second

func newBoard() *board { return &board{wake: make(chan struct{}, 1), prompt: ">"} }

// print queues lines. When too many wait, the older half goes and a notice says so.
func (b *board) print(lines []string) {
	lines = splitRows(lines)
	b.change(func() bool {
		b.queue = append(b.queue, lines...)
		for _, l := range lines {
			b.size += len(l) + lineCost
		}
		if b.size > maxQueue {
			n := 0
			for ; b.size > maxQueue/2; n++ {
				b.size -= len(b.queue[n]) + lineCost
			}
			b.dropped += n
			b.queue = slices.Clone(b.queue[n:])
		}
		return len(lines) > 0
	})
}

// setStatus and setPrompt are told the same again and again. That makes no frame: one
// in vain would end a selection with the mouse.
func (b *board) setStatus(rows []string) {
	rows = splitRows(rows)
	b.change(func() bool {
		same := slices.Equal(b.status, rows)
		b.status = rows
		return !same
	})
}

func (b *board) setPrompt(text string) {
	b.change(func() bool {
		same := b.prompt == text
		b.prompt = text
		return !same
	})
}

// clear also drops what waits: it would only be cleared at once.
func (b *board) clear() {
	b.change(func() bool {
		b.cleared, b.queue, b.size, b.dropped = true, nil, 0, 0
		return true
	})
}

func (b *board) ring() {
	b.change(func() bool {
		now := time.Now()
		if now.Sub(b.lastRung) < bellPause {
			return false
		}
		b.rung, b.lastRung = true, now
		return true
	})
}

// change wakes the painter if f changes anything.
func (b *board) change(f func() (changed bool)) {
	b.mu.Lock()
	changed := f()
	b.mu.Unlock()
	if !changed {
		return
	}
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// take returns what is new, once.
func (b *board) take() news {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := news{b.cleared, b.rung, b.queue, b.status, b.prompt}
	if b.dropped > 0 {
		n.lines = slices.Insert(n.lines, 0, fmt.Sprintf("-- %d lines not shown --", b.dropped))
	}
	b.cleared, b.rung, b.queue, b.size, b.dropped = false, false, nil, 0, 0
	return n
}

// splitRows copies rows. A line break inside one would put the painter's count
// of rows wrong, so it starts a row of its own.
func splitRows(rows []string) []string {
	out := make([]string, 0, len(rows))
	for _, row := range rows {
		out = append(out, strings.Split(row, "\n")...)
	}
	return out
}
