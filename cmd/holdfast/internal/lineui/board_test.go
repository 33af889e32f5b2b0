//go:build linux || darwin || freebsd || openbsd || netbsd

package lineui

import (
	"fmt"
	"strings"
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

// What is the same as before is not painted again.
func TestBoardWakesForNews(t *testing.T) {
	b := newBoard()
	for _, tt := range []struct {
		what   string
		change func()
		want   bool
	}{
		{"a prompt", func() { b.setPrompt("x") }, true},
		{"the same prompt", func() { b.setPrompt("x") }, false},
		{"rows", func() { b.setStatus([]string{"a", "b"}) }, true},
		{"the same rows", func() { b.setStatus([]string{"a\nb"}) }, false},
		{"no rows", func() { b.setStatus(nil) }, true},
		{"no rows again", func() { b.setStatus([]string{}) }, false},
		{"a line", func() { b.print([]string{""}) }, true},
		{"no line", func() { b.print(nil) }, false},
		{"the bell", b.ring, true},
		{"the bell too early", b.ring, false},
		{"an empty screen", b.clear, true},
	} {
		tt.change()
		woken := len(b.wake) > 0
		if b.take(); woken != tt.want {
			t.Errorf("%s: woken %v", tt.what, woken)
		}
		select {
		case <-b.wake:
		default:
		}
	}
}

func TestBoardDropsTheOldest(t *testing.T) {
	b := newBoard()
	line := func(i int) string { return fmt.Sprintf("%07d %s", i, strings.Repeat("x", 100-8-lineCost)) }
	const printed = 2*maxQueue/100 + 5
	for i := range printed {
		b.print([]string{line(i)})
	}
	lines := b.take().lines
	var n int
	if _, err := fmt.Sscanf(lines[0], "-- %d lines not shown --", &n); err != nil || len(lines) > maxQueue/100+1 {
		t.Fatal(lines[0], len(lines))
	}
	if n+len(lines)-1 != printed || lines[1] != line(n) || len(lines) < maxQueue/100/2 {
		t.Errorf("%d dropped, %d left from %s on", n, len(lines)-1, lines[1])
	}
	b.print(make([]string, maxQueue/8)) // nothing in them
	if got := len(b.take().lines); got > maxQueue/lineCost {
		t.Errorf("%d empty lines wait", got)
	}
	b.print([]string{"two\nrows", strings.Repeat("y", maxQueue/2)}) // what was taken counts no more
	b.print([]string{"short"})
	if lines := b.take().lines; len(lines) != 4 {
		t.Errorf("%d lines", len(lines))
	}
}
