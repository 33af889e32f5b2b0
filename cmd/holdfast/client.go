package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strconv"
	"time"

	"github.com/urfave/cli/v2"

	"holdfast/session"
	"holdfast/session/wire"
)

// clientFlags are of all commands that take part in a room.
func clientFlags() []cli.Flag {
	as := checkedFlag("as", "your `NAME`", "", check{test: checkName})
	as.Aliases = []string{"user_name"}
	state := &cli.StringFlag{Category: catSettings, Name: "state", Usage: "keep unsent lines, cursor and identity in `DIR`", DefaultText: "$XDG_STATE_HOME/holdfast"}
	return slices.Concat([]cli.Flag{as, state}, accessFlags(), logFlags())
}

// logFlags say how much is told, and where.
func logFlags() []cli.Flag {
	level := levelFlag()
	level.Category = catTrouble
	return []cli.Flag{
		&cli.BoolFlag{Category: catTrouble, Name: "quiet", Aliases: []string{"q"}, Usage: "say nothing on stderr but why it ends"},
		&cli.StringFlag{Category: catTrouble, Name: "log-file", Usage: "append what happens to `FILE`, never what is said"},
		level,
	}
}

func levelFlag() *cli.GenericFlag {
	return checkedFlag("log-level", "log debug, info, warn or error, and what is worse", "info", oneOf("debug", "info", "warn", "error"))
}

// logLevel is --log-level.
func logLevel(c *cli.Context) (level slog.Level) {
	_ = level.UnmarshalText([]byte(c.String("log-level"))) // checked when it was set
	return level
}

func roomFlag() cli.Flag {
	room := checkedFlag("room", "the `ROOM`, made when first joined", "", check{test: checkName})
	room.Aliases = []string{"chat_room"}
	return room
}

func retryFlag(value, text string) cli.Flag {
	retry := checkedFlag("retry-for", "give up after so `LONG` without the server; 0s is never", value, span)
	retry.DefaultText = text
	return retry
}

func historyFlag(value string) cli.Flag {
	history := checkedFlag("history", "begin with the last `N` lines, all or none", value, number("all", "none"))
	history.Aliases = []string{"n"}
	return history
}

// checkName wants the name of a room or user.
func checkName(text string) error {
	_, err := wire.Name(text)
	return err
}

// backlog is --history as session.Options has it.
func backlog(c *cli.Context) int {
	switch v := c.String("history"); v {
	case "all":
		return -1
	case "none":
		return 0
	default:
		n, _ := strconv.Atoi(v) // checked when it was set
		return n
	}
}

// openSession opens the session that the flags describe, and the log that it writes to.
// Call the function that it returns when the session has ended.
func openSession(c *cli.Context, room string, tune func(*session.Options)) (*session.Session, func(), error) {
	server, o, err := sessionOptions(c, room)
	if err != nil {
		return nil, nil, err
	}
	log, closeLog, err := logTo(c.String("log-file"))
	if err != nil {
		return nil, nil, err
	}
	o.Logger = slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: logLevel(c)}))
	tune(o)
	s, err := session.Open(server, o)
	if err != nil {
		closeLog()
		return nil, nil, openError(err)
	}
	return s, closeLog, nil
}

// sessionOptions are the flags as session.Open has them, but for the log.
func sessionOptions(c *cli.Context, room string) (server string, o *session.Options, err error) {
	name, err := mustName(c)
	if err != nil {
		return "", nil, err
	}
	if room == "" {
		return "", nil, usage("which room? name it")
	}
	a, err := newAccess(c)
	if err != nil {
		return "", nil, err
	}
	dir, err := stateDir(c)
	if err != nil {
		return "", nil, err
	}
	return a.server, &session.Options{
		Room: room, Name: name, Dir: dir, Client: clientName(), Header: a.header, HTTPClient: a.client,
	}, nil
}

// openError tells a malformed option, which is usage, from a slot that can't be used.
func openError(err error) error {
	if errors.Is(err, session.ErrOption) {
		return &exitError{code: exitUsage, err: err}
	}
	return err
}

// teller says on stderr how the link is. One goroutine may use it.
type teller struct {
	stderr io.Writer
	since  time.Time // when the connection was lost
}

// tell says on stderr when the link is lost and when it is back.
func (t *teller) tell(e session.StateChange, was session.State) {
	switch {
	case e.State == session.Waiting && e.Attempt == 1 && was != session.Waiting:
		fmt.Fprintf(t.stderr, "holdfast: %s; trying again\n", cleaned(describe(e.Err)))
	case e.State == session.Online && !t.since.IsZero():
		fmt.Fprintf(t.stderr, "holdfast: connected after %s\n", ago(time.Since(t.since)))
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
		fmt.Fprintf(t.stderr, "holdfast: %s; lines are kept and tried again\n", heldText)
	}
}

// heldText says what retry with the code storage means.
const heldText = "the server can't store lines just now: its disk may be full"
