package session

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	berrors "go.etcd.io/bbolt/errors"
)

// Where the files are. A session of one room has a file in SERVER/ROOM/NAME, a client of
// many rooms one in SERVER/@/NAME. Unsent lines of a room are looked for in both, so that
// it does not matter which of the two a program uses next.

// allRooms is the folder of the files of clients. No room is called so.
const allRooms = "@"

// home is where the state of one user at one server is.
type home struct{ dir, name string }

func (h home) of(room string) string { return filepath.Join(h.dir, room, h.name) }

// openRoom locks a slot for a session of one room. What clients that have ended left of the
// room moves in.
func (h home) openRoom(room string, fresh, exclusive bool) (*slot, error) {
	s, err := openSlot(h.of(room), fresh, exclusive)
	if err != nil {
		return nil, err
	}
	left, _, err := freeSlots(h.of(allRooms))
	for _, other := range left {
		err = errors.Join(err, s.takeOver(ownRoom, other, room, fresh), other.db.Close())
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("take over unsent lines: %w", err), s.db.Close())
	}
	return s, nil
}

// openClient locks a slot for a client. What it, and other clients that have ended, left
// unsent goes where sessions of each room look for it: this client may not join them
// all, and while it has the file nobody else can read it.
func (h home) openClient(exclusive bool) (*slot, error) {
	dir := h.of(allRooms)
	if err := makeDir(dir); err != nil {
		return nil, fmt.Errorf("make state directory: %w", err)
	}
	free, taken, err := freeSlots(dir)
	if err != nil {
		return nil, err
	}
	var s *slot
	switch {
	case exclusive && len(taken) > 0:
		err = ErrInUse
	case len(free) > 0:
		s = free[0]
	default:
		s, err = newSlot(dir, taken, nil)
	}
	for _, f := range free {
		err = errors.Join(err, h.giveBackAll(f))
		if f != s {
			err = errors.Join(err, f.db.Close())
		}
	}
	if err == nil {
		err = syncDir(dir) // whoever made the file may have been killed before that
	}
	if err != nil && s != nil {
		err = errors.Join(err, s.db.Close())
	}
	if err != nil {
		return nil, err
	}
	return s, nil
}

// giveBackAll does for each room what giveBack does.
func (h home) giveBackAll(s *slot) error {
	state, err := s.load()
	if err != nil {
		return err
	}
	for room, r := range state.rooms {
		if len(r.lines) > 0 {
			err = errors.Join(err, h.giveBack(s, room))
		}
	}
	return err
}

// giveBack moves a room's unsent lines from a client's file to one of the room's own.
func (h home) giveBack(s *slot, room string) error {
	to, err := openSlot(h.of(room), true, false)
	if err != nil {
		return err
	}
	return errors.Join(to.adopt(ownRoom, s, room), to.db.Close())
}

// takeIn moves what ended sessions of a room have left into a client's file: unsent
// lines, and the cursor if the client has none. It reports whether there was something.
func (h home) takeIn(s *slot, room string, fresh bool) (moved bool, err error) {
	left, _, err := freeSlots(h.of(room))
	for _, other := range left {
		err = errors.Join(err, s.takeOver(room, other, ownRoom, fresh), other.db.Close())
	}
	return len(left) > 0, err
}

// maxSlots bounds how many sessions of one name may be open in one room.
const maxSlots = 256

// openSlot locks a slot in dir: the first free one with a cursor or, for a session
// that begins afresh, without one, so that it does not keep the cursor from a
// session that wants it. The unsent lines of the other free slots move in.
func openSlot(dir string, fresh, exclusive bool) (*slot, error) {
	if err := makeDir(dir); err != nil {
		return nil, fmt.Errorf("make state directory: %w", err)
	}
	free, taken, err := freeSlots(dir)
	if err != nil {
		return nil, err
	}
	defer func() {
		for _, s := range free { // nothing of theirs is left to write
			_ = s.db.Close()
		}
	}()
	if exclusive && len(taken) > 0 {
		return nil, ErrInUse
	}
	mine := slices.IndexFunc(free, func(s *slot) bool { return s.hasPoint() != fresh })
	if mine < 0 && !fresh && len(free) > 0 {
		mine = 0
	}
	var s *slot
	if mine >= 0 {
		s = free[mine]
		free = slices.Delete(free, mine, mine+1)
	} else if s, err = newSlot(dir, taken, free); err != nil {
		return nil, err
	}
	if err := syncDir(dir); err != nil { // whoever made the file may have been killed before that
		return nil, errors.Join(fmt.Errorf("sync state directory: %w", err), s.db.Close())
	}
	for _, other := range free {
		if err := s.adopt(ownRoom, other, ownRoom); err != nil {
			return nil, errors.Join(fmt.Errorf("take over unsent lines: %w", err), s.db.Close())
		}
	}
	return s, nil
}

// freeSlots locks and returns the slots that no process has open, in order, and the
// numbers of those that one has.
func freeSlots(dir string) (free []*slot, taken map[int]bool, err error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, fmt.Errorf("read state directory: %w", err)
	}
	var numbers []int
	for _, e := range entries {
		if n, err := strconv.Atoi(strings.TrimSuffix(e.Name(), ".db")); err == nil && strings.HasSuffix(e.Name(), ".db") {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	taken = map[int]bool{}
	for _, n := range numbers {
		s, err := lockSlot(dir, n)
		switch {
		case errors.Is(err, berrors.ErrTimeout):
			taken[n] = true
		case err != nil:
			for _, s := range free {
				_ = s.db.Close()
			}
			return nil, nil, err
		default:
			free = append(free, s)
		}
	}
	return free, taken, nil
}

// newSlot makes the first slot that there is not. Another process may make it at the
// same moment; then it is the next one's turn.
func newSlot(dir string, taken map[int]bool, free []*slot) (*slot, error) {
	for _, s := range free {
		taken[s.number] = true
	}
	for n := range maxSlots {
		if taken[n] {
			continue
		}
		s, err := lockSlot(dir, n)
		if errors.Is(err, berrors.ErrTimeout) {
			continue
		}
		return s, err
	}
	return nil, fmt.Errorf("%d sessions of this name are open in this room: close some", maxSlots)
}

// adopt moves the unsent lines that other has of room from to the end of those that s
// has of room to. If it is cut short between the two writes both have them, until the next time:
// what s has is not added again.
func (s *slot) adopt(to string, other *slot, from string) error {
	state, err := other.load()
	if err != nil || len(state.room(from).lines) == 0 {
		return err
	}
	mine, err := s.load()
	if err != nil {
		return err
	}
	have := map[ID]bool{}
	for _, l := range mine.room(to).lines {
		have[l.ID] = true
	}
	lines := state.room(from).lines
	err = s.edit(func(e *edits) error {
		for _, l := range lines {
			if have[l.ID] {
				continue
			}
			if _, err := putLine(e, to, l); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return other.edit(func(e *edits) error {
		for _, l := range lines {
			if err := e.delete(outboxBucket, be(l.key)); err != nil {
				return err
			}
		}
		return nil
	})
}

// takeOver moves what other has of room from to what s has of room to: unsent lines, and
// the cursor if s has none and wants one.
func (s *slot) takeOver(to string, other *slot, from string, fresh bool) error {
	state, err := s.load()
	if err == nil && !fresh && state.room(to).point == (point{}) {
		err = s.inherit(to, other, from)
	}
	return errors.Join(err, s.adopt(to, other, from))
}

// inherit moves the point that other has of a room. If it is cut short both have it, and
// one of them shows lines again.
func (s *slot) inherit(to string, other *slot, from string) error {
	state, err := other.load()
	at := state.room(from).point
	if err != nil || at == (point{}) {
		return err
	}
	err = s.edit(func(e *edits) error { return e.put(metaBucket, pointOf(to), at.bytes()) })
	if err != nil {
		return err
	}
	return other.edit(func(e *edits) error { return e.delete(metaBucket, pointOf(from)) })
}
