package session

import (
	"slices"
	"sync"
)

// feed is what happens in a room on its way from the connection to the one consumer, and
// how far the consumer is. Adding to it never waits: a connection must always read on, or
// acks and pongs would wait behind a slow consumer. What bounds it is that the server
// sends no more lines than fit the window; each line that the consumer is done with lets
// it send another.
type feed struct {
	mu    sync.Mutex
	items []item

	got  point // where the log goes on: all up to here was added
	turn int   // counts the places where it began to be sent; what was sent from an older one is ignored
	past int   // counts the times that the server had another past, so that seqs began anew
	seen uint64

	consumed point // what the consumer is done with
	of       int   // the past that consumed is of
	end      point // of the last batch that was handed over whole
	handed   uint64

	manual bool // a line is consumed by Commit alone
	window int
	lines  int // in items
	freed  int // lines that the consumer is done with, and the server does not know yet

	attached bool // somebody consumes
	cut      bool // Close was called: nothing of the log passes any more
	closed   bool // nothing is added any more

	more   chan struct{} // there may be an item
	signal func()        // likewise; must not wait
}

// item is an event, and where the log goes on after it if it is part of the log.
// A point without an event ends a batch.
type item struct {
	Event
	at      point
	past    int
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

func (it *item) line() bool { _, is := it.Event.(Message); return is }

// point is a place in the room's log: the cursor that events are asked for after,
// and up to which line they are known.
type point struct {
	cursor string
	seq    uint64
}

func (p point) bytes() []byte { return append(be(p.seq), p.cursor...) }

// feedSize is how many events besides lines wait for the consumer: of more, presence
// and states are merged, and while nobody consumes the oldest are forgotten.
const feedSize = 1024

// newFeed begins where an earlier session's consumer was.
func newFeed(from point, window int, manual bool, signal func()) *feed {
	return &feed{
		got: from, consumed: from, seen: from.seq, window: window, manual: manual,
		more: make(chan struct{}, 1), signal: signal,
	}
}

// wake lets the consumer look, under mu.
func (f *feed) wake() {
	nudge(f.more)
	f.signal()
}

// place is where the log goes on.
func (f *feed) place() point {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.got
}

// follows is place for what came in a turn; current is false if that turn is over.
func (f *feed) follows(turn int) (at point, current bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.got, turn == f.turn
}

// offer returns the cursor to be asked from, and how many lines may come then.
func (f *feed) offer() (cursor string, window int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.freed = 0
	return f.got.cursor, int64(max(f.window-f.lines, 1))
}

// begin goes on from p, as a welcome says, and returns the turn that begins with it.
func (f *feed) begin(p point, diverged bool) (turn int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if diverged { // numbers mean other lines now
		f.past++
		f.seen = 0
	}
	f.got = p
	f.turn++
	return f.turn
}

// rewind goes back to where the consumer is done, if it was handed more, and reports
// whether that has to be asked for again.
func (f *feed) rewind() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.manual || f.handed <= f.consumed.seq || f.cut {
		return false
	}
	f.dropLog()
	f.got, f.handed = f.consumed, f.consumed.seq
	f.turn++
	return true
}

// dropLog takes back what of the log the consumer has not been handed, under mu.
func (f *feed) dropLog() {
	f.items = slices.DeleteFunc(f.items, func(it item) bool { return it.logged() })
	f.lines = 0
}

// log adds a part of the log that was sent in a turn. It reports false if that turn is
// over: then all of the log that came with it is out of date.
func (f *feed) log(turn int, e Event, p point) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if turn != f.turn {
		return false
	}
	f.got = p
	if f.cut {
		return true
	}
	it := item{Event: e, at: p, past: f.past}
	if m, ok := e.(Message); ok {
		m.at, m.past, m.Seen = p, f.past, p.seq <= f.seen
		it.Event = m
		f.lines++
	}
	f.items = append(f.items, it)
	f.wake()
	return true
}

// flooded reports whether the server sends more lines than it was asked for.
func (f *feed) flooded() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.lines > 2*f.window+wireSlack
}

// wireSlack is how many lines may come that were allowed for a connection before.
const wireSlack = 256

// push adds what is not part of the log.
func (f *feed) push(it item) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.items)-f.lines >= feedSize && f.merged(it) {
		return
	}
	f.items = append(f.items, it)
	f.wake()
}

// merged makes room for it in a queue that is full, or puts it in the place of one like
// it, under mu.
func (f *feed) merged(it item) (done bool) {
	if !f.attached {
		if i := slices.IndexFunc(f.items, func(old item) bool { return !old.logged() }); i >= 0 {
			f.items = slices.Delete(f.items, i, i+1)
		}
		return false
	}
	for i := len(f.items) - 1; i >= 0; i-- {
		switch old := f.items[i].Event.(type) {
		case StateChange:
			if _, ok := it.Event.(StateChange); ok {
				f.items[i] = it
				return true
			}
		case Presence:
			if p, ok := it.Event.(Presence); ok {
				if old.Here != nil && p.Here == nil {
					p.Here = sortedKeys(it.members)
				}
				it.Event = p
				f.items[i] = it
				return true
			}
		}
	}
	return false
}

// attach begins consuming. There is one consumer at a time: two would split the lines
// between them, and neither could be said to have consumed one.
func (f *feed) attach() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.attached {
		panic("session: a second consumer: only one goroutine at a time may be in Events, Messages or Next")
	}
	f.attached = true
}

func (f *feed) detach() {
	f.mu.Lock()
	f.attached = false
	f.mu.Unlock()
}

// take waits for the next item until done is closed. The error is errFeedWait then, or
// errFeedEnd when there will be none. grant is true if the server may be told to send more.
func (f *feed) take(done <-chan struct{}) (it item, grant bool, err error) {
	for {
		f.mu.Lock()
		closed := f.closed
		f.mu.Unlock()
		if it, grant, ok := f.poll(); ok {
			return it, grant, nil
		}
		if closed {
			return item{}, false, errFeedEnd
		}
		select {
		case <-f.more:
		case <-done:
			return item{}, false, errFeedWait
		}
	}
}

// poll is take for who does not wait.
func (f *feed) poll() (it item, grant, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.items) == 0 {
		return item{}, false, false
	}
	it, f.items = f.items[0], f.items[1:]
	if it.line() {
		f.lines--
		f.handed = it.at.seq
		grant = f.manual && f.free(1)
	}
	return it, grant, true
}

// putBack undoes take for a part of the log that the consumer was not done with.
func (f *feed) putBack(it item) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.manual || f.cut || !it.logged() {
		return
	}
	if it.line() {
		f.lines++
	}
	f.items = append([]item{it}, f.items...)
	f.wake()
}

// free counts lines that the consumer is done with, under mu, and reports whether they are
// enough to tell the server.
func (f *feed) free(n int) bool {
	f.freed += n
	return f.freed >= max(f.window/2, 1)
}

// skip is free for lines that came and are not for the consumer.
func (f *feed) skip(n int) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.free(n)
}

// grant returns how many more lines the server may send; zero if it is not worth a frame.
func (f *feed) grant() (lines int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.freed < max(f.window/2, 1) {
		return 0
	}
	lines, f.freed = int64(f.freed), 0
	return lines
}

// done notes that the consumer is done with an item that it was handed. store is true if at
// is to be written down, and more if the server may be told to send more.
func (f *feed) done(it item) (at point, store, more bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !it.logged() || it.at == (point{}) {
		return at, false, false
	}
	if it.Event == nil {
		f.end = it.at
	}
	if f.manual {
		if it.line() || f.handed > f.consumed.seq && it.past == f.of {
			return at, false, false
		}
	} else if it.line() {
		more = f.free(1)
	}
	store = f.advance(it.at, it.past)
	return it.at, store, more
}

// advance moves what is consumed to p, under mu, and reports whether it was before that.
func (f *feed) advance(p point, past int) bool {
	if past < f.of || past == f.of && p.seq < f.consumed.seq {
		return false
	}
	if past > f.of {
		f.handed = p.seq
	}
	f.consumed, f.of = p, past
	return true
}

// ahead reports whether m is not consumed yet.
func (f *feed) ahead(m *Message) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return !m.Seen && (m.past > f.of || m.past == f.of && m.at.seq > f.consumed.seq)
}

// until is the point behind m: that of its batch, if m was the last one in it.
func (f *feed) until(m *Message) point {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.end.seq == m.at.seq && m.past == f.past {
		return f.end
	}
	return m.at
}

// commit consumes all up to m.
func (f *feed) commit(m *Message) (at point) {
	at = f.until(m)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.advance(at, m.past)
	return at
}

// finish lets take end after what is there.
func (f *feed) finish() {
	f.mu.Lock()
	f.closed = true
	f.mu.Unlock()
	nudge(f.more)
}

// stop takes back what of the log the consumer has not been handed: what it does with that
// could no longer be written down.
func (f *feed) stop() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.cut = true
	f.dropLog()
}

func nudge(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
