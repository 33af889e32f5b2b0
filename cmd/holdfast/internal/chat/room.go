package chat

import (
	"maps"
	"slices"
	"strings"
	"time"

	"holdfast/cmd/holdfast/internal/look"
	"holdfast/cmd/holdfast/internal/say"
	"holdfast/session"
)

// room is an open room: its session, and what of it is shown. The chat's mutex guards
// all but the session.
type room struct {
	s *session.Session

	state session.State
	level bool // was level with the room once

	known bool              // who is here
	here  []string          // all members, in order
	away  map[string]string // who of them is away, and why

	landed map[session.ID]bool // own lines that are printed and may still be in the outbox
	replay *replay             // what comes again, until the room is level
	seen   bool                // lines that an earlier session has shown were printed
	oldest uint64              // the first line that was printed; 0: none
}

func newRoom(s *session.Session) *room {
	return &room{s: s, landed: map[session.ID]bool{}}
}

// shown is what an event leads to, to be done when the mutex is free.
type shown struct {
	lines  []string // to print
	recall []string // texts for the arrow keys
	bell   bool
}

// follow prints what happens in r until its session ends.
func (c *Chat) follow(r *room) {
	c.wg.Go(func() {
		var was session.State
		for e := range r.s.Events() {
			c.o.See(e, was)
			if change, ok := e.(session.StateChange); ok {
				was = change.State
			}
			c.do(c.event(r, e))
			if m, ok := e.(session.Message); !ok || m.Own {
				c.show()
			}
		}
		c.ended(r)
	})
}

// do shows what an event led to.
func (c *Chat) do(s shown) {
	if len(s.lines) > 0 {
		c.term.Print(s.lines...)
	}
	for _, text := range s.recall {
		c.term.AddHistory(text)
	}
	if s.bell {
		c.term.Bell()
	}
}

func (c *Chat) event(r *room, e session.Event) (s shown) {
	since := lostSince(r, e)
	c.mu.Lock()
	defer c.mu.Unlock()
	switch e := e.(type) {
	case session.Message:
		c.message(r, e, &s)
	case session.StateChange:
		c.stateChange(r, e, since, &s)
	case session.Presence:
		c.presence(r, e, &s)
	case session.Gap:
		r.print(&s, false, c.mark(look.Yellow, c.where(r)+say.Gap(e))...)
	case session.Stale:
		s.lines = c.marks(look.Yellow, c.where(r)+staleText(e.Lines, time.Since(e.Oldest))+"; /outbox send lets them go, /outbox drop all throws them away")
	case session.Receipt:
		c.receipt(r, e, &s)
	}
	return s
}

// where names r in a note if it is not the only room.
func (c *Chat) where(r *room) string {
	if len(c.rooms) > 1 {
		return "#" + r.s.Room() + ": "
	}
	return ""
}

// presence tells who came and went, but not what the ignored do.
func (c *Chat) presence(r *room, p session.Presence, s *shown) {
	if p.Here != nil {
		r.here = p.Here
	} else {
		r.here = changed(r.here, p)
	}
	if p.Away != nil {
		r.away = p.Away
		maps.DeleteFunc(c.toldAway, func(name, _ string) bool { return p.Away[name] == "" }) // the next time is news
	}
	p.Joined, p.Left = c.ignored.without(p.Joined), c.ignored.without(p.Left)
	for _, l := range say.Presence(p, r.s.Room(), r.s.Name(), !r.known) {
		s.lines = append(s.lines, c.mark(look.Dim, l)...)
	}
	r.known = true
}

// changed applies a change to the list of members.
func changed(here []string, p session.Presence) []string {
	here = append(slices.Clone(here), p.Joined...)
	slices.Sort(here)
	here = slices.Compact(here)
	return slices.DeleteFunc(here, func(n string) bool { return slices.Contains(p.Left, n) })
}

// member returns the name of the one here who is called so, whatever the case.
func (r *room) member(name string) (string, bool) {
	for _, n := range r.here {
		if strings.EqualFold(n, name) {
			return n, true
		}
	}
	return "", false
}

// ended is for a session that has come to its end. If the user did not leave the room it
// is off the list, and the last one ends the chat.
func (c *Chat) ended(r *room) {
	c.mu.Lock()
	i := slices.Index(c.rooms, r)
	if i < 0 || c.leaving() {
		c.mu.Unlock()
		return
	}
	if len(c.rooms) == 1 {
		c.failed = r.s.Err()
		c.mu.Unlock()
		c.term.Abort()
		return
	}
	c.drop(i)
	c.mu.Unlock()
	why := r.s.Err()
	if err := r.s.Close(); err != nil {
		why = err
	}
	c.note(look.Red, "#"+r.s.Room()+" is closed: "+c.o.Describe(why))
	c.show()
}

// drop takes a room off the list, under mu. There must be another.
func (c *Chat) drop(i int) {
	gone := c.rooms[i]
	c.rooms = slices.Delete(c.rooms, i, i+1)
	if c.here == gone {
		c.here = c.rooms[max(i-1, 0)]
	}
}
