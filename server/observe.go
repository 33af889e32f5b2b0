package server

import (
	"sync"
	"time"

	"holdfast/server/history"
	"holdfast/session/wire"
)

// Line is a line that everybody in a room may read, or, in [Options.Accept], one that is
// about to be said.
type Line struct {
	Room string
	Seq  uint64 // its position in the room; zero if it is not stored yet
	At   time.Time
	From string // the user who said it
	Kind string // as on the wire: "" or wire.KindAction; in Accept also wire.KindPrivate
	To   string // whom a private line is for
	Text string
}

// publicLine is an entry as everybody may read it; false if not everybody may.
func publicLine(room string, e *history.Entry) (Line, bool) {
	l := Line{Room: room, Seq: e.Seq, At: e.At, From: e.User, Kind: e.Kind, Text: e.Text}
	return l, e.Kind == "" || e.Kind == wire.KindAction
}

// Observer is told what happens in the rooms. Functions that are nil are not called.
//
// They are called one after the other, in the order in which it happened, on a goroutine
// of the server's own that holds no lock: they may call every method of the Server but
// Shutdown, which waits for them. It happened a moment before, and nobody waits for them:
// up to 4096 events do, and what is more is left out and told to Missed.
type Observer struct {
	// Joined says that a user is a member of a room now: the first connection is in it.
	// After a restart it also names those who are expected back, when their room is
	// first opened.
	Joined func(room, name string)

	// Left says that a user is no member any more: they left, did not come back within
	// Options.Linger, or were disconnected. It is not called for those who are in a room
	// when the server stops: to clients that is no leaving.
	Left func(room, name string)

	// Line has a line that is on disk and that everybody in the room may read; private
	// lines and refused ones are not told.
	Line func(l Line)

	// Lagging says that a connection which was level with the room is now more than 1024
	// lines behind; behind is how many. It is said once until it is level again.
	Lagging func(room, name string, behind uint64)

	// Reaped says that nothing was heard of a connection for Options.DeadAfter, so that
	// it was ended: once for each room that it was in. The user may have other ones, or
	// come back.
	Reaped func(room, name string)

	// Missed says that events were left out here, and how many, because the functions
	// were too slow. Members and History say how things are.
	Missed func(events int)
}

const (
	maxWatched = 4096      // events that wait for an observer
	lagLines   = tailLines // further behind, a reader is read for from disk
)

// watch tells an observer. A nil one tells nobody.
type watch struct {
	o    *Observer
	wake chan struct{} // holds one if there is something in queue
	stop chan struct{} // closed when nothing will be put in any more
	done sync.WaitGroup

	mu     sync.Mutex // a leaf
	queue  []func()
	missed int
}

func newWatch(o *Observer) *watch {
	if o == nil {
		return nil
	}
	w := &watch{o: o, wake: make(chan struct{}, 1), stop: make(chan struct{})}
	w.done.Go(w.run)
	return w
}

// end waits until all is told. Nothing may be put in any more.
func (w *watch) end() {
	if w != nil {
		close(w.stop)
		w.done.Wait()
	}
}

// run tells, on the one goroutine that does.
func (w *watch) run() {
	for {
		select {
		case <-w.wake:
			w.tell()
		case <-w.stop:
			w.tell()
			return
		}
	}
}

// tell tells what waits.
func (w *watch) tell() {
	w.mu.Lock()
	queue, missed := w.queue, w.missed
	w.queue, w.missed = nil, 0
	w.mu.Unlock()
	for _, call := range queue {
		call()
	}
	if missed > 0 && w.o.Missed != nil {
		w.o.Missed(missed)
	}
}

// put queues a call and never waits, as room.mu may be held.
func (w *watch) put(call func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.missed > 0 || len(w.queue) >= maxWatched { // what comes after a gap must not be told before it
		w.missed++
		return
	}
	w.queue = append(w.queue, call)
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

func (w *watch) joined(room, name string) {
	if w != nil && w.o.Joined != nil {
		w.put(func() { w.o.Joined(room, name) })
	}
}

func (w *watch) left(room, name string) {
	if w != nil && w.o.Left != nil {
		w.put(func() { w.o.Left(room, name) })
	}
}

func (w *watch) lines(room string, entries []history.Entry) {
	if w == nil || w.o.Line == nil {
		return
	}
	for i := range entries {
		if l, public := publicLine(room, &entries[i]); public {
			w.put(func() { w.o.Line(l) })
		}
	}
}

func (w *watch) reaped(l *link) {
	if w == nil || w.o.Reaped == nil {
		return
	}
	for _, p := range l.parts() {
		if l.in(p.name) == p {
			w.put(func() { w.o.Reaped(p.name, l.user) })
		}
	}
}

// lagging finds out who of peers is far behind the end of their room.
func (w *watch) lagging(peers []*peer, head uint64) {
	if w == nil || w.o.Lagging == nil {
		return
	}
	for _, p := range peers {
		if behind, late := p.lags(head); late {
			w.put(func() { w.o.Lagging(p.name, p.user(), behind) })
		}
	}
}

// lags reports, once until p is level again, that it is far behind the end of its room. Who
// has yet to catch up is not.
func (p *peer) lags(head uint64) (behind uint64, late bool) {
	p.link.mu.Lock()
	defer p.link.mu.Unlock()
	if !p.even || head <= p.at+lagLines {
		return 0, false
	}
	p.even = false
	return head - p.at, true
}
