package disk

import (
	"cmp"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"holdfast/server/history"
)

// Options tunes the engine. A nil *Options and the zero value are
// ready to use.
type Options struct {
	// FS is where the directory lies; nil means the file system of the machine.
	FS vfs.FS
	// MinFree is how many bytes must be free for lines to be taken; with less,
	// Append returns ErrFull until there is room again. It is looked at about
	// once a second. As much again is kept in reserve, in a file, for when the disk
	// fills up faster than that. Zero means 16 MiB, or an eighth of a small disk;
	// negative means that nobody looks and nothing is kept.
	MinFree int64
	// Logger gets what the storage engine has to say, at debug level, and a
	// warning when space runs out and comes back. It never gets line text. Nil
	// discards.
	Logger *slog.Logger
}

// disk is a Store in a directory, on Pebble. One goroutine, the committer, does
// all writing but that of claims. Open starts it, Close waits for it.
type disk struct {
	db    *pebble.DB
	lock  *pebble.Lock
	fence *fence
	space *space
	log   *slog.Logger
	dir   string
	epoch uint64

	closedAt time.Time // the last time, before this

	touched []*room // the committer's

	wake     chan struct{} // holds one token while the committer has work
	done     chan struct{} // closed when the committer has ended
	trimming chan struct{} // full while a trim runs
	claiming chan struct{} // full while a claim is looked up and written
	users    sync.WaitGroup
	close    func() error

	// mu guards what follows and the fields of rooms that say so. It is never
	// held across I/O.
	mu      sync.Mutex
	rooms   map[string]*room // the open ones
	members history.Members
	notes   map[string]bool // by memberKey, who is one: not yet taken by the committer
	queue   []item          // appended, not yet taken by the committer
	spare   []item          // empty; the queue to come
	queued  int             // bytes of lines that are not yet durable
	jobs    []*job          // for the committer's next batch
	closing bool
	asked   time.Time // when Append last asked to look again
	scratch []byte
}

// Open opens the history kept in dir, which is made if it is missing. Only
// one store at a time can have it open. Errors to tell apart: history.ErrLocked,
// history.ErrReadOnly, history.ErrFull, history.ErrNewer. Each says what to try.
func Open(dir string, opts *Options) (history.Store, error) {
	if opts == nil {
		opts = &Options{}
	}
	d := &disk{
		log:      cmp.Or(opts.Logger, slog.New(slog.DiscardHandler)),
		dir:      dir,
		epoch:    history.NewEpoch(),
		wake:     make(chan struct{}, 1),
		done:     make(chan struct{}),
		trimming: make(chan struct{}, 1),
		claiming: make(chan struct{}, 1),
		rooms:    make(map[string]*room),
		notes:    make(map[string]bool),
	}
	fs := cmp.Or[vfs.FS](opts.FS, vfs.Default)
	d.space = newSpace(fs, dir, opts.MinFree, d.log)
	d.fence = newFence(fs, d.space)
	if err := d.open(); err != nil {
		return nil, openError(dir, err)
	}
	d.close = sync.OnceValue(d.shut)
	d.space.patient()
	d.space.look()
	go d.commitLoop()
	return d, nil
}

// Failed implements Store.
func (d *disk) Failed() <-chan struct{} { return d.fence.failed }

// Err implements Store.
func (d *disk) Err() error {
	if err := d.fence.failure(); err != nil {
		return fmt.Errorf("write history: %w", err)
	}
	return nil
}

// usable says why the store takes nothing more. The caller holds mu.
func (d *disk) usable() error {
	if d.closing {
		return history.ErrClosed
	}
	return d.Err()
}

// enter keeps the store from being closed until leave.
func (d *disk) enter() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.usable(); err != nil {
		return err
	}
	d.users.Add(1)
	return nil
}

func (d *disk) leave() { d.users.Done() }

// Close implements Store. Once the store has failed it does not wait for lines,
// which will never be durable, and returns the failure. Nor does it wait for room:
// lines for which there is none make it fail.
func (d *disk) Close() error { return d.close() }

func (d *disk) shut() error {
	d.mu.Lock()
	d.closing = true
	d.mu.Unlock()
	d.space.hurry()
	d.signal()
	<-d.done
	d.users.Wait()
	d.noteClosed()
	err := d.db.Close()
	if lockErr := d.lock.Close(); err == nil {
		err = lockErr
	}
	if failure := d.Err(); failure != nil {
		return failure
	}
	if err != nil {
		return fmt.Errorf("close history: %w", err)
	}
	return nil
}

// signal tells the committer that there is something to do.
func (d *disk) signal() {
	select {
	case d.wake <- struct{}{}:
	default:
	}
}
