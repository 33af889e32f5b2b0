package main

import (
	"errors"
	"log/slog"
	"slices"
	"strconv"
	"strings"
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
		&cli.BoolFlag{Category: catTrouble, Name: "quiet", Aliases: []string{"q"}, Usage: "don't tell on stderr how the link is"},
		&cli.StringFlag{Category: catTrouble, Name: "log-file", Usage: "append what happens to `FILE`, never what is said"},
		level,
	}
}

func levelFlag() *cli.GenericFlag {
	return checkedFlag("log-level", "log from `LEVEL` on: debug, info, warn or error", "info", oneOf("debug", "info", "warn", "error"))
}

// logLevel is --log-level.
func logLevel(c *cli.Context) (level slog.Level) {
	_ = level.UnmarshalText([]byte(c.String("log-level"))) // checked when it was set
	return level
}

func jsonFlag() cli.Flag {
	return &cli.BoolFlag{Name: "json", Usage: "print JSON, an object a line; `holdfast help json` documents them"}
}

func sinceFlag() cli.Flag {
	return checkedFlag("since", "no lines older than `TIME`, like 1h", "", someSpan)
}

// since is the instant that --since means, zero if none.
func since(c *cli.Context) time.Time {
	d := c.Duration("since")
	if d == 0 {
		return time.Time{}
	}
	return time.Now().Add(-d)
}

func roomFlag() cli.Flag {
	room := checkedFlag("room", "the `ROOM`", "", check{test: checkName})
	room.Aliases = []string{"chat_room"}
	return room
}

func retryFlag(value, text string) cli.Flag {
	retry := checkedFlag("retry-for", "give up after `TIME` without the server; 0s is never", value, span)
	retry.DefaultText = text
	return retry
}

func historyFlag(value string) cli.Flag {
	history := checkedFlag("history", "begin with the last `N` lines, all or none", value, number("all", "none"))
	history.Aliases = []string{"n"}
	return history
}

// checkName wants the name of a room or user. Whoever complains says which.
func checkName(text string) error {
	if _, err := wire.Name(text); err != nil {
		return errors.New(err.Error()[strings.LastIndex(err.Error(), `" `)+2:])
	}
	return nil
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
	server, o, closeLog, err := sessionOptions(c, room)
	if err != nil {
		return nil, nil, err
	}
	tune(o)
	s, err := session.Open(server, o)
	if err != nil {
		closeLog()
		return nil, nil, openError(err)
	}
	return s, closeLog, nil
}

// openClient is openSession for several rooms, of which one is joined.
func openClient(c *cli.Context, room string, tune func(*session.Options)) (*session.Client, *session.Session, func(), error) {
	server, o, closeLog, err := sessionOptions(c, room)
	if err != nil {
		return nil, nil, nil, err
	}
	tune(o)
	client, err := session.NewClient(server, o)
	if err != nil {
		closeLog()
		return nil, nil, nil, openError(err)
	}
	s, err := client.Join(room)
	if err != nil {
		err = errors.Join(openError(err), client.Close())
		closeLog()
		return nil, nil, nil, err
	}
	return client, s, closeLog, nil
}

// oneRoom is the room that the argument or --room names; empty if none does.
func oneRoom(c *cli.Context) (string, error) {
	room := c.String("room")
	if c.Args().Len() > 1 || c.Args().Present() && room != "" && room != c.Args().First() {
		return "", usage("%s takes one room", c.Command.Name)
	}
	if !c.Args().Present() {
		return room, nil
	}
	if err := checkName(c.Args().First()); err != nil {
		return "", usage("room %q: %w", c.Args().First(), err)
	}
	return c.Args().First(), nil
}

// sessionOptions are the flags as session.Open has them, with the log that they name, which
// is to be closed.
func sessionOptions(c *cli.Context, room string) (server string, o *session.Options, closeLog func(), err error) {
	name, err := mustName(c)
	if err != nil {
		return "", nil, nil, err
	}
	if room == "" {
		return "", nil, nil, usage("which room? name it with --room")
	}
	a, err := newAccess(c)
	if err != nil {
		return "", nil, nil, err
	}
	dir, err := stateDir(c)
	if err != nil {
		return "", nil, nil, err
	}
	log, closeLog, err := logTo(c.String("log-file"))
	if err != nil {
		return "", nil, nil, err
	}
	return a.server, &session.Options{
		Room: room, Name: name, Dir: dir, Client: clientName(), Header: a.header, HTTPClient: a.client,
		Logger: slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: logLevel(c)})),
	}, closeLog, nil
}

// openError tells a malformed option, which is usage, from a slot that can't be used.
func openError(err error) error {
	if errors.Is(err, session.ErrOption) {
		return &exitError{code: exitUsage, err: err}
	}
	return err
}
