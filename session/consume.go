package session

import (
	"context"
	"errors"
	"iter"
	"maps"
	"slices"
)

// Why the feed gave nothing: nothing more will come, or who waited does not any more.
var (
	errFeedEnd  = errors.New("session ended")
	errFeedWait = errors.New("waited long enough")
)

// Events yields what happens, in order, and ends when the session does; Err then
// says why. There may be one consumer at a time: a second one panics. A slow one slows
// only itself: the server sends no more lines than it keeps up with, and acks, answers to
// History and presence pass. One that comes late, or breaks off and ranges again, gets
// every line that it has not consumed; but of more than 1,024 events besides that come
// while nobody consumes, the oldest are forgotten.
//
// A line counts as consumed when the loop asks for the next event, or by Commit. So it
// does not when the body breaks, returns or panics, or Close is called meanwhile: then the next
// consumer, in this process or the next, is given it again. What was
// consumed is on disk a fifth of a second later; if the process is killed before that, the
// line is given again, and none is left out. What must not be done twice is for
// Options.ManualCommit and Reply.
func (s *Session) Events() iter.Seq[Event] {
	return func(yield func(Event) bool) {
		s.attach()
		defer s.feed.detach()
		s.again()
		for {
			it, err := s.next(nil)
			if err != nil || !s.hand(it, yield) {
				return
			}
		}
	}
}

// Messages is Events for those who want the lines alone.
func (s *Session) Messages() iter.Seq[Message] {
	return func(yield func(Message) bool) {
		for e := range s.Events() {
			if m, ok := e.(Message); ok && !yield(m) {
				return
			}
		}
	}
}

// Next waits for the next line and returns it. It is Messages for a program that can't
// hold a loop: the line counts as consumed when Next is called again, or by Commit. If ctx
// ends first, the error is its cause, and no line is lost; when the session has ended, it is
// that of Err. Next is a consumer as Events is: there may be one at a time.
func (s *Session) Next(ctx context.Context) (Message, error) {
	s.feed.attach()
	defer s.feed.detach()
	if it := s.pending; it != nil {
		s.pending = nil
		s.consumed(*it)
	}
	for {
		it, err := s.next(ctx.Done())
		switch {
		case errors.Is(err, errFeedEnd):
			return Message{}, s.Err()
		case err != nil:
			return Message{}, context.Cause(ctx)
		}
		if m, ok := it.Event.(Message); ok {
			s.pending = &it
			return m, nil
		}
		s.consumed(it)
	}
}

// attach begins consuming, with what Next handed over and was not done with.
func (s *Session) attach() {
	s.feed.attach()
	if it := s.pending; it != nil {
		s.pending = nil
		s.giveUp(*it)
	}
}

// again goes back to where the consumer has committed, if it was handed more.
func (s *Session) again() {
	if !s.feed.rewind() {
		return
	}
	if l := s.client.link.Load(); l != nil {
		l.again(s)
	}
}

// next takes the next item from the feed.
func (s *Session) next(done <-chan struct{}) (item, error) {
	it, more, err := s.feed.take(done)
	if more {
		s.client.touch(s)
	}
	return it, err
}

// hand yields an item, and reports whether there may be another one. What a body
// that breaks or panics was handed is not consumed.
func (s *Session) hand(it item, yield func(Event) bool) (more bool) {
	e := it.Event
	if p, ok := e.(Presence); ok {
		e = s.meet(it, p)
	}
	defer func() {
		if !more {
			s.giveUp(it)
		}
	}()
	if more = e == nil || yield(e); more {
		s.consumed(it)
	}
	return more
}

// giveUp is for an item that the consumer did not finish with. It comes again, unless
// it was committed.
func (s *Session) giveUp(it item) {
	if m, ok := it.Event.(Message); ok && !s.feed.ahead(&m) {
		s.consumed(it)
		return
	}
	s.feed.putBack(it)
}

// consumed notes that the consumer is done with it.
func (s *Session) consumed(it item) {
	at, store, more := s.feed.done(it)
	if store && !s.opts.fresh {
		s.client.keeper.notePoint(s.pen.room, at)
	}
	if more {
		s.client.touch(s)
	}
}

// Commit consumes m and all lines before it, and returns when that is on disk: they
// will not come again. It is for Options.ManualCommit, and for a body that is done with its
// line and then breaks. The errors are ErrDisk, ErrClosed and that the disk is full. A Fresh
// session keeps no cursor: there Commit holds until the process ends.
func (s *Session) Commit(m Message) error {
	if m.at == (point{}) {
		return errNotFed
	}
	if !s.feed.ahead(&m) {
		return nil
	}
	at := s.feed.commit(&m)
	if s.opts.fresh {
		return nil
	}
	s.client.keeper.notePoint(s.pen.room, at)
	return s.client.keeper.flush()
}

// Reply is Send and Commit(m) in one step: the lines are on disk and m is consumed, or
// neither. So a program that answers by Reply alone answers each line once, whenever it
// is killed. Without lines it is Commit. If m is consumed already, no line is taken: the
// error is ErrCommitted.
func (s *Session) Reply(m Message, lines ...string) (ID, error) {
	if m.at == (point{}) {
		return ID{}, errNotFed
	}
	return s.put(draft{texts: lines}, &m)
}

// errNotFed is for a message of History's, or one made by hand.
var errNotFed = errors.New("session: not a line that a consumer was given")

// meet completes p with what changed since the consumer was last told who is there,
// and returns nil if that is nothing. So an outage in which nothing changed says
// nothing more than who is here.
func (s *Session) meet(now item, p Presence) Event {
	members := now.members
	for m := range members {
		if !s.members[m] {
			p.Joined = append(p.Joined, m)
		}
	}
	for m := range s.members {
		if !members[m] {
			p.Left = append(p.Left, m)
		}
	}
	s.members = members
	if !maps.Equal(s.away, now.away) {
		p.Away, s.away = now.away, now.away
	}
	if len(p.Here)+len(p.Joined)+len(p.Left) == 0 && p.Away == nil {
		return nil
	}
	slices.Sort(p.Joined)
	slices.Sort(p.Left)
	return p
}

func sortedKeys(m map[string]bool) []string { return slices.Sorted(maps.Keys(m)) }
