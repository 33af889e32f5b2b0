package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"holdfast/cmd/holdfast/internal/ask"
	"holdfast/cmd/holdfast/internal/jsonl"
	"holdfast/cmd/holdfast/internal/say"
)

// readFlags are of the commands that ask once and need not be anybody.
func readFlags() []cli.Flag {
	timeout := checkedFlag("timeout", "wait no longer than `TIME` for an answer", "10s", someSpan)
	timeout.Category = catServer
	return append(accessFlags(), timeout, jsonFlag())
}

func whoCommand() *cli.Command {
	return &cli.Command{
		Name:      "who",
		Usage:     "print who is in a room, or in all",
		UsageText: "holdfast who [ROOM] [--json]",
		Description: "Asks without joining: nobody is told. With a room it prints a name a line, and after a\n" +
			"tab why somebody is away; without one, a line for each room that somebody is in.",
		Flags:  append(readFlags(), roomFlag()),
		Action: asking(runWho),
	}
}

func roomsCommand() *cli.Command {
	return &cli.Command{
		Name:        "rooms",
		Usage:       "print the rooms that somebody is in",
		UsageText:   "holdfast rooms [--json]",
		Description: "Prints a room a line, and after a tab how many are in it.",
		Flags:       readFlags(),
		Action: asking(func(ctx context.Context, c *cli.Context, a *ask.Client) error {
			if err := noArgs(c); err != nil {
				return err
			}
			rooms, err := roomsThere(ctx, c, a)
			if err != nil {
				return err
			}
			for _, r := range rooms {
				text := fmt.Sprintf("%s\t%s\n", say.Clean(r.Room), say.Count(r.Members, "member"))
				if c.Bool("json") {
					text = jsonl.Line(jsonl.Room{Room: r.Room, Members: r.Members})
				}
				if err := wrote(io.WriteString(c.App.Writer, text)); err != nil {
					return err
				}
			}
			return nil
		}),
	}
}

// asking is the action of a command that asks the server.
func asking(do func(context.Context, *cli.Context, *ask.Client) error) cli.ActionFunc {
	return func(c *cli.Context) error {
		a, err := newAccess(c)
		if err != nil {
			return err
		}
		a.client.Timeout = c.Duration("timeout") // of each question
		return askError(c, do(c.Context, c, &ask.Client{Server: a.server, HTTP: a.client, Header: a.header}))
	}
}

// askError gives an error of ask's its exit code and what to try.
func askError(c *cli.Context, err error) error {
	var coded *exitError
	var out *writeError
	var said *ask.Error
	switch {
	case err == nil, errors.As(err, &coded), errors.As(err, &out):
		return err
	case c.Context.Err() != nil:
		return context.Cause(c.Context)
	case errors.Is(err, ask.ErrNoAnswer):
		return &exitError{code: exitRefused, err: err, try: "`holdfast check` says what is there"}
	case errors.As(err, &said):
		return saidNo(said)
	}
	why := rootCause(err)
	if errors.Is(err, context.DeadlineExceeded) {
		why = fmt.Sprintf("no answer within %s", c.Duration("timeout"))
	}
	return &exitError{code: exitUnreachable, err: errors.New("can't reach the server: " + why), try: seeCheck}
}

// saidNo is the error of an answer that the server meant.
func saidNo(e *ask.Error) error {
	switch {
	case e.Status == http.StatusNotFound:
		return &exitError{code: exitFailure, err: e}
	case e.Status == http.StatusUnauthorized:
		return &exitError{code: exitRefused, err: fmt.Errorf("the server refused: %w", e), try: "show an access token with --token-file"}
	case e.Status >= 500:
		return &exitError{code: exitUnreachable, err: e, try: "try again in a while"}
	}
	return &exitError{code: exitRefused, err: fmt.Errorf("the server refused: %w", e)}
}

// roomsThere asks for the rooms that somebody is in, and says on stderr if there are
// none: no output at all looks like a fault.
func roomsThere(ctx context.Context, c *cli.Context, a *ask.Client) ([]ask.Room, error) {
	rooms, err := a.Rooms(ctx)
	if err == nil && len(rooms) == 0 {
		fmt.Fprintln(c.App.ErrWriter, "holdfast: nobody is in any room")
	}
	return rooms, err
}

func runWho(ctx context.Context, c *cli.Context, a *ask.Client) error {
	room, err := oneRoom(c)
	if err != nil {
		return err
	}
	if room != "" {
		members, err := a.Members(ctx, room)
		if err != nil {
			return err
		}
		return printMembers(c, room, members, false)
	}
	rooms, err := roomsThere(ctx, c, a)
	if err != nil {
		return err
	}
	for _, r := range rooms {
		members, err := a.Members(ctx, r.Room)
		if err != nil {
			return err
		}
		if err := printMembers(c, r.Room, members, true); err != nil {
			return err
		}
	}
	return nil
}

// printMembers prints a member a line, or with inLine all in one after the room.
func printMembers(c *cli.Context, room string, members []ask.Member, inLine bool) error {
	slices.SortFunc(members, func(a, b ask.Member) int { return strings.Compare(a.Name, b.Name) })
	var b strings.Builder
	var names []string
	for _, m := range members {
		name, away := say.Clean(m.Name), ""
		if m.Away != "" {
			away = say.Clean(say.Away(m.Away))
		}
		switch {
		case c.Bool("json"):
			b.WriteString(jsonl.Line(jsonl.Member{Room: room, Name: m.Name, Away: m.Away}))
		case inLine && away != "":
			names = append(names, name+" ("+away+")")
		case inLine:
			names = append(names, name)
		default:
			b.WriteString(strings.TrimSuffix(name+"\t"+away, "\t") + "\n")
		}
	}
	if len(names) > 0 {
		b.WriteString(say.Clean(room) + ": " + strings.Join(names, ", ") + "\n")
	}
	return wrote(io.WriteString(c.App.Writer, b.String()))
}
