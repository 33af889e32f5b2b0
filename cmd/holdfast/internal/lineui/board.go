//go:build linux || darwin || freebsd || openbsd || netbsd

package lineui

import (
	"fmt"
	"slices"
	"strings"
	"sync"
)

// maxQueue bounds the lines that wait while the terminal takes no output.
const maxQueue = 2000

// board holds what other goroutines want to see on screen until the painter
// looks. No method waits for anything but the mutex.
type board struct {
	wake chan struct{} // holds a token when something changed

	mu      sync.Mutex
	queue   []string // lines to go above the prompt
	dropped int      // lines that no longer fitted into queue
	status  []string
	prompt  string
}

func newBoard() *board { return &board{wake: make(chan struct{}, 1), prompt: ">"} }

// print queues lines. When too many wait, the older half goes and a notice says so.
func (b *board) print(lines []string) {
	lines = splitRows(lines)
	b.change(func() {
		if b.queue = append(b.queue, lines...); len(b.queue) > maxQueue {
			n := len(b.queue) - maxQueue/2
			b.dropped += n
			b.queue = slices.Clone(b.queue[n:])
		}
	})
}

func (b *board) setStatus(rows []string) {
	rows = splitRows(rows)
	b.change(func() { b.status = rows })
}

func (b *board) setPrompt(text string) { b.change(func() { b.prompt = text }) }

func (b *board) change(f func()) {
	b.mu.Lock()
	f()
	b.mu.Unlock()
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// take empties the queue. The status rows must not be changed.
func (b *board) take() (lines, status []string, prompt string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	lines, b.queue = b.queue, nil
	if b.dropped > 0 {
		lines = slices.Insert(lines, 0, fmt.Sprintf("-- %d lines not shown --", b.dropped))
		b.dropped = 0
	}
	return lines, b.status, b.prompt
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
