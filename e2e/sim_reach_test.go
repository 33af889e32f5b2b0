package e2e

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// wanted is what a simulation must have met to have proved anything: faults by their
// kind, and what they lead to. The log tells of the latter.
var wanted = []string{
	"client: gap diverged",
	"client: gap expired",
	"client: private line shown",
	"client: session online",
	"client: session resuming",
	"client: session waiting",
	"server ended itself",
	"server: bye draining",
	"server: bye hello_late",
	"server: bye internal",
	"server: bye malformed",
	"server: bye name_taken",
	"server: bye superseded",
	"server: bye too_slow",
	"server: connection ended",
	"server: free space changed",
	"server: joined",
	"server: left",
	"server: line again",
	"server: line ignored superseded or draining",
	"server: line put off gap",
	"server: line put off rate",
	"server: line put off storage",
	"server: mark raised: lines were lost here, or given up by their client",
	"server: not resumed diverged",
	"server: not resumed expired",
	"server: not resumed fresh",
	"server: reaped",
	"server: takeover",
}

// reach counts what all seeds together met.
type reach struct {
	mu     sync.Mutex
	counts map[string]int
	sums   map[string]float64
}

func newReach() *reach {
	r := &reach{counts: map[string]int{}, sums: map[string]float64{}}
	for _, what := range wanted {
		r.counts[what] = 0
	}
	for _, k := range kinds {
		r.counts["fault: "+k.name] = 0
	}
	return r
}

func (r *reach) count(what string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.counts[what]++
}

func (r *reach) add(what string, n float64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sums[what] += n
}

// faults is how many there were, of all kinds.
func (r *reach) faults() (n int) {
	for what, count := range r.counts {
		if strings.HasPrefix(what, "fault: ") {
			n += count
		}
	}
	return n
}

// require fails t unless all that is wanted, and every kind of fault, was met so often.
func (r *reach) require(t *testing.T, least int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for what, n := range r.counts {
		if n < least && (slices.Contains(wanted, what) || strings.HasPrefix(what, "fault: ")) {
			t.Errorf("%q was met %d times, at least %d are wanted", what, n, least)
		}
	}
}

func (r *reach) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var b strings.Builder
	fmt.Fprintf(&b, "faults: %d", r.faults())
	for _, what := range slices.Sorted(maps.Keys(r.sums)) {
		fmt.Fprintf(&b, "\n%s: %.1f", what, r.sums[what])
	}
	for _, what := range slices.Sorted(maps.Keys(r.counts)) {
		fmt.Fprintf(&b, "\n%s: %d", what, r.counts[what])
	}
	return b.String()
}

// report writes the figures for people.
func (r *reach) report() {
	r.mu.Lock()
	defer r.mu.Unlock()
	figure("simulation", "faults", r.faults())
	for what, n := range r.sums {
		figure("simulation", what, int(n))
	}
	for what, n := range r.counts {
		figure("simulation, met", what, n)
	}
}

// handler counts log records by their message, and the reason or code they name. It
// calls heard with each message.
func (r *reach) handler(who string, heard func(string)) slog.Handler { return counter{r, who, heard} }

type counter struct {
	reach *reach
	who   string
	heard func(string)
}

func (c counter) Enabled(context.Context, slog.Level) bool { return true }
func (c counter) WithAttrs([]slog.Attr) slog.Handler       { return c }
func (c counter) WithGroup(string) slog.Handler            { return c }

func (c counter) Handle(_ context.Context, r slog.Record) error {
	what := c.who + r.Message
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == "reason" || a.Key == "code" {
			what = strings.TrimSpace(what + " " + a.Value.String())
		}
		return true
	})
	c.reach.count(what)
	c.heard(r.Message)
	return nil
}

// trace is what was done to a world, for who has to understand why it failed.
type trace struct{ strings.Builder }

func (l *trace) note(format string, args ...any) {
	fmt.Fprintf(l, "%s ", time.Now().Format("15:04:05.000"))
	fmt.Fprintf(l, format, args...)
	l.WriteByte('\n')
}
