package disk

import (
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"syscall"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/atomicfs"

	"holdfast/server/history"
)

// open makes the directory, locks it and opens the engine in it.
func (d *disk) open() (err error) {
	if err := makeDir(d.fence.FS, d.dir); err != nil {
		return err
	}
	d.lock, err = pebble.LockDirectory(d.dir, d.fence.FS)
	if err != nil {
		return lockError(err)
	}
	defer func() {
		if err != nil {
			d.lock.Close()
		}
	}()
	// What the disk is short of now may be what opening needs.
	_ = d.fence.FS.Remove(d.space.path())
	if err := checkEngineVersion(d.fence.FS, d.dir); err != nil {
		return err
	}
	d.db, err = pebble.Open(d.dir, d.pebbleOptions())
	if failure := d.fence.failure(); failure != nil {
		err = failure
	}
	if err == nil {
		err = d.checkVersion()
	}
	if err == nil {
		err = d.loadMembers()
	}
	if err != nil {
		if d.db != nil {
			d.db.Close()
		}
		return err
	}
	return nil
}

// pebbleOptions keeps the engine small: it also runs inside a client that hosts.
func (d *disk) pebbleOptions() *pebble.Options {
	return &pebble.Options{
		FS:   d.fence,
		Lock: d.lock,
		// Older formats use table writers that share channels with one another
		// across the whole process, which a testing/synctest bubble forbids.
		FormatMajorVersion: pebble.FormatNewest,
		CacheSize:          8 << 20,
		MemTableSize:       8 << 20,
		MaxOpenFiles:       256,
		Logger:             pebbleLog{d},
		EventListener: &pebble.EventListener{
			BackgroundError: func(err error) { d.fail(fmt.Errorf("flush or compact: %w", err)) },
			DataCorruption:  func(info pebble.DataCorruptionInfo) { d.fail(info.Details) },
		},
	}
}

// fail ends the store. It does nothing if the store failed before.
func (d *disk) fail(err error) {
	d.fence.trip(err)
	d.log.Debug("storage engine failed", "err", err)
}

// makeDir makes dir, and syncs the directories above that changed by it: else a
// power cut could lose the whole history together with the name of its directory.
func makeDir(fsys vfs.FS, dir string) error {
	var changed []string
	for at := dir; ; {
		_, err := fsys.Stat(at)
		if err == nil {
			break
		}
		above := fsys.PathDir(at)
		if !errors.Is(err, fs.ErrNotExist) || above == at {
			return err
		}
		changed = append(changed, above)
		at = above
	}
	if err := fsys.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	for _, name := range changed {
		if err := syncDir(fsys, name); err != nil {
			return err
		}
	}
	return nil
}

func syncDir(fsys vfs.FS, name string) error {
	dir, err := fsys.OpenDir(name)
	if err != nil {
		return err
	}
	err = dir.Sync()
	if closeErr := dir.Close(); err == nil {
		err = closeErr
	}
	return err
}

// checkEngineVersion asks the directory itself, as Pebble's own error for a newer
// version can't be told from others.
func checkEngineVersion(fsys vfs.FS, dir string) error {
	value, err := atomicfs.ReadMarker(fsys, dir, "format-version")
	if err != nil || value == "" {
		return err
	}
	if n, err := strconv.ParseUint(value, 10, 64); err == nil && n > uint64(pebble.FormatNewest) {
		return history.ErrNewer
	}
	return nil
}

// checkVersion reads the version of our own format, or writes it in a new store.
func (d *disk) checkVersion() error {
	value, err := d.get(versionKey())
	if err != nil {
		return err
	}
	switch {
	case value == nil, len(value) == 1 && value[0] > 0 && value[0] < formatVersion:
		err := d.db.Set(versionKey(), []byte{formatVersion}, pebble.Sync)
		if failure := d.fence.failure(); failure != nil {
			err = failure
		}
		return err
	case len(value) != 1 || value[0] == 0:
		return fmt.Errorf("read format version: %w", errDamaged)
	case value[0] > formatVersion:
		return history.ErrNewer
	}
	return nil
}

// lockError tells a directory in use from one that can't be written.
func lockError(err error) error {
	if _, isPath := errors.AsType[*fs.PathError](err); isPath {
		return err // of making the lock file, not of locking it
	}
	if errors.Is(err, syscall.EAGAIN) || errors.Is(err, syscall.EACCES) ||
		strings.Contains(err.Error(), "held by current process") {
		return history.ErrLocked
	}
	return err
}

// openError puts a name and a way out to what went wrong.
func openError(dir string, err error) error {
	const format = "open history %s: %w; %s"
	switch {
	case errors.Is(err, history.ErrLocked):
		return fmt.Errorf(format, dir, err, "stop the server that has it open, or give this one a directory of its own")
	case errors.Is(err, history.ErrNewer):
		return fmt.Errorf(format, dir, err, "use the version that wrote it, or a later one")
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return fmt.Errorf("open history %s: %w: %w; check its owner, and that the file system is not mounted read-only",
			dir, history.ErrReadOnly, err)
	case noRoom(err):
		return fmt.Errorf("open history %s: %w: %w; free some space, or choose another disk", dir, history.ErrFull, err)
	case errors.Is(err, syscall.ENOTDIR):
		return fmt.Errorf(format, dir, err, "it, or a name above it, is a file; choose another directory")
	case pebble.IsCorruptionError(err), errors.Is(err, errDamaged):
		return fmt.Errorf(format, dir, err, "its files are damaged; restore a copy, or move them away to begin anew")
	}
	return fmt.Errorf("open history %s: %w", dir, err)
}

// pebbleLog passes on what Pebble says.
type pebbleLog struct{ d *disk }

func (l pebbleLog) say(format string, args []any) {
	l.d.log.Debug("storage engine", "said", fmt.Sprintf(format, args...))
}

// Infof implements pebble.Logger.
func (l pebbleLog) Infof(format string, args ...any) { l.say(format, args) }

// Errorf implements pebble.Logger.
func (l pebbleLog) Errorf(format string, args ...any) { l.say(format, args) }

// Fatalf implements pebble.Logger. It returns, where Pebble's own would exit:
// behind the fence nothing that Pebble goes on to do can do harm, and Close still
// works, which it would not if this goroutine ended or waited with Pebble's mutex.
func (l pebbleLog) Fatalf(format string, args ...any) {
	l.d.fail(fmt.Errorf(format, args...))
}
