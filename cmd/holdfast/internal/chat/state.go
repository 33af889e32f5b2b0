package chat

import (
	"errors"
	"time"

	"holdfast/cmd/holdfast/internal/look"
	"holdfast/session"
	"holdfast/session/wire"
	"holdfast/transport"
)

// stateChange follows a session. since is when the link was lost, if it is.
func (c *Chat) stateChange(r *room, e session.StateChange, since time.Time, s *shown) {
	r.state = e.State
	switch e.State {
	case session.Waiting:
		c.endReplay(r, s, false)
		c.lost(since)
	case session.Resuming:
		r.replay = new(replay)
	case session.Online:
		c.endReplay(r, s, true)
		if !r.level {
			s.lines = append(s.lines, c.mark(look.Dim, "you are "+r.s.Name()+" in "+r.s.Room()+"; /help lists commands")...)
		}
		r.level = true
	case session.Closed:
		c.endReplay(r, s, false)
	}
}

// lostSince is when a link was lost that is noticed now. If silence told, that is when
// the server was last heard of.
func lostSince(r *room, e session.Event) time.Time {
	change, ok := e.(session.StateChange)
	if ok && change.State == session.Waiting && errors.Is(change.Err, transport.ErrPeerDead) {
		if heard := r.s.Status().Heard; !heard.IsZero() {
			return heard
		}
	}
	return time.Now()
}

// receipt gives a refused line back, with what can be done about it.
func (c *Chat) receipt(r *room, e session.Receipt, s *shown) {
	switch {
	case e.Err == nil:
		if c.outage != nil {
			c.outage.sent++
			c.outage.acked = time.Now()
		}
	case e.Err.Code == session.CodeDiscarded: // by /outbox drop, which says so
	default:
		line := typedFor(e.Err)
		s.lines = append(s.lines, c.marks(look.Red, c.where(r)+"not sent: "+e.Err.Message+hint(e.Err.Code), line)...)
		s.recall = append(s.recall, line)
	}
}

// hint says what can be done about a line that was refused for that reason. All are
// back under the arrow keys.
func hint(code string) string {
	switch code {
	case wire.RefusedTooLong, session.CodeTooBig:
		return "; Up brings it back, to be sent in pieces"
	case wire.RefusedUnknown:
		return "; /who tells who is here, Up brings the line back"
	}
	return "; Up brings it back"
}
