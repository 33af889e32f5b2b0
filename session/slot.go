package session

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

// slot is the file of one open session, or of one open client with all its rooms. Only
// keeper, and openSlot before it, use it.
type slot struct {
	db     *bbolt.DB
	path   string
	number int
}

// ownRoom is what a file of one room calls it: its folder has the name.
const ownRoom = ""

var (
	metaBucket   = []byte("meta")   // format, device, points, sum
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
	Room   string    `json:"room,omitempty"` // not in a file of one room
	Source string    `json:"source"`
	N      uint64    `json:"n"`
	Kind   string    `json:"kind,omitempty"`
	To     string    `json:"to,omitempty"`
	Once   string    `json:"once,omitempty"`
	Text   string    `json:"text"`
	At     time.Time `json:"at"`
	Code   string    `json:"code,omitempty"`   // why it was refused
	Reason string    `json:"reason,omitempty"` // in words
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

// pointOf is the key of a room's point.
func pointOf(room string) []byte {
	if room == ownRoom {
		return pointKey
	}
	return append(append([]byte(nil), pointKey...), "/"+room...)
}

// roomOfPoint is the room whose point stands at key, if it is the key of one.
func roomOfPoint(key []byte) (room string, ok bool) {
	rest, ok := bytes.CutPrefix(key, pointKey)
	if !ok || len(rest) == 0 {
		return ownRoom, ok
	}
	return string(rest[1:]), rest[0] == '/'
}

// hasPoint reports whether a session of the file's only room has left its cursor there.
func (s *slot) hasPoint() (yes bool) {
	_ = s.db.View(func(tx *bbolt.Tx) error {
		yes = tx.Bucket(metaBucket).Get(pointKey) != nil
		return nil
	})
	return yes
}

// slotState is what a slot holds when it is opened.
type slotState struct {
	device string
	rooms  map[string]*roomState
}

// roomState is what it holds of one room.
type roomState struct {
	point point
	lines []Line
}

// room returns the state of a room, of which nothing may be known.
func (st *slotState) room(name string) *roomState {
	r := st.rooms[name]
	if r == nil {
		r = new(roomState)
		st.rooms[name] = r
	}
	return r
}

func (s *slot) load() (st slotState, err error) {
	st.rooms = map[string]*roomState{}
	err = s.db.View(func(tx *bbolt.Tx) error {
		if err := check(tx); err != nil {
			return err
		}
		meta := tx.Bucket(metaBucket)
		st.device = string(meta.Get(deviceKey))
		_ = meta.ForEach(func(key, p []byte) error { // f has no error
			if room, ok := roomOfPoint(key); ok && len(p) >= 8 {
				st.room(room).point = point{seq: number(p[:8]), cursor: string(p[8:])}
			}
			return nil
		})
		return tx.Bucket(outboxBucket).ForEach(func(k, v []byte) error {
			var r record
			if err := json.Unmarshal(v, &r); err != nil || len(k) != 8 || r.N == 0 {
				return fmt.Errorf("%w: line %x", errDamaged, k[:min(len(k), 8)]) // damaged, it may be endless
			}
			room := st.room(r.Room)
			room.lines = append(room.lines, Line{
				ID: ID{r.Source, r.N}, Kind: r.Kind, To: r.To, Text: r.Text, At: r.At, key: number(k), once: r.Once,
			})
			return nil
		})
	})
	return st, err
}

func putLine(e *edits, room string, l Line) (key uint64, err error) {
	if key, err = e.tx.Bucket(outboxBucket).NextSequence(); err != nil {
		return 0, err
	}
	v, err := json.Marshal(record{Room: room, Source: l.ID.Source, N: l.ID.N, Kind: l.Kind, To: l.To, Once: l.once, Text: l.Text, At: l.At})
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
