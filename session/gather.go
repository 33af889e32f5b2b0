package session

import (
	"iter"
	"sync"
)

// gather is which rooms of a client have something for its consumer.
type gather struct {
	mu       sync.Mutex
	ready    []*Session // each once
	consumed bool       // somebody consumes
	more     chan struct{}
}

// add notes that s has something. It waits for nothing.
func (g *gather) add(s *Session) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !s.gathered {
		s.gathered = true
		g.ready = append(g.ready, s)
	}
	nudge(g.more)
}

// next takes the room whose turn it is, nil if none has something.
func (g *gather) next() *Session {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.ready) == 0 {
		return nil
	}
	s := g.ready[0]
	g.ready = g.ready[1:]
	s.gathered = false
	return s
}

// attach begins consuming.
func (g *gather) attach() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.consumed {
		panic("session: a second consumer: only one goroutine at a time may be in Client.Messages")
	}
	g.consumed = true
}

func (g *gather) detach() {
	g.mu.Lock()
	g.consumed = false
	g.mu.Unlock()
}

// Messages yields the lines of all rooms, each room's in order and the rooms in turn, until
// the client is closed. It takes no goroutine a room. What holds for [Session.Events] holds
// here: a line is consumed when the next one is asked for, and a room has one consumer at a
// time. What happens besides lines is passed over; Session.Wait tells what became of a line
// that was sent.
func (c *Client) Messages() iter.Seq[Message] {
	return func(yield func(Message) bool) {
		c.all.attach()
		defer c.all.detach()
		for _, s := range c.open() {
			s.again()
		}
		for {
			s := c.all.next()
			if s != nil {
				if !s.one(yield) {
					return
				}
				continue
			}
			select {
			case <-c.all.more:
			case <-c.ended:
				if s = c.all.next(); s == nil {
					return
				}
				c.all.add(s)
			}
		}
	}
}

// one hands the next item of a room to the client's consumer.
func (s *Session) one(yield func(Message) bool) (more bool) {
	s.attach()
	defer s.feed.detach()
	it, grant, ok := s.feed.poll()
	if !ok {
		return true
	}
	if grant {
		s.client.touch(s)
	}
	s.client.all.add(s) // there may be another one
	return s.hand(it, func(e Event) bool {
		m, is := e.(Message)
		return !is || yield(m)
	})
}
