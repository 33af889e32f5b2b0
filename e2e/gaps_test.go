package e2e

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"holdfast/server/history"
	"holdfast/transport"
)

// The tests here are for planted bugs that no other test catches.

// TestBackoffForDays: however long a server is away, its clients neither hammer it nor
// forget it.
func TestBackoffForDays(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		schedule := transport.FullJitter()
		began, attempts := time.Now(), 0
		for time.Since(began) < 48*time.Hour {
			d := schedule.NextBackOff()
			if d < 0 || d > 15*time.Second {
				t.Fatalf("after %v: wait %v", time.Since(began), d)
			}
			time.Sleep(d)
			attempts++
		}
		if mean := 48 * time.Hour / time.Duration(attempts); mean < 7*time.Second || mean > 8*time.Second {
			t.Errorf("%d attempts in two days, every %v", attempts, mean)
		}
	})
}

// TestClaimOutlivesPowerCut: a name that was claimed is still its owner's when the
// server's disk has lost all that was not synced.
func TestClaimOutlivesPowerCut(t *testing.T) {
	t.Parallel()
	disk := vfs.NewCrashableMem()
	claim := func(key byte) bool {
		store, err := history.OpenDisk("data", &history.DiskOptions{FS: disk, MinFree: -1})
		if err != nil {
			t.Fatal(err)
		}
		ok, err := store.Claim("ana", [32]byte{key}, time.Now(), time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		left := disk.CrashClone(vfs.CrashCloneCfg{})
		if err := store.Close(); err != nil {
			t.Error(err)
		}
		disk = left
		return ok
	}
	if !claim(1) {
		t.Error("a free name can't be claimed")
	}
	if claim(2) {
		t.Error("a power cut has given the name to somebody else")
	}
}

// TestSendsShareASlot: commands that begin afresh each time leave nothing behind but one
// file, with neither lines nor a cursor in it.
func TestSendsShareASlot(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	home := t.TempDir()
	for range 3 {
		_, code := run(t, home, "send", "--server", w.url(), "--room", "general", "--as", "ana", "hello")
		if code != 0 {
			t.Fatalf("send: exit code %d", code)
		}
		if _, code = run(t, home, "tail", "--server", w.url(), "--room", "general", "--as", "ana", "--history", "all", "--until-live"); code != 0 {
			t.Fatalf("tail: exit code %d", code)
		}
	}
	if files := slots(t, home); len(files) != 1 {
		t.Errorf("%d files: %q", len(files), files)
	}
	if unsent, cursor := leftBehind(t, home); len(unsent) > 0 || cursor {
		t.Errorf("left behind: %q, a cursor %v", unsent, cursor)
	}
}
