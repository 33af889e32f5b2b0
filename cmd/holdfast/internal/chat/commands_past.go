package chat

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"holdfast/cmd/holdfast/internal/look"
	"holdfast/cmd/holdfast/internal/say"
	"holdfast/session"
	"holdfast/session/wire"
)

const (
	someLines  = 20    // of earlier ones, if not said
	maxPast    = 1000  // lines shown at once
	maxMatches = 20    // of a search, the newest
	maxSearch  = 10000 // lines looked at
)

// past are earlier lines that somebody asked for.
type past struct {
	lines []session.Message // oldest first
	seen  int               // how many were looked at
	end   bool              // there are no earlier ones
}

// lookBack goes through the lines below before, newest first, until enough says so. A
// line is kept if keep says so.
func (r *room) lookBack(ctx context.Context, before uint64, keep func(session.Message) bool, enough func(*past) bool) (p past, err error) {
	for !p.end && !enough(&p) {
		page, end, err := r.s.History(ctx, before, wire.MaxPage)
		if err != nil {
			return p, err
		}
		p.end = end || len(page) == 0
		p.seen += len(page)
		var kept []session.Message
		for _, m := range page {
			if keep(m) {
				kept = append(kept, m)
			}
		}
		p.lines = append(kept, p.lines...)
		if len(page) > 0 {
			before = page[0].Seq
		}
	}
	return p, nil
}

// history prints some lines from before those on the screen, or the last ones: that many,
// or those of that time.
func (c *Chat) history(arg string) {
	n, since, err := span(arg)
	if err != nil {
		c.note(look.Red, err.Error())
		return
	}
	c.mu.Lock()
	r, before := c.here, c.here.oldest
	c.mu.Unlock()
	if arg != "" {
		before = 0 // the last of all, also what is on the screen
	}
	c.asking(func(ctx context.Context) {
		older := false // than since
		p, err := r.lookBack(ctx, before,
			func(m session.Message) bool {
				old := m.At.Before(since)
				older = older || old
				return !old && !c.ignores(m.From)
			},
			func(p *past) bool { return len(p.lines) >= n || older })
		if err != nil {
			c.unanswered(err)
			return
		}
		if over := len(p.lines) - n; over > 0 {
			p.lines, p.end = p.lines[over:], false
		}
		if len(p.lines) == 0 {
			text := "there are no lines before these in " + r.s.Room()
			if !since.IsZero() {
				text = "there are no lines of the last " + arg + " in " + r.s.Room()
			}
			c.note(look.Yellow, text)
			return
		}
		c.mu.Lock()
		r.oldest = p.lines[0].Seq
		c.mu.Unlock()
		title := say.Count(len(p.lines), "earlier line")
		switch {
		case !since.IsZero():
			title = say.Count(len(p.lines), "line") + " of the last " + arg
		case arg != "":
			title = "the last " + say.Count(len(p.lines), "line")
		}
		if p.end && since.IsZero() {
			title += ", from the first of " + r.s.Room()
		}
		c.showPast(r, title, p.lines)
	})
}

// span reads how much of the past is wanted: a number of lines, or a time.
func span(arg string) (n int, since time.Time, err error) {
	if arg == "" {
		return someLines, since, nil
	}
	if n, err := strconv.Atoi(arg); err == nil && n > 0 {
		return min(n, maxPast), since, nil
	}
	if d, err := time.ParseDuration(arg); err == nil && d > 0 {
		return maxPast, time.Now().Add(-d), nil
	}
	return 0, since, fmt.Errorf("%q is neither a number of lines nor a time like 1h or 30m", arg)
}

// search prints the newest lines that hold text.
func (c *Chat) search(text string) {
	r := c.current()
	wanted := strings.ToLower(text)
	c.asking(func(ctx context.Context) {
		p, err := r.lookBack(ctx, 0,
			func(m session.Message) bool {
				return !c.ignores(m.From) && strings.Contains(strings.ToLower(m.Text), wanted)
			},
			func(p *past) bool { return len(p.lines) >= maxMatches || p.seen >= maxSearch })
		if err != nil {
			c.unanswered(err)
			return
		}
		p.lines = p.lines[max(len(p.lines)-maxMatches, 0):]
		title := fmt.Sprintf("%s with %q", say.Count(len(p.lines), "line"), text)
		if !p.end {
			title += ", of the last " + say.Number(p.seen)
		}
		if len(p.lines) == 0 {
			c.note(look.Yellow, title)
			return
		}
		c.showPast(r, title, p.lines)
	})
}

// showPast prints earlier lines between marks.
func (c *Chat) showPast(r *room, title string, past []session.Message) {
	out := c.marks(look.Yellow, title+" --")
	c.mu.Lock()
	today := c.day
	for _, m := range past {
		out = append(append(out, c.dayOf(m.At)...), c.lines(r, m)...)
	}
	c.day = today
	c.mu.Unlock()
	c.term.Print(append(out, c.mark(look.Yellow, "end of earlier lines --")...)...)
}

// unanswered says why the past can't be shown.
func (c *Chat) unanswered(err error) {
	switch {
	case errors.Is(err, session.ErrOffline):
		c.note(look.Yellow, "earlier lines are on the server, and it is out of reach; try again when you are online")
	case errors.Is(err, context.DeadlineExceeded):
		c.note(look.Yellow, "the server does not answer; try again")
	case errors.Is(err, context.Canceled): // the user leaves
	default:
		c.note(look.Red, c.o.Describe(err))
	}
}
