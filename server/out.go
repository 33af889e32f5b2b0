package server

import (
	"errors"
	"sync"

	"holdfast/session/wire"
)

// out is what a peer is to be sent besides lines, and the goroutine that sends both.
// That goroutine lives while there is something to write.
type out struct {
	peer *peer

	ended chan struct{} // closed when the writer has written its last, or can't any more

	mu     sync.Mutex
	frames []wire.Frame
	acks   []wire.Ack // one for each source
	bye    wire.Frame // ends the connection when all the above is written
	busy   bool       // the writer runs, or has ended
	again  bool       // there may be more than it has seen
}

// maxQueued frames besides lines mean that the peer does not read. It is well above
// the answers that one window of lines can cause.
const maxQueued = 1024

// push queues f for the peer.
func (o *out) push(f wire.Frame) {
	if !o.add(f) {
		o.peer.drop(wire.TooSlow, 0)
	}
}

// add is push without the verdict on a peer that has too much in its queue.
func (o *out) add(f wire.Frame) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.frames) >= maxQueued {
		return false
	}
	if o.bye == nil && !o.repeats(f) {
		o.frames = append(o.frames, f)
		o.start()
	}
	return true
}

// repeats reports whether f says no more than the frame queued last, under mu: a
// window of lines behind one that has to wait causes the same retry for each.
func (o *out) repeats(f wire.Frame) bool {
	r, ok := f.(*wire.Retry)
	if !ok || len(o.frames) == 0 {
		return false
	}
	last, ok := o.frames[len(o.frames)-1].(*wire.Retry)
	return ok && *last == *r
}

// ack queues the acknowledgement of all lines of source up to n.
func (o *out) ack(source string, n uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	defer o.start()
	for i := range o.acks {
		if o.acks[i].Source == source {
			o.acks[i].N = max(o.acks[i].N, n)
			return
		}
	}
	o.acks = append(o.acks, wire.Ack{Source: source, N: n})
}

// wake lets the writer look for new lines.
func (o *out) wake() {
	o.mu.Lock()
	o.start()
	o.mu.Unlock()
}

// finish lets the writer write what is queued and f, and then end the connection. The
// first word counts: finish reports whether it was that.
func (o *out) finish(f wire.Frame) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.bye != nil {
		return false
	}
	o.bye = f
	o.start()
	return true
}

// ending reports whether the writer is to end the connection.
func (o *out) ending() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.bye != nil
}

// start runs the writer if it does not run, under mu.
func (o *out) start() {
	if o.busy {
		o.again = true
		return
	}
	o.busy = true
	o.peer.srv.wg.Go(o.run)
}

// take empties the queues. If there was nothing, and nothing new since the writer
// looked for lines, the writer is done and must return.
func (o *out) take(idle bool) (frames []wire.Frame, acks []wire.Ack, bye wire.Frame, done bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if idle && !o.again {
		o.busy = false
		return nil, nil, nil, true
	}
	frames, acks, bye = o.frames, o.acks, o.bye
	o.frames, o.acks, o.again = nil, nil, false
	return frames, acks, bye, false
}

// run is the writer.
func (o *out) run() {
	for idle := false; ; {
		frames, acks, bye, done := o.take(idle)
		if done {
			return
		}
		var ok bool
		if idle, ok = o.peer.send(frames, acks, bye); !ok {
			close(o.ended) // and busy stays, so that no writer follows
			return
		}
	}
}

// send writes what was queued and then some lines. Acks come behind a refusal of
// what they cover, and before the bye: what is durable must not be in doubt. It
// reports false when nothing more can be sent.
func (p *peer) send(frames []wire.Frame, acks []wire.Ack, bye wire.Frame) (idle, ok bool) {
	for _, f := range frames {
		if !p.write(f) {
			return false, false
		}
	}
	for i := range acks {
		if !p.write(&acks[i]) {
			return false, false
		}
	}
	if bye != nil {
		p.write(bye)
		return false, false
	}
	return p.writeLines()
}

// next returns the lines after the peer's position that fit one frame; none means
// that the peer is level.
func (p *peer) next() ([]line, error) {
	ls, known, head := p.room.after(p.seq)
	if !known {
		entries, err := p.room.log.Read(p.seq, readAhead)
		if err != nil {
			return nil, err
		}
		if len(entries) == 0 || entries[0].Seq != p.seq+1 {
			if err := p.checkTrimmed(); err != nil {
				return nil, err
			}
		}
		for _, e := range entries {
			ls = append(ls, newLine(e))
		}
		if len(ls) == 0 {
			p.seq = head
		}
	}
	size := 0
	for i, l := range ls {
		if size += len(l.json) + 1; i > 0 && size > frameBytes {
			return ls[:i], nil
		}
	}
	return ls, nil
}

// errTrimmed means that retention overtook a peer that lagged.
var errTrimmed = errors.New("lines were trimmed that the peer has not got")

// checkTrimmed returns errTrimmed if retention took lines after the peer's position
// before they could be sent. To go on would hide the gap; a client that comes back
// is told what it lost. In plain mode there is no way to tell.
func (p *peer) checkTrimmed() error {
	if p.plain() {
		return nil
	}
	start, err := p.room.log.Start(p.cursor, 0)
	if err == nil && !start.Resumed {
		err = errTrimmed
	}
	return err
}

const (
	readAhead = 96 // lines read from disk at once

	// frameBytes bounds a frame of several lines. A message that takes longer than
	// 10 s ends the connection, and what comes in its place begins with the same
	// one: at 10 kbit/s this takes 7 s. A pong has to wait behind it, too.
	frameBytes = 8 << 10
)
