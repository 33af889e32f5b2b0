package chat

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mattn/go-runewidth"

	"holdfast/cmd/holdfast/internal/look"
	"holdfast/cmd/holdfast/internal/say"
	"holdfast/session"
	"holdfast/transport"
)

// refresh draws prompt and status rows when something changed, and from time to time
// because of what changes by itself, until the user leaves. Nobody else does: a picture
// must not be replaced by an older one.
func (c *Chat) refresh() {
	tick := time.NewTicker(drawEvery)
	defer tick.Stop()
	for {
		c.draw()
		select {
		case <-tick.C:
			c.do(c.tick())
		case <-c.changed:
		case <-c.closing:
			return
		}
	}
}

// show has prompt and status rows drawn anew.
func (c *Chat) show() {
	select {
	case c.changed <- struct{}{}:
	default:
	}
}

// tick does what is due by time alone.
func (c *Chat) tick() (s shown) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range c.rooms {
		if r.replay.overdue() {
			c.openReplay(r, &s)
		}
	}
	return s
}

// standing is a room and where its session stands.
type standing struct {
	*room
	session.Status
	unsent []session.Line // what waits and is not printed, oldest first
}

// stands asks all sessions.
func (c *Chat) stands() (list []standing) {
	for _, r := range c.open() {
		list = append(list, standing{room: r, Status: r.s.Status(), unsent: r.s.Unsent()})
	}
	return list
}

// draw draws prompt and status rows by what is known now, and ends an outage that is
// over.
func (c *Chat) draw() {
	list := c.stands()
	cols, _ := c.term.Size()
	c.mu.Lock()
	for i := range list {
		list[i].hideLanded()
	}
	lines := c.settle(list)
	rows := c.waitingRows(list, cols-1)
	row := c.linkRow(list)
	prompt := c.prompt(list)
	c.mu.Unlock()
	if c.leaving() {
		return
	}
	if len(lines) > 0 {
		c.term.Print(lines...)
	}
	if row != nil {
		rows = append(rows, c.o.Look.Paint(look.Yellow, c.fitting(row, cols-1)))
	}
	c.term.SetStatus(rows...)
	c.term.SetPrompt(prompt)
}

// hideLanded leaves out lines that stand above already: their acks are on the way.
func (st *standing) hideLanded() {
	if len(st.unsent) == 0 {
		clear(st.landed)
	}
	st.unsent = slices.DeleteFunc(st.unsent, func(l session.Line) bool { return st.landed[l.ID] })
}

// prompt shows where typed lines go: the room or, while the user is not to be heard
// there, what keeps them. Of several rooms it shows which one, and a sign for that.
func (c *Chat) prompt(list []standing) string {
	i := slices.IndexFunc(list, func(s standing) bool { return s.room == c.here })
	if i < 0 { // it was joined just now
		i = 0
	}
	st := list[i]
	word, sign, style := "", "", look.Style(0)
	switch {
	case st.State == session.Waiting, st.State == session.Dialing && st.level:
		word, sign, style = "offline", " !", look.Yellow
	case st.State != session.Online:
		word, sign, style = "connect", " ?", look.Dim
	case c.away != "":
		word, sign = "away", " -"
	}
	if st.doubtful() {
		style = look.Yellow
	}
	const room = PromptWidth - len("[] > ") + 1
	text := word
	if word == "" || len(list) > 1 {
		text = c.cut(st.s.Room(), room-len(sign)) + sign
	}
	text = runewidth.FillRight("["+text+"]", PromptWidth-2) + "> "
	if style == 0 {
		return text
	}
	return c.o.Look.Paint(style, text)
}

// maxRows bounds the rows of waiting lines.
const maxRows = 5

// waitingRows shows the oldest lines that have waited for longer than an ack takes when
// all is well.
func (c *Chat) waitingRows(list []standing, cols int) (rows []string) {
	more := 0
	for _, st := range list {
		for _, l := range st.unsent {
			if time.Since(l.At) <= quietTime {
				break
			}
			if len(rows) == maxRows {
				more++
				continue
			}
			tag := ""
			if st.room != c.here {
				tag = "#" + st.s.Room() + " "
			}
			text := c.signs.waits + tag + say.Head(st.s.Name(), l.To, l.Kind) + say.Clean(l.Text)
			rows = append(rows, c.o.Look.Paint(look.Dim, c.cut(text, cols)))
		}
	}
	if more > 0 {
		rows = append(rows, c.o.Look.Paint(look.Dim, fmt.Sprintf("%s%d more; /outbox lists them", c.signs.waits, more)))
	}
	return rows
}

// fitting is as many of the parts as fit into that many columns, the first in any case.
func (c *Chat) fitting(parts []string, cols int) string {
	for {
		row := strings.Join(parts, c.signs.bar)
		if len(parts) == 1 || cols <= 0 || runewidth.StringWidth(row) <= cols {
			return c.cut(row, cols)
		}
		parts = parts[:len(parts)-1]
	}
}

// linkRow tells what is wrong with the link, nothing if nothing is. What matters most
// comes first: a narrow window shows no more.
func (c *Chat) linkRow(list []standing) []string {
	kept, stale := 0, 0
	worst := list[0]
	for _, st := range list {
		kept += len(st.unsent)
		stale += st.Status.Stale
		if gravity(st) > gravity(worst) {
			worst = st
		}
	}
	var parts []string
	switch st := worst; {
	case st.State == session.Waiting:
		parts = append(parts, "reconnecting "+c.countdown(st.RetryAt))
	case st.Held != "":
		parts = append(parts, say.HeldText)
	case st.doubtful():
		return []string{"last contact " + say.Ago(time.Since(st.Heard)) + " ago"}
	case st.State == session.Dialing && st.level:
		parts = append(parts, "connecting")
	case stale > 0:
		return []string{staleText(stale, 0) + ": /outbox send or /outbox drop all"}
	default:
		return nil
	}
	if kept > 0 {
		parts = append(parts, say.Count(kept, "line")+" kept")
	}
	if worst.State == session.Waiting && !errors.Is(worst.Err, transport.ErrPeerDead) {
		parts = append(parts, say.Clean(c.why(worst.Err)))
	}
	if worst.State != session.Online && !worst.Heard.IsZero() {
		parts = append(parts, "last contact "+say.Ago(time.Since(worst.Heard))+" ago")
	}
	if worst.State == session.Waiting {
		parts = append(parts, fmt.Sprintf("attempt %d", worst.Attempt))
	}
	return parts
}

// why there is no connection, in few words: what a dial met at the end of the way.
func (c *Chat) why(err error) string {
	dial, ok := errors.AsType[*transport.DialError](err)
	switch {
	case !ok || dial.Status != 0:
		return c.o.Describe(err)
	case errors.Is(err, context.DeadlineExceeded):
		return "no answer"
	}
	for next := err; next != nil; next = errors.Unwrap(err) {
		err = next
	}
	return err.Error()
}

// gravity orders what is wrong with the link.
func gravity(st standing) int {
	switch {
	case st.State == session.Waiting:
		return 4
	case st.State == session.Dialing && st.level:
		return 3
	case st.Held != "":
		return 2
	case st.doubtful():
		return 1
	}
	return 0
}

// doubtful reports whether an answer is due for long.
func (st standing) doubtful() bool {
	return st.State == session.Online && st.Status.Stale == 0 && len(st.unsent) > 0 &&
		time.Since(st.unsent[0].At) > doubtAfter && time.Since(st.Heard) > doubtAfter
}

// countdown says when the next attempt is, or that it runs. In a long outage it is told in steps of five:
// nobody watches it then, and a quiet screen is kinder to slow terminals.
func (c *Chat) countdown(at time.Time) string {
	if time.Until(at) <= 0 {
		return "now"
	}
	left := int(time.Until(at).Seconds() + 1)
	if c.outage != nil && time.Since(c.outage.since) > time.Minute {
		left = (left + 4) / 5 * 5
	}
	return fmt.Sprintf("in %d s", left)
}

// staleText says that lines wait for the user.
func staleText(n int, oldest time.Duration) string {
	text := say.Count(n, "line")
	if n == 1 {
		text += " was"
	} else {
		text += " were"
	}
	text += " typed long ago"
	if oldest > 0 {
		text += ", " + say.Ago(oldest)
	}
	return text
}
