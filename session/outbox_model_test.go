package session_test

import (
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"pgregory.net/rapid"

	"holdfast/session"
)

// outboxModel is an outbox in the plainest way.
type outboxModel struct {
	all   []session.Line           // that this state directory took, in order
	lines []session.Line           // of these, neither acknowledged nor refused
	aside []session.Line           // refused
	gone  map[session.ID]time.Time // when a line was removed
	live  string                   // the process's own source; "" until it is known
	last  uint64                   // its last number

	handed map[session.ID]bool // the server may have had them: sent once, or left by an earlier process

	sentHere map[session.ID]bool // on this connection
	taken    map[string]uint64   // what the server had when it began, by source

	sent   int // of lines, on their way
	window int
	hold   time.Time // nothing goes out before
}

func same(a, b session.Line) bool { return a.ID == b.ID && a.Text == b.Text }

// shape tells lines for people: sources are random, so only where they change.
func shape(lines []session.Line) (list []uint64) {
	for i, l := range lines {
		if i > 0 && l.ID.Source != lines[i-1].ID.Source {
			list = append(list, 0)
		}
		list = append(list, l.ID.N)
	}
	return list
}

func (m *outboxModel) fits(texts []string) bool {
	bytes := len(strings.Join(texts, ""))
	for _, l := range m.lines {
		bytes += len(l.Text)
	}
	return len(m.lines)+len(texts) <= mostLines && bytes <= mostBytes
}

func (m *outboxModel) take(l session.Line) { m.all, m.lines = append(m.all, l), append(m.lines, l) }

// highest is the last number of a source that was ever sent from this directory.
func (m *outboxModel) highest(source string) (n uint64) {
	for _, l := range m.all {
		if l.ID.Source == source {
			n = max(n, l.ID.N)
		}
	}
	return n
}

func (m *outboxModel) connected(window int, taken map[string]uint64) {
	m.sent, m.window, m.hold = 0, window, time.Time{}
	m.sentHere, m.taken = map[session.ID]bool{}, taken
}

// release returns the lines that go out now: the first source's, in order, within the
// window.
func (m *outboxModel) release(now time.Time) []session.Line {
	from := m.sent
	for !now.Before(m.hold) && m.sent < min(len(m.lines), m.window) && m.lines[m.sent].ID.Source == m.lines[0].ID.Source {
		m.handed[m.lines[m.sent].ID], m.sentHere[m.lines[m.sent].ID] = true, true
		m.sent++
	}
	return m.lines[from:m.sent]
}

func (m *outboxModel) remove(which func(session.ID) bool) (removed []session.Line) {
	var kept []session.Line
	sent := m.sent
	for i, l := range m.lines {
		if !which(l.ID) {
			kept = append(kept, l)
			continue
		}
		removed = append(removed, l)
		m.gone[l.ID] = time.Now()
		if i < m.sent {
			sent--
		}
	}
	m.lines, m.sent = kept, sent
	return removed
}

// rewind sends again from a line on, and nothing before until. It reports false if that
// line is not there any more and later ones are.
func (m *outboxModel) rewind(id session.ID, until time.Time) bool {
	for i, l := range m.lines[:m.sent] {
		if l.ID.Source == id.Source && l.ID.N >= id.N {
			m.sent = i
			break
		}
	}
	if until.After(m.hold) {
		m.hold = until
	}
	for _, l := range m.lines {
		if l.ID.Source == id.Source {
			return l.ID.N <= id.N
		}
	}
	return true
}

// largest is the longest line on its way, the first of several.
func (m *outboxModel) largest() (l session.Line, ok bool) {
	for i, other := range m.lines[:m.sent] {
		if i == 0 || len(other.Text) > len(l.Text) {
			l, ok = other, true
		}
	}
	return l, ok
}

func (m *outboxModel) copied() outboxModel {
	c := *m
	c.all, c.lines, c.aside = slices.Clone(m.all), slices.Clone(m.lines), slices.Clone(m.aside)
	c.gone = maps.Clone(m.gone)
	return c
}

// backup is a copy of a state directory, and what it must hold.
type backup struct {
	files map[string][]byte
	model outboxModel
	at    time.Time
	clean bool // the session was closed: nothing waits to be written
}

func (m *desk) backup() *backup {
	b := &backup{files: map[string][]byte{}, model: m.copied(), at: time.Now()}
	for _, path := range session.Files(m.t, m.dir) {
		data, err := os.ReadFile(path)
		must(m.t, err)
		b.files[path] = data
	}
	return b
}

func (m *desk) copy(*rapid.T) { m.older = m.backup() }

// kill leaves of the process what is on its disk.
func (m *desk) kill(rt *rapid.T) {
	b := m.backup()
	_ = m.s.Close()
	m.reopen(rt, b)
}

func (m *desk) close(rt *rapid.T) {
	if err := m.s.Close(); (err != nil) != (len(m.lines) > 0) {
		rt.Fatalf("closed with %d lines: %v", len(m.lines), err)
	}
	m.reopen(rt, &backup{model: m.copied(), clean: true})
}

func (m *desk) restore(rt *rapid.T) {
	if m.older == nil {
		rt.Skip("there is no copy")
	}
	_ = m.s.Close()
	m.reopen(rt, &backup{m.older.files, m.older.model.copied(), m.older.at, false})
}

// reopen goes on from a state directory. All lines must be there, in order; besides
// them only such as were removed so lately that it need not have been written down.
// A refused line stands in one place, outbox or aside.
func (m *desk) reopen(rt *rapid.T, b *backup) {
	for path, data := range b.files {
		must(m.t, os.WriteFile(path, data, 0o600))
	}
	m.outboxModel, m.receipts = b.model, nil
	aside := session.Aside(m.t, m.dir)
	m.open()
	var want []session.Line
	got := m.s.Unsent()
	has := func(list []session.Line, l session.Line) bool {
		return slices.ContainsFunc(list, func(other session.Line) bool { return same(other, l) })
	}
	for _, l := range m.all {
		late := !b.clean && b.at.Sub(m.gone[l.ID]) < tidy
		if has(m.lines, l) || has(got, l) && late {
			want = append(want, l)
		}
	}
	if !slices.EqualFunc(got, want, same) {
		rt.Fatalf("reopened with %v, want %v", shape(got), shape(want))
	}
	m.lines, m.handed = want, map[session.ID]bool{}
	for _, l := range want {
		m.handed[l.ID] = true
	}
	m.aside = slices.DeleteFunc(m.aside, func(l session.Line) bool { return has(want, l) })
	if len(aside) != len(m.aside) {
		rt.Fatalf("%d lines are set aside, want %d", len(aside), len(m.aside))
	}
}
