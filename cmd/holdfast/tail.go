package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"holdfast/cmd/holdfast/internal/jsonl"
	"holdfast/cmd/holdfast/internal/look"
	"holdfast/cmd/holdfast/internal/say"
	"holdfast/session"
)

func tailCommand() *cli.Command {
	return &cli.Command{
		Name:      "tail",
		Usage:     "print a room's lines as they come",
		UsageText: "holdfast tail ROOM --as NAME [--history N|all|none] [--until-live] [--json]",
		Description: "Reads nothing from stdin and leaves no trace: each tail begins anew, with --history, or\n" +
			"with all that is not older than --since. stdout has the lines and nothing else.",
		Flags: slices.Concat(clientFlags(), lookFlags("none"), []cli.Flag{
			roomFlag(), historyFlag("none"), sinceFlag(), retryFlag("0s", "never"), jsonFlag(),
			&cli.BoolFlag{Name: "until-live", Usage: "end when all that was said so far is printed"},
			&cli.BoolFlag{Name: "events", Usage: "with --json also print presence, state and held"},
			checkedFlag("count", "end after `N` lines", "", number()),
		}),
		Action: runTail,
	}
}

func runTail(c *cli.Context) error {
	room, err := oneRoom(c)
	if err != nil {
		return err
	}
	if c.Bool("events") && !c.Bool("json") {
		return usage("--events is for --json")
	}
	t := &tailer{
		out: c.App.Writer, look: newLook(c, c.App.Writer), teller: newTeller(c),
		json: c.Bool("json"), events: c.Bool("events"), untilLive: c.Bool("until-live"), count: c.Int("count"), since: since(c),
	}
	s, closeLog, err := openSession(c, room, func(o *session.Options) {
		o.Fresh, o.Backlog = true, backlog(c)
		if !t.since.IsZero() && !c.IsSet("history") {
			o.Backlog = -1 // only their times tell which of them
		}
	})
	if err != nil {
		return err
	}
	defer closeLog()
	ctx, p := newPatience(c.Context, c.Duration("retry-for"))
	defer p.stop()
	return t.run(ctx, s, p)
}

// tailer prints a session's messages until it has what was asked for.
type tailer struct {
	teller
	out       io.Writer
	look      look.Look
	json      bool
	events    bool // with json: all events
	untilLive bool
	count     int       // zero: no end
	since     time.Time // older lines are not printed
}

func (t *tailer) run(ctx context.Context, s *session.Session, p *patience) error {
	stop := context.AfterFunc(ctx, func() { _ = s.Close() })
	defer stop()
	err := t.print(s, p)
	closed := s.Close()
	switch {
	case err != nil:
		return err
	case context.Cause(ctx) != nil:
		return context.Cause(ctx)
	case s.Err() != nil && !errors.Is(s.Err(), session.ErrClosed):
		return s.Err()
	}
	if errors.Is(closed, session.ErrUnsent) {
		return nil // lines of another process, which this one was not asked to send
	}
	return closed
}

func (t *tailer) print(s *session.Session, p *patience) error {
	printed := 0
	var state session.State
	for e := range s.Events() {
		if m, ok := e.(session.Message); ok {
			if m.At.Before(t.since) {
				continue
			}
			printed++
		}
		if err := t.event(s.Room(), e); err != nil {
			return err
		}
		if e, ok := e.(session.StateChange); ok {
			p.see(e, state)
			t.tell(e, state)
			state = e.State
			if t.untilLive && e.State == session.Online {
				return nil
			}
		}
		if t.count > 0 && printed == t.count {
			return nil
		}
	}
	return nil
}

// event prints an event, if it is one to be printed.
func (t *tailer) event(room string, e session.Event) error {
	_, isGap := e.(session.Gap)
	m, isMessage := e.(session.Message)
	text := ""
	switch {
	case t.json && (isMessage || isGap || t.events):
		if record := recordOf(room, e); record != nil {
			text = jsonl.Line(record)
		}
	case isMessage && !t.json:
		text = strings.Join(shown(t.look, m), "\n") + "\n"
	case isGap && !t.json:
		fmt.Fprintf(t.stderr, "holdfast: %s\n", say.Gap(e.(session.Gap)))
		return nil
	}
	if text == "" {
		return nil
	}
	return wrote(io.WriteString(t.out, text))
}

// shown is a message as people read it.
func shown(l look.Look, m session.Message) []string {
	lines := say.Message(m)
	name := say.Clean(m.From)
	lines[0] = l.Time(m.At) + strings.Replace(lines[0], name, l.Name(name), 1)
	return lines
}
