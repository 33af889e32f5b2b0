package history_test

import (
	"encoding/base64"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"holdfast/server/history"
)

// place is a Start without its cursor.
func place(s history.Start) history.Start {
	s.Cursor = ""
	return s
}

func TestStart(t *testing.T) {
	each(t, false, func(t *testing.T, e engine) {
		s := e.open(t)
		p := record(t, s, "general")
		empty := p.start("", 5)
		equal(t, "start in an empty room", place(empty), history.Start{Reason: history.Fresh})
		lines := p.sayN(10)
		other := record(t, s, "elsewhere").sayN(20)

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
				got := p.start(c.cursor, c.backlog)
				equal(t, c.name, place(got), c.want)
				// The cursor that comes back is one for the same place.
				equal(t, c.name+", again", p.start(got.Cursor, 0).Resumed, true)
				equal(t, c.name+", again", p.start(got.Cursor, 0).Seq, got.Seq)
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

func TestUnknownPastShowsSome(t *testing.T) {
	each(t, false, func(t *testing.T, e engine) {
		p := record(t, e.open(t), "general")
		p.sayN(250)
		equal(t, "start", place(p.start("garbage", 0)),
			history.Start{Seq: 50, Reason: history.Diverged, Missed: 200, Lost: -1})
	})
}

func TestCursorShape(t *testing.T) {
	each(t, false, func(t *testing.T, e engine) {
		p := record(t, e.open(t), "general")
		for _, line := range p.sayN(20) {
			if len(line.Cursor) > 40 || strings.ContainsAny(line.Cursor, "+/= \"&%") {
				t.Errorf("cursor %q", line.Cursor)
			}
			if _, ok := history.ParseCursor(line.Cursor); !ok {
				t.Errorf("cursor %q can't be read", line.Cursor)
			}
		}
	})
}

// Cursors hold across restarts, whichever of the epochs they are from.
func TestResumeAcrossEpochs(t *testing.T) {
	each(t, true, func(t *testing.T, e engine) {
		s := e.open(t)
		var lines []history.Entry
		for range 4 {
			p := record(t, s, "general")
			lines = append(lines, p.sayN(3)...)
			s = e.reopen(t, s)
		}
		p := record(t, s, "general")
		read, err := p.Read(0, 100)
		noError(t, err)
		if !slices.Equal(read, lines) {
			t.Error("lines read after restarts differ from those that were heard")
		}
		noError(t, s.Trim(t.Context(), history.Retention{Lines: 5}, time.Now()))
		for i, line := range lines {
			equal(t, "resumed", p.start(line.Cursor, 0).Resumed, i+1 >= 7)
		}
		s = e.reopen(t, s)
		p = record(t, s, "general")
		read, err = p.Read(0, 100)
		noError(t, err)
		if !slices.Equal(read, lines[7:]) {
			t.Error("lines read after a trim differ from those that were heard")
		}
	})
}

// An older copy is restored under readers that saw more.
func TestRestoredCopy(t *testing.T) {
	copyOf := func(fs *vfs.MemFS) *vfs.MemFS { return fs.CrashClone(vfs.CrashCloneCfg{}) }

	t.Run("taken while the epoch wrote", func(t *testing.T) {
		fs := vfs.NewCrashableMem()
		p := record(t, openDisk(t, "h", fs), "general")
		old := p.sayN(10)
		restored := copyOf(fs)
		gone := p.say("s", "gone 1", "gone 2", "gone 3", "gone 4", "gone 5")

		s := openDisk(t, "h", restored)
		q := record(t, s, "general")
		want := history.Start{Seq: 10, Reason: history.Diverged}
		equal(t, "start before anything is new", place(q.start(gone[4].Cursor, 0)), want)
		// Fewer new lines than were lost, then more.
		for _, text := range []string{"new 1", "new 2", "new 3", "new 4", "new 5", "new 6", "new 7"} {
			q.say("t", text)
			want.Missed++
			for _, line := range gone {
				got := q.start(line.Cursor, 0)
				equal(t, "start of a reader that saw more", place(got), want)
				equal(t, "resumed after", q.start(got.Cursor, 0).Resumed, true)
			}
			equal(t, "start of a reader that did not", place(q.start(old[9].Cursor, 0)),
				history.Start{Seq: 10, Resumed: true, Missed: want.Missed})
		}
		if got := q.texts(10); !slices.Equal(got, []string{"new 1", "new 2", "new 3", "new 4", "new 5", "new 6", "new 7"}) {
			t.Errorf("replay: %v", got)
		}
		equal(t, "start with backlog", place(q.start(gone[0].Cursor, 9)),
			history.Start{Seq: 8, Reason: history.Diverged, Missed: 7})

		noError(t, s.Trim(t.Context(), history.Retention{Lines: 7}, time.Now()))
		equal(t, "start, trimmed to where the pasts part", place(q.start(gone[0].Cursor, 0)), want)
		noError(t, s.Trim(t.Context(), history.Retention{Lines: 5}, time.Now()))
		equal(t, "start, trimmed beyond", place(q.start(gone[4].Cursor, 0)),
			history.Start{Seq: 12, Reason: history.Diverged, Missed: 5, Lost: -1})
	})

	t.Run("taken before the epoch", func(t *testing.T) {
		fs := vfs.NewCrashableMem()
		s := openDisk(t, "h", fs)
		old := record(t, s, "general").sayN(10)
		noError(t, s.Close())
		restored := copyOf(fs)
		gone := record(t, openDisk(t, "h", fs), "general").say("t", "gone")

		q := record(t, openDisk(t, "h", restored), "general")
		q.say("t", "new")
		equal(t, "start of a reader that saw more", place(q.start(gone[0].Cursor, 4)),
			history.Start{Seq: 7, Reason: history.Diverged, Missed: 4, Lost: -1})
		equal(t, "start of a reader that did not", place(q.start(old[9].Cursor, 0)),
			history.Start{Seq: 10, Resumed: true, Missed: 1})
	})
}
