package historytest

import (
	"encoding/base64"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast/server/history"
)

// place is a Start without its cursor.
func place(s history.Start) history.Start {
	s.Cursor = ""
	return s
}

func testStart(t *testing.T, e Engine) {
	s := e.Open(t)
	p := Record(t, s, "general")
	empty := p.From("", 5)
	equal(t, "start in an empty room", place(empty), history.Start{Reason: history.Fresh})
	lines := p.SayN(10)
	other := Record(t, s, "elsewhere").SayN(20)

	at := func(n int) string { return lines[n-1].Cursor }
	fresh := func(seq uint64, missed int64) history.Start {
		return history.Start{Seq: seq, Reason: history.Fresh, Missed: missed}
	}
	resumed := func(seq uint64, missed int64) history.Start {
		return history.Start{Seq: seq, Resumed: true, Missed: missed}
	}
	unknown := func(seq uint64, missed int64) history.Start {
		return history.Start{Seq: seq, Reason: history.Diverged, Missed: missed, Lost: -1}
	}
	expired := func(lost int64) history.Start {
		return history.Start{Seq: 4, Reason: history.Expired, Missed: 6, Lost: lost}
	}
	type row struct {
		name    string
		cursor  string
		backlog int
		want    history.Start
	}
	run := func(rows []row) {
		t.Helper()
		for _, c := range rows {
			got := p.From(c.cursor, c.backlog)
			equal(t, c.name, place(got), c.want)
			// The cursor that comes back is one for the same place.
			equal(t, c.name+", again", p.From(got.Cursor, 0).Resumed, true)
			equal(t, c.name+", again", p.From(got.Cursor, 0).Seq, got.Seq)
		}
	}
	run([]row{
		{"no cursor", "", 0, fresh(10, 0)},
		{"no cursor, backlog", "", 3, fresh(7, 3)},
		{"no cursor, large backlog", "", 300, fresh(0, 10)},
		{"no cursor, all", "", -1, fresh(0, 10)},
		{"in the middle", at(6), 0, resumed(6, 4)},
		{"at the head", at(10), 0, resumed(10, 0)},
		{"before the first line", empty.Cursor, 0, resumed(0, 10)},
		{"earlier than the backlog", at(2), 3, resumed(2, 8)},
		{"later than the backlog", at(9), 3, resumed(7, 1)},
		{"later than all", at(9), -1, resumed(0, 1)},
		{"another room's", other[4].Cursor, 0, unknown(0, 10)},
		{"another room's, backlog", other[4].Cursor, 3, unknown(7, 3)},
		{"another room's, beyond the head", change(at(5), 15, 12), 3, history.Start{Seq: 7, Reason: history.Diverged}},
		{"another digest", change(at(5), 20, 1), 0, unknown(0, 10)},
		{"beyond the head of no known epoch", change(change(at(5), 15, 12), 0, 1), 0, unknown(0, 10)},
		{"garbage", "garbage", 0, unknown(0, 10)},
		{"other format", "2" + at(5)[1:], 4, unknown(6, 4)},
	})

	noError(t, s.Trim(t.Context(), history.Retention{Lines: 6}, time.Now()))
	run([]row{
		{"before the edge", at(2), 0, expired(2)},
		{"before the edge, backlog", at(2), 1, expired(2)},
		{"before the first line, trimmed", empty.Cursor, 0, expired(4)},
		{"at the edge", at(4), 0, resumed(4, 6)},
		{"just after the edge", at(5), 0, resumed(5, 5)},
		{"just after the edge, all", at(5), -1, resumed(4, 5)},
		{"no cursor, all, trimmed", "", -1, fresh(4, 6)},
		{"garbage, trimmed", "garbage", 0, unknown(4, 6)},
	})
}

// change adds by to one byte of what a cursor holds.
func change(cursor string, i int, by byte) string {
	raw, err := base64.RawURLEncoding.DecodeString(cursor[1:])
	if err != nil {
		panic(err)
	}
	raw[i] += by
	return cursor[:1] + base64.RawURLEncoding.EncodeToString(raw)
}

func testUnknownPastShowsSome(t *testing.T, e Engine) {
	p := Record(t, e.Open(t), "general")
	p.SayN(250)
	equal(t, "start", place(p.From("garbage", 0)),
		history.Start{Seq: 50, Reason: history.Diverged, Missed: 200, Lost: -1})
}

func testCursorShape(t *testing.T, e Engine) {
	p := Record(t, e.Open(t), "general")
	for _, line := range p.SayN(20) {
		if len(line.Cursor) > 40 || strings.ContainsAny(line.Cursor, "+/= \"&%") {
			t.Errorf("cursor %q", line.Cursor)
		}
		if !p.From(line.Cursor, 0).Resumed {
			t.Errorf("cursor %q can't be read", line.Cursor)
		}
	}
}

// Cursors hold across restarts, whichever of the epochs they are from.
func testResumeAcrossEpochs(t *testing.T, e Engine) {
	s := e.Open(t)
	var lines []history.Entry
	for range 4 {
		p := Record(t, s, "general")
		lines = append(lines, p.SayN(3)...)
		s = e.Reopen(t, s)
	}
	p := Record(t, s, "general")
	read, err := p.Read(0, 100)
	noError(t, err)
	if !slices.Equal(read, lines) {
		t.Error("lines read after restarts differ from those that were heard")
	}
	noError(t, s.Trim(t.Context(), history.Retention{Lines: 5}, time.Now()))
	for i, line := range lines {
		equal(t, "resumed", p.From(line.Cursor, 0).Resumed, i+1 >= 7)
	}
	s = e.Reopen(t, s)
	p = Record(t, s, "general")
	read, err = p.Read(0, 100)
	noError(t, err)
	if !slices.Equal(read, lines[7:]) {
		t.Error("lines read after a trim differ from those that were heard")
	}
}
