//go:build linux || darwin || freebsd || openbsd || netbsd

package lineui

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestAbortRestoresTheTerminal(t *testing.T) {
	t.Parallel()
	s := start(t, "chat", 60, 12)
	s.keys("half typed")
	s.wait("typed", lastRow("[online] > half typed"))
	s.do("print 3")
	s.do("abort")
	s.expect(`line "" EOF`)
	s.expect("closed <nil> <nil> true")
	s.expect(`left ""`)
	<-s.exited
	s.wantFreshMode()
	s.wait("the block gone, the lines not", func(now screen) bool {
		return strings.Join(now.rows, "|") == "<msg 0000>|<msg 0001>|<msg 0002>" && now.x == 0 && now.y == 3
	})
}

func TestHangUp(t *testing.T) {
	t.Parallel()
	s := start(t, "chat", 60, 12)
	s.slave.Close()
	s.master.Close()
	s.expect(`line "" EOF`)
	if got := s.report(); !strings.HasPrefix(got, "closed ") || !strings.HasSuffix(got, " true") {
		t.Error(got)
	}
}

// Keys come from one terminal, and the other, which shows them, goes away.
func TestOutputGone(t *testing.T) {
	t.Parallel()
	screen, out, err := openPTY()
	if err != nil {
		t.Fatal(err)
	}
	setWindow(t, screen, 60, 12)
	s := run(t, options{child: "chat", cols: 60, rows: 12, out: out})
	out.Close()
	seen, b := "", make([]byte, 512)
	for !strings.Contains(seen, strings.TrimSpace(samplePrompt)) {
		n, err := screen.Read(b)
		if err != nil {
			t.Fatal(err)
		}
		seen += string(b[:n])
	}
	screen.Close()
	s.command.WriteString("print 1\n")
	reports := []string{s.report(), s.report()}
	slices.Sort(reports)
	if want := []string{"did print", `line "" EOF`}; !slices.Equal(reports, want) {
		t.Errorf("%q, want %q", reports, want)
	}
	if got := s.report(); !strings.HasPrefix(got, "closed <nil>") {
		t.Error(got)
	}
	s.expect(`left ""`)
	<-s.exited
	s.wantFreshMode()
}

func TestReopen(t *testing.T) {
	t.Parallel()
	s := run(t, options{child: "reopen", cols: 60, rows: 12})
	s.keys("first\r") // before there is a UI
	s.expect(`line "first" <nil>`)
	s.keys("second\r")
	s.expect(`line "second" <nil>`)
	s.expect("stdout true")
	<-s.exited
	s.wantFreshMode()
}

func TestPanicRestoresTheTerminal(t *testing.T) {
	t.Parallel()
	s := start(t, "panic", 100, 40)
	s.command.WriteString("\n")
	s.wait("the trace", contains("on purpose"))
	<-s.exited
	s.wantFreshMode()
}

// A terminal that takes no output (a hung ssh, a stopped screen) must not hold
// up whoever prints, and not the end of the program.
func TestFrozenTerminal(t *testing.T) {
	t.Parallel()
	s := start(t, "chat", 60, 12)
	s.freeze(true)
	s.do("flood busy") // 20,000 lines
	s.do("flood busy")
	s.freeze(false)
	s.wait("the newest lines", func(now screen) bool {
		n := len(now.rows)
		return n == 12 && strings.HasPrefix(now.rows[n-3], "<msg 019999>") && now.rows[n-1] == "[online] >"
	})
	s.freeze(true)
	s.do("flood busy")
	s.keys("typed into nothing\r") // whoever waits for the line isn't held up either
	s.expect(`line "typed into nothing" <nil>`)
	s.do("abort")
	s.expect(`line "" EOF`)
	s.expect(fmt.Sprintf("closed %v %v true", errLeft, errLeft))
	s.wantFreshMode()
}

func TestNoTerminal(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]options{
		"dumb":   {env: []string{"TERM=dumb"}, cols: 60},
		"no":     {env: []string{"TERM="}, cols: 60},
		"narrow": {cols: minSpare - 1},
		"piped":  {cols: 60, pipe: true},
	} {
		o.child, o.rows = "chat", 12
		s := run(t, o)
		if got := s.report(); !strings.HasPrefix(got, "new "+ErrUnsupported.Error()) {
			t.Errorf("%s: %s", name, got)
		}
		<-s.exited
		s.wantFreshMode()
	}
}
