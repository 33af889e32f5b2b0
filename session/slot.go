package session

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

// slot is the file of one open session. Only keeper, and openSlot before it, use it.
type slot struct {
	db     *bbolt.DB
	path   string
	number int
}

var (
	metaBucket   = []byte("meta")   // format, device, point, sum
	outboxBucket = []byte("outbox") // key, big-endian: a record
	asideBucket  = []byte("aside")  // key, big-endian: a record, refused

	formatKey = []byte("format")
	deviceKey = []byte("device")
	pointKey  = []byte("point")
)

// slotFormat is the format of what is written. 1 had no sum, see ledger.go.
const slotFormat = "2"

// record is a line as it stands in the file.
type record struct {
	Source string    `json:"source"`
	N      uint64    `json:"n"`
	Kind   string    `json:"kind,omitempty"`
	To     string    `json:"to,omitempty"`
	Text   string    `json:"text"`
	At     time.Time `json:"at"`
	Code   string    `json:"code,omitempty"`   // why it was refused
	Reason string    `json:"reason,omitempty"` // in words
}

// maxSlots bounds how many sessions of one name may be open in one room.
const maxSlots = 256

// openSlot locks a slot in dir: the first free one with a cursor or, for a session
// that begins afresh, without one, so that it does not keep the cursor from a
// session that wants it. The unsent lines of the other free slots move in.
func openSlot(dir string, fresh bool) (*slot, error) {
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
		if err := s.adopt(other); err != nil {
			return nil, errors.Join(fmt.Errorf("take over unsent lines: %w", err), s.db.Close())
		}
	}
	return s, nil
}

// freeSlots locks and returns the slots that no process has open, in order, and the
// numbers of those that one has.
func freeSlots(dir string) (free []*slot, taken map[int]bool, err error) {
	entries, err := os.ReadDir(dir)
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

// lockSlot opens slot n and makes sure that all of it that matters can be read.
func lockSlot(dir string, n int) (s *slot, err error) {
	s = &slot{path: filepath.Join(dir, strconv.Itoa(n)+".db"), number: n}
	err = guard(func() (err error) {
		s.db, err = bbolt.Open(s.path, 0o600, &bbolt.Options{
			Timeout: time.Millisecond, // try once
		})
		if err != nil {
			return err
		}
		if err = s.prepare(); err == nil {
			_, err = s.load()
		}
		if err != nil {
			err = errors.Join(err, s.db.Close())
		}
		return err
	})
	if errors.Is(err, berrors.ErrInvalid) || errors.Is(err, berrors.ErrVersionMismatch) || errors.Is(err, berrors.ErrChecksum) {
		err = fmt.Errorf("%w: %w", errDamaged, err)
	}
	if err != nil {
		return nil, fmt.Errorf("open state file %s: %w", s.path, err)
	}
	return s, nil
}

var errDamaged = errors.New("it is damaged; put a copy back, or move it away and do without the unsent lines in it")

// guard turns the panics into errors with which the library meets a damaged file,
// and the fault if pages of it are missing. They leave the file open.
func guard(f func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v", errDamaged, p)
		}
	}()
	return f()
}

// prepare makes what a new file lacks, or an old one, and refuses one of a newer format.
func (s *slot) prepare() error {
	const none, withoutSum = "none", "1"
	format := none
	err := s.db.View(func(tx *bbolt.Tx) error {
		if meta := tx.Bucket(metaBucket); meta != nil {
			format = string(meta.Get(formatKey))
		} else if first, _ := tx.Cursor().First(); first != nil { // all are made at once
			return fmt.Errorf("%w: it has %q and no %q", errDamaged, first[:min(len(first), 16)], metaBucket)
		}
		return nil
	})
	switch {
	case err != nil || format == slotFormat:
		return err
	case format != none && format != withoutSum:
		return fmt.Errorf("format %q is newer than this program knows: upgrade it", format)
	}
	return s.db.Update(func(tx *bbolt.Tx) error {
		if format == none {
			for _, b := range [][]byte{metaBucket, outboxBucket, asideBucket} {
				if _, err := tx.CreateBucket(b); err != nil {
					return err
				}
			}
			if err := tx.Bucket(metaBucket).Put(deviceKey, []byte(randomID(16))); err != nil {
				return err
			}
		}
		meta := tx.Bucket(metaBucket)
		return errors.Join(meta.Put(formatKey, []byte(slotFormat)), meta.Put(sumKey, be(realSum(tx))))
	})
}

// hasPoint reports whether a session has left its cursor in the slot.
func (s *slot) hasPoint() (yes bool) {
	_ = s.db.View(func(tx *bbolt.Tx) error {
		yes = tx.Bucket(metaBucket).Get(pointKey) != nil
		return nil
	})
	return yes
}

// adopt moves the unsent lines of other to the end of s. If it is cut short between
// the two writes both have them, until the next time: what s has is not added again.
func (s *slot) adopt(other *slot) error {
	state, err := other.load()
	if err != nil || len(state.lines) == 0 {
		return err
	}
	mine, err := s.load()
	if err != nil {
		return err
	}
	have := map[ID]bool{}
	for _, l := range mine.lines {
		have[l.ID] = true
	}
	err = s.edit(func(e *edits) error {
		for _, l := range state.lines {
			if have[l.ID] {
				continue
			}
			if _, err := putLine(e, l); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return other.edit(func(e *edits) error {
		for _, l := range state.lines {
			if err := e.delete(outboxBucket, be(l.key)); err != nil {
				return err
			}
		}
		return nil
	})
}

// slotState is what a slot holds when it is opened.
type slotState struct {
	device string
	point  point
	lines  []Line
}

func (s *slot) load() (st slotState, err error) {
	err = s.db.View(func(tx *bbolt.Tx) error {
		if err := check(tx); err != nil {
			return err
		}
		meta := tx.Bucket(metaBucket)
		st.device = string(meta.Get(deviceKey))
		if p := meta.Get(pointKey); len(p) >= 8 {
			st.point = point{seq: number(p[:8]), cursor: string(p[8:])}
		}
		return tx.Bucket(outboxBucket).ForEach(func(k, v []byte) error {
			var r record
			if err := json.Unmarshal(v, &r); err != nil || len(k) != 8 || r.N == 0 {
				return fmt.Errorf("%w: line %x", errDamaged, k[:min(len(k), 8)]) // damaged, it may be endless
			}
			st.lines = append(st.lines, Line{
				ID: ID{r.Source, r.N}, Kind: r.Kind, To: r.To, Text: r.Text, At: r.At, key: number(k),
			})
			return nil
		})
	})
	return st, err
}

func putLine(e *edits, l Line) (key uint64, err error) {
	if key, err = e.tx.Bucket(outboxBucket).NextSequence(); err != nil {
		return 0, err
	}
	v, err := json.Marshal(record{Source: l.ID.Source, N: l.ID.N, Kind: l.Kind, To: l.To, Text: l.Text, At: l.At})
	if err != nil {
		return 0, err
	}
	return key, e.put(outboxBucket, be(key), v)
}

func be(n uint64) []byte     { return binary.BigEndian.AppendUint64(nil, n) }
func number(b []byte) uint64 { return binary.BigEndian.Uint64(b) }

// randomID returns n random bytes as text.
func randomID(n int) string {
	b := make([]byte, n)
	rand.Read(b)
	return base64.RawURLEncoding.EncodeToString(b)
}
