package chat

import (
	"time"

	"holdfast/cmd/holdfast/internal/look"
)

func (c *Chat) setBell(arg string) {
	if arg == "" {
		c.mu.Lock()
		b := c.bell
		c.mu.Unlock()
		c.note(0, "bell: "+string(b))
		return
	}
	b, err := ParseBell(arg)
	if err != nil {
		c.note(look.Red, err.Error())
		return
	}
	c.mu.Lock()
	c.bell = b
	c.mu.Unlock()
	c.note(look.Dim, "bell: "+string(b))
}

func (c *Chat) time(string) {
	now := time.Now()
	const layout = "15:04:05 MST"
	text := now.Format("Mon 2 Jan 2006 " + layout)
	if utc := now.UTC().Format(layout); utc != now.Format(layout) {
		text += ", " + utc
	}
	c.note(0, text)
}

// clear leaves the scrollback as it is, and has /history begin anew.
func (c *Chat) clear(string) {
	c.mu.Lock()
	for _, r := range c.rooms {
		r.oldest = 0
	}
	c.mu.Unlock()
	c.term.Clear()
}

func (c *Chat) version(string) { c.note(0, c.o.Version) }

func (c *Chat) leaveChat(arg string) {
	switch arg {
	case "--now":
		c.typing.quit, c.typing.now = true, true
	case "":
		c.quit()
	default:
		c.note(look.Red, "usage: /quit [--now]")
	}
}
