package disk_test

import (
	"strings"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"holdfast/server/history"
	"holdfast/server/history/historytest"
)

// While a sync is under way nobody sees what it is to make durable, although the
// engine below would show it; and nobody waits for it either.
func TestInFlight(t *testing.T) {
	var slow atomic.Bool
	syncing, carryOn := make(chan struct{}), make(chan struct{})
	fs := errorfs.Wrap(vfs.NewCrashableMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind == errorfs.OpFileSyncData && strings.HasSuffix(op.Path, ".log") && slow.CompareAndSwap(true, false) {
			close(syncing)
			<-carryOn
		}
		return nil
	}))
	s := openDisk(t, "h", fs)
	p := historytest.Record(t, s, "general")
	durable := p.SayN(3)
	check := func(head uint64, mark uint64, voids int) {
		t.Helper()
		source, err := p.Source("ana", "s")
		noError(t, err)
		equal(t, "mark", source.Mark, mark)
		equal(t, "voids", len(source.Voids), voids)
		fresh, err := p.Source("ana", "new")
		noError(t, err)
		equal(t, "mark of a new source", fresh.Mark, mark-3)
		equal(t, "head", p.From("", 0).Seq, head)
		equal(t, "missed", p.From(durable[2].Cursor, 0).Missed, int64(head-3))
		equal(t, "lines", len(p.Texts(0)), int(head))
		back, _, err := p.Before(0, 100)
		noError(t, err)
		equal(t, "lines backwards", len(back), int(head))
	}
	check(3, 3, 0)
	slow.Store(true)
	void := p.Line("s", "refused")
	void.Kind = history.KindVoid
	noError(t, p.Append(void))
	<-syncing
	noError(t, p.Append(p.Line("new", "x")))
	check(3, 3, 0)
	if err := p.Close(); err == nil {
		t.Error("a log was closed that had lines under way")
	}
	heard, _ := p.Now()
	equal(t, "lines heard", len(heard), 3)
	close(carryOn)
	p.Wait(5)
	check(5, 4, 1)
}
