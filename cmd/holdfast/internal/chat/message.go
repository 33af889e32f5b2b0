package chat

import (
	"strings"
	"time"

	"holdfast/cmd/holdfast/internal/look"
	"holdfast/cmd/holdfast/internal/say"
	"holdfast/session"
)

// caller is who last wrote to the user alone.
type caller struct {
	name   string
	room   *room     // where
	before string    // who was the last one before, empty if nobody
	since  time.Time // when that changed
}

// calledBy makes from, who has written to the user alone, the caller.
func (c *Chat) calledBy(from string, r *room) {
	if c.caller.name != from {
		c.caller.name, c.caller.before, c.caller.since = from, c.caller.name, time.Now()
	}
	c.caller.room = r
}

// message prints a line of the room's.
func (c *Chat) message(r *room, m session.Message, s *shown) {
	if m.Own {
		r.landed[m.ID] = true
	}
	if r.oldest == 0 || m.Seq < r.oldest {
		r.oldest = m.Seq
	}
	mine := m.From == r.s.Name()
	if !mine && c.ignored.has(m.From) {
		return
	}
	if m.To == r.s.Name() && !mine {
		c.calledBy(m.From, r)
	}
	lines := append(c.dayOf(m.At), c.lines(r, m)...)
	r.seen = r.seen || m.Seen
	if m.Replayed && !m.Seen {
		r.print(s, !mine, lines...)
		if r.replay != nil {
			r.replay.said++
		}
		if !mine && c.outage != nil {
			c.outage.missed++
		}
		return
	}
	s.lines = append(s.lines, lines...)
	s.bell = !m.Replayed && !mine && c.bell.rings(m, c.mentioned(r, m))
}

// dayOf marks a change of day. Today needs no mark before the first line.
func (c *Chat) dayOf(at time.Time) []string {
	day := c.date(at)
	was := c.day
	c.day = day
	if day == was || was == "" && day == c.date(time.Now()) {
		return nil
	}
	return c.mark(look.Dim, day)
}

func (c *Chat) date(at time.Time) string {
	if c.o.Look.Zone != nil {
		at = at.In(c.o.Look.Zone)
	} else {
		at = at.Local()
	}
	return at.Format("Mon 2 Jan 2006")
}

// lines is a message as it is printed: its time and, in another room than the
// prompt's, the room; a sign if it mentions the user; who speaks, and what.
func (c *Chat) lines(r *room, m session.Message) []string {
	head, text := say.Parts(m)
	plain := c.o.Look
	plain.Color = false
	stamp, tag, sign := plain.Time(m.At), "", ""
	if r != c.here {
		tag = "#" + r.s.Room() + " "
	}
	if m.From != r.s.Name() && c.mentioned(r, m) {
		sign = "! "
	}
	lines := make([]string, len(text))
	if m.Seen {
		lines[0] = c.o.Look.Paint(look.Dim, stamp+tag+sign+head+text[0])
	} else {
		lines[0] = c.o.Look.Time(m.At) + c.o.Look.Paint(look.Dim, tag) + c.o.Look.Paint(bold, sign) + c.head(r, m, head) + text[0]
	}
	for i, t := range text[1:] {
		lines[i+1] = indent(stamp) + c.signs.gutter + t
		if m.Seen {
			lines[i+1] = c.o.Look.Paint(look.Dim, lines[i+1])
		}
	}
	return lines
}

// head gives the clean head of a message its style: a colour for each name but the
// user's own, and another look for what only two can see.
func (c *Chat) head(r *room, m session.Message, head string) string {
	switch {
	case m.To != "":
		return c.o.Look.Paint(bold, head)
	case m.From == r.s.Name():
		return head
	}
	return c.o.Look.Paint(look.StyleOf(m.From), strings.TrimSuffix(head, " ")) + " "
}

// mentioned reports whether m speaks of the user, or of a word to be marked.
func (c *Chat) mentioned(r *room, m session.Message) bool {
	return hasWord(m.Text, append([]string{r.s.Name()}, c.o.Highlight...))
}
