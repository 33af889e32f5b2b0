package session

import (
	"slices"
	"sync"
	"time"

	"holdfast/session/wire"
)

// Line is a line in the outbox.
type Line struct {
	ID   ID
	Kind string
	To   string // of a private line: who it is for
	Text string
	At   time.Time // when Send took it

	key  uint64 // its place in the slot's file
	once string // the caller's key, as it is on the wire; empty if none
}

// outbox is the lines that are stored and not acknowledged, oldest first, and how
// far the current connection has sent them.
type outbox struct {
	mu    sync.Mutex
	lines []Line
	bytes int

	sent     int       // lines[:sent] are on their way
	window   int       // how many may be
	hold     time.Time // nothing goes out before
	progress time.Time // when the oldest line on its way was sent, or an ack came
	handed   uint64    // the key of the last line that was ever sent, or may have been
	sentHere uint64    // the key of the last line that this connection has sent

	// taken is what the server had taken of each source when this connection began.
	taken map[string]uint64

	staleAfter time.Duration
	asking     bool   // the user is asked about stale lines; nothing goes out
	released   uint64 // the key up to which they may go

	changed func()        // there may be something to send; must not wait
	emptied chan struct{} // closed while there are no lines; replaced when there are
	freed   chan struct{} // closed when lines go; replaced then
}

func newOutbox(lines []Line, staleAfter time.Duration, changed func()) *outbox {
	o := &outbox{staleAfter: staleAfter, changed: changed, emptied: make(chan struct{}), freed: make(chan struct{})}
	close(o.emptied)
	o.add(lines)
	if n := len(lines); n > 0 {
		o.handed = lines[n-1].key
	}
	return o
}

func (o *outbox) add(lines []Line) {
	if len(lines) == 0 {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.lines) == 0 {
		o.emptied = make(chan struct{})
	}
	o.lines = append(o.lines, lines...)
	for _, l := range lines {
		o.bytes += len(l.Text)
	}
	o.changed()
}

// size returns how much is stored.
func (o *outbox) size() (lines, bytes int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.lines), o.bytes
}

// empty returns a channel that is closed when there are no lines.
func (o *outbox) empty() <-chan struct{} {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.emptied
}

// room returns a channel that is closed when the outbox next gets emptier.
func (o *outbox) room() <-chan struct{} {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.freed
}

func (o *outbox) all() []Line {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append([]Line(nil), o.lines...)
}

// connected begins a new connection: nothing is on its way. A window of zero ends it.
func (o *outbox) connected(window int, taken map[string]uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.sent, o.window, o.hold = 0, window, time.Time{}
	o.sentHere, o.taken = 0, taken
	o.weigh(time.Now())
	o.changed()
}

// next takes the line that may be sent now. Without one, ok is false, and wait is how
// long until there may be one, zero for as long as it takes. A line of a later
// source waits until the earlier source is all acknowledged, or their order could
// be lost with the connection.
func (o *outbox) next(now time.Time) (l Line, wait time.Duration, ok bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.asking || o.sent >= len(o.lines) || o.sent >= o.window || o.lines[o.sent].ID.Source != o.lines[0].ID.Source {
		return Line{}, 0, false
	}
	if wait := o.hold.Sub(now); wait > 0 {
		return Line{}, wait, false
	}
	if o.sent == 0 {
		o.progress = now
	}
	l = o.lines[o.sent]
	o.sent++
	o.handed, o.sentHere = max(o.handed, l.key), max(o.sentHere, l.key)
	return l, 0, true
}

// patience is how much is left of the time that an ack may take; waiting is false
// if there is none to wait for.
func (o *outbox) patience(now time.Time, timeout time.Duration) (left time.Duration, waiting bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.progress.Add(timeout).Sub(now), o.sent > 0
}

// doubted begins the time for an ack anew.
func (o *outbox) doubted(now time.Time) {
	o.mu.Lock()
	o.progress = now
	o.mu.Unlock()
}

// ack removes and returns the lines of source up to n.
func (o *outbox) ack(source string, n uint64) []Line {
	return o.remove(func(l Line) bool { return l.ID.Source == source && l.ID.N <= n })
}

// refuse removes and returns one line.
func (o *outbox) refuse(id ID) []Line {
	return o.remove(func(l Line) bool { return l.ID == id })
}

func (o *outbox) remove(gone func(Line) bool) (removed []Line) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.drop(gone)
}

// drop is remove, under mu.
func (o *outbox) drop(gone func(Line) bool) (removed []Line) {
	n := 0
	for n < len(o.lines) && gone(o.lines[n]) { // nearly always a run at the front
		n++
	}
	removed = o.lines[:n:n]
	o.sent = max(o.sent-n, 0)
	kept := o.lines[n:]
	for i := 0; i < len(kept); i++ {
		if gone(kept[i]) {
			removed = append(removed, kept[i])
			kept = append(kept[:i:i], kept[i+1:]...)
			if i < o.sent {
				o.sent--
			}
			i--
		}
	}
	if len(removed) == 0 {
		return nil
	}
	o.lines = kept
	for _, l := range removed {
		o.bytes -= len(l.Text)
	}
	if o.asking { // perhaps not any more
		o.weigh(time.Now())
	}
	o.progress = time.Now()
	close(o.freed)
	o.freed = make(chan struct{})
	if len(o.lines) == 0 {
		o.lines = nil
		close(o.emptied)
	}
	o.changed()
	return removed
}

// retry sends again from n of source on, after a wait. A wait that runs goes on. It
// reports false if n will not come and later ones of source will: n was set aside, and
// only the next hello can tell the server so.
func (o *outbox) retry(source string, n uint64, after time.Duration) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	for i := range o.sent {
		if o.lines[i].ID.Source == source && o.lines[i].ID.N >= n {
			o.sent = i
			break
		}
	}
	if until := time.Now().Add(after); until.After(o.hold) {
		o.hold = until
	}
	o.changed()
	first := slices.IndexFunc(o.lines, func(l Line) bool { return l.ID.Source == source })
	return first < 0 || o.lines[first].ID.N <= n
}

// largestSent returns the longest line on its way: the one that a server's limit on
// messages has hit.
func (o *outbox) largestSent() (l Line, ok bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for i := range o.sent {
		if !ok || len(o.lines[i].Text) > len(l.Text) {
			l, ok = o.lines[i], true
		}
	}
	return l, ok
}

// has reports whether a line waits for its ack.
func (o *outbox) has(id ID) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.ContainsFunc(o.lines, func(l Line) bool { return l.ID == id })
}

// said returns the line that waits and was said with the key once.
func (o *outbox) said(once string) (l Line, ok bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	i := slices.IndexFunc(o.lines, func(l Line) bool { return l.once == once })
	if i < 0 {
		return Line{}, false
	}
	return o.lines[i], true
}

// sources returns the sources of the lines in order, each once, followed by live. All
// that comes before a source's first line has been acknowledged or refused, and no
// more, although a later line may have been. bases tells of live without lines.
func (o *outbox) sources(bases map[string]uint64, live string) (list []wire.Base) {
	o.mu.Lock()
	defer o.mu.Unlock()
	named := map[string]bool{}
	name := func(source string, base uint64) {
		if !named[source] && len(list) < wire.MaxSources {
			named[source] = true
			list = append(list, wire.Base{Source: source, Base: base})
		}
	}
	for _, l := range o.lines {
		name(l.ID.Source, l.ID.N-1)
	}
	name(live, bases[live])
	return list
}
