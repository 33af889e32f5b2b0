package chat

import (
	"strings"

	"holdfast/cmd/holdfast/internal/look"
	"holdfast/cmd/holdfast/internal/say"
	"holdfast/session"
	"holdfast/session/wire"
)

func (c *Chat) me(text string) { c.send(text, c.current().s.SendAction) }

func (c *Chat) msg(arg string) {
	to, text, _ := strings.Cut(arg, " ")
	r, _ := c.roomOf(to)
	c.private(r, to, strings.TrimSpace(text))
}

// reply answers the last one who wrote to the user alone. If that is another one than
// when the user saw whom to answer, it answers nobody.
func (c *Chat) reply(text string) {
	c.mu.Lock()
	to := c.caller
	c.mu.Unlock()
	if to.name == "" {
		c.note(look.Red, "nobody has written to you alone; /msg NAME TEXT begins")
		return
	}
	if to.before != "" && to.since.After(c.typing.began.Add(-glance)) {
		c.note(look.Red, "not sent: "+to.name+" has just written to you alone, and "+to.before+" before; /msg NAME TEXT says whom you mean, and Up brings the line back")
		return
	}
	c.private(to.room, to.name, text)
}

// private sends a line that only its receiver sees, and says once if that one is away.
func (c *Chat) private(r *room, to, text string) {
	to = strings.ToLower(to) // as all others see it
	c.send(text, func(lines ...string) (session.ID, error) { return r.s.SendTo(to, lines...) })
	c.mu.Lock()
	why := r.away[to]
	known := c.toldAway[to] == why
	c.toldAway[to] = why
	c.mu.Unlock()
	if why != "" && !known {
		c.note(look.Dim, to+" is "+say.Away(why))
	}
}

// roomOf returns an open room in which name is, and the prompt's if it is in none.
func (c *Chat) roomOf(name string) (r *room, here bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range append([]*room{c.here}, c.rooms...) {
		if _, ok := r.member(name); ok {
			return r, true
		}
	}
	return c.here, false
}

func (c *Chat) goAway(text string) {
	if text == "" {
		text = say.Unsaid
	}
	if err := c.setAway(text); err != nil {
		c.note(look.Red, err.Error())
		return
	}
	c.note(look.Dim, "you are "+say.Away(text)+"; /back when you are back")
}

func (c *Chat) back(string) {
	c.mu.Lock()
	away := c.away
	c.mu.Unlock()
	_ = c.setAway("") // that can be said always
	if away == "" {
		c.note(look.Dim, "you were not away")
		return
	}
	c.note(look.Dim, "you are back")
}

// setAway tells all rooms; those that are joined later are told then.
func (c *Chat) setAway(text string) error {
	for _, r := range c.open() {
		if err := r.s.SetAway(text); err != nil {
			return err
		}
	}
	c.mu.Lock()
	c.away = text
	c.mu.Unlock()
	c.show()
	return nil
}

func (c *Chat) ignore(name string) {
	if !c.rereadIgnored() {
		return
	}
	if name == "" {
		list := c.ignoredNames()
		if len(list) == 0 {
			c.note(0, "you ignore nobody")
			return
		}
		c.note(0, "you ignore "+strings.Join(list, ", "))
		return
	}
	if _, err := wire.Name(name); err != nil {
		c.note(look.Red, err.Error())
		return
	}
	if strings.EqualFold(name, c.current().s.Name()) {
		c.note(look.Red, "that is you")
		return
	}
	done := "you ignore " + name + ", and whoever's name looks the same"
	if !c.anyLike(name) {
		done += "; nobody of that name is here now"
	}
	c.saved(c.setIgnored(name, true), done)
}

func (c *Chat) unignore(name string) {
	if !c.rereadIgnored() {
		return
	}
	if !c.ignores(name) {
		c.note(look.Red, "you do not ignore "+name)
		return
	}
	c.saved(c.setIgnored(name, false), "you see "+name+" again; /history has what was hidden")
}

// saved says what was done, or that it holds until the user leaves only.
func (c *Chat) saved(err error, done string) {
	c.note(look.Dim, done)
	if err != nil {
		c.note(look.Red, "but not the next time: "+c.o.Describe(err))
	}
}

// nameOf is a member's name and, if so, that they are away. Under mu; clean it.
func (r *room) nameOf(member string) string {
	if why := r.away[member]; why != "" {
		return member + " (" + say.Away(why) + ")"
	}
	return member
}
