package session_test

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"holdfast/e2e/property"
	"holdfast/session"
	"holdfast/session/wire"
	"holdfast/transport/netsim"
)

// Whatever servers, links and kills do to a session: what Send took is kept until it is
// acknowledged or refused, goes out in order and under its number, as far as the
// window and the retries let it, and is reported once.
func TestOutboxProperties(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		property.Check(t, rt, func(t *testing.T) {
			n := netsim.New(1, nil)
			t.Cleanup(func() { _ = n.Close(); pass(time.Second) })
			m := &desk{t: t, rt: rt, n: n, srv: scripted(t, n), texts: map[session.ID]string{}}
			m.gone, m.handed = map[session.ID]time.Time{}, map[session.ID]bool{}
			m.srv.refuse.Store(503)
			m.dir = t.TempDir()
			m.open()
			rt.Repeat(map[string]func(*rapid.T){
				"": m.check, "send": m.send, "connect": m.connect, "ack": m.ack, "retry": m.retry, "refuse": m.refuse, "discard": m.discard,
				"drop": m.drop, "too big": m.tooBig, "kill": m.kill, "close": m.close, "copy": m.copy, "restore": m.restore,
				// Opening files is slow, and what matters is what comes between.
				"send 2": m.send, "send 3": m.send, "connect 2": m.connect, "connect 3": m.connect, "ack 2": m.ack,
				"retry 2": m.retry, "drop 2": m.drop,
				"time": func(rt *rapid.T) {
					pass(rapid.SampledFrom([]time.Duration{100 * time.Millisecond, time.Second, 5 * time.Second}).Draw(rt, "passes"))
				},
			})
		})
	})
}

// desk is a session under test and the server that it talks to.
type desk struct {
	t   *testing.T
	rt  *rapid.T
	n   *netsim.Net
	dir string
	srv *script
	s   *session.Session
	p   *peer // nil while there is no connection

	outboxModel
	given    <-chan receipt        // what the consumer was given
	receipts []receipt             // and was to be given
	texts    map[session.ID]string // of every number ever used: it never means another line
	older    *backup
}

type receipt struct {
	id   session.ID
	code string
}

const (
	mostLines = 10
	mostBytes = 150
	tidy      = 200 * time.Millisecond // until an ack is on disk
)

func (m *desk) open() {
	m.s = open(m.t, m.n, func(o *session.Options) { o.Dir, o.MaxLines, o.MaxBytes = m.dir, mostLines, mostBytes })
	m.live, m.p = "", nil
	given := make(chan receipt, 1<<10)
	m.given = given
	go func() {
		for e := range m.s.Events() {
			if r, ok := e.(session.Receipt); ok && r.Err != nil {
				given <- receipt{r.ID, r.Err.Code}
			} else if ok {
				given <- receipt{r.ID, ""}
			}
		}
	}()
}

// check compares all that can be seen with the model.
func (m *desk) check(rt *rapid.T) {
	synctest.Wait()
	if got := m.s.Unsent(); !slices.EqualFunc(got, m.lines, same) {
		rt.Fatalf("%d lines unsent, want %d: %v, want %v", len(got), len(m.lines), shape(got), shape(m.lines))
	}
	if got := m.s.Status().Unsent; got != len(m.lines) {
		rt.Fatalf("status says that %d lines are unsent, of %d", got, len(m.lines))
	}
	if m.p != nil {
		m.checkSent(rt)
	}
	var got []receipt
	for len(m.given) > 0 {
		got = append(got, <-m.given)
	}
	if !slices.Equal(got, m.receipts) {
		rt.Fatalf("%d receipts, want %d", len(got), len(m.receipts))
	}
	m.receipts = nil
}

// checkSent takes what the client has sent since the last time: what the model lets go,
// in order, not more, not less.
func (m *desk) checkSent(rt *rapid.T) {
	want := m.release(time.Now())
	for len(m.p.in) > 0 {
		s, ok := (<-m.p.in).(*wire.Send)
		if !ok || len(want) == 0 {
			rt.Fatalf("the client said more than it may: %+v", s)
		}
		if l := want[0]; s.Source != l.ID.Source || s.N != l.ID.N || s.Text != l.Text || s.Text != m.texts[l.ID] {
			rt.Fatalf("the client sent line %d %q, want %d %q", s.N, s.Text, l.ID.N, l.Text)
		}
		want = want[1:]
	}
	if len(want) > 0 {
		rt.Fatalf("the client did not send line %d, which it may", want[0].ID.N)
	}
}

func (m *desk) send(rt *rapid.T) {
	var lines []string
	for range rapid.IntRange(1, 4).Draw(rt, "lines") {
		lines = append(lines, strings.Repeat("x", rapid.IntRange(1, 60).Draw(rt, "bytes")))
	}
	id, err := m.s.Send(lines...)
	if !m.fits(lines) {
		if !errors.Is(err, session.ErrOutboxFull) {
			rt.Fatalf("%d lines more than fit: %v", len(lines), err)
		}
		return
	}
	if err != nil {
		rt.Fatal(err)
	}
	if m.live == "" {
		m.live, m.last = id.Source, 0
	}
	for i, text := range lines {
		m.last++
		l := session.ID{Source: m.live, N: m.last}
		if i == 0 && id != l {
			rt.Fatalf("line %d is given number %d", l.N, id.N)
		}
		if _, used := m.texts[l]; used {
			rt.Fatalf("number %d is used again", l.N)
		}
		m.texts[l] = text
		m.take(session.Line{ID: l, Text: text})
	}
}

// connect lets the client in, with acks that are behind, equal to or ahead of what it
// knows.
func (m *desk) connect(rt *rapid.T) {
	if m.p != nil {
		rt.Skip("connected")
	}
	m.srv.refuse.Store(0)
	m.s.Redial()
	m.p = m.srv.accept()
	m.srv.refuse.Store(503)
	m.checkHello(rt, m.p.hello)
	window := rapid.IntRange(1, 6).Draw(rt, "window")
	var acks []wire.Ack
	for _, b := range m.p.hello.Sources {
		acks = append(acks, wire.Ack{Source: b.Source, N: uint64(rapid.IntRange(0, int(m.highest(b.Source))).Draw(rt, "acked"))})
	}
	var more []wire.Ack
	taken := map[string]uint64{}
	for _, a := range acks {
		taken[a.Source] = a.N
		if n := uint64(rapid.IntRange(0, int(m.highest(a.Source))).Draw(rt, "taken")); n > a.N {
			more, taken[a.Source] = append(more, wire.Ack{Source: a.Source, N: n}), n
		}
	}
	m.p.welcome(func(w *wire.Welcome) { w.Limits.InFlight, w.Acks, w.Taken = window, acks, more })
	for _, a := range acks {
		m.acked(a.Source, a.N)
	}
	m.connected(window, taken)
}

// checkHello wants each source that has lines named, in order, and no line covered.
func (m *desk) checkHello(rt *rapid.T, h *wire.Hello) {
	left := h.Sources
	for i, l := range m.lines {
		if i > 0 && l.ID.Source == m.lines[i-1].ID.Source {
			continue
		}
		if len(left) == 0 || left[0].Source != l.ID.Source {
			rt.Fatalf("hello does not name the source of line %d in its place", i)
		}
		if left[0].Base >= l.ID.N {
			rt.Fatalf("hello says that %d is acknowledged, and line %d is not", left[0].Base, l.ID.N)
		}
		if m.live == left[0].Source {
			return
		}
		left = left[1:]
	}
	if len(left) != 1 || m.live != "" && left[0].Source != m.live {
		rt.Fatalf("hello names %d sources besides those of lines; want the live one", len(left))
	}
}

// acked is what an ack must do.
func (m *desk) acked(source string, n uint64) {
	for _, l := range m.remove(func(id session.ID) bool { return id.Source == source && id.N <= n }) {
		m.receipts = append(m.receipts, receipt{l.ID, ""})
	}
}

// refused is what a refusal must do.
func (m *desk) refused(id session.ID, code string) {
	for _, l := range m.remove(func(other session.ID) bool { return other == id }) {
		m.aside = append(m.aside, l)
		m.receipts = append(m.receipts, receipt{id, code})
	}
}

// anyLine draws the number of a line that the client may or may not have.
func (m *desk) anyLine(rt *rapid.T) session.ID {
	if m.p == nil {
		rt.Skip("not connected")
	}
	source := rapid.SampledFrom(m.p.hello.Sources).Draw(rt, "source").Source
	return session.ID{Source: source, N: uint64(rapid.IntRange(1, int(m.highest(source))+1).Draw(rt, "n"))}
}

func (m *desk) ack(rt *rapid.T) {
	id := m.anyLine(rt)
	m.p.send(&wire.Ack{Source: id.Source, N: id.N})
	m.acked(id.Source, id.N)
}

func (m *desk) retry(rt *rapid.T) {
	id := m.anyLine(rt)
	after := rapid.SampledFrom([]time.Duration{0, 50 * time.Millisecond, 30 * time.Second}).Draw(rt, "after")
	m.p.send(&wire.Retry{Source: id.Source, N: id.N, AfterMS: after.Milliseconds(), Code: wire.RetryGap})
	if !m.rewind(id, time.Now().Add(after)) { // it has to learn from a new hello that the line was set aside
		if code := m.p.gone(); code != 4002 {
			rt.Fatalf("asked for a line that will not come, the client closed with %d", code)
		}
		m.p = nil
	}
}

func (m *desk) refuse(rt *rapid.T) {
	id := m.anyLine(rt)
	m.p.send(&wire.Refused{Source: id.Source, N: id.N, Code: wire.RefusedBlank})
	m.refused(id, wire.RefusedBlank)
}

// discard drops some lines, of which those go that the server can't have.
func (m *desk) discard(rt *rapid.T) {
	synctest.Wait()
	named := map[session.ID]bool{}
	var may []session.ID
	for _, l := range m.lines {
		if !rapid.Bool().Draw(rt, "discard") {
			continue
		}
		named[l.ID] = true
		taken, told := m.taken[l.ID.Source]
		if !m.handed[l.ID] || m.p != nil && told && l.ID.N > taken && !m.sentHere[l.ID] {
			may = append(may, l.ID)
		}
	}
	if got := m.s.Discard(slices.Collect(maps.Keys(named))...); got != len(may) {
		rt.Fatalf("discarded %d lines, want %d", got, len(may))
	}
	for _, l := range m.remove(func(id session.ID) bool { return slices.Contains(may, id) }) {
		m.receipts = append(m.receipts, receipt{l.ID, session.CodeDiscarded})
		m.gone[l.ID] = time.Time{} // it is off the disk before it is reported
	}
}

func (m *desk) drop(rt *rapid.T) {
	if m.p == nil {
		rt.Skip("not connected")
	}
	m.p.drop()
	m.p = nil
}

// tooBig ends the connection as something does that takes no message of this size.
func (m *desk) tooBig(rt *rapid.T) {
	if m.p == nil {
		rt.Skip("not connected")
	}
	synctest.Wait()
	m.p.close(1009, "")
	m.p = nil
	if l, ok := m.largest(); ok {
		m.refused(l.ID, "too_big")
	}
}
