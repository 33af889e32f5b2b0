package session

import (
	"slices"
	"sync"
)

// feed is the events on their way from the connection to the one consumer. It is
// bounded: when the consumer is slow the connection waits for it, and if that takes
// too long the connection dies and what it still held is replayed by the next one.
//
// While nobody consumes, what does not fit is forgotten, so that a program that
// only sends need not read. Whoever consumes later has the lines replayed: from the
// moment something was forgotten nothing of the log passes, until the connection
// begins again where the consumer is.
type feed struct {
	mu       sync.Mutex
	items    []item
	attached bool  // somebody consumes
	skipped  bool  // part of the log was forgotten; no more of it until rejoin
	hurried  bool  // Drain waits: do not wait for the consumer
	cut      bool  // Close was called: nothing of the log passes any more
	closed   bool  // nothing is added any more
	handed   point // of what the consumer was last given

	more chan struct{} // there may be an item
	room chan struct{} // there may be room
}

// item is an event, and where the log goes on after it if it is part of the log.
// A point without an event ends a batch.
type item struct {
	Event
	at      point
	old     bool              // at is not to be written down
	keep    bool              // is not said again after a resync, so not to be forgotten
	members map[string]bool   // with Presence: all who are in the room
	away    map[string]string // and who of them is away
}

// logged reports whether the item is part of the room's log.
func (it *item) logged() bool {
	switch it.Event.(type) {
	case nil, Message, Gap:
		return true
	}
	return false
}

// point is a place in the room's log: the cursor that events are asked for after,
// and up to which line they are known.
type point struct {
	cursor string
	seq    uint64
}

const feedSize = 1024

func newFeed() *feed {
	return &feed{more: make(chan struct{}, 1), room: make(chan struct{}, 1)}
}

// push adds it. If it is one that has to wait for room, it waits until stop is
// closed; then push returns false and has not added it. There is one pusher.
func (f *feed) push(it item, stop <-chan struct{}) bool {
	for !f.add(it) {
		select {
		case <-f.room:
		case <-stop:
			return false
		}
	}
	nudge(f.more)
	return true
}

// add reports whether it is done with the item: false means to wait for room.
func (f *feed) add(it item) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	full := len(f.items) >= feedSize
	if full && !f.attached {
		f.forget()
	}
	passes := f.attached || !f.skipped
	switch it.Event.(type) {
	case StateChange: // run must not wait for the consumer; only the latest counts
		if last := len(f.items) - 1; full && last >= 0 {
			if _, ok := f.items[last].Event.(StateChange); ok {
				f.items[last] = it
				return true
			}
		}
	case Receipt, Held, Stale: // are said once: waiting, they would be lost with the connection
	case Presence:
		if full && f.attached {
			return f.hurried
		}
	default:
		if full && f.hurried {
			f.skipped = true
		}
		if f.skipped || f.cut {
			return true
		}
		if full {
			return false
		}
	}
	if passes {
		f.items = append(f.items, it)
	}
	return true
}

// forget empties the queue, under mu.
func (f *feed) forget() {
	f.items = slices.DeleteFunc(f.items, func(it item) bool { return !it.keep })
	f.skipped = true
}

// attach begins consuming. It reports whether part of the log was forgotten.
func (f *feed) attach() (skipped bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.attached = true
	return f.skipped && !f.hurried
}

// detach ends consuming. From now on the connection does not wait.
func (f *feed) detach() {
	f.mu.Lock()
	f.attached = false
	f.mu.Unlock()
	nudge(f.room)
}

// rejoin reports whether the log must be pushed again from where the consumer is:
// there is one again, and something was forgotten. It is for the pusher.
func (f *feed) rejoin() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.skipped || !f.attached || f.hurried {
		return false
	}
	f.skipped = false
	return true
}

// take waits for the next item; ok is false when there will be none.
func (f *feed) take() (it item, ok bool) {
	for {
		f.mu.Lock()
		if len(f.items) > 0 {
			it, f.items = f.items[0], f.items[1:]
			if it.at != (point{}) && !it.old {
				f.handed = it.at
			}
			f.mu.Unlock()
			nudge(f.room)
			return it, true
		}
		closed := f.closed
		f.mu.Unlock()
		if closed {
			return item{}, false
		}
		<-f.more
	}
}

// hurry stops waiting for the consumer for good. What it then misses of the log is
// replayed by the next session.
func (f *feed) hurry() {
	f.mu.Lock()
	f.hurried = true
	f.mu.Unlock()
	nudge(f.room)
}

// end lets take return false after what is there.
func (f *feed) end() {
	f.mu.Lock()
	f.closed = true
	f.mu.Unlock()
	nudge(f.more)
}

// stop takes back what of the log the consumer has not been given, because that can
// no longer be written down, and returns the point of what it was last given.
func (f *feed) stop() point {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.cut = true
	f.items = slices.DeleteFunc(f.items, func(it item) bool { return it.logged() })
	return f.handed
}

func nudge(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
