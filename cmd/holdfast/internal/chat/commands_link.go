package chat

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"holdfast/cmd/holdfast/internal/look"
	"holdfast/cmd/holdfast/internal/say"
	"holdfast/session"
)

// status tells of each room how its link is.
func (c *Chat) status(string) {
	for _, r := range c.open() {
		st := r.s.Status()
		text := r.s.Name() + " in " + r.s.Room() + ": " + st.State.String()
		if st.RTT > 0 {
			text += ", round trip " + say.Millis(st.RTT)
		}
		if !st.Heard.IsZero() {
			text += ", last contact " + say.Ago(time.Since(st.Heard)) + " ago"
		}
		text += ", " + say.Count(st.Unsent, "line") + " unsent"
		if st.Err != nil && st.State == session.Waiting {
			text += "; " + c.o.Describe(st.Err)
		}
		c.note(0, text)
	}
}

// reconnect tries at once, and says so where nothing else will.
func (c *Chat) reconnect(string) {
	online := true
	for _, r := range c.open() {
		online = online && r.s.Status().State == session.Online
		r.s.Redial()
	}
	if online {
		c.note(look.Dim, "connected; the server is asked for a sign of life, /status tells of it")
	}
}

// outbox lists the lines that wait, lets old ones go, or throws some away.
func (c *Chat) outbox(arg string) {
	words := strings.Fields(strings.ToLower(arg))
	switch {
	case len(words) == 0 || len(words) == 1 && words[0] == "list":
		c.listOutbox()
	case len(words) == 1 && words[0] == "send":
		for _, r := range c.open() {
			r.s.Release()
			r.s.Redial()
		}
		c.show()
	case len(words) == 2 && words[0] == "drop":
		c.dropLines(words[1])
	default:
		cmd, _ := find("outbox")
		c.note(look.Red, "usage: "+cmd.usage())
	}
}

// waits is a line in one of the outboxes.
type waits struct {
	*room
	session.Line
}

// unsent lists the lines of all outboxes; /outbox drop counts them from 1.
func (c *Chat) unsent() (list []waits) {
	for _, r := range c.open() {
		for _, l := range r.s.Unsent() {
			list = append(list, waits{r, l})
		}
	}
	return list
}

func (c *Chat) listOutbox() {
	list := c.unsent()
	if len(list) == 0 {
		c.note(0, "nothing waits: all is on the server's disk")
		return
	}
	for i, w := range list {
		c.note(0, fmt.Sprintf("%d. %s ago in %s: %s%s", i+1, say.Ago(time.Since(w.At)), w.s.Room(), say.Head(w.s.Name(), w.To, w.Kind), w.Text))
	}
}

func (c *Chat) dropLines(which string) {
	list := c.unsent()
	n, err := strconv.Atoi(which)
	switch {
	case which == "all" && len(list) == 0:
		c.listOutbox()
		return
	case which == "all":
	case err != nil || n < 1 || n > len(list):
		c.note(look.Red, "there is no line "+which+"; /outbox lists them")
		return
	default:
		list = list[n-1 : n]
	}
	ids := map[*room][]session.ID{}
	for _, w := range list {
		ids[w.room] = append(ids[w.room], w.ID)
	}
	dropped := 0
	for r, all := range ids { // at once: nothing goes out between two of them
		dropped += r.s.Discard(all...)
	}
	c.note(look.Yellow, say.Count(dropped, "line")+" thrown away")
	if left := len(list) - dropped; left > 0 {
		c.note(look.Yellow, say.Count(left, "line")+" can't be: the server may have it already; try again when you are online")
	}
	c.show()
}
