package session

import (
	"context"
	"errors"
	"net/http"
	"time"

	"holdfast/session/wire"
	"holdfast/transport"
)

// run keeps the session connected until ctx ends or the server will not have it.
func (s *Session) run(ctx context.Context) {
	verdict := s.connect(ctx)
	for s.haunted(verdict) {
		verdict = s.connect(ctx)
	}
	s.mu.Lock()
	s.err = verdict
	s.mu.Unlock()
	s.setState(StateChange{State: Closed, Err: verdict})
	s.feed.end()
}

// haunted reports whether the client that a verdict calls our successor may be a
// predecessor of ours: a hello can be overtaken by that of a later connection, or of
// a later process, and takes over from it when it arrives. Each can do that once.
func (s *Session) haunted(verdict error) bool {
	r, ok := errors.AsType[*RejectedError](verdict)
	if !ok || r.Code != wire.Superseded || s.ghosts == 0 {
		return false
	}
	s.ghosts--
	return true
}

// connect holds connections until ctx ends or one ends with a verdict.
func (s *Session) connect(ctx context.Context) error {
	s.setState(StateChange{State: Dialing})
	for conn, err := range transport.Conns(ctx, s.at.url, s.opts.transport(s.wake)) {
		if err != nil {
			var failed *transport.RedialError
			if errors.As(err, &failed); failed.RetryIn < 0 {
				return rejected(failed.Err)
			}
			why := failed.Err
			if errors.Is(why, transport.ErrClosed) && s.why != nil { // by us, for a reason
				why = s.why
			}
			s.setState(StateChange{State: Waiting, Attempt: failed.Attempt, RetryIn: failed.RetryIn, Err: why})
			continue
		}
		if verdict := s.serve(ctx, conn); verdict != nil {
			return verdict
		}
	}
	return context.Cause(ctx)
}

// rejected turns the reason for which a client must stay away into a RejectedError.
func rejected(err error) error {
	var r RejectedError
	var closed *transport.CloseError
	var refused *transport.DialError
	switch {
	case errors.As(err, &closed):
		r.Message = closed.Reason
		if code, ok := wire.CodeOfClose(int(closed.Code)); ok {
			r.Code, r.Message = code, "" // the reason is no more than the code's word
		} else {
			r.Code = wire.Code{Word: "closed", Close: int(closed.Code), Text: closed.Error()}
		}
	case errors.As(err, &refused) && refused.Status != 0:
		r.Message = refused.Message
		switch refused.Status {
		case http.StatusConflict:
			r.Code = wire.NameTaken
		case http.StatusUnauthorized, http.StatusForbidden:
			r.Code = wire.Forbidden
		case http.StatusUpgradeRequired:
			r.Code = wire.Version
		default:
			r.Code = wire.Code{Word: "refused", Close: refused.Status, Text: refused.Error()}
		}
	default:
		return err
	}
	return &r
}

// serve is one connection's life. It returns a verdict if the session must end.
func (s *Session) serve(ctx context.Context, conn *transport.Conn) error {
	if conn.Subprotocol() != wire.Subprotocol { // it would take hello, and the key in it, for a line of chat
		return &RejectedError{Code: wire.Version, Message: "the server, or something before it, does not speak " + wire.Subprotocol}
	}
	s.conn.Store(conn)
	defer s.conn.Store(nil)
	l := &link{s: s, conn: conn}
	left := make(chan struct{})
	stay := context.AfterFunc(ctx, func() {
		defer close(left)
		l.leave()
	})
	err := l.serve()
	s.asks.lost()
	s.why = err
	s.hold("")
	conn.Close(transport.CloseCode(wire.Resync.Close), "")
	l.wg.Wait()
	if !stay() {
		<-left
	}
	tooBig, found := s.out.largestSent()
	s.out.connected(0, nil)
	s.mu.Lock()
	s.status.Heard = conn.Heard()
	s.mu.Unlock()
	if e, ok := errors.AsType[*transport.CloseError](err); ok && e.Code == transport.CloseTooBig {
		if found { // set aside, or it would close every connection from now on
			s.refused(tooBig.ID, RefusedError{Code: CodeTooBig, Message: "the server closes the connection at a line of this size"})
		}
		return nil
	}
	if r, ok := errors.AsType[*RejectedError](err); ok {
		return r
	}
	if !transport.Retryable(err) {
		return rejected(err)
	}
	return nil
}

// hold notes and announces that the server puts lines off, or no longer. It is for run
// alone.
func (s *Session) hold(code string) {
	s.mu.Lock()
	changed := s.status.Held != code
	s.status.Held = code
	s.mu.Unlock()
	if changed {
		s.feed.push(item{Event: Held{code}}, nil)
	}
}

// setState notes and announces a change. It is for run alone.
func (s *Session) setState(c StateChange) {
	s.mu.Lock()
	s.status.State, s.status.Attempt, s.status.Err = c.State, c.Attempt, c.Err
	s.status.RetryAt = time.Time{}
	if c.State == Waiting {
		s.status.RetryAt = time.Now().Add(c.RetryIn)
	}
	s.mu.Unlock()
	s.opts.Logger.Info("session "+c.State.String(), "attempt", c.Attempt, "err", c.Err)
	s.feed.push(item{Event: c}, nil)
}
