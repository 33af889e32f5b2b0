package disk

import (
	"cmp"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

const (
	// spaceEvery is how often the free space is looked at.
	spaceEvery = time.Second
	// roomEvery is how often a write that found no room is tried again.
	roomEvery = 200 * time.Millisecond
	// defaultMinFree is for disks of at least eight times as much.
	defaultMinFree = 16 << 20
	// reserveName is the file that holds the reserve, in the store's directory.
	reserveName = "reserve"
)

// space is what a store does about a full disk. It has three lines of defence, of
// which those above see one: there is too little room, so no lines are taken.
//
//   - The committer looks once a second at how much is free. Less than minFree is
//     too little.
//   - A disk can fill up between two looks. So a file holds as much again, which is
//     given up when a write finds no room, or when the store is opened: what was
//     begun can be ended, and a full disk's history be read. The file is made again
//     as soon as that leaves minFree.
//   - Others may take what was given up, and against a quota or a limit on files it
//     may be of no use. Then the write waits, and is tried again until there is
//     room. To the engine the disk is slow, not broken.
//
// Only what can be repeated is: never a sync.
type space struct {
	fs      vfs.FS
	dir     string
	log     *slog.Logger
	minFree int64 // as in Options

	seen    time.Time    // the committer's: when it last looked
	full    atomic.Bool  // there was too little, when last seen
	waiting atomic.Int32 // writes that wait for room

	opened chan struct{} // closed by patient: from then on writes wait for room
	quit   chan struct{} // closed by hurry: from then on they do not
	once   sync.Once

	turn  chan struct{} // full while the reserve changes; not a mutex, as it is held across disk access
	held  uint64        // bytes of the reserve; under turn
	never bool          // the file system can't set room aside; under turn
}

func newSpace(fs vfs.FS, dir string, minFree int64, log *slog.Logger) *space {
	return &space{
		fs: fs, dir: dir, log: log, minFree: minFree,
		opened: make(chan struct{}), quit: make(chan struct{}), turn: make(chan struct{}, 1),
	}
}

// noRoom reports whether a write failed for want of room, so that it may work later.
func noRoom(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EFBIG)
}

// short reports whether lines are to be refused.
func (s *space) short() bool { return s.full.Load() || s.stuck() }

// stuck reports whether not even the reserve was enough.
func (s *space) stuck() bool { return s.waiting.Load() > 0 }

// patient lets writes wait for room. Opening a store has to fail instead.
func (s *space) patient() { close(s.opened) }

// hurry ends all waiting for room.
func (s *space) hurry() { s.once.Do(func() { close(s.quit) }) }

// look sees how much is free, and makes the reserve if it can. A file system that
// can't tell counts as roomy.
func (s *space) look() {
	if s.minFree < 0 {
		return
	}
	s.seen = time.Now()
	usage, err := s.fs.GetDiskUsage(s.dir)
	if err != nil {
		s.full.Store(false)
		return
	}
	need := cmp.Or(uint64(s.minFree), min(defaultMinFree, usage.TotalBytes/8))
	s.turn <- struct{}{}
	if s.held < need && usage.AvailBytes+s.held >= 2*need && s.reserve(need) {
		usage, err = s.fs.GetDiskUsage(s.dir)
	}
	full := err == nil && (usage.AvailBytes < need || s.held < need && !s.never)
	<-s.turn
	if s.full.Swap(full) != full {
		s.log.Warn("free space changed", "full", full, "free", usage.AvailBytes, "need", need)
	}
}

func (s *space) path() string { return s.fs.PathJoin(s.dir, reserveName) }

// reserve sets n bytes aside, and reports whether it did. It is called under turn.
func (s *space) reserve(n uint64) bool {
	if s.never {
		return false
	}
	file, err := s.fs.Create(s.path(), vfs.WriteCategoryUnspecified)
	if err == nil {
		err = errors.Join(file.Preallocate(0, int64(n)), file.Close())
	}
	if err == nil {
		s.held = n
		return true
	}
	s.held = 0
	_ = s.fs.Remove(s.path()) // part of it may be there
	if !errors.Is(err, syscall.ENOSPC) && !errors.Is(err, syscall.EDQUOT) {
		s.never = true
		s.log.Warn("no room can be set aside for when the disk is full", "err", err)
	}
	return false
}

// giveUp gives the reserve up, and reports whether there was any.
func (s *space) giveUp() bool {
	s.turn <- struct{}{}
	defer func() { <-s.turn }()
	if s.held == 0 {
		return false
	}
	s.held = 0
	s.full.Store(true)
	err := s.fs.Remove(s.path())
	s.log.Warn("disk full: gave up the reserve, and take no lines until there is room", "err", err)
	return true
}

// retry runs op again for as long as it finds no room, unless the store ends.
func (s *space) retry(ended <-chan struct{}, op func() error) error {
	err := op()
	if !noRoom(err) {
		return err
	}
	s.waiting.Add(1)
	defer s.waiting.Add(-1)
	for told := false; noRoom(err); err = op() {
		if s.giveUp() {
			continue
		}
		if !s.pause(ended) {
			return err
		}
		if !told {
			s.log.Warn("disk full: a write waits for room", "err", err)
			told = true
		}
	}
	return err
}

// pause waits before a write is tried again, and reports whether it is to be.
func (s *space) pause(ended <-chan struct{}) bool {
	select {
	case <-s.opened:
	default:
		return false
	}
	again := time.NewTimer(roomEvery)
	defer again.Stop()
	select {
	case <-again.C:
		return true
	case <-ended:
	case <-s.quit:
	}
	return false
}
