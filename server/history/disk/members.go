package disk

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"holdfast/server/history"
)

// Members implements Store.
func (d *disk) Members() (map[string][]string, time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.members.List(), d.closedAt
}

// NoteMembers implements Store. What is noted goes with the committer's next batch for
// which there is room: until then the last word on each member is kept, and no more.
func (d *disk) NoteMembers(room string, joined, left []string) {
	if len(joined)+len(left) == 0 || checkNames(append(slices.Concat(joined, left), room)...) != nil {
		return
	}
	d.mu.Lock()
	d.members.Note(room, joined, left)
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
	d.members = make(history.Members)
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
		d.members.Note(string(room), []string{string(user)}, nil)
	}
	return iter.Error()
}
