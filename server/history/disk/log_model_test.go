package disk_test

import (
	"maps"
	"slices"
	"time"

	"pgregory.net/rapid"

	"holdfast/server/history"
)

// book is what a room must hold, in the plainest way. It knows one past; when an older
// copy is restored, or a crash takes lines that nobody was told of, there is another.
type book struct {
	lines   []history.Entry // all that became durable, trimmed or not; seq is the index plus one
	opening []int           // of the store, the one that wrote the line
	edge    int             // so many are trimmed
	sources map[string]*mark
	said    map[string]time.Time // by key
	keys    map[string]string    // of lines, by their texts: nobody else tells them
	pending []history.Line       // appended, not yet known to be durable
}

// mark is the state of one source.
type mark struct {
	history.Source
	used time.Time
}

func newBook() *book {
	return &book{sources: map[string]*mark{}, said: map[string]time.Time{}, keys: map[string]string{}}
}

// copied is a book that goes its own way from now on.
func (b *book) copied() *book {
	c := &book{
		lines: slices.Clip(b.lines), opening: slices.Clip(b.opening), edge: b.edge,
		sources: map[string]*mark{}, pending: slices.Clone(b.pending), said: maps.Clone(b.said), keys: maps.Clone(b.keys),
	}
	for id, m := range b.sources {
		c.sources[id] = &mark{history.Source{Mark: m.Mark, Voids: maps.Clone(m.Voids)}, m.used}
	}
	return c
}

// next is the number that the source's next line must have.
func (b *book) next(source string) uint64 {
	for _, l := range slices.Backward(b.pending) {
		if l.Source == source {
			return l.N + 1
		}
	}
	return b.mark(source).Mark + 1
}

func (b *book) mark(source string) history.Source {
	if m := b.sources[source]; m != nil {
		return m.Source
	}
	return history.Source{}
}

// learn takes a line that is durable, as the store tells it: one that is known, or the
// next of those that wait.
func (b *book) learn(t *rapid.T, e history.Entry, opening int) {
	t.Helper()
	if i := int(e.Seq) - 1; i < len(b.lines) {
		if i < 0 || e != b.lines[i] {
			t.Fatalf("line %d is told as %+v, and was %+v", e.Seq, e.Line, b.lines[max(i, 0)].Line)
		}
		return
	}
	if int(e.Seq) != len(b.lines)+1 || len(b.pending) == 0 || e.Line != b.pending[0] {
		t.Fatalf("line %d is %+v; want line %d, the first of %d that wait: %+v",
			e.Seq, e.Line, len(b.lines)+1, len(b.pending), b.pending)
	}
	b.pending = b.pending[1:]
	b.lines, b.opening = append(b.lines, e), append(b.opening, opening)
	m := b.sources[e.Source]
	if m == nil {
		m = &mark{}
		b.sources[e.Source] = m
	}
	m.Mark, m.used = e.N, e.At
	if key := b.keys[e.Text]; key != "" {
		b.said[key] = e.At
	}
	if e.Kind == history.KindVoid {
		if m.Voids == nil {
			m.Voids = map[uint64]string{}
		}
		m.Voids[e.N] = e.Text
	}
}

// trim drops the lines at the front that are too many or too old, up to the first that
// is neither, and the marks that were not used for long.
func (b *book) trim(keep history.Retention, now time.Time) {
	for b.edge < len(b.lines) {
		tooMany := keep.Lines > 0 && len(b.lines)-b.edge > keep.Lines
		tooOld := keep.Age > 0 && !b.lines[b.edge].At.After(now.Add(-keep.Age))
		if !tooMany && !tooOld {
			break
		}
		b.edge++
	}
	maps.DeleteFunc(b.sources, func(_ string, m *mark) bool { return m.used.Before(now.Add(-history.MarkTTL)) })
}

// kept returns the lines after a position that are not trimmed.
func (b *book) kept(after int) []history.Entry {
	return b.lines[min(max(after, b.edge), len(b.lines)):]
}

// reader is somebody who was told of the lines up to a point, in the past of that time.
type reader struct {
	room    string
	lines   []history.Entry
	opening []int
}

func (r *reader) cursor() string { return r.lines[len(r.lines)-1].Cursor }

// agrees returns how many lines at the front the reader and the book have in common.
func (b *book) agrees(r *reader) int {
	n := 0
	for n < min(len(b.lines), len(r.lines)) && b.lines[n] == r.lines[n] {
		n++
	}
	return n
}

// checkStart judges where a reader is told to go on. What it must never do is to skip
// or repeat a line of this past without saying so.
func (b *book) checkStart(t *rapid.T, r *reader, backlog int, got history.Start) {
	t.Helper()
	seq, head, common := len(r.lines), len(b.lines), b.agrees(r)
	tail := max(b.edge, head-backlog)
	if backlog < 0 {
		tail = b.edge
	}
	want := history.Start{Cursor: got.Cursor}
	switch {
	case seq < b.edge:
		want.Seq, want.Reason = uint64(b.edge), history.Expired
		want.Missed, want.Lost = int64(head-b.edge), int64(b.edge-seq)
	case common == seq:
		want.Seq, want.Resumed, want.Missed = uint64(min(seq, tail)), true, int64(head-seq)
	case got.Lost >= 0: // it claims to know where the pasts part
		from := max(common, b.edge)
		want.Seq, want.Reason = uint64(min(from, tail)), history.Diverged
		want.Missed, want.Lost = int64(head-from), int64(from-common)
	default:
		for i := b.edge; i < head; i++ {
			if b.opening[i] == r.opening[seq-1] {
				t.Fatalf("a reader of %d lines, %d of them here too, is told that nothing is known: %+v", seq, common, got)
			}
		}
		if backlog == 0 {
			tail = max(b.edge, head-200)
		}
		want.Seq, want.Reason = uint64(tail), history.Diverged
		want.Missed, want.Lost = int64(head-tail), -1
	}
	if got != want {
		t.Fatalf("a reader of %d lines, %d of them here too, of %d to %d, backlog %d: told %+v, want %+v",
			seq, common, b.edge, head, backlog, got, want)
	}
}
