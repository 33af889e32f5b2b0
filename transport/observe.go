package transport

import (
	"context"
	"time"
)

// Observer is told what becomes of connections, for logs, metrics and traces. A nil
// func is skipped. They are called in the middle of things and must return at once;
// one Observer that many share is called by many at once.
type Observer struct {
	// DialStart is called by [Dial] and [Conns] as an attempt begins, before
	// Options.Prepare. The attempt goes on with the context that it returns, ctx or
	// one made from it: with a span in it, or an httptrace.ClientTrace of its own.
	DialStart func(ctx context.Context, a *Attempt) context.Context

	// DialDone is called, likewise, when the attempt is over: with a Conn or a
	// *[DialError], with the context that DialStart returned, and with what was
	// dialled and sent, credentials too.
	DialDone func(ctx context.Context, a *Attempt, conn *Conn, err error)

	// Closed is called once for each Conn, dialled or accepted, that has died
	// having lived so long; [Conn.Err] says why. Whoever noted the death calls it: a
	// goroutine in Read, Write or Close, or a timer's. It must not call any of these
	// three on that Conn, since Close waits for it.
	Closed func(conn *Conn, lived time.Duration)
}

func (o *Observer) dialStart(ctx context.Context, a *Attempt) context.Context {
	if o == nil || o.DialStart == nil {
		return ctx
	}
	return o.DialStart(ctx, a)
}

func (o *Observer) dialDone(ctx context.Context, a *Attempt, conn *Conn, err error) {
	if o != nil && o.DialDone != nil {
		o.DialDone(ctx, a, conn, err)
	}
}

func (o *Observer) closed(c *Conn) {
	if o != nil && o.Closed != nil {
		o.Closed(c, c.died.Sub(c.born))
	}
}
