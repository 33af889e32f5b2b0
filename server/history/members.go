package history

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"

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
func (m *memory) Members() map[string][]string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.members.list()
}

// NoteMembers implements Store.
func (m *memory) NoteMembers(room string, joined, left []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.members.note(room, joined, left)
}

// Members implements Store.
func (d *disk) Members() map[string][]string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.members.list()
}

// NoteMembers implements Store. It goes with the committer's next batch; where that has
// to wait for room, what is on disk stays as it was.
func (d *disk) NoteMembers(room string, joined, left []string) {
	if len(joined)+len(left) == 0 || checkNames(append(slices.Concat(joined, left), room)...) != nil {
		return
	}
	j := &job{done: make(chan struct{}), add: func(b *pebble.Batch) error {
		for _, user := range joined {
			if err := b.Set(memberKey(room, user), nil, nil); err != nil {
				return err
			}
		}
		for _, user := range left {
			if err := b.Delete(memberKey(room, user), nil); err != nil {
				return err
			}
		}
		return nil
	}}
	d.mu.Lock()
	d.members.note(room, joined, left)
	wanted := d.usable() == nil && !d.space.stuck()
	if wanted {
		d.jobs = append(d.jobs, j)
	}
	d.mu.Unlock()
	if wanted {
		d.signal()
	}
}

// loadMembers reads what an earlier process noted.
func loadMembers(from pebble.Reader) (m members, err error) {
	m = make(members)
	iter, err := from.NewIter(bounds([]byte{memberPrefix}, []byte{memberPrefix + 1}))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, iter.Close()) }()
	for ok := iter.First(); ok; ok = iter.Next() {
		room, user, found := bytes.Cut(iter.Key()[1:], []byte{0})
		if !found {
			return nil, fmt.Errorf("read key %q: %w", iter.Key(), errDamaged)
		}
		m.note(string(room), []string{string(user)}, nil)
	}
	return m, iter.Error()
}
