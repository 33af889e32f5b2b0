//go:build linux || darwin || freebsd || openbsd || netbsd

package lineui

import (
	"slices"
	"sync"

	"github.com/peterh/liner"
)

// history is the list that liner's arrows and Ctrl-R walk through. liner has one
// of its own, but locks it for as long as it prompts, and forgets it when it is
// replaced; so it is only ever a copy of this one, brought up to date between
// prompts.
type history struct {
	mu    sync.Mutex
	lines []string // flattened, oldest first, at most liner.HistoryLimit
	fresh int      // how many of the last lines liner has not seen
}

func (h *history) add(line string) {
	line = flatten(line)
	if line == "" {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if n := len(h.lines); n > 0 && h.lines[n-1] == line {
		return
	}
	h.lines = append(h.lines, line)
	h.fresh++
	if over := len(h.lines) - liner.HistoryLimit; over > 0 {
		h.lines = slices.Clone(h.lines[over:])
	}
	h.fresh = min(h.fresh, len(h.lines))
}

// unseen returns the lines that liner lacks, or all of them for a new liner.
func (h *history) unseen(all bool) []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	from := len(h.lines) - h.fresh
	if all {
		from = 0
	}
	h.fresh = 0
	return slices.Clone(h.lines[from:])
}
