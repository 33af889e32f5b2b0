package server

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"
)

// hub knows the open rooms. Rooms are made when first joined and forgotten when
// nothing holds them; their history stays in the store.
type hub struct {
	srv *Server

	mu    sync.Mutex
	rooms map[string]*slot
	shut  bool // opens no more rooms

	// expected is who was a member when the last server on this store ended, by room,
	// until that room is opened or the time for it is over.
	expected map[string][]string
	until    time.Time // constant
}

// slot is a room's place in the hub. ready and gone are closed, not guarded.
type slot struct {
	room  *room
	err   error         // why the room can't be opened; set before ready is closed
	ready chan struct{} // closed when the room is open or can't be
	gone  chan struct{} // closed when the room is closed and may be opened again

	holds   int  // under hub.mu
	closing bool // under hub.mu
}

// hold opens the room if it must and keeps it open until release.
func (h *hub) hold(name string) (*room, error) {
	for {
		h.mu.Lock()
		s := h.rooms[name]
		switch {
		case s == nil && h.shut:
			h.mu.Unlock()
			return nil, errDraining
		case s == nil:
			s = &slot{ready: make(chan struct{}), gone: make(chan struct{}), holds: 1}
			h.rooms[name] = s
			h.mu.Unlock()
			s.room, s.err = openRoom(h.srv, name)
			close(s.ready)
		case s.closing:
			h.mu.Unlock()
			<-s.gone
			continue
		default:
			s.holds++
			h.mu.Unlock()
			<-s.ready
		}
		if s.err != nil {
			h.release(name)
			return nil, fmt.Errorf("open room %s: %w", name, s.err)
		}
		return s.room, nil
	}
}

// again adds a hold to a room that the caller knows to be held.
func (h *hub) again(name string) {
	h.mu.Lock()
	h.rooms[name].holds++
	h.mu.Unlock()
}

// release gives a hold back; the last one closes the room. It does not wait for
// that, so it may be called from the store's sink.
func (h *hub) release(name string) {
	h.mu.Lock()
	s := h.rooms[name]
	s.holds--
	s.closing = s.holds == 0
	last := s.closing
	h.mu.Unlock()
	if !last {
		return
	}
	h.srv.wg.Go(func() {
		if s.room != nil {
			if err := s.room.log.Close(); err != nil {
				h.srv.log.Error("close room", "room", name, "err", err)
			}
		}
		h.mu.Lock()
		delete(h.rooms, name)
		h.mu.Unlock()
		close(s.gone)
	})
}

// expectFor is how long after a server was stopped its members are expected back in the
// next one. If it did not stop but died, nobody knows when, and they always are.
const expectFor = time.Hour

// init expects back who was there before.
func (h *hub) init(s *Server) {
	h.srv, h.rooms, h.until = s, map[string]*slot{}, time.Now().Add(max(s.opts.Linger, 0))
	var closed time.Time
	h.expected, closed = s.opts.Store.Members()
	if !closed.IsZero() && time.Since(closed) > expectFor {
		h.forget()
	}
}

// expects returns, once, who is expected back in a room.
func (h *hub) expects(name string) []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	users := h.expected[name]
	delete(h.expected, name)
	return users
}

// awaited returns who is expected back in a room that has not been opened.
func (h *hub) awaited(name string) []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.expected[name])
}

// unexpect expects user no more in a room that has not been opened, or in any such room
// if name is empty.
func (h *hub) unexpect(name, user string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for room, users := range h.expected {
		if i := slices.Index(users, user); i >= 0 && (name == "" || name == room) {
			h.expected[room] = slices.Delete(slices.Clone(users), i, i+1)
			h.srv.opts.Store.NoteMembers(room, nil, []string{user})
		}
	}
}

// forget expects nobody any more in rooms that have not been opened. Under the mutex: who
// joins one of them later is noted later.
func (h *hub) forget() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for name, users := range h.expected {
		h.srv.opts.Store.NoteMembers(name, nil, users)
	}
	h.expected = nil
}

// empty waits until no room is open. No room may be opened any more.
func (h *hub) empty() {
	for {
		h.mu.Lock()
		var next *slot
		for _, next = range h.rooms {
			break
		}
		h.mu.Unlock()
		if next == nil {
			return
		}
		<-next.gone
	}
}

// close opens no more rooms from now on.
func (h *hub) close() {
	h.mu.Lock()
	h.shut = true
	h.mu.Unlock()
}

// open returns the rooms that are open now.
func (h *hub) open() (rooms []*room) {
	h.mu.Lock()
	slots := slices.Collect(maps.Values(h.rooms))
	h.mu.Unlock()
	for _, s := range slots {
		if <-s.ready; s.err == nil {
			rooms = append(rooms, s.room)
		}
	}
	return rooms
}
