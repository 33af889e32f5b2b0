package chat

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"holdfast/cmd/holdfast/internal/lineui"
	"holdfast/cmd/holdfast/internal/look"
	"holdfast/cmd/holdfast/internal/say"
	"holdfast/session"
	"holdfast/session/wire"
)

// typing is what Run's goroutine knows of the user's last keys.
type typing struct {
	began       time.Time // the line that is done now
	warned      int       // how many lines the user knows would be left unsent
	alone       int       // and how many others would be without a server
	interrupted time.Time // when the user was told that Ctrl-C leaves; zero after any other key
	quit, now   bool      // the user leaves; at once
	question    *question
	unkept      bool // the last line could not be written down
}

// question is something that was typed and waits for an empty line to be done. Any
// other answer means no.
type question struct {
	line string
	do   func()
}

const (
	onceMore  = "once more to leave"
	twice     = 2 * time.Second // between two Ctrl-C that leave
	longPaste = 5               // lines; more are not sent unasked
)

// read takes lines from the prompt until the user leaves or ctx ends.
func (c *Chat) read(ctx context.Context) {
	for !c.typing.quit {
		line, err := c.term.ReadLine()
		switch {
		case err == nil:
			c.typing.interrupted = time.Time{}
			c.enter(line)
		case c.over(ctx):
			return
		case errors.Is(err, lineui.ErrInterrupted):
			c.interrupt()
		case errors.Is(err, io.EOF):
			c.quit()
		default:
			c.note(look.Red, err.Error())
			return
		}
	}
}

// interrupt is Ctrl-C: it has cleared what was typed, takes a question back, and leaves
// when there is neither and it is pressed once more.
func (c *Chat) interrupt() {
	again := time.Since(c.typing.interrupted) < twice
	c.typing.interrupted = time.Time{}
	switch {
	case c.typing.question != nil:
		c.forget()
	case !c.term.Began().IsZero():
	case again, c.waiting() > c.typing.warned:
		c.quit()
	default:
		c.typing.interrupted = time.Now()
		c.note(look.Dim, onceMore)
	}
}

// over reports whether the prompt ended because the chat did.
func (c *Chat) over(ctx context.Context) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return ctx.Err() != nil || c.failed != nil
}

// quit leaves, but asks first if lines would be left unsent, each of them once, and if
// others would be left without a server.
func (c *Chat) quit() {
	n, others := c.waiting(), c.o.Others()
	var text string
	if others > c.typing.alone {
		text = "the server ends with this chat, and " + say.Count(others, "other user") + " will wait for it; "
	}
	text += onceMore
	switch {
	case n > c.typing.warned:
		text = say.Count(n, "line") + " not sent yet; " + text + ", and keep what is unsent"
	case others <= c.typing.alone:
		c.typing.quit = true
		return
	}
	c.typing.warned, c.typing.alone, c.typing.interrupted = n, others, time.Now()
	c.note(look.Yellow, text)
}

// waiting counts the lines that will not go out by themselves in the moment that
// leaving takes.
func (c *Chat) waiting() (n int) {
	for _, r := range c.open() {
		online := r.s.Status().State == session.Online
		for _, l := range r.s.Unsent() {
			if !online || time.Since(l.At) > quietTime {
				n++
			}
		}
	}
	return n
}

// enter does what a typed line says.
func (c *Chat) enter(line string) {
	if c.term.Pasted() {
		line = strings.TrimRight(line, "\n") // a copied line brings its end along
	}
	what, name, rest := parse(line)
	if q := c.typing.question; q != nil && what == nothing {
		c.typing.question = nil
		q.do()
		return
	}
	c.forget()
	if what == nothing {
		c.redialIfWaiting()
		return
	}
	c.typing.began = c.term.Began()
	c.remember(line)
	switch what {
	case spoiled:
		c.note(look.Red, "not sent: a command is one line and begins with /; to say this as text, begin it with //; Up brings it back")
	case order:
		do := func() { c.run(name, rest) }
		if c.term.Pasted() {
			c.ask(line, "pasted: Enter runs "+line+", anything else does not", do)
			return
		}
		do()
	case speech:
		c.typing.warned, c.typing.alone = 0, 0 // who talks on does not leave
		do := func() { c.send(rest, c.current().s.Send) }
		if n := strings.Count(rest, "\n") + 1; n > longPaste {
			c.ask(line, fmt.Sprintf("that has %d lines: Enter sends them, anything else does not", n), do)
			return
		}
		do()
	}
}

// ask has an empty line do it.
func (c *Chat) ask(line, text string, do func()) {
	c.typing.question = &question{line, do}
	c.note(look.Yellow, text)
}

// forget takes a question back.
func (c *Chat) forget() {
	if c.typing.question == nil {
		return
	}
	c.typing.question = nil
	c.note(look.Yellow, "not done; Up brings it back")
}

// redialIfWaiting has Enter mean: try now.
func (c *Chat) redialIfWaiting() {
	for _, r := range c.open() {
		if r.s.Status().State == session.Waiting {
			r.s.Redial()
		}
	}
}

// send gives a line to a session, or says why it can't be sent. It is back under the
// arrow keys already.
func (c *Chat) send(text string, send func(...string) (session.ID, error)) {
	_, err := send(text)
	switch bad := (*wire.RefusedError)(nil); {
	case err == nil:
		c.show()
	case errors.As(err, &bad):
		c.note(look.Red, "not sent: "+bad.Message+hint(bad.Code))
	case errors.Is(err, session.ErrOutboxFull):
		c.note(look.Red, "not sent: too many lines wait already; try again when some are through")
	default:
		c.note(look.Red, "not sent: "+c.o.Describe(err))
	}
}
