package chat

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"holdfast/cmd/holdfast/internal/look"
	"holdfast/cmd/holdfast/internal/say"
	"holdfast/session"
	"holdfast/session/wire"
)

// called returns the open room of that name, the prompt's if it is empty.
func (c *Chat) called(name string) (r *room, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if name == "" {
		return c.here, true
	}
	i := slices.IndexFunc(c.rooms, func(r *room) bool { return strings.EqualFold(r.s.Room(), strings.TrimPrefix(name, "#")) })
	if i < 0 {
		return nil, false
	}
	return c.rooms[i], true
}

func (c *Chat) notIn(name string) {
	c.note(look.Red, "you are not in "+name+"; /join ROOM goes to a room, /rooms lists them")
}

func (c *Chat) who(name string) {
	r, ok := c.called(name)
	if !ok {
		c.notIn(name)
		return
	}
	c.mu.Lock()
	var list []string
	for _, n := range r.here {
		list = append(list, r.nameOf(n))
	}
	state := r.state
	c.mu.Unlock()
	text := "in " + r.s.Room() + ": " + strings.Join(list, ", ")
	switch {
	case list == nil:
		text = "not known yet: not connected"
	case state != session.Online:
		text += beforeLost
	}
	c.note(0, text)
}

// beforeLost is of what is known and may have changed since.
const beforeLost = "; as of before the link was lost"

func (c *Chat) whois(name string) {
	name = strings.ToLower(name) // as all others see it
	c.mu.Lock()
	var in []string
	away, old := "", false
	for _, r := range c.rooms {
		old = old || r.state != session.Online
		if n, ok := r.member(name); ok {
			in = append(in, r.s.Room())
			away = r.away[n]
			c.toldAway[n] = away
		}
	}
	c.mu.Unlock()
	text := name + " is not in your rooms"
	if in != nil {
		text = name + " is in " + strings.Join(in, ", ")
	}
	if away != "" {
		text += ", " + say.Away(away)
	}
	if c.ignores(name) {
		text += "; you ignore " + name
	}
	if old {
		text += beforeLost
	}
	c.note(0, text)
}

// join goes to a room that is open, or opens it.
func (c *Chat) join(name string) {
	folded, err := wire.Name(strings.TrimPrefix(name, "#"))
	if err != nil {
		c.note(look.Red, err.Error())
		return
	}
	c.mu.Lock()
	i := slices.IndexFunc(c.rooms, func(r *room) bool { return r.s.Room() == folded })
	if i >= 0 {
		c.here = c.rooms[i]
	}
	away := c.away
	c.mu.Unlock()
	if i >= 0 {
		c.note(look.Dim, "your lines go to "+folded+" now")
		c.show()
		return
	}
	s, err := c.o.Open(folded)
	if err != nil {
		c.note(look.Red, c.o.Describe(err))
		return
	}
	_ = s.SetAway(away) // which others have taken
	r := newRoom(s)
	c.mu.Lock()
	c.rooms = append(c.rooms, r)
	c.here = r
	c.mu.Unlock()
	c.follow(r)
	c.show()
}

// part leaves a room, the prompt's if none is named. Lines on their way get a moment.
func (c *Chat) part(name string) {
	r, ok := c.called(name)
	if !ok {
		c.notIn(name)
		return
	}
	c.mu.Lock()
	if len(c.rooms) == 1 {
		c.mu.Unlock()
		c.note(look.Red, "this is your only room; /join another first, or /quit")
		return
	}
	if i := slices.Index(c.rooms, r); i >= 0 { // else it has just ended by itself
		c.drop(i)
	}
	c.mu.Unlock()
	c.show()
	c.meanwhile(leaveTime, func(ctx context.Context) {
		if err := r.s.Drain(ctx); err != nil {
			c.note(look.Yellow, "left "+r.s.Room()+": "+c.o.Describe(err)+"; kept until you join it again")
			return
		}
		c.note(look.Dim, "left "+r.s.Room())
	})
}

func (c *Chat) listRooms(string) {
	var mine []string
	for _, r := range c.open() {
		mine = append(mine, r.s.Room())
	}
	c.asking(func(ctx context.Context) {
		list, err := c.o.Rooms(ctx)
		if err != nil {
			c.note(look.Yellow, "you are in "+strings.Join(mine, ", "), "which others there are is not known: "+c.o.Describe(err))
			return
		}
		width := 0
		for _, l := range list {
			width = max(width, len(l.Room))
		}
		for _, l := range list {
			text := fmt.Sprintf("%-*s %s", min(width, wire.MaxName), say.Clean(l.Room), say.Count(l.Members, "member"))
			if slices.Contains(mine, l.Room) {
				text += ", you among them"
			}
			c.note(0, text)
		}
	})
}
