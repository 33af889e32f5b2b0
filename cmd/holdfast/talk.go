package main

import (
	"fmt"
	"io"
	"time"

	"github.com/urfave/cli/v2"

	"holdfast/cmd/holdfast/internal/say"
	"holdfast/session"
)

// teller says on stderr how the link is. One goroutine may use it.
type teller struct {
	stderr io.Writer // of errors too
	quiet  bool      // the link is not talked about
	since  time.Time // when the connection was lost
}

func newTeller(c *cli.Context) teller {
	return teller{stderr: c.App.ErrWriter, quiet: c.Bool("quiet")}
}

// tell says on stderr when the link is lost and when it is back.
func (t *teller) tell(e session.StateChange, was session.State) {
	switch {
	case e.State == session.Waiting && e.Attempt == 1 && was != session.Waiting:
		t.say("%s; trying again", describe(e.Err))
	case e.State == session.Online && !t.since.IsZero():
		t.say("connected after %s", say.Ago(time.Since(t.since)))
	}
	switch e.State {
	case session.Waiting:
		if t.since.IsZero() {
			t.since = time.Now()
		}
	case session.Online:
		t.since = time.Time{}
	}
}

// held says on stderr that the server does not take lines.
func (t *teller) held(e session.Held) {
	if e.Code != "" {
		t.say("%s; lines are kept and tried again", say.HeldText)
	}
}

func (t *teller) say(format string, args ...any) {
	if !t.quiet {
		fmt.Fprintln(t.stderr, "holdfast: "+say.Clean(fmt.Sprintf(format, args...)))
	}
}
