package history

import (
	"maps"
	"slices"
	"time"
)

// Members tells by room who was a member there when the server last noted it. Make one
// with make; it is no safer for several goroutines than any map.
type Members map[string]map[string]bool

// Note is [Store.NoteMembers].
func (m Members) Note(room string, joined, left []string) {
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

// List returns the members of each room that has any, in order, as a copy.
func (m Members) List() map[string][]string {
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
	return m.members.List(), time.Time{}
}

// NoteMembers implements Store.
func (m *memory) NoteMembers(room string, joined, left []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.members.Note(room, joined, left)
}
