package session

import (
	"fmt"
	"maps"
	"slices"

	"holdfast/session/wire"
)

// handle takes one frame after the welcome.
func (l *link) handle(f wire.Frame) error {
	switch f := f.(type) {
	case *wire.Events:
		return l.events(f)
	case *wire.Ack:
		l.acked(f.Source, f.N)
	case *wire.Retry:
		if f.Code == wire.RetryStorage {
			l.s.hold(f.Code)
		}
		if !l.s.out.retry(f.Source, f.N, millis(f.AfterMS)) {
			return fmt.Errorf("%w: it wants a line that was set aside", errResync)
		}
	case *wire.Refused:
		why := RefusedError{Code: f.Code, Message: f.Message}
		if f.Code == CodeDiscarded { // that is not for a server to say
			why.Code = ""
		}
		l.s.refused(ID{f.Source, f.N}, why)
	case *wire.Presence:
		return l.presence(f)
	case *wire.Page:
		l.s.asks.answer(f)
	case *wire.Live:
		return l.level()
	case *wire.Bye:
		return l.bye(f)
	}
	return nil
}

// events takes a batch if it follows what this session has.
func (l *link) events(f *wire.Events) error {
	s := l.s
	if f.After != s.got.cursor {
		return fmt.Errorf("%w: batch does not follow", errResync)
	}
	for i := range f.Events {
		e := &f.Events[i]
		if e.Seq <= s.got.seq {
			continue // the connection before was lost in the middle of this batch
		}
		if m, ok := s.message(e); ok {
			m.Replayed, m.Seen = !l.live, e.Seq <= s.at0
			// The cursor before this batch: if the consumer gets no further, the next
			// session is sent the batch again, and skips what was taken.
			if err := l.logged(m, point{f.After, e.Seq}); err != nil {
				return err
			}
		}
		s.got.seq = e.Seq
		l.conn.Proven() // for who only reads, a line is what an ack is for who talks
	}
	s.got.cursor = f.Cursor
	return l.reached(s.got)
}

// message is e for people; not ok if it is none.
func (s *Session) message(e *wire.Event) (m Message, ok bool) {
	return Message{
		Room: s.opts.Room, From: e.From, To: e.To, Text: e.Text, Kind: e.Kind, At: e.At.Time, Seq: e.Seq,
		ID: ID{e.Source, e.N}, Own: s.mine[e.Source],
	}, e.Kind != wire.KindVoid
}

func (l *link) acked(source string, n uint64) {
	s := l.s
	lines := s.out.ack(source, n)
	if len(lines) == 0 {
		return
	}
	l.conn.Proven()
	s.hold("")
	s.noteBase(source, n)
	s.keeper.noteAcked(lines)
	for _, line := range lines {
		s.feed.push(item{Event: Receipt{ID: line.ID}}, nil)
	}
}

func (s *Session) noteBase(source string, n uint64) { s.bases[source] = max(s.bases[source], n) }

// refused sets a line aside.
func (s *Session) refused(id ID, why RefusedError) {
	for _, line := range s.out.refuse(id) {
		why.Text, why.Kind, why.To = line.Text, line.Kind, line.To
		s.noteBase(id.Source, id.N)
		s.keeper.noteRefused(line, why)
		s.opts.Logger.Warn("line refused", "n", id.N, "code", why.Code)
		s.feed.push(item{Event: Receipt{ID: id, Err: &why}}, nil)
	}
}

// presence keeps the list of members; before the room is level it only completes it.
func (l *link) presence(f *wire.Presence) error {
	for _, m := range f.Joined {
		l.members[m] = true
	}
	for _, m := range f.Left {
		delete(l.members, m)
		delete(l.away, m)
	}
	for _, a := range f.Away {
		if l.away[a.Name] = a.Text; a.Text == "" {
			delete(l.away, a.Name)
		}
	}
	if !l.live {
		return nil
	}
	return l.tellPresence(nil)
}

// level ends the replay.
func (l *link) level() error {
	if l.live {
		return nil
	}
	l.live = true
	if err := l.push(StateChange{State: Online}); err != nil {
		return err
	}
	return l.tellPresence(slices.Sorted(maps.Keys(l.members)))
}

// tellPresence has the consumer told who is there; Session.meet finds out what of it
// is news.
func (l *link) tellPresence(here []string) error {
	return l.emit(item{Event: Presence{Here: here}, members: maps.Clone(l.members), away: maps.Clone(l.away)})
}
