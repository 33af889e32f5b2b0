package server

import (
	"time"

	"holdfast/session/wire"
	"holdfast/transport"
)

// What a link writes: the frames that its peers have queued, and lines. One goroutine
// writes both, for all rooms; it lives while there is something to write. Peers with
// lines take turns of one frame each, so that a busy room does not keep a quiet one
// waiting; all else goes before lines.

const (
	// maxQueued frames besides lines mean that the client does not read. It is well
	// above the answers that one window of lines can cause.
	maxQueued = 1024
	// queuedPerRoom more may wait for each further room.
	queuedPerRoom = 16
)

// push queues f.
func (p *peer) push(f wire.Frame) {
	if !p.link.add(p, f) {
		p.link.drop(wire.TooSlow, 0)
	}
}

// add is push without the verdict on a client that has too much in its queue.
func (l *link) add(p *peer, f wire.Frame) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.queued >= maxQueued+queuedPerRoom*max(len(l.rooms)-1, 0) {
		return false
	}
	if l.bye == nil && p.open() && !p.repeats(f) {
		p.frames = append(p.frames, f)
		l.queued++
		l.hurry(p)
	}
	return true
}

// open reports whether anything more may be queued for p, under link.mu.
func (p *peer) open() bool { return p.bye == nil && !p.over }

// repeats reports whether f says no more than the frame queued last, under link.mu: a
// window of lines behind one that has to wait causes the same retry for each.
func (p *peer) repeats(f wire.Frame) bool {
	r, ok := f.(*wire.Retry)
	if !ok || len(p.frames) == 0 {
		return false
	}
	last, ok := p.frames[len(p.frames)-1].(*wire.Retry)
	return ok && *last == *r
}

// ack queues the acknowledgement of all lines of source up to n.
func (p *peer) ack(source string, n uint64) {
	l := p.link
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.bye != nil || !p.open() {
		return
	}
	l.hurry(p)
	for i := range p.acks {
		if p.acks[i].Source == source {
			p.acks[i].N = max(p.acks[i].N, n)
			return
		}
	}
	p.acks = append(p.acks, wire.Ack{Room: p.label, Source: source, N: n})
}

// wake has the writer look for new lines. It is not for who waits for credit: that one
// would find the same line each time.
func (p *peer) wake() {
	p.link.mu.Lock()
	defer p.link.mu.Unlock()
	if !p.waits {
		p.link.look(p)
	}
}

// more lets so many lines more be sent.
func (p *peer) more(lines int64) {
	p.link.mu.Lock()
	defer p.link.mu.Unlock()
	if p.credit == unlimited {
		return
	}
	p.credit = min(p.credit+lines, wire.MaxNumber)
	if p.waits {
		p.waits = false
		p.link.look(p)
	}
}

// finish says the last word in p's room. A client that has never joined another one
// need not know that there is a difference to the last word of all. The first word
// counts: finish reports whether it was that.
func (p *peer) finish(bye *wire.Bye) bool {
	l := p.link
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.bye != nil || !p.open() {
		return false
	}
	if !l.many {
		l.bye = bye
		l.start()
		return true
	}
	bye.Room = p.name
	if l.rooms[p.name] == p {
		delete(l.rooms, p.name)
	}
	l.leave(p.name) // an older one, which the client gave up by joining again
	p.bye = bye
	l.hurry(p)
	l.watch()
	return true
}

// finish says the last word.
func (l *link) finish(code wire.Code, why string, retry time.Duration) {
	l.mu.Lock()
	first := l.bye == nil
	if first {
		l.bye = farewell(code, why, retry)
		l.start()
	}
	l.mu.Unlock()
	if first {
		l.srv.log.Debug("bye", "room", l.door, "user", l.user, "reason", code.Word)
	}
}

func farewell(code wire.Code, why string, retry time.Duration) *wire.Bye {
	return &wire.Bye{Code: code.Word, Message: why, RetryMS: retry.Milliseconds()}
}

// ending reports whether the writer is to end the connection.
func (l *link) ending() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.bye != nil
}

// stop waits for the writer, and has no other one follow. The connection must be dead.
func (l *link) stop() {
	l.mu.Lock()
	l.closed = true
	if l.alone != nil {
		l.alone.Stop()
	}
	busy := l.busy
	l.mu.Unlock()
	if busy {
		<-l.ended
	}
}

// hurry gives p a turn before all lines, under mu.
func (l *link) hurry(p *peer) {
	if !p.inUrgent {
		p.inUrgent = true
		l.urgent.push(p)
	}
	l.start()
}

// look gives p a turn for lines, under mu.
func (l *link) look(p *peer) {
	if !p.inLines {
		p.inLines = true
		l.lines.push(p)
	}
	l.start()
}

// start runs the writer if it does not run, under mu.
func (l *link) start() {
	if !l.busy && !l.closed {
		l.busy = true
		l.srv.wg.Go(l.run)
	}
}

// turn is what the writer does next: for a peer, or, without one, the last word.
type turn struct {
	peer   *peer
	lines  bool // the peer's lines; else what follows
	credit int64

	frames []wire.Frame
	acks   []wire.Ack
	bye    *wire.Bye
	over   bool // after that the peer has no part in its room any more
}

// take returns the next turn. None means that the writer is done and must return; ended
// that none may follow it.
func (l *link) take() (t turn, none, ended bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return t, true, true
	}
	if p := l.urgent.pop(); p != nil {
		p.inUrgent = false
		t = turn{peer: p, frames: p.frames, acks: p.acks, bye: p.bye, over: p.over || p.bye != nil}
		l.queued -= len(p.frames)
		p.frames, p.acks, p.over = nil, nil, t.over
		return t, false, false
	}
	if l.bye != nil {
		return turn{bye: l.bye}, false, false
	}
	for p := l.lines.pop(); p != nil; p = l.lines.pop() {
		p.inLines = false
		if p.open() {
			return turn{peer: p, lines: true, credit: p.credit}, false, false
		}
	}
	l.busy = false
	return t, true, false
}

// run is the writer.
func (l *link) run() {
	for {
		t, none, ended := l.take()
		if !none {
			ended = !l.write(t)
		}
		if ended {
			close(l.ended) // and busy stays, so that no writer follows
		}
		if none || ended {
			return
		}
	}
}

// write takes a turn. It reports false when nothing more can be sent.
func (l *link) write(t turn) bool {
	p := t.peer
	switch {
	case p == nil:
		l.close(t.bye)
		return false
	case t.lines:
		sent, rest, ok := p.writeLines(t.credit)
		l.account(p, sent, rest)
		return ok
	}
	if !p.send(t.frames, t.acks, t.bye) {
		return false
	}
	if t.over {
		p.detach(false)
		l.release(p)
	}
	return true
}

// close says bye and closes the connection with its code.
func (l *link) close(bye *wire.Bye) {
	msg := wire.Encode(bye)
	if l.text != nil {
		msg = []byte("* " + bye.Message + "\n")
	}
	if l.conn.Write(msg) != nil {
		return
	}
	code, _ := wire.CodeOf(bye.Code)
	l.conn.Close(transport.CloseCode(code.Close), code.Word)
}

// rest is what writeLines left to do.
type rest int

const (
	level   rest = iota // nothing, until there are new lines
	further             // there may be more lines
	unpaid              // there are more lines than there was credit
)

// account notes what p's turn cost, and whether it is to have another.
func (l *link) account(p *peer, sent int, rest rest) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if p.credit != unlimited {
		p.credit -= int64(sent)
	}
	p.at, p.even = p.seq, p.even || rest == level
	switch {
	case rest == unpaid && p.credit == 0:
		p.waits = true
	case rest != level:
		l.look(p)
	}
}

// send writes what was queued. Acks come behind a refusal of what they cover, and
// before the bye: what is durable must not be in doubt. It reports false when nothing
// more can be sent.
func (p *peer) send(frames []wire.Frame, acks []wire.Ack, bye *wire.Bye) bool {
	for _, f := range frames {
		if !p.write(f) {
			return false
		}
	}
	for i := range acks {
		if !p.write(&acks[i]) {
			return false
		}
	}
	return bye == nil || p.link.conn.Write(wire.Encode(bye)) == nil
}
