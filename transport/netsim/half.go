package netsim

import (
	"io"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// segment is what one write put under way. The FIN is a segment without data.
type segment struct {
	data []byte
	at   time.Time // when it arrives
}

// half is one direction of a link. Everything in it is guarded by the link's
// mutex, which c uses too.
type half struct {
	link    *Link
	way     int       // its index in the link
	c       sync.Cond // something changed: segments, room, a fault, a deadline, an end
	rng     *rand.Rand
	latency func(*rand.Rand) time.Duration

	queue   []segment // read from the front only, so none overtakes another
	size    int       // bytes in queue
	stalled bool
	cut     int   // more bytes to deliver before the link breaks; zero means no cut
	shut    bool  // the FIN is under way or has arrived
	deaf    bool  // the end that reads has closed
	err     error // the link broke

	readBy, writeBy time.Time // deadlines; zero means none
}

func past(t time.Time) bool { return !t.IsZero() && !time.Now().Before(t) }

// wait waits for a change or until the first of the times that is not zero.
func (h *half) wait(until ...time.Time) {
	var first time.Time
	for _, t := range until {
		if !t.IsZero() && (first.IsZero() || t.Before(first)) {
			first = t
		}
	}
	if !first.IsZero() {
		timer := time.AfterFunc(time.Until(first), func() {
			h.link.mu.Lock()
			defer h.link.mu.Unlock()
			h.c.Broadcast()
		})
		defer timer.Stop()
	}
	h.c.Wait()
}

// read is called with the link locked.
func (h *half) read(p []byte) (int, error) {
	for {
		switch {
		case h.deaf:
			return 0, net.ErrClosed
		case past(h.readBy):
			return 0, os.ErrDeadlineExceeded
		case h.err != nil:
			return 0, h.err
		}
		if len(h.queue) == 0 || h.held() {
			h.wait(h.readBy)
			continue
		}
		head := &h.queue[0]
		switch {
		case time.Until(head.at) > 0:
			h.wait(h.readBy, head.at)
		case len(head.data) == 0:
			return 0, io.EOF // and stays in the queue for the next read
		default:
			return h.take(p), nil
		}
	}
}

// take moves bytes of the first segment to p and breaks the link if they were
// the last before the cut.
func (h *half) take(p []byte) int {
	head := &h.queue[0]
	if h.cut > 0 {
		p = p[:min(len(p), h.cut)]
	}
	n := copy(p, head.data)
	h.size -= n
	if head.data = head.data[n:]; len(head.data) == 0 {
		h.queue = h.queue[1:]
	}
	h.c.Broadcast() // there is room
	tally := &h.link.net.tally
	tally.bytes.Add(int64(n))
	if h.back().deaf {
		tally.late.Add(int64(n))
	}
	if h.cut > 0 {
		if h.cut -= n; h.cut == 0 {
			tally.cuts.Add(1)
			h.link.breakOff(syscall.ECONNRESET)
		}
	}
	return n
}

// write is called with the link locked.
func (h *half) write(p []byte) (int, error) {
	written := 0
	for {
		switch {
		case h.back().deaf:
			return written, net.ErrClosed
		case past(h.writeBy):
			return written, os.ErrDeadlineExceeded
		case h.err != nil:
			return written, h.err
		case h.shut, h.deaf && !h.held() && !h.back().held():
			return written, syscall.EPIPE
		case len(p) == 0:
			return written, nil
		}
		n := min(len(p), h.link.net.opts.Window-h.size)
		if n == 0 {
			h.wait(h.writeBy)
			continue
		}
		h.send(p[:n])
		written += n
		p = p[n:]
	}
}

// send puts a copy of data under way, or the FIN if there is none.
func (h *half) send(data []byte) {
	at := time.Now()
	if h.latency != nil {
		at = at.Add(h.latency(h.rng))
	}
	if len(data) > 0 {
		h.link.net.tally.packets.Add(1)
	}
	h.queue = append(h.queue, segment{data: append([]byte(nil), data...), at: at})
	h.size += len(data)
	h.c.Broadcast()
}

// finish sends the FIN behind all that was written.
func (h *half) finish() {
	if !h.shut {
		h.shut = true
		h.send(nil)
	}
}

// back is the direction in which the reader of h writes.
func (h *half) back() *half { return &h.link.halves[1-h.way] }

// held reports whether nothing gets through at present.
func (h *half) held() bool { return h.stalled || h.link.parted }
