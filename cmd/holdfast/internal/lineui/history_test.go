//go:build linux || darwin || freebsd || openbsd || netbsd

package lineui

import (
	"fmt"
	"slices"
	"testing"

	"github.com/peterh/liner"
)

// TestHistoryEntries: each is one line that liner can edit; blank and repeated ones are
// left out.
func TestHistoryEntries(t *testing.T) {
	var h history
	for _, line := range []string{"one", "", "two", "two", "bad \x1b[2J\xff", "with\na break"} {
		h.add(line)
	}
	if want := []string{"one", "two", "bad [2J\ufffd", "with␤a break"}; !slices.Equal(h.lines, want) {
		t.Errorf("%q, want %q", h.lines, want)
	}
}

func TestHistoryForLiner(t *testing.T) {
	var h history
	h.add("a")
	h.add("b")
	if got := h.unseen(false); fmt.Sprint(got) != "[a b]" {
		t.Error(got)
	}
	h.add("b")
	h.add("c")
	if got := h.unseen(false); fmt.Sprint(got) != "[c]" {
		t.Error(got)
	}
	if got := h.unseen(true); fmt.Sprint(got) != "[a b c]" {
		t.Error(got)
	}
	for i := range 3 * liner.HistoryLimit {
		h.add(fmt.Sprint(i))
	}
	if got := h.unseen(false); len(got) != liner.HistoryLimit || got[len(got)-1] != "2999" {
		t.Error(len(got), got[len(got)-1])
	}
}
