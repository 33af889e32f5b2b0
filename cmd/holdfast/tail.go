package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/urfave/cli/v2"

	"holdfast/session"
)

func tailCommand() *cli.Command {
	return &cli.Command{
		Name:      "tail",
		Usage:     "print a room's lines as they come",
		UsageText: "holdfast tail --room ROOM --as NAME [--history N|all|none] [--until-live] [--count N] [--json]",
		Description: "Reads nothing from stdin and leaves no trace: each tail begins anew. With --json each\n" +
			"line of output is an object: {\"type\":\"message\",\"room\",\"seq\",\"from\",\"text\",\"at\",\"replayed\"},\n" +
			"with \"kind\":\"action\" for /me; or {\"type\":\"gap\",\"room\",\"lost\",\"reason\"} where lines are missing.",
		Flags: append(clientFlags(), roomFlag(), historyFlag("none"), retryFlag("0s", "never"),
			&cli.BoolFlag{Name: "until-live", Usage: "end when all that was said so far is printed"},
			checkedFlag("count", "end after `N` lines", "", number()),
			&cli.BoolFlag{Name: "json", Usage: "print JSON lines"},
		),
		Action: func(c *cli.Context) error {
			if err := noArgs(c); err != nil {
				return err
			}
			s, closeLog, err := openSession(c, c.String("room"), func(o *session.Options) { o.Fresh, o.Backlog = true, backlog(c) })
			if err != nil {
				return err
			}
			defer closeLog()
			ctx, p := newPatience(c.Context, c.Duration("retry-for"))
			defer p.stop()
			t := &tailer{out: c.App.Writer, teller: teller{stderr: c.App.ErrWriter}, json: c.Bool("json"), untilLive: c.Bool("until-live"), count: c.Int("count")}
			return t.run(ctx, s, p)
		},
	}
}

// tailer prints a session's messages until it has what was asked for.
type tailer struct {
	out io.Writer
	teller
	json      bool
	untilLive bool
	count     int // zero: no end
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
		var err error
		switch e := e.(type) {
		case session.StateChange:
			p.see(e, state)
			t.tell(e, state)
			state = e.State
			if t.untilLive && e.State == session.Online {
				return nil
			}
		case session.Message:
			err = t.message(e)
			printed++
		case session.Gap:
			err = t.gap(s, e)
		}
		if err != nil {
			return fmt.Errorf("write: %w", err)
		}
		if t.count > 0 && printed == t.count {
			return nil
		}
	}
	return nil
}

func (t *tailer) message(m session.Message) error {
	text := strings.Join(said(m, gutter), "\n") + "\n"
	if t.json {
		text = jsonLine(jsonMessage(m))
	}
	_, err := io.WriteString(t.out, text)
	return err
}

func (t *tailer) gap(s *session.Session, g session.Gap) error {
	if t.json {
		_, err := io.WriteString(t.out, jsonLine(gapJSON{"gap", s.Room(), g.Lost, g.Reason}))
		return err
	}
	_, err := fmt.Fprintf(t.stderr, "holdfast: %s\n", sayGap(g))
	return err
}
