package faultproxy

import (
	"bytes"
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

const (
	dialTimeout = 5 * time.Second
	chunkBytes  = 32 << 10
	chunksHeld  = 64
)

// link is one relayed connection.
type link struct {
	state  *state
	born   faults          // as they were when the client was accepted
	kill   func()          // ends the link with a reset; may be called more than once
	killed <-chan struct{} // closed by kill
	gone   chan struct{}   // closed when its sockets and goroutines are gone
}

// dead reports whether direction d was in a hole at any time of the link's life.
func (k *link) dead(now faults, d direction) bool {
	return k.born.hole[d] || now.digs[d] != k.born.digs[d]
}

func (k *link) isKilled() bool {
	select {
	case <-k.killed:
		return true
	default:
		return false
	}
}

// run owns both sockets from accept to close.
func (k *link) run(client *net.TCPConn) {
	defer close(k.gone)
	defer k.state.leave(k)
	conns := []*net.TCPConn{client}
	// A client in a hole gets no further: the server must not see that it came.
	if !k.born.hole[up] {
		// Not to be interrupted by a reset: a dial that is given up closes with
		// FIN what the server may have accepted already.
		server, err := net.DialTimeout("tcp", k.born.upstream, dialTimeout)
		if err != nil {
			k.kill()
			k.end(conns)
			return
		}
		conns = append(conns, server.(*net.TCPConn))
	}
	k.relay(conns)
}

// relay pumps until both directions have ended or the link is killed, and closes
// conns: the client and, unless it is out of reach, the server.
func (k *link) relay(conns []*net.TCPConn) {
	ended := make(chan struct{})
	var pumps, all sync.WaitGroup
	if len(conns) == 2 {
		pumps.Go(func() { k.pump(up, conns[0], conns[1]) })
		pumps.Go(func() { k.pump(down, conns[1], conns[0]) })
	} else {
		pumps.Go(func() { k.pump(up, conns[0], nil) })
	}
	all.Go(func() { pumps.Wait(); close(ended) })
	select {
	case <-k.killed:
	case <-ended:
	}
	k.end(conns)
	all.Wait()
}

// end closes conns, with RST if the link was killed.
func (k *link) end(conns []*net.TCPConn) {
	reset := k.isKilled()
	if reset { // counted before either end can see it
		k.state.count(func(s *Stats) { s.Resets++ })
	}
	for _, c := range conns {
		if reset {
			_ = c.SetLinger(0) // makes Close send RST instead of FIN
		}
		_ = c.Close()
	}
}

// chunk is what one read gave.
type chunk struct {
	data []byte
	due  time.Time
	err  error // the stream ended after data
}

// pump moves direction d until src ends or the link is killed. Reading goes on while
// writing waits, so that a delay costs no throughput and a hole no space.
func (k *link) pump(d direction, src, dst *net.TCPConn) {
	chunks := make(chan chunk, chunksHeld)
	var reader sync.WaitGroup
	reader.Go(func() {
		defer close(chunks)
		k.read(src, chunks)
	})
	w := &writer{link: k, d: d, dst: dst}
	for c := range chunks {
		if !w.deliver(c) {
			break
		}
	}
	reader.Wait()
}

func (k *link) read(src *net.TCPConn, chunks chan<- chunk) {
	buf := make([]byte, chunkBytes)
	for {
		n, err := src.Read(buf)
		now, _ := k.state.look()
		select {
		case chunks <- chunk{data: bytes.Clone(buf[:n]), due: time.Now().Add(now.delay), err: err}:
		case <-k.killed:
			return
		}
		if err != nil {
			return
		}
	}
}

// writer is the far end of one direction.
type writer struct {
	link  *link
	d     direction
	dst   *net.TCPConn
	deaf  bool  // dst is gone and src must not learn it: swallow
	left  int64 // bytes before the cut of this round
	round int
}

// deliver brings c to dst, subject to the faults. It reports false when the link
// is to end.
func (w *writer) deliver(c chunk) bool {
	for len(c.data) > 0 {
		now, ok := w.wait(c.due)
		if !ok {
			return false
		}
		if w.swallows(now) {
			w.link.state.count(func(s *Stats) { s.Lost += int64(len(c.data)) })
			break
		}
		n, ok := w.write(now, c.data)
		if !ok {
			return false
		}
		c.data = c.data[n:]
	}
	if c.err == nil {
		return true
	}
	now, ok := w.wait(c.due)
	switch {
	case !ok:
		return false
	case w.swallows(now):
	case errors.Is(c.err, io.EOF):
		_ = w.dst.CloseWrite() // fails only if dst is gone, which its own reader sees
	default:
		w.link.kill()
	}
	return true
}

// wait returns when the next bytes may go, or fall into a hole; false if the link ended.
func (w *writer) wait(due time.Time) (faults, bool) {
	for {
		now, changed := w.link.state.look()
		rest := time.Until(due)
		if w.swallows(now) || (now.stalls == 0 && rest <= 0) {
			return now, !w.link.isKilled()
		}
		var timer <-chan time.Time
		if now.stalls == 0 {
			timer = time.After(rest)
		}
		select {
		case <-timer:
		case <-changed:
		case <-w.link.killed:
			return now, false
		}
	}
}

func (w *writer) swallows(now faults) bool { return w.deaf || w.link.dead(now, w.d) }

// write makes one write of what the faults let through and says how much of data
// is dealt with. It reports false if the link is to end.
func (w *writer) write(now faults, data []byte) (int, bool) {
	if w.round != now.cutRound {
		w.round, w.left = now.cutRound, now.cut
	}
	if now.slice > 0 {
		data = data[:min(len(data), now.slice)]
	}
	if now.cut > 0 {
		data = data[:min(int64(len(data)), w.left)]
	}
	n, err := w.dst.Write(data)
	w.link.state.count(func(s *Stats) {
		s.Writes++
		if w.d == up {
			s.Up += int64(n)
		} else {
			s.Down += int64(n)
		}
	})
	if err != nil {
		// The news that dst is gone travels the other way. If that is a hole,
		// src goes on sending into nowhere.
		if now, _ = w.link.state.look(); w.link.dead(now, w.d.back()) {
			w.deaf = true
			return n, true
		}
		w.link.kill()
		return n, false
	}
	if w.left -= int64(n); now.cut > 0 && w.left <= 0 {
		w.link.kill()
		return n, false
	}
	return n, true
}
