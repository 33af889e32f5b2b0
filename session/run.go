package session

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"holdfast/session/wire"
	"holdfast/transport"
)

// run keeps the client connected while it has rooms, until ctx ends.
func (c *Client) run(ctx context.Context) {
	for {
		door := c.nextDoor(ctx)
		if door == nil {
			break
		}
		c.judge(c.connect(ctx, door))
	}
	for _, s := range c.open() {
		s.finish(context.Cause(ctx))
	}
}

// nextDoor waits for a room to connect for: nil if there will be none.
func (c *Client) nextDoor(ctx context.Context) *Session {
	for ctx.Err() == nil {
		if rooms := c.open(); len(rooms) > 0 {
			return rooms[0]
		}
		if c.solo {
			c.shut()
			return nil
		}
		select {
		case <-c.some:
		case <-ctx.Done():
		}
	}
	return nil
}

// verdict says that the server will not have some of the rooms.
type verdict struct {
	why   error
	rooms []*Session
}

// judge ends the rooms of a verdict. But the client that a verdict calls our successor may be a
// predecessor of ours.
func (c *Client) judge(v verdict) {
	for _, s := range v.rooms {
		if !s.haunted(v.why) {
			s.finish(v.why)
		}
	}
}

// haunted reports whether a hello of ours, or of a process before us, was overtaken by that of
// a later connection: it takes over from it when it arrives. Each can do that once.
func (s *Session) haunted(verdict error) bool {
	r, ok := errors.AsType[*RejectedError](verdict)
	s.mu.Lock()
	defer s.mu.Unlock()
	if !ok || r.Code != wire.Superseded || s.ghosts == 0 {
		return false
	}
	s.ghosts--
	return true
}

// answered notes that a hello or join was.
func (s *Session) answered() {
	s.mu.Lock()
	s.ghosts = max(s.ghosts-1, 0)
	s.mu.Unlock()
}

// connect holds connections that are made for door until ctx ends, door is left, or one
// ends with a verdict.
func (c *Client) connect(ctx context.Context, door *Session) verdict {
	dialing, leave := context.WithCancel(ctx)
	defer leave()
	if !c.stand(door, leave) {
		return verdict{}
	}
	c.tell(StateChange{State: Dialing})
	opts := c.opts.transport(c.wake)
	opts.Prepare = c.prepare
	for conn, err := range transport.Conns(dialing, c.at.room(door.room, c.opts.Name), opts) {
		if err != nil {
			var failed *transport.RedialError
			if errors.As(err, &failed); failed.RetryIn < 0 {
				return verdict{rejected(failed.Err), []*Session{door}}
			}
			why := failed.Err
			if errors.Is(why, transport.ErrClosed) && c.why != nil { // by us, for a reason
				why = c.why
			}
			c.tell(StateChange{State: Waiting, Attempt: failed.Attempt, RetryIn: failed.RetryIn, Err: why})
			continue
		}
		if v := c.serve(ctx, conn, door); v.why != nil {
			return v
		}
	}
	return verdict{}
}

// prepare notes where an attempt goes: hello signs that.
func (c *Client) prepare(ctx context.Context, a *transport.Attempt) error {
	if c.opts.Prepare != nil {
		if err := c.opts.Prepare(ctx, a); err != nil {
			return err
		}
	}
	u, err := url.Parse(a.URL)
	if err == nil {
		c.dialed = hostHeader(u)
	}
	return err
}

// stand makes s the door, unless it has ended meanwhile.
func (c *Client) stand(s *Session, leave context.CancelFunc) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.door, c.leave = s, leave
	return len(c.rooms) > 0 && c.rooms[0] == s
}

// tell notes and announces a change of the connection's, in all rooms.
func (c *Client) tell(change StateChange) {
	c.mu.Lock()
	c.state = change
	rooms := c.rooms
	c.mu.Unlock()
	for _, s := range rooms {
		s.setState(change)
	}
}

// rejected turns the reason for which a client must stay away into a RejectedError.
func rejected(err error) error {
	var r RejectedError
	var closed *transport.CloseError
	var refused *transport.DialError
	switch {
	case errors.Is(err, transport.ErrGaveUp):
		return fmt.Errorf("session: %w", err)
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

// serve is one connection's life. It returns a verdict if rooms must end.
func (c *Client) serve(ctx context.Context, conn *transport.Conn, door *Session) verdict {
	if conn.Subprotocol() != wire.Subprotocol { // it would take hello, and the key in it, for a line of chat
		why := &RejectedError{Code: wire.Version, Message: "the server, or something before it, does not speak " + wire.Subprotocol}
		return verdict{why, []*Session{door}}
	}
	l := newLink(c, conn, door)
	c.link.Store(l)
	left := make(chan struct{})
	stay := context.AfterFunc(ctx, func() {
		defer close(left)
		l.leave()
	})
	for _, s := range c.open() { // whoever comes later sees the link
		if s != door {
			l.touch(s)
		}
	}
	err := l.serve()
	c.why = err
	c.link.Store(nil)
	conn.Close(transport.CloseCode(wire.Resync.Close), "")
	l.wg.Wait()
	if !stay() {
		<-left
	}
	parts := l.rooms()
	tooBig, of, found := largestSent(parts)
	for _, p := range parts {
		p.s.lost()
		p.s.mu.Lock()
		p.s.status.Heard = conn.Heard()
		p.s.mu.Unlock()
	}
	if e, ok := errors.AsType[*transport.CloseError](err); ok && e.Code == transport.CloseTooBig {
		if found { // set aside, or it would close every connection from now on
			of.setAside(tooBig.ID, RefusedError{Code: CodeTooBig, Message: "the server closes the connection at a line of this size"})
		}
		return verdict{}
	}
	if r, ok := errors.AsType[*RejectedError](err); ok {
		return verdict{r, l.concerned()}
	}
	if !c.retryable(err) {
		return verdict{rejected(err), l.concerned()}
	}
	return verdict{}
}

// retryable is the verdict on a connection's end.
func (c *Client) retryable(err error) bool {
	if c.opts.Retryable != nil {
		return c.opts.Retryable(err)
	}
	return transport.Retryable(err)
}

// lost ends what a connection has done for the room.
func (s *Session) lost() {
	s.asks.lost()
	s.out.connected(0, nil)
	s.hold("")
}

// concerned returns whom a verdict on the whole connection is about: the door, and the rooms
// that it was in. A join that was on its way has had no answer yet.
func (l *link) concerned() (rooms []*Session) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, p := range l.parts {
		if p.in || p.s == l.door {
			rooms = append(rooms, p.s)
		}
	}
	return rooms
}

// largestSent returns the longest line on its way, and whose it is: the one that a server's
// limit on messages has hit.
func largestSent(parts []*part) (longest Line, of *Session, found bool) {
	for _, p := range parts {
		if l, ok := p.s.out.largestSent(); ok && (!found || len(l.Text) > len(longest.Text)) {
			longest, of, found = l, p.s, true
		}
	}
	return longest, of, found
}
