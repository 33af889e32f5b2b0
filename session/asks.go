package session

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"

	"holdfast/session/wire"
)

// ErrOffline means that there is no connection to do this with, or no more.
var ErrOffline = errors.New("session: offline")

// asks is what a session has to say to its server besides lines, and what it waits to
// hear: nothing of it outlives the process.
type asks struct {
	mu      sync.Mutex
	up      bool                         // there is a connection
	away    string                       // as SetAway was told
	changes int                          // of away
	queue   []wire.Frame                 // requests that are not yet written
	pages   map[string]chan<- *wire.Page // requests without an answer, by id
	last    int                          // the last request's id

	changed func() // there may be something to say; must not wait
}

func newAsks(changed func()) *asks { return &asks{changed: changed} }

// connected takes requests from now on.
func (a *asks) connected() {
	a.mu.Lock()
	a.up = true
	a.mu.Unlock()
}

// lost ends all that waits for an answer.
func (a *asks) lost() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.up, a.queue = false, nil
	for id, answer := range a.pages {
		close(answer)
		delete(a.pages, id)
	}
}

// next returns what a connection is to be told that knows of so many changes of away,
// and of how many it then knows.
func (a *asks) next(known int) (frames []wire.Frame, changes int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	frames, a.queue = a.queue, nil
	if known != a.changes {
		frames = append(frames, &wire.Away{Text: a.away})
	}
	return frames, a.changes
}

func (a *asks) setAway(text string) {
	a.mu.Lock()
	if a.away != text {
		a.away = text
		a.changes++
	}
	a.mu.Unlock()
	a.changed()
}

// page asks for older lines. The answer's channel is closed without one if the
// connection ends; nil means that there is none. Forget the id when done.
func (a *asks) page(before uint64, limit int) (answer <-chan *wire.Page, id string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.up {
		return nil, ""
	}
	a.last++
	id = strconv.Itoa(a.last)
	c := make(chan *wire.Page, 1)
	if a.pages == nil {
		a.pages = map[string]chan<- *wire.Page{}
	}
	a.pages[id] = c
	a.queue = append(a.queue, &wire.History{ID: id, Before: before, Limit: limit})
	a.changed()
	return c, id
}

// say queues a frame to which there is no answer.
func (a *asks) say(f wire.Frame) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.up {
		return ErrOffline
	}
	a.queue = append(a.queue, f)
	a.changed()
	return nil
}

func (a *asks) forget(id string) {
	a.mu.Lock()
	delete(a.pages, id)
	a.mu.Unlock()
}

func (a *asks) answer(p *wire.Page) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if c := a.pages[p.ID]; c != nil {
		c <- p // has room for it
		delete(a.pages, p.ID)
	}
}

// SetAway tells the room that the user does not read now, and why; empty that they do
// again. The text is one line of at most wire.MaxAway bytes. It is told again after
// each redial, as long as the session lasts; no cursor and no outbox is touched by it.
// After Close the error is ErrClosed.
func (s *Session) SetAway(text string) error {
	if err := wire.CheckAway(text); err != nil {
		return err
	}
	if s.refuse.Load() {
		return ErrClosed
	}
	s.asks.setAway(text)
	return nil
}

// Remove ends another user's part in the room: they have left, and are told why, which is
// empty or one line of at most wire.MaxAway bytes. It takes the right to moderate, which
// Status tells: without it the error is ErrNotModerator, and without a connection ErrOffline.
// Whether somebody of that name was there, Presence tells.
func (s *Session) Remove(name, why string) error {
	user, err := wire.Name(name)
	if err != nil {
		return fmt.Errorf("%w: user: %w", ErrOption, err)
	}
	if err := wire.CheckAway(why); err != nil {
		return err
	}
	s.mu.Lock()
	may := s.status.Moderator
	s.mu.Unlock()
	if !may {
		return ErrNotModerator
	}
	return s.asks.say(&wire.Remove{Name: user, Text: why})
}

// History returns up to limit lines (1 to wire.MaxPage) before the one at position
// before, zero for the newest, oldest first; end means that there are no older ones.
// It moves no cursor. Without a connection, or if that is lost, the error is ErrOffline: ask
// again when the session is Online.
func (s *Session) History(ctx context.Context, before uint64, limit int) (lines []Message, end bool, err error) {
	if limit < 1 || limit > wire.MaxPage {
		return nil, false, fmt.Errorf("%w: limit must be 1 to %d", ErrOption, wire.MaxPage)
	}
	for len(lines) == 0 && !end {
		p, err := s.page(ctx, before, limit)
		if err != nil {
			return nil, false, err
		}
		for i := range p.Events {
			if m, ok := s.message(&p.Events[i]); ok {
				m.Replayed = true
				lines = append(lines, m)
			}
		}
		end = p.End || len(p.Events) == 0
		if !end {
			before = p.Events[0].Seq
		}
	}
	return lines, end, nil
}

func (s *Session) page(ctx context.Context, before uint64, limit int) (*wire.Page, error) {
	answer, id := s.asks.page(before, limit)
	if answer == nil {
		return nil, ErrOffline
	}
	defer s.asks.forget(id)
	select {
	case p, ok := <-answer:
		if !ok {
			return nil, ErrOffline
		}
		return p, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("read history: %w", context.Cause(ctx))
	}
}
