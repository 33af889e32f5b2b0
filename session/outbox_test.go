package session

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// model is the outbox in the plainest way: all lines, and which are on their way.
type model struct {
	lines []Line
	sent  map[ID]bool
	win   int
	hold  time.Time
}

// next says which line may go now.
func (m *model) next() (id ID, ok bool) {
	if time.Now().Before(m.hold) || len(m.sent) >= m.win {
		return ID{}, false
	}
	for _, l := range m.lines {
		if l.ID.Source != m.lines[0].ID.Source {
			return ID{}, false
		}
		if !m.sent[l.ID] {
			m.sent[l.ID] = true
			return l.ID, true
		}
	}
	return ID{}, false
}

func (m *model) remove(gone func(ID) bool) (ids []ID) {
	m.lines = slices.DeleteFunc(m.lines, func(l Line) bool {
		if gone(l.ID) {
			ids = append(ids, l.ID)
			delete(m.sent, l.ID)
			return true
		}
		return false
	})
	return ids
}

func (m *model) retry(source string, n uint64, after time.Duration) {
	for i, l := range m.lines {
		if m.sent[l.ID] && l.ID.Source == source && l.ID.N >= n {
			for _, l := range m.lines[i:] { // nothing overtakes
				delete(m.sent, l.ID)
			}
			break
		}
	}
	if until := time.Now().Add(after); until.After(m.hold) {
		m.hold = until
	}
}

func ids(lines []Line) (list []ID) {
	for _, l := range lines {
		list = append(list, l.ID)
	}
	return list
}

func TestOutboxAgainstModel(t *testing.T) {
	reached := map[string]int{}
	for seed := range uint64(150) {
		synctest.Test(t, func(t *testing.T) { testOutbox(t, rand.New(rand.NewPCG(seed, 1)), reached) })
	}
	for _, what := range []string{"sent", "held", "window", "barrier", "acked", "refused", "rewound", "emptied"} {
		if reached[what] < 100 {
			t.Errorf("%s was reached %d times", what, reached[what])
		}
	}
}

func testOutbox(t *testing.T, r *rand.Rand, reached map[string]int) {
	o, m := newOutbox(nil, 0, func() {}), &model{sent: map[ID]bool{}}
	last := map[string]uint64{}
	source := func() string { return string(rune('a' + r.IntN(3))) }
	live := "a"
	var trace []string
	for range 150 {
		step := ""
		switch op := r.IntN(12); op {
		case 0, 1, 2:
			if r.IntN(8) == 0 && live < "c" {
				live = string(live[0] + 1)
			}
			var lines []Line
			for range 1 + r.IntN(3) {
				last[live]++
				lines = append(lines, Line{ID: ID{live, last[live]}, Text: strings.Repeat("x", r.IntN(9))})
			}
			o.add(lines)
			m.lines = append(m.lines, lines...)
			step = fmt.Sprint("add ", ids(lines))
		case 3, 4, 5, 6:
			got, wait, ok := o.next(time.Now())
			before := len(m.sent)
			want, may := m.next()
			step = fmt.Sprint("next ", want, may)
			if ok != may || got.ID != want {
				t.Fatalf("%v: next: %v %v, want %v %v", trace, got.ID, ok, want, may)
			}
			switch {
			case ok:
				reached["sent"]++
			case before >= m.win:
				reached["window"]++
			case wait > 0:
				reached["held"]++
				if wait != time.Until(m.hold) {
					t.Fatalf("%v: wait %v, want %v", trace, wait, time.Until(m.hold))
				}
			case len(m.sent) < len(m.lines):
				reached["barrier"]++
			}
		case 7:
			src, n := source(), uint64(r.IntN(12))
			step = fmt.Sprint("ack ", src, n)
			got := ids(o.ack(src, n))
			want := m.remove(func(id ID) bool { return id.Source == src && id.N <= n })
			if !slices.Equal(got, want) {
				t.Fatalf("%v: ack removed %v, want %v", trace, got, want)
			}
			reached["acked"] += len(got)
		case 8:
			id := ID{source(), uint64(r.IntN(12))}
			step = fmt.Sprint("refuse ", id)
			got := ids(o.refuse(id))
			if want := m.remove(func(other ID) bool { return other == id }); !slices.Equal(got, want) {
				t.Fatalf("%v: refuse removed %v, want %v", trace, got, want)
			}
			reached["refused"] += len(got)
		case 9:
			src, n, after := source(), uint64(1+r.IntN(8)), time.Duration(r.IntN(3))*time.Second
			step = fmt.Sprint("retry ", src, n, after)
			before := len(m.sent)
			o.retry(src, n, after)
			m.retry(src, n, after)
			reached["rewound"] += before - len(m.sent)
		case 10:
			m.win, m.hold, m.sent = r.IntN(5), time.Time{}, map[ID]bool{}
			step = fmt.Sprint("connected ", m.win)
			o.connected(m.win, nil)
		case 11:
			time.Sleep(time.Second)
			step = "sleep"
		}
		trace = append(trace, step)
		checkOutbox(t, o, m, trace, reached)
	}
}

func checkOutbox(t *testing.T, o *outbox, m *model, trace []string, reached map[string]int) {
	t.Helper()
	if got := ids(o.all()); !slices.Equal(got, ids(m.lines)) {
		t.Fatalf("%v: holds %v, want %v", trace, got, ids(m.lines))
	}
	bytes := 0
	for _, l := range m.lines {
		bytes += len(l.Text)
	}
	if n, b := o.size(); n != len(m.lines) || b != bytes {
		t.Fatalf("%v: size %d %d, want %d %d", trace, n, b, len(m.lines), bytes)
	}
	empty := false
	select {
	case <-o.empty():
		empty = true
		reached["emptied"]++
	default:
	}
	if empty != (len(m.lines) == 0) {
		t.Fatalf("%v: empty %v with %d lines", trace, empty, len(m.lines))
	}
	if _, waiting := o.patience(time.Now(), time.Second); waiting != (len(m.sent) > 0) {
		t.Fatalf("%v: waiting %v with %d on their way", trace, waiting, len(m.sent))
	}
	for _, b := range o.sources(nil, "live") {
		for _, l := range m.lines {
			if l.ID.Source == b.Source && b.Base >= l.ID.N {
				t.Fatalf("%v: base %v would skip %v", trace, b, l.ID)
			}
		}
	}
}

func TestOutboxNamesNoMoreSourcesThanAllowed(t *testing.T) {
	var lines []Line
	for i := range 400 {
		lines = append(lines, Line{ID: ID{fmt.Sprint("s", i), 5}})
	}
	bases := map[string]uint64{"s1": 9, "live": 7} // 9 was refused before 5 was acknowledged
	list := newOutbox(lines, 0, func() {}).sources(bases, "live")
	if len(list) != 256 || list[0].Base != 4 || list[1].Base != 4 || list[255].Source != "s255" {
		t.Errorf("%d sources: %v", len(list), list)
	}
	if list = newOutbox(lines[:1], 0, func() {}).sources(bases, "live"); len(list) != 2 || list[1].Base != 7 {
		t.Errorf("with one line: %v", list)
	}
}
