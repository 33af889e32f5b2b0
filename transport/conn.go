package transport

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"
)

// Conn is one live connection. It never reconnects: once dead it stays dead.
// Someone must always be in Read, or else pongs go unseen and the peer is taken
// for dead. Unless said otherwise, methods may be called from any goroutine.
type Conn struct {
	ws   *websocket.Conn
	raw  net.Conn // under ws, to cut a stuck close short; nil if it can't be had
	opts Options
	resp *http.Response  // to the upgrade; nil if the Conn was accepted
	base context.Context // whose values Context has
	life atomic.Pointer[life]

	once sync.Once
	done chan struct{}
	err  error     // set before done is closed
	died time.Time // so is this

	burial sync.WaitGroup // of the library's connection, by whoever noted the reason

	incoming   incoming
	readTimer  *time.Timer // kills the Conn when a message comes in too slowly
	writeTimer *time.Timer // or goes out too slowly
	writing    chan struct{}

	beat      heartbeat
	proven    atomic.Bool
	toldDelay atomic.Int64 // server-told wait before the next dial
	born      time.Time
}

// newConn makes a Conn that was dialled, or one that was accepted if resp is nil.
func newConn(base context.Context, ws *websocket.Conn, raw net.Conn, opts Options, resp *http.Response, seen *signs) *Conn {
	ws.SetReadLimit(opts.ReadLimit)
	c := &Conn{
		ws: ws, raw: raw, opts: opts, resp: resp, base: base, born: time.Now(),
		done: make(chan struct{}), writing: make(chan struct{}, 1),
	}
	slow := func() { c.fail(ErrSlow) }
	c.readTimer = time.AfterFunc(time.Hour, slow)
	c.readTimer.Stop()
	c.writeTimer = time.AfterFunc(time.Hour, slow)
	c.writeTimer.Stop()
	c.beat.start(c, resp != nil, seen)
	return c
}

// Close ends the Conn: it tells the peer code and reason, waits up to
// Options.CloseTimeout for the peer to agree and returns when nothing of the Conn runs
// any more. On a dead Conn it only waits for that. It always succeeds; a Conn that it
// finds alive has the reason ErrClosed.
//
// Codes are 1000 to 1014 but 1004 to 1006, and 3000 to 4999; with [CloseNoStatus] the peer
// is told none, with any other it is told nothing. Of a reason it gets 123 bytes at most,
// and only what is UTF-8.
func (c *Conn) Close(code CloseCode, reason string) { c.end(ErrClosed, code, reason) }

func (c *Conn) end(why error, code CloseCode, reason string) {
	if c.die(why) {
		if len(reason) > 123 { // the library would send no close frame at all
			reason = reason[:123]
		}
		reason = strings.ToValidUTF8(reason, "") // the cut may have split a character
		cut := time.AfterFunc(c.opts.CloseTimeout, c.cut)
		_ = c.ws.Close(websocket.StatusCode(code), reason) // whether the peer agreed makes no difference
		cut.Stop()
		_ = c.ws.CloseNow()
		c.burial.Done()
	}
	c.burial.Wait() // a CloseNow here would take the word from the other one's mouth
	c.beat.stop()
}

// Done is closed when the Conn is dead.
func (c *Conn) Done() <-chan struct{} { return c.done }

// Err says why the Conn is dead: [ErrClosed], [ErrPeerDead], [ErrLost], [ErrSlow],
// [ErrWrongKind], a *[CloseError], or an I/O error. It is nil while the Conn is alive.
func (c *Conn) Err() error {
	select {
	case <-c.done:
		return c.err
	default:
		return nil
	}
}

// life is a context that ends with a Conn.
type life struct {
	context.Context
	end context.CancelCauseFunc
}

// Context is cancelled when the Conn is dead, with [Conn.Err] as its context.Cause, so
// that work which is done for the Conn ends with it. All calls return the same context.
//
// It has the values of the context that a Conn was dialled with, whose end does not
// end it. It has none if the Conn was accepted, because routers use what is in a request's
// context again for the next request.
func (c *Conn) Context() context.Context {
	l := c.life.Load()
	if l == nil {
		ctx, end := context.WithCancelCause(context.WithoutCancel(c.base))
		c.life.CompareAndSwap(nil, &life{ctx, end})
		l = c.life.Load()
		if err := c.Err(); err != nil { // die may have come too early to see it
			l.end(err)
		}
	}
	return l.Context
}

// Subprotocol is the one that both sides agreed on, "" if none.
func (c *Conn) Subprotocol() string { return c.ws.Subprotocol() }

// Response is the answer to the upgrade, for its headers and its TLS state; the body is
// empty. It is nil for a Conn that was accepted. It must not be changed.
func (c *Conn) Response() *http.Response { return c.resp }

// Proven tells [Conns] that this connection did what it is for, so that the
// backoff falls back to its start when it is lost. Without it that takes
// Options.StableAfter: a server that welcomes and drops at once must not be
// hammered.
func (c *Conn) Proven() { c.proven.Store(true) }

// RetryAfter tells [Conns] to wait for d times U[1, 1.5] at least before it
// dials again.
func (c *Conn) RetryAfter(d time.Duration) { c.toldDelay.Store(int64(d)) }

// die notes the reason, wakes all who wait on Done, and reports whether it was
// first. Whoever was must close ws and end the burial.
func (c *Conn) die(err error) (first bool) {
	c.once.Do(func() {
		first = true
		c.err = err
		c.died = time.Now()
		c.burial.Add(1)
		close(c.done)
	})
	if first {
		if l := c.life.Load(); l != nil {
			l.end(err)
		}
		c.opts.Observer.closed(c)
	}
	return first
}

// fail is a death without a word to the peer. It returns the reason.
func (c *Conn) fail(err error) error {
	if c.die(err) {
		c.opts.Logger.Debug("connection dead", "err", err)
		c.cut() // first: the library's CloseNow waits for whoever is inside
		_ = c.ws.CloseNow()
		c.burial.Done()
	}
	return c.err
}

// cut ends all reads and writes under the library at once.
func (c *Conn) cut() {
	raw := c.raw
	if raw == nil {
		return
	}
	for t, ok := raw.(*tls.Conn); ok; t, ok = raw.(*tls.Conn) {
		raw = t.NetConn() // tls.Conn.Close would wait to send its goodbye
	}
	_ = raw.Close()
}
