package transport

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/coder/websocket"
)

// Kind is what a message is. In Options.Kinds it is a set: Text|Binary means both.
type Kind int

// The kinds of message that WebSocket has, by their opcodes, which the library uses too.
const (
	Text   Kind = 1 // UTF-8
	Binary Kind = 2 // any bytes
)

// String is "text" or "binary".
func (k Kind) String() string {
	switch k {
	case Text:
		return "text"
	case Binary:
		return "binary"
	}
	return fmt.Sprintf("Kind(%d)", int(k))
}

// Read is [Conn.ReadMessage] for those who need not be told the kind, as
// Options.Kinds has only one.
func (c *Conn) Read() ([]byte, error) {
	_, p, err := c.ReadMessage()
	return p, err
}

// ReadMessage returns the next message; the bytes are the caller's. One caller at a
// time. When it returns an error the Conn is dead and the error is [Conn.Err]'s.
//
// A kind that Options.Kinds does not have ends the Conn with [ErrWrongKind], a
// message larger than Options.ReadLimit with an error that comes back; the peer is
// told [CloseUnsupported] or [CloseTooBig]. Text is handed over as it came. Whoever
// wants only UTF-8 asks utf8.Valid and closes with [CloseBadUTF8] or is lenient: that is
// a matter of the protocol on top.
func (c *Conn) ReadMessage() (Kind, []byte, error) {
	typ, r, err := c.ws.Reader(context.Background())
	if err != nil {
		return 0, nil, c.fail(reasonOf(err))
	}
	c.beat.seen.note()
	kind := Kind(typ)
	if c.opts.Kinds&kind == 0 {
		c.end(fmt.Errorf("%w: %v", ErrWrongKind, kind), CloseUnsupported, "no "+kind.String()+" messages")
		return 0, nil, c.err
	}
	// The library's limit on bytes does not stop a message that never ends:
	// empty fragments, or a huge length claimed and nothing sent.
	c.readTimer.Reset(c.opts.MessageTimeout)
	buf := readBufs.Get().(*bytes.Buffer)
	buf.Reset()
	c.incoming = incoming{r, c.beat.seen}
	_, err = buf.ReadFrom(&c.incoming)
	c.readTimer.Stop()
	p := bytes.Clone(buf.Bytes())
	if buf.Cap() <= 64<<10 {
		readBufs.Put(buf)
	}
	switch {
	case errors.Is(err, websocket.ErrMessageTooBig):
		// The library has told the peer. Without waiting for its answer the rest
		// of the message would be met by a reset, which can overtake the code.
		c.end(reasonOf(err), CloseTooBig, "")
		return 0, nil, c.err
	case err != nil:
		return 0, nil, c.fail(reasonOf(err))
	}
	return kind, p, nil
}

// incoming is the message that is being read. Each piece of it is a sign of life:
// on a slow link one large frame takes longer than a probe waits.
type incoming struct {
	r    io.Reader
	seen *signs
}

func (i *incoming) Read(p []byte) (int, error) {
	n, err := i.r.Read(p[:min(len(p), 4<<10)]) // the library fills all of p before it returns
	if n > 0 {
		i.seen.note()
	}
	return n, err
}

var readBufs = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// Write is [Conn.WriteMessage] of [Text].
func (c *Conn) Write(p []byte) error { return c.WriteMessage(Text, p) }

// WriteMessage sends p as one message. It waits for its turn and then, for
// Options.MessageTimeout at most, until the kernel has taken the bytes. A nil error
// does not mean that the peer has p.
//
// Text that is not UTF-8 is refused with [ErrNotUTF8], a kind that is neither Text
// nor Binary with [ErrWrongKind]; nothing is sent then, and the Conn lives on. After
// any other error it is dead and the error is [Conn.Err]'s. What the peer takes is its
// own affair: it may close with [CloseUnsupported] or [CloseTooBig].
func (c *Conn) WriteMessage(kind Kind, p []byte) error {
	switch {
	case kind != Text && kind != Binary:
		return fmt.Errorf("%w: %v", ErrWrongKind, kind)
	case kind == Text && !utf8.Valid(p):
		return ErrNotUTF8
	}
	select {
	case c.writing <- struct{}{}:
		defer func() { <-c.writing }()
	case <-c.done:
		return c.err
	}
	c.writeTimer.Reset(c.opts.MessageTimeout)
	err := c.ws.Write(context.Background(), websocket.MessageType(kind), p)
	c.writeTimer.Stop()
	if err == nil {
		return nil
	}
	// Whoever is in Read gets the reason proper, a close code perhaps, though
	// maybe a moment later.
	reader := time.NewTimer(c.opts.CloseTimeout)
	defer reader.Stop()
	select {
	case <-c.done:
		return c.err
	case <-reader.C:
		return c.fail(reasonOf(err))
	}
}
