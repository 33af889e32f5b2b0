package session

import (
	"fmt"
	"maps"
	"slices"

	"holdfast/session/wire"
)

// handle takes one frame after hello.
func (l *link) handle(f wire.Frame) error {
	p, asked, in := l.find(wire.RoomOf(f))
	if b, ok := f.(*wire.Bye); ok && b.Room == "" {
		if asked && !in {
			l.door.answered()
		}
		return l.bye(b)
	}
	switch f := f.(type) {
	case *wire.Welcome:
		if asked && !in {
			return l.welcomed(p, f)
		}
	case *wire.Bye:
		if asked && !in {
			p.s.answered()
		}
		if asked {
			l.byeRoom(p, f)
		}
		if len(l.c.open()) == 0 {
			return errNoRoom
		}
	default:
		if in { // or else it is from before the room was joined again
			return l.inRoom(p, f)
		}
	}
	return nil
}

// inRoom takes a frame about a room.
func (l *link) inRoom(p *part, f wire.Frame) error {
	s := p.s
	switch f := f.(type) {
	case *wire.Events:
		return l.events(p, f)
	case *wire.Ack:
		l.acked(s, f.Source, f.N)
	case *wire.Retry:
		if f.Code == wire.RetryStorage {
			s.hold(f.Code)
		}
		if !s.out.retry(f.Source, f.N, millis(f.AfterMS)) {
			return fmt.Errorf("%w: it wants a line that was set aside", errResync)
		}
	case *wire.Refused:
		why := RefusedError{Code: f.Code, Message: f.Message}
		if f.Code == CodeDiscarded { // that is not for a server to say
			why.Code = ""
		}
		s.setAside(ID{f.Source, f.N}, why)
	case *wire.Presence:
		l.presence(p, f)
	case *wire.Page:
		s.asks.answer(f)
	case *wire.Live:
		l.level(p)
	}
	return nil
}

// welcomed takes over what the server says about both directions.
func (l *link) welcomed(p *part, w *wire.Welcome) error {
	s := p.s
	s.answered()
	l.conn.SetHeartbeat(millis(w.HeartbeatMS), millis(w.TimeoutMS))
	for _, a := range w.Acks {
		l.acked(s, a.Source, a.N)
	}
	p.live, p.members, p.away = false, map[string]bool{}, map[string]string{}
	for _, m := range w.Members {
		p.members[m] = true
	}
	s.setState(StateChange{State: Resuming, Missed: w.Missed})
	if err := l.goOn(p, w); err != nil {
		return err
	}
	s.out.connected(max(w.Limits.InFlight, 1), p.taken(w))
	if n, oldest := s.out.stale(); n > 0 {
		s.feed.push(item{Event: Stale{n, oldest}})
	}
	s.asks.connected()
	l.mu.Lock()
	defer l.mu.Unlock()
	p.in = p.asked // or else the consumer has gone back meanwhile
	l.queueLocked(p)
	return nil
}

// goOn begins the log where the welcome says.
func (l *link) goOn(p *part, w *wire.Welcome) error {
	s := p.s
	s.mu.Lock()
	history := !s.begun && s.opts.backlog != 0
	s.begun = true
	s.status.Moderator = w.Moderate
	s.mu.Unlock()
	was := s.feed.place()
	next := point{w.Cursor, was.seq}
	diverged := !w.Resumed && w.Reason == wire.ReasonDiverged
	switch {
	case w.Resumed && !history && w.Cursor != was.cursor:
		return fmt.Errorf("%w: resumed elsewhere", errResync)
	case diverged: // numbers mean other lines now
		next.seq = 0
	case history: // what an earlier session has shown comes again, marked
		next.seq = 0
	}
	p.turn = s.feed.begin(next, diverged)
	if !w.Resumed && w.Reason != wire.ReasonFresh {
		s.feed.log(p.turn, Gap{Lost: w.Lost, Reason: w.Reason}, next)
	}
	if was == (point{}) && !s.opts.fresh { // or else, if nobody consumes, the next session would begin later
		s.client.keeper.notePoint(s.pen.room, next)
	}
	s.feed.log(p.turn, nil, next)
	return nil
}

// taken is what the server says to have of each source that was named: what it
// acknowledges, or more.
func (p *part) taken(w *wire.Welcome) map[string]uint64 {
	taken := map[string]uint64{}
	for source := range p.named {
		taken[source] = 0
	}
	for _, a := range slices.Concat(w.Acks, w.Taken) {
		taken[a.Source] = max(taken[a.Source], a.N)
	}
	return taken
}

// events takes a batch if it follows what this session has.
func (l *link) events(p *part, f *wire.Events) error {
	s := p.s
	at, current := s.feed.follows(p.turn)
	switch {
	case !current:
		return nil // the consumer went back, and it will come again
	case f.After != at.cursor:
		return fmt.Errorf("%w: batch does not follow", errResync)
	case s.feed.flooded():
		return fmt.Errorf("%w: more lines than were asked for", errResync)
	}
	skipped := 0
	for i := range f.Events {
		e := &f.Events[i]
		if e.Seq <= at.seq {
			skipped++ // the connection before was lost in the middle of this batch
			continue
		}
		at.seq = e.Seq
		l.conn.Proven() // for who only reads, a line is what an ack is for who talks
		m, ok := s.message(e)
		if !ok {
			skipped++
			continue
		}
		m.Replayed = !p.live
		// The cursor before this batch: if the consumer gets no further, the next
		// session is sent the batch again, and skips what was taken.
		s.feed.log(p.turn, m, at)
	}
	s.feed.log(p.turn, nil, point{f.Cursor, at.seq})
	if skipped > 0 && s.feed.skip(skipped) {
		l.touch(s)
	}
	return nil
}

// message is e for people; not ok if it is none.
func (s *Session) message(e *wire.Event) (m Message, ok bool) {
	return Message{
		Room: s.room, From: e.From, To: e.To, Text: e.Text, Kind: e.Kind, At: e.At.Time, Seq: e.Seq,
		ID: ID{e.Source, e.N}, Own: s.mine[e.Source],
	}, e.Kind != wire.KindVoid
}

func (l *link) acked(s *Session, source string, n uint64) {
	lines := s.out.ack(source, n)
	if len(lines) == 0 {
		return
	}
	l.conn.Proven()
	s.hold("")
	s.noteBase(source, n)
	s.client.keeper.noteAcked(lines)
	for _, line := range lines {
		s.feed.push(item{Event: Receipt{ID: line.ID}})
	}
}

func (s *Session) noteBase(source string, n uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.bases == nil {
		s.bases = map[string]uint64{}
	}
	s.bases[source] = max(s.bases[source], n)
}

// setAside is for a line that the server will never take. One whose key was used before is
// as good as taken.
func (s *Session) setAside(id ID, why RefusedError) {
	for _, line := range s.out.refuse(id) {
		s.noteBase(id.Source, id.N)
		if why.Code == wire.RefusedDuplicate && line.once != "" {
			s.client.keeper.noteAcked([]Line{line})
			s.feed.push(item{Event: Receipt{ID: id, Duplicate: true}})
			continue
		}
		why.Text, why.Kind, why.To = line.Text, line.Kind, line.To
		s.noteRefusal(id, &why)
		s.client.keeper.noteRefused(s.pen.room, line, why)
		s.log.Warn("line refused", "n", id.N, "code", why.Code)
		s.feed.push(item{Event: Receipt{ID: id, Err: &why}})
	}
}

// noteRefusal is for Wait, which may ask later.
func (s *Session) noteRefusal(id ID, why *RefusedError) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refused == nil {
		s.refused = map[ID]*RefusedError{}
	}
	s.refused[id] = why
}

// presence keeps the list of members; before the room is level it only completes it.
func (l *link) presence(p *part, f *wire.Presence) {
	for _, m := range f.Joined {
		p.members[m] = true
	}
	for _, m := range f.Left {
		delete(p.members, m)
		delete(p.away, m)
	}
	for _, a := range f.Away {
		if p.away[a.Name] = a.Text; a.Text == "" {
			delete(p.away, a.Name)
		}
	}
	if p.live {
		p.tellPresence(nil)
	}
}

// level ends the replay.
func (l *link) level(p *part) {
	if p.live {
		return
	}
	p.live, p.tries = true, 0
	p.s.setState(StateChange{State: Online})
	p.tellPresence(sortedKeys(p.members))
}

// tellPresence has the consumer told who is there; Session.meet finds out what of it
// is news.
func (p *part) tellPresence(here []string) {
	p.s.feed.push(item{Event: Presence{Here: here}, members: maps.Clone(p.members), away: maps.Clone(p.away)})
}
