package history

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/cockroachdb/pebble/v2"
)

// members tells by room who was a member there when the server last noted it.
type members map[string]map[string]bool

func (m members) note(room string, joined, left []string) {
	here := m[room]
	if here == nil {
		here = make(map[string]bool)
		m[room] = here
	}
	for _, user := range joined {
		here[user] = true
	}
	for _, user := range left {
		delete(here, user)
	}
	if len(here) == 0 {
		delete(m, room)
	}
}

func (m members) list() map[string][]string {
	list := make(map[string][]string, len(m))
	for room, here := range m {
		list[room] = slices.Sorted(maps.Keys(here))
	}
	return list
}

// Members implements Store.
func (m *memory) Members() (map[string][]string, time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.members.list(), time.Time{}
}

// NoteMembers implements Store.
func (m *memory) NoteMembers(room string, joined, left []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.members.note(room, joined, left)
}

// Members implements Store.
func (d *disk) Members() (map[string][]string, time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.members.list(), d.closedAt
}

// NoteMembers implements Store. What is noted goes with the committer's next batch for
// which there is room: until then the last word on each member is kept, and no more.
func (d *disk) NoteMembers(room string, joined, left []string) {
	if len(joined)+len(left) == 0 || checkNames(append(slices.Concat(joined, left), room)...) != nil {
		return
	}
	d.mu.Lock()
	d.members.note(room, joined, left)
	for _, user := range joined {
		d.notes[string(memberKey(room, user))] = true
	}
	for _, user := range left {
		d.notes[string(memberKey(room, user))] = false
	}
	d.mu.Unlock()
	d.signal()
}

// takeNotes returns a job that writes what was noted, nil if there is nothing or too
// little room. From then on the store no longer counts as closed. The caller holds mu.
func (d *disk) takeNotes() *job {
	if len(d.notes) == 0 || d.space.short() {
		return nil
	}
	notes := d.notes
	d.notes = make(map[string]bool)
	return &job{done: make(chan struct{}), add: func(b *pebble.Batch) error {
		for key, here := range notes {
			err := b.Delete([]byte(key), nil)
			if here {
				err = b.Set([]byte(key), nil, nil)
			}
			if err != nil {
				return err
			}
		}
		return b.Delete(closedKey(), nil)
	}}
}

// noteClosed writes down when the store was closed. It is of no weight: without it the
// store seems to have been open to the last.
func (d *disk) noteClosed() {
	if d.fence.failure() == nil && !d.space.short() {
		_ = d.db.Set(closedKey(), appendTime(nil, time.Now()), pebble.NoSync)
	}
}

// loadMembers reads what an earlier process noted.
func (d *disk) loadMembers() (err error) {
	value, err := d.get(closedKey())
	if err == nil && value != nil {
		d.closedAt, err = decodeTime(value)
	}
	if err != nil {
		return err
	}
	d.members = make(members)
	iter, err := d.db.NewIter(bounds([]byte{memberPrefix}, []byte{memberPrefix + 1}))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, iter.Close()) }()
	for ok := iter.First(); ok; ok = iter.Next() {
		room, user, found := bytes.Cut(iter.Key()[1:], []byte{0})
		if !found {
			return fmt.Errorf("read key %q: %w", iter.Key(), errDamaged)
		}
		d.members.note(string(room), []string{string(user)}, nil)
	}
	return iter.Error()
}
