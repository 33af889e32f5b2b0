//go:build linux || darwin || freebsd || openbsd || netbsd

package lineui

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// Two lines are typed while 3,000 arrive at 2,000 a second. In the end all of them
// are on the screen or have scrolled off it, in order, and nothing else is: no
// prompt, no half-typed line, no blank row.
func TestFlood(t *testing.T) {
	t.Parallel()
	const all = 3000
	s := start(t, "chat", 60, 12)
	s.mu.Lock()
	s.keep = true
	s.mu.Unlock()
	s.do("storm 2000 %d", all)
	typed := []string{"the first line, typed into the flood", "and a second one behind it"}
	keys := strings.Join(typed, "\r") + "\r"
	for i := range keys { // from the first message to the last
		s.wait("progress", func(screen) bool { return len(s.seen()) > i*(all-100)/len(keys) })
		s.keys(keys[i : i+1])
	}
	reports := []string{s.report(), s.report(), s.report()}
	slices.Sort(reports)
	if reports[0] != fmt.Sprintf("line %q <nil>", typed[1]) || reports[1] != fmt.Sprintf("line %q <nil>", typed[0]) {
		t.Fatalf("%q", reports)
	}
	t.Log(reports[2])
	s.wait("the end", func(now screen) bool {
		seen := s.seen()
		for _, want := range []string{fmt.Sprintf("<msg %04d>", all-1), fmt.Sprintf("<sent %q>", typed[0]), fmt.Sprintf("<sent %q>", typed[1])} {
			if !slices.Contains(seen, want) {
				return false
			}
		}
		return lastRow("[online] >")(now)
	})
	rows := s.seen()
	for _, line := range typed {
		i := slices.Index(rows, fmt.Sprintf("<sent %q>", line))
		if i < 0 {
			t.Fatalf("typed line %q is not there", line)
		}
		rows = slices.Delete(rows, i, i+1)
	}
	for i, row := range rows {
		want := fmt.Sprintf("<msg %04d>", i)
		if i == all {
			want = "[online] >"
		}
		if row != want {
			t.Fatalf("row %d is %q, want %q", i, row, want)
		}
	}
	if len(rows) != all+1 {
		t.Errorf("%d rows, want %d", len(rows), all+1)
	}
}

// seen returns all rows as of the last whole frame, those that have scrolled off the
// screen first.
func (s *terminal) seen() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append(slices.Clone(s.scrolled[:s.gone]), s.whole.rows...)
}
