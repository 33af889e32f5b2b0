//go:build linux || darwin || freebsd || openbsd || netbsd

package lineui

import (
	"fmt"
	"io"
	"reflect"
	"strings"
	"time"

	"golang.org/x/term"
)

func (s *terminal) mode() *term.State {
	s.t.Helper()
	m, err := term.GetState(int(s.slave.Fd()))
	if err != nil {
		s.t.Fatal(err)
	}
	return m
}

func (s *terminal) wantFreshMode() {
	s.t.Helper()
	if now := s.mode(); !reflect.DeepEqual(now, s.fresh) {
		s.t.Errorf("terminal mode is %v, was %v", now, s.fresh)
	}
}

func (s *terminal) keys(k string) {
	s.t.Helper()
	if _, err := io.WriteString(s.master, k); err != nil {
		s.t.Fatal(err)
	}
}

// do has the child do something that it does at once.
func (s *terminal) do(format string, args ...any) {
	s.t.Helper()
	line := fmt.Sprintf(format, args...)
	io.WriteString(s.command, line+"\n")
	verb, _, _ := strings.Cut(line, " ")
	s.expect("did " + verb)
}

// expect takes the next report.
func (s *terminal) expect(want string) {
	s.t.Helper()
	if got := s.report(); got != want {
		s.t.Fatalf("report %s, want %s\n%s", got, want, s.dump())
	}
}

func (s *terminal) report() string {
	s.t.Helper()
	select {
	case got := <-s.reports:
		return got
	case <-time.After(patient):
		s.t.Fatalf("no report\n%s", s.dump())
		return ""
	}
}

// screen is what a person could see at one time: a moment between two frames.
type screen struct {
	rows []string // without the empty ones at the end
	x, y int
}

// screen returns the last such moment, and false if there was none yet.
func (s *terminal) screen() (screen, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.vt.CursorVisible() {
		return s.now(), true
	}
	return s.whole, s.whole.rows != nil
}

// now returns what is on the screen, under mu.
func (s *terminal) now() screen {
	rows := strings.Split(s.vt.String(), "\n")
	for i := range rows {
		rows[i] = strings.TrimRight(rows[i], " ")
	}
	for len(rows) > 0 && rows[len(rows)-1] == "" {
		rows = rows[:len(rows)-1]
	}
	c := s.vt.Cursor()
	return screen{rows, c.X, c.Y}
}

// wait polls until the screen is as f wants it.
func (s *terminal) wait(what string, f func(screen) bool) screen {
	s.t.Helper()
	deadline := time.After(patient)
	for {
		if now, whole := s.screen(); whole && f(now) {
			return now
		}
		select {
		case <-s.changed:
		case <-time.After(20 * time.Millisecond):
		case <-deadline:
			s.t.Fatalf("never saw %s\n%s", what, s.dump())
		}
	}
}

func (s *terminal) dump() string {
	now, _ := s.screen()
	return fmt.Sprintf("cursor %d,%d\n%s", now.x, now.y, strings.Join(now.rows, "\n"))
}

func lastRow(want string) func(screen) bool { return lastRows(want) }

func lastRows(want ...string) func(screen) bool {
	return func(s screen) bool {
		n := len(s.rows) - len(want)
		return n >= 0 && reflect.DeepEqual(s.rows[n:], want)
	}
}

func contains(want string) func(screen) bool {
	return func(s screen) bool { return strings.Contains(strings.Join(s.rows, "\n"), want) }
}
