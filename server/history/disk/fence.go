package disk

import (
	"fmt"
	"strings"
	"sync"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// fence is the file system that Pebble writes through. It makes the store
// fail-stop: after the first write or sync that went wrong nothing reaches the
// disk any more, whatever Pebble goes on to try. That matters, because Pebble
// does go on: it repeats a flush that failed, and would then delete the log that
// still held the lines; and a sync that is repeated can succeed although the
// pages of the first try are gone.
//
// Pebble itself must live until Close, but it can't live with errors. One on a
// log makes it panic with its mutexes in a state that nothing can recover, one on
// its manifest leaves it half changed, and while it can't flush, writers hang in
// it for ever. So the fence only shows it errors on tables, after which it makes
// a new one, and lets it play on in memory. Whoever asks Pebble for durability
// asks the fence after; see disk.commit.
//
// That there is no room is no failure: what finds none is tried until it does; see
// space.
type fence struct {
	vfs.FS
	space  *space
	shadow *vfs.MemFS    // takes the files that are made after the failure
	failed chan struct{} // closed at the first failure; err is set before
	once   sync.Once
	err    error
}

func newFence(fs vfs.FS, space *space) *fence {
	return &fence{FS: fs, space: space, shadow: vfs.NewMem(), failed: make(chan struct{})}
}

// trip records the first failure and lets nothing through from now on.
func (f *fence) trip(err error) {
	f.once.Do(func() {
		f.err = err
		close(f.failed)
	})
}

// failure returns the first failure, nil if there was none.
func (f *fence) failure() error {
	select {
	case <-f.failed:
		return f.err
	default:
		return nil
	}
}

// do runs op unless something failed before, and notes if it fails.
func (f *fence) do(verb, name string, op func() error) error {
	if err := f.failure(); err != nil {
		return err
	}
	if err := op(); err != nil {
		err = fmt.Errorf("%s %s: %w", verb, f.PathBase(name), err)
		f.trip(err)
		return err
	}
	return nil
}

// room is do for what can be repeated when there was no room for it.
func (f *fence) room(verb, name string, op func() error) error {
	return f.do(verb, name, func() error { return f.space.retry(f.failed, op) })
}

// open runs op, which opens a file for writing, or else makes it in memory.
func (f *fence) open(verb, name string, op func() (vfs.File, error)) (vfs.File, error) {
	var file vfs.File
	err := f.room(verb, name, func() (err error) {
		file, err = op()
		return err
	})
	if err == nil {
		return &fenceFile{file, f, name, strings.HasSuffix(name, ".sst")}, nil
	}
	if err := f.shadow.MkdirAll(f.shadow.PathDir(name), 0o700); err != nil {
		return nil, err
	}
	return f.shadow.Create(name, vfs.WriteCategoryUnspecified)
}

// Create implements vfs.FS.
func (f *fence) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	return f.open("create", name, func() (vfs.File, error) { return f.FS.Create(name, category) })
}

// ReuseForWrite implements vfs.FS.
func (f *fence) ReuseForWrite(from, name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	return f.open("reuse", name, func() (vfs.File, error) { return f.FS.ReuseForWrite(from, name, category) })
}

// OpenReadWrite implements vfs.FS.
func (f *fence) OpenReadWrite(name string, category vfs.DiskWriteCategory, opts ...vfs.OpenOption) (vfs.File, error) {
	return f.open("open", name, func() (vfs.File, error) { return f.FS.OpenReadWrite(name, category, opts...) })
}

// Open implements vfs.FS.
func (f *fence) Open(name string, opts ...vfs.OpenOption) (vfs.File, error) {
	if f.failure() != nil {
		if file, err := f.shadow.Open(name, opts...); err == nil {
			return file, nil
		}
	}
	return f.FS.Open(name, opts...)
}

// OpenDir implements vfs.FS.
func (f *fence) OpenDir(name string) (vfs.File, error) {
	dir, err := f.FS.OpenDir(name)
	if err != nil {
		return nil, err
	}
	return &fenceFile{dir, f, name, false}, nil
}

// Rename implements vfs.FS.
func (f *fence) Rename(from, to string) error {
	_ = f.room("rename", to, func() error { return f.FS.Rename(from, to) })
	return nil
}

// Link implements vfs.FS.
func (f *fence) Link(from, to string) error {
	_ = f.room("link", to, func() error { return f.FS.Link(from, to) })
	return nil
}

// Remove implements vfs.FS. That a file stays does no harm, so an error does not
// end the store.
func (f *fence) Remove(name string) error {
	if f.failure() != nil {
		return nil
	}
	return f.FS.Remove(name)
}

// RemoveAll implements vfs.FS, like Remove.
func (f *fence) RemoveAll(name string) error {
	if f.failure() != nil {
		return nil
	}
	return f.FS.RemoveAll(name)
}

// Unwrap implements vfs.FS.
func (f *fence) Unwrap() vfs.FS { return f.FS }

// fenceFile is a file that was opened before the failure.
type fenceFile struct {
	vfs.File
	fence *fence
	name  string
	table bool // the only kind of which Pebble learns errors
}

func (f *fenceFile) do(verb string, op func() error) error {
	return f.tell(f.fence.do(verb, f.name, op))
}

// tell is what Pebble learns of err.
func (f *fenceFile) tell(err error) error {
	if f.table {
		return err
	}
	return nil
}

// Write implements vfs.File.
func (f *fenceFile) Write(p []byte) (n int, err error) {
	return f.write(p, func(done int) (int, error) { return f.File.Write(p[done:]) })
}

// WriteAt implements vfs.File.
func (f *fenceFile) WriteAt(p []byte, off int64) (n int, err error) {
	return f.write(p, func(done int) (int, error) { return f.File.WriteAt(p[done:], off+int64(done)) })
}

// write writes p with rest, which writes all but the first done bytes: those that
// found room before.
func (f *fenceFile) write(p []byte, rest func(done int) (int, error)) (int, error) {
	done := 0
	err := f.fence.room("write", f.name, func() error {
		n, err := rest(done)
		done += n
		return err
	})
	if err := f.tell(err); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Sync implements vfs.File.
func (f *fenceFile) Sync() error { return f.do("sync", f.File.Sync) }

// SyncData implements vfs.File.
func (f *fenceFile) SyncData() error { return f.do("sync", f.File.SyncData) }

// SyncTo implements vfs.File.
func (f *fenceFile) SyncTo(length int64) (full bool, err error) {
	err = f.do("sync", func() (err error) { full, err = f.File.SyncTo(length); return err })
	return full, err
}

// Close implements vfs.File. The file is closed in any case.
func (f *fenceFile) Close() error {
	err := f.File.Close()
	return f.do("close", func() error { return err })
}
