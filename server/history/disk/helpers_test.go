package disk_test

import (
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"holdfast/server/history"
	"holdfast/server/history/disk"
	"holdfast/server/history/historytest"
)

func TestConformance(t *testing.T) {
	t.Run("disk", func(t *testing.T) {
		historytest.Run(t, engine(func(t *testing.T) (string, vfs.FS) { return t.TempDir() + "/history", nil }))
	})
	t.Run("crashable", func(t *testing.T) {
		historytest.Run(t, engine(func(*testing.T) (string, vfs.FS) { return "history", vfs.NewCrashableMem() }))
	})
}

func engine(place func(*testing.T) (string, vfs.FS)) historytest.Engine {
	var dir string
	var fs vfs.FS
	reopen := func(t *testing.T, s history.Store) history.Store {
		if s != nil {
			noError(t, s.Close())
		}
		return openDisk(t, dir, fs)
	}
	return historytest.Engine{Open: func(t *testing.T) history.Store {
		dir, fs = place(t)
		return reopen(t, nil)
	}, Reopen: reopen}
}

func openDisk(t *testing.T, dir string, fs vfs.FS) history.Store {
	t.Helper()
	s, err := disk.Open(dir, &disk.Options{FS: fs})
	noError(t, err)
	t.Cleanup(func() { s.Close() })
	return s
}

func noError(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func equal[T comparable](t testing.TB, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// tables counts the tables that the engine has written to h.
func tables(t *testing.T, fs vfs.FS) (n int) {
	t.Helper()
	names, err := fs.List("h")
	noError(t, err)
	for _, name := range names {
		if strings.HasSuffix(name, ".sst") {
			n++
		}
	}
	return n
}
