package disk_test

import (
	"slices"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"holdfast/server/history"
	"holdfast/server/history/historytest"
)

// place is a Start without its cursor.
func place(s history.Start) history.Start {
	s.Cursor = ""
	return s
}

// An older copy is restored under readers that saw more.
func TestRestoredCopy(t *testing.T) {
	copyOf := func(fs *vfs.MemFS) *vfs.MemFS { return fs.CrashClone(vfs.CrashCloneCfg{}) }

	t.Run("taken while the epoch wrote", func(t *testing.T) {
		fs := vfs.NewCrashableMem()
		p := historytest.Record(t, openDisk(t, "h", fs), "general")
		old := p.SayN(10)
		restored := copyOf(fs)
		gone := p.Say("s", "gone 1", "gone 2", "gone 3", "gone 4", "gone 5")

		s := openDisk(t, "h", restored)
		q := historytest.Record(t, s, "general")
		want := history.Start{Seq: 10, Reason: history.Diverged}
		equal(t, "start before anything is new", place(q.From(gone[4].Cursor, 0)), want)
		// Fewer new lines than were lost, then more.
		for _, text := range []string{"new 1", "new 2", "new 3", "new 4", "new 5", "new 6", "new 7"} {
			q.Say("t", text)
			want.Missed++
			for _, line := range gone {
				got := q.From(line.Cursor, 0)
				equal(t, "start of a reader that saw more", place(got), want)
				equal(t, "resumed after", q.From(got.Cursor, 0).Resumed, true)
			}
			equal(t, "start of a reader that did not", place(q.From(old[9].Cursor, 0)),
				history.Start{Seq: 10, Resumed: true, Missed: want.Missed})
		}
		if got := q.Texts(10); !slices.Equal(got, []string{"new 1", "new 2", "new 3", "new 4", "new 5", "new 6", "new 7"}) {
			t.Errorf("replay: %v", got)
		}
		equal(t, "start with backlog", place(q.From(gone[0].Cursor, 9)),
			history.Start{Seq: 8, Reason: history.Diverged, Missed: 7})

		noError(t, s.Trim(t.Context(), history.Retention{Lines: 7}, time.Now()))
		equal(t, "start, trimmed to where the pasts part", place(q.From(gone[0].Cursor, 0)), want)
		noError(t, s.Trim(t.Context(), history.Retention{Lines: 5}, time.Now()))
		equal(t, "start, trimmed beyond", place(q.From(gone[4].Cursor, 0)),
			history.Start{Seq: 12, Reason: history.Diverged, Missed: 5, Lost: -1})
	})

	t.Run("taken before the epoch", func(t *testing.T) {
		fs := vfs.NewCrashableMem()
		s := openDisk(t, "h", fs)
		old := historytest.Record(t, s, "general").SayN(10)
		noError(t, s.Close())
		restored := copyOf(fs)
		gone := historytest.Record(t, openDisk(t, "h", fs), "general").Say("t", "gone")

		q := historytest.Record(t, openDisk(t, "h", restored), "general")
		q.Say("t", "new")
		equal(t, "start of a reader that saw more", place(q.From(gone[0].Cursor, 4)),
			history.Start{Seq: 7, Reason: history.Diverged, Missed: 4, Lost: -1})
		equal(t, "start of a reader that did not", place(q.From(old[9].Cursor, 0)),
			history.Start{Seq: 10, Resumed: true, Missed: 1})
	})
}
