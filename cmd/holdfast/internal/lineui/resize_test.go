//go:build linux || darwin || freebsd || openbsd || netbsd

package lineui

import (
	"strings"
	"testing"
)

const longLine = "a fairly long half typed line, forty columns or so"

func TestResize(t *testing.T) {
	t.Parallel()
	s := start(t, "chat", 70, 12)
	s.do("print 20")
	s.keys(longLine)
	s.wait("one row", lastRow("[online] > "+longLine))
	for range 3 {
		s.setSize(30, 12)
		s.wait("narrow", lastRows("<msg 0019>", "[online] > a fairly long half", "typed line, forty columns or s", "o"))
		s.setSize(70, 12)
		s.wait("wide", lastRows("<msg 0019>", "[online] > "+longLine))
		s.setSize(70, 5)
		s.wait("low", func(now screen) bool { return lastRows("<msg 0019>", "[online] > "+longLine)(now) && now.y < 5 })
		s.setSize(70, 12)
	}
	s.keys("!\rnext\x1b[DX\r") // the second line is for a new liner
	s.expect(`line "` + longLine + `!" <nil>`)
	s.expect(`line "nexXt" <nil>`)
	s.keys("\x1b[A\x1b[A\r") // which knows the history
	s.expect(`line "history entry 18" <nil>`)
}

// What is painted while the window is small for a moment is wrapped by the
// terminal, and nobody says so later.
func TestSmallForAMoment(t *testing.T) {
	p := newPainter(2, false, 40, 10)
	p.frame(nil, nil, ">")
	for _, tt := range []struct {
		what    string
		event   func(cols, rows int)
		cols    int
		rebuilt bool
	}{
		{"a smaller size", p.resized, 30, false},
		{"a SIGWINCH and nothing new", p.resized, 30, true},
		{"no SIGWINCH and nothing new", p.resize, 30, false},
		{"a larger size", p.resized, 50, false},
	} {
		tt.event(tt.cols, 10)
		if frame := p.frame(nil, nil, ">"); strings.Contains(frame, clearScreen) != tt.rebuilt {
			t.Errorf("after %s: %q", tt.what, frame)
		}
	}
}

// Sizes change while keys and messages come. In the end all must be in order.
func TestResizeStorm(t *testing.T) {
	t.Parallel()
	s := start(t, "chat", 70, 14)
	s.do("storm 1000 0")
	want := ""
	for i := range 40 {
		s.setSize(35+(i*17)%40, 10+i%5)
		s.keys("word ")
		want += "word "
	}
	s.setSize(40, 14)
	s.keys("end")
	s.wait("the line wrapped at 40", lastRows(wrapped("[online] > "+want+"end", 40)...))
}

func wrapped(text string, cols int) (rows []string) {
	for ; len(text) > cols; text = text[cols:] {
		rows = append(rows, strings.TrimRight(text[:cols], " "))
	}
	return append(rows, text)
}

// liner would stay in cooked mode for good after an Enter in a narrow window.
func TestNarrowTerminal(t *testing.T) {
	t.Parallel()
	for _, cols := range []int{9, 5, 1} {
		s := start(t, "chat", 60, 12)
		s.setSize(cols, 12)
		s.keys("small\r")
		s.expect(`line "small" <nil>`)
		s.keys("ahead \x15no \x17yes") // edited before liner is there again
		s.do("print 1")
		s.setSize(60, 12)
		s.wait("the keys", lastRow("[online] > yes"))
		s.keys("\x1b[D\x1b[DX\r")
		s.expect(`line "yXes" <nil>`)
		s.edited()
		s.keys("\x03")
		s.expect(`line "" lineui: interrupted`)
	}
}

// In a window that is narrow, but not too much, a prompt that begins is shorter.
func TestShortPrompt(t *testing.T) {
	t.Parallel()
	for cols, want := range map[int][]string{ // the sample is "[online] > "
		21: {"[online] > one two th", "ree"},
		20: {"[online]  one two th", "ree"},
		14: {"[on one two th", "ree"},
		11: {" one two th", "ree"},
		10: {"one two th", "ree"},
	} {
		s := start(t, "chat", 60, 12)
		s.setSize(cols, 12)
		s.keys("\r")
		s.expect(`line "" <nil>`)
		s.keys("one twoo\x1b[D\x1b[3~ three")
		s.wait(want[0], lastRows(want...))
		s.keys("\x01X\r")
		s.expect(`line "Xone two three" <nil>`)
		s.setSize(60, 12)
		s.keys("\rwide")
		s.expect(`line "" <nil>`)
		s.wait("wide", lastRow("[online] > wide"))
		s.keys("\x03")
		s.expect(`line "" lineui: interrupted`)
	}
}

func TestAbortWhileNarrow(t *testing.T) {
	t.Parallel()
	s := start(t, "chat", 60, 12)
	s.setSize(5, 12)
	s.keys("\r")
	s.expect(`line "" <nil>`)
	s.do("abort")
	s.expect(`line "" EOF`)
	s.expect("closed <nil> <nil> true")
	s.expect(`left ""`)
	<-s.exited
	s.wantFreshMode()
}

// liner gives up for ever when it once sees no columns at all.
func TestNoColumns(t *testing.T) {
	t.Parallel()
	s := start(t, "chat", 60, 12)
	s.keys("lost")
	s.wait("typed", lastRow("[online] > lost"))
	s.setSize(0, 0)
	s.wait("the end of the prompt", func(now screen) bool { return !contains("online")(now) })
	s.setSize(60, 12)
	s.wait("a new prompt", lastRow("[online] >"))
	s.edited()
	s.keys("found")
	s.keys("\r")
	s.expect(`line "found" <nil>`)
}
