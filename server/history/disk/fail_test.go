package disk_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"holdfast/server/history"
	"holdfast/server/history/disk"
	"holdfast/server/history/historytest"
)

var errBroken = errors.New("the disk broke")

// breakable is a file system on which operations fail once it is broken, or as
// many times as it is told.
type breakable struct {
	vfs.FS
	disk   *vfs.MemFS
	left   atomic.Int64 // operations that will fail
	broken atomic.Int64 // that failed
}

func newBreakable(err error, name string, kinds ...errorfs.OpKind) *breakable {
	b := &breakable{disk: vfs.NewCrashableMem()}
	b.FS = errorfs.Wrap(b.disk, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if !slices.Contains(kinds, op.Kind) || !strings.Contains(b.PathBase(op.Path), name) {
			return nil
		}
		if b.left.Add(-1) < 0 {
			return nil
		}
		b.broken.Add(1)
		return err
	}))
	return b
}

// always is how many times an operation fails that never works again.
const always = 1 << 40

// One write or sync that fails, and works again at once: the store has failed for
// good, whichever file it was, and whatever it told of is on the disk.
func TestFailStop(t *testing.T) {
	syncs := []errorfs.OpKind{errorfs.OpFileSync, errorfs.OpFileSyncData, errorfs.OpFileSyncTo}
	for _, c := range []struct {
		name  string
		file  string
		times int64
		kinds []errorfs.OpKind
	}{
		{"log sync", ".log", 1, syncs},
		{"log sync for ever", ".log", always, syncs},
		{"log write", ".log", 1, []errorfs.OpKind{errorfs.OpFileWrite}},
		{"log write for ever", ".log", always, []errorfs.OpKind{errorfs.OpFileWrite}},
		{"log create", ".log", 1, []errorfs.OpKind{errorfs.OpCreate, errorfs.OpReuseForWrite}},
		{"table sync", ".sst", 1, syncs},
		{"manifest sync", "MANIFEST", 1, syncs},
		{"directory sync", "h", 1, syncs},
	} {
		t.Run(c.name, func(t *testing.T) {
			fs := newBreakable(errBroken, c.file, c.kinds...)
			s := openDisk(t, "h", fs)
			p := historytest.Record(t, s, "general")
			p.SayN(5)
			fs.left.Store(c.times)
			appendUntilFailed(t, s, p)
			if fs.broken.Load() == 0 {
				t.Fatal("nothing was broken")
			}
			if !errors.Is(s.Err(), errBroken) || !errors.Is(p.Append(p.Line("s", "late")), errBroken) {
				t.Errorf("the store says %v", s.Err())
			}
			if _, err := p.Start("", 0); !errors.Is(err, errBroken) {
				t.Errorf("Start: %v", err)
			}
			if err := s.Trim(t.Context(), history.Retention{Lines: 1}, time.Now()); !errors.Is(err, errBroken) {
				t.Errorf("Trim: %v", err)
			}
			if err := s.Close(); !errors.Is(err, errBroken) {
				t.Errorf("Close: %v", err)
			}
			heard, _ := p.Now()
			left := fs.disk.CrashClone(vfs.CrashCloneCfg{})
			read, err := historytest.Record(t, openDisk(t, "h", left), "general").Read(0, 1<<20)
			noError(t, err)
			if len(read) < len(heard) || !slices.Equal(read[:len(heard)], heard) {
				t.Errorf("%d lines were shown, %d are on the disk", len(heard), len(read))
			}
		})
	}
}

// appendUntilFailed writes enough to fill logs and flush memtables.
func appendUntilFailed(t *testing.T, s history.Store, p *historytest.Tape) {
	t.Helper()
	text := strings.Repeat("x", 250<<10)
	for range 100 {
		_, more := p.Now()
		if err := p.Append(p.Line("s", text)); err != nil {
			<-s.Failed()
			return
		}
		select {
		case <-s.Failed():
			return
		case <-more:
		}
	}
	t.Fatal("the store did not fail")
}

// What Pebble calls fatal ends the store, not the process, and Close still works.
func TestEngineGivesUp(t *testing.T) {
	s := openDisk(t, "h", vfs.NewCrashableMem())
	p := historytest.Record(t, s, "general")
	p.SayN(3)
	disk.Fail(s, "gave up: %w", errBroken)
	<-s.Failed()
	if err := p.Append(p.Line("s", "late")); !errors.Is(err, errBroken) {
		t.Errorf("Append: %v", err)
	}
	if _, ok, err := s.Claim("ana", history.Holder{}, time.Now(), 0); ok || !errors.Is(err, errBroken) {
		t.Errorf("Claim: %v, %v", ok, err)
	}
	if err := s.Close(); !errors.Is(err, errBroken) {
		t.Errorf("Close: %v", err)
	}
	heard, _ := p.Now()
	equal(t, "lines heard", len(heard), 3)
}

func TestFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := vfs.NewCrashableMem()
		free := func(bytes uint64) { fs.TestingSetDiskUsage(vfs.DiskUsage{AvailBytes: bytes, TotalBytes: 1 << 40}) }
		free(1 << 30)
		s := openDisk(t, "h", fs)
		p := historytest.Record(t, s, "general")
		p.SayN(1)
		free(15 << 20)
		time.Sleep(time.Second)
		p.SayN(1) // it looks when there is something to write
		line := history.Line{User: "ana", Source: "t", N: 1}
		for range 3 {
			if err := p.Append(line); !errors.Is(err, history.ErrFull) {
				t.Errorf("Append: %v", err)
			}
			time.Sleep(2 * time.Second)
		}
		equal(t, "lines that can be read", len(p.Texts(0)), 2)
		free(17 << 20)
		if err := p.Append(line); !errors.Is(err, history.ErrFull) {
			t.Errorf("Append before it looked again: %v", err)
		}
		synctest.Wait()
		noError(t, p.Append(line))
		p.Wait(3)
		noError(t, s.Err())
	})
}

// Lines that come faster than the disk takes them are refused, not hoarded.
func TestQueueIsBounded(t *testing.T) {
	s := openDisk(t, "h", vfs.NewCrashableMem())
	hold, held := make(chan struct{}), make(chan struct{}, 100)
	log, err := s.Open("general", func([]history.Entry) { held <- struct{}{}; <-hold })
	noError(t, err)
	noError(t, log.Append(history.Line{N: 1}))
	<-held // the committer stands still
	text, n := strings.Repeat("x", 60<<10), 1
	for ; err == nil; n++ {
		err = log.Append(history.Line{N: uint64(n + 1), Text: text})
	}
	if !errors.Is(err, history.ErrFull) || n < 100 || n > 1000 {
		t.Errorf("Append number %d: %v", n, err)
	}
	disk.Fail(s, "enough")
	close(hold)
}

func TestOpenErrors(t *testing.T) {
	used := func(t *testing.T) *vfs.MemFS {
		fs := vfs.NewCrashableMem()
		s := openDisk(t, "h", fs)
		historytest.Record(t, s, "general").SayN(3)
		return fs
	}
	open := func(dir string, fs vfs.FS) error {
		s, err := disk.Open(dir, &disk.Options{FS: fs})
		if err == nil {
			s.Close()
		}
		return err
	}
	check := func(t *testing.T, err, want error, hint string) {
		t.Helper()
		if err == nil || (want != nil && !errors.Is(err, want)) || !strings.Contains(err.Error(), hint) {
			t.Errorf("got %v, want %v and %q", err, want, hint)
		}
	}
	t.Run("in use", func(t *testing.T) {
		check(t, open("h", used(t)), history.ErrLocked, "stop the server")
		dir := t.TempDir()
		openDisk(t, dir, nil)
		check(t, open(dir, nil), history.ErrLocked, "stop the server")
	})
	t.Run("below a file", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "file")
		noError(t, os.WriteFile(file, nil, 0o600))
		check(t, open(file, nil), nil, "is a file")
		check(t, open(filepath.Join(file, "a", "b"), nil), nil, "is a file")
	})
	t.Run("new directory", func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "a", "b")
		openDisk(t, dir, nil)
		info, err := os.Stat(dir)
		noError(t, err)
		equal(t, "mode", info.Mode().Perm(), 0o700)
	})
	kinds := []errorfs.OpKind{errorfs.OpCreate, errorfs.OpMkdirAll, errorfs.OpLock, errorfs.OpFileWrite}
	for _, kind := range kinds {
		for _, c := range []struct {
			cause, want error
			hint        string
		}{
			{syscall.EROFS, history.ErrReadOnly, "read-only"},
			{syscall.EACCES, history.ErrReadOnly, "owner"},
			{syscall.ENOSPC, history.ErrFull, "free some space"},
		} {
			t.Run(fmt.Sprint(c.cause, kind), func(t *testing.T) {
				fs := newBreakable(&os.PathError{Op: "open", Path: "h", Err: c.cause}, "", kind)
				fs.left.Store(always)
				check(t, open("h", fs), c.want, c.hint)
				fs.left.Store(0)
				noError(t, open("h", fs))
			})
		}
	}
	t.Run("newer", func(t *testing.T) {
		fs := vfs.NewCrashableMem()
		s := openDisk(t, "h", fs)
		noError(t, disk.SetFormatVersion(s, 4))
		noError(t, s.Close())
		check(t, open("h", fs), history.ErrNewer, "use the version that wrote it")
	})
	t.Run("older", func(t *testing.T) { // and from then on older programs keep out
		fs := vfs.NewCrashableMem()
		s := openDisk(t, "h", fs)
		noError(t, disk.SetFormatVersion(s, 1))
		noError(t, s.Close())
		s = openDisk(t, "h", fs)
		version, err := disk.FormatVersion(s)
		noError(t, err)
		equal(t, "version", version, 3)
	})
	t.Run("newer engine", func(t *testing.T) {
		fs := vfs.NewCrashableMem()
		noError(t, fs.MkdirAll("h", 0o700))
		file, err := fs.Create("h/marker.format-version.000999.999", vfs.WriteCategoryUnspecified)
		noError(t, err)
		noError(t, file.Close())
		check(t, open("h", fs), history.ErrNewer, "use the version that wrote it")
	})
	t.Run("damaged", func(t *testing.T) {
		fs := used(t).CrashClone(vfs.CrashCloneCfg{})
		names, err := fs.List("h")
		noError(t, err)
		for _, name := range names {
			if strings.HasPrefix(name, "MANIFEST") {
				file, err := fs.Create("h/"+name, vfs.WriteCategoryUnspecified)
				noError(t, err)
				_, err = file.Write([]byte(strings.Repeat("damaged ", 100)))
				noError(t, err)
				noError(t, file.Close())
			}
		}
		check(t, open("h", fs), nil, "damaged")
	})
}

// The engine starts and ends inside of a bubble, and again inside of the next.
func TestBubbles(t *testing.T) {
	for range 2 {
		t.Run("bubble", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fs := vfs.NewCrashableMem()
				s := openDisk(t, "h", fs)
				p := historytest.Record(t, s, "general")
				p.SayN(75)
				time.Sleep(time.Minute)
				noError(t, s.Close())
				p = historytest.Record(t, openDisk(t, "h", fs), "general")
				equal(t, "head", p.From("", 0).Seq, 75)
				if tables(t, fs) == 0 { // their writers are what minds the bubble
					t.Error("no table was written")
				}
			})
		})
	}
}

// The engine can't flush and holds the committer back, and then the flush fails.
func TestFailWhileStalled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hold := make(chan struct{})
		fs := errorfs.Wrap(vfs.NewCrashableMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
			if op.Kind != errorfs.OpFileWrite || !strings.HasSuffix(op.Path, ".sst") {
				return nil
			}
			<-hold
			return errBroken
		}))
		s := openDisk(t, "h", fs)
		p := historytest.Record(t, s, "general")
		text := strings.Repeat("x", 250<<10)
		var heard []history.Entry
		for len(heard) == int(p.Marks["s"]) {
			noError(t, p.Append(p.Line("s", text)))
			synctest.Wait() // until the line is durable, or the committer stands
			heard, _ = p.Now()
		}
		close(hold)
		<-s.Failed()
		time.Sleep(time.Minute)
		if err := s.Close(); !errors.Is(err, errBroken) {
			t.Errorf("Close: %v", err)
		}
		after, _ := p.Now()
		equal(t, "lines heard after the failure", len(after), len(heard))
	})
}
