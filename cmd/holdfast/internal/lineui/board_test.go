//go:build linux || darwin || freebsd || openbsd || netbsd

package lineui

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// However often it is rung, the terminal hears it once in a while only.
func TestBellIsSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBoard()
		for i := range 100 { // 10 s
			b.ring()
			if got, want := b.take().rung, i%20 == 0; got != want {
				t.Errorf("ring %d: %v", i, got)
			}
			time.Sleep(bellPause / 20)
		}
		b.ring()
		b.ring()
		if !b.take().rung || b.take().rung {
			t.Error("not once")
		}
	})
}

func TestBoardDropsTheOldest(t *testing.T) {
	b := newBoard()
	for i := range 2*maxQueue + 5 {
		b.print([]string{fmt.Sprint(i)})
	}
	lines := b.take().lines
	var n int
	if _, err := fmt.Sscanf(lines[0], "-- %d lines not shown --", &n); err != nil || len(lines) > maxQueue+1 {
		t.Fatal(lines[0], len(lines))
	}
	if n+len(lines)-1 != 2*maxQueue+5 || lines[1] != fmt.Sprint(n) {
		t.Errorf("%d dropped, %d left from %s on", n, len(lines)-1, lines[1])
	}
	b.print([]string{"two\nrows"})
	if lines := b.take().lines; len(lines) != 2 {
		t.Errorf("%q", lines)
	}
}
