package transport

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
)

// small is the size of the buffers that an accepted Conn keeps while idle.
// net/http's own are eight times that, and stay for the Conn's life.
const small = 512

// hijacker hands the library a connection of ours, with small buffers, instead of
// what net/http has: then the handler can return, and its goroutine's stack, the
// request and its buffers are free.
type hijacker struct {
	http.ResponseWriter
	gather *gather // gets its connection by Hijack
}

// Hijack is called by the library once, after it has sent its answer.
func (h *hijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	c, brw, err := http.NewResponseController(h.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	g := h.gather
	g.Conn = c
	if n := brw.Reader.Buffered(); n > 0 { // the client was quick and sent frames already
		early, _ := brw.Reader.Peek(n) // can't fail for what is there
		g.early = append([]byte(nil), early...)
	}
	return g, bufio.NewReadWriter(bufio.NewReaderSize(g, small), bufio.NewWriterSize(g, small)), nil
}

// gather makes one write of each frame. The library writes a frame larger than
// its buffer in pieces; each write costs 5 µs of kernel time, so a batch of many
// lines would pay twice. The library lets one frame at a time through and flushes
// after each, so buf needs no lock.
type gather struct {
	net.Conn
	early  []byte        // came with the upgrade request and is read first
	buf    *[]byte       // the beginning of an unfinished frame
	turn   chan struct{} // held while a frame is written
	closed atomic.Bool   // a close frame went out: nothing may follow
}

var frameBufs = sync.Pool{New: func() any { b := make([]byte, 0, 8<<10); return &b }}

// Read is here because the library discards the buffer of the reader it is given
// and goes on with the connection.
func (g *gather) Read(p []byte) (int, error) {
	if len(g.early) == 0 {
		n, err := g.Conn.Read(p)
		return n, noEOF(err)
	}
	n := copy(p, g.early)
	if g.early = g.early[n:]; len(g.early) == 0 {
		g.early = nil
	}
	return n, nil
}

// noEOF makes the end of a stream an error without ifs: the library takes io.EOF
// inside a message for the message's end and returns half of it as a whole one.
func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// Write takes a piece of a frame and passes the frame on once it is whole.
func (g *gather) Write(p []byte) (int, error) {
	if g.buf == nil {
		if wholeFrames(p) {
			return g.send(p)
		}
		g.buf = frameBufs.Get().(*[]byte)
	}
	*g.buf = append((*g.buf), p...)
	if !wholeFrames(*g.buf) {
		return len(p), nil
	}
	_, err := g.send(*g.buf)
	if cap(*g.buf) <= 64<<10 {
		*g.buf = (*g.buf)[:0]
		frameBufs.Put(g.buf)
	}
	g.buf = nil
	if err != nil {
		return 0, err
	}
	return len(p), nil
}

// The first bytes of frames that are whole in themselves, RFC 6455 section 5.2.
const (
	frameClose = 0x88
	framePong  = 0x8a
)

func (g *gather) send(frame []byte) (int, error) {
	g.turn <- struct{}{}
	defer func() { <-g.turn }()
	if frame[0] == frameClose {
		g.closed.Store(true)
	}
	return g.Conn.Write(frame)
}

// pong answers a ping in the library's place. That would wait five seconds for a
// message under way and then give up the connection; a slow link may need the
// whole Options.MessageTimeout. If writing fails, the reader finds out.
func (g *gather) pong(payload []byte) {
	if !g.closed.Load() {
		_, _ = g.send(append([]byte{framePong, byte(len(payload))}, payload...))
	}
}

// wholeFrames reports whether b, which begins with a frame, also ends with one.
// Frames to a client are not masked (RFC 6455 section 5.2).
func wholeFrames(b []byte) bool {
	for len(b) >= 2 {
		n, head := uint64(b[1]&0x7f), 2
		switch {
		case n == 126 && len(b) >= 4:
			n, head = uint64(binary.BigEndian.Uint16(b[2:])), 4
		case n == 127 && len(b) >= 10:
			n, head = binary.BigEndian.Uint64(b[2:]), 10
		case n >= 126:
			return false
		}
		if uint64(len(b)-head) < n {
			return false
		}
		b = b[head+int(n):]
	}
	return len(b) == 0
}
