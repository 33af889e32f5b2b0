package main

import (
	"context"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"holdfast/cmd/holdfast/internal/ask"
	"holdfast/cmd/holdfast/internal/jsonl"
)

func historyCommand() *cli.Command {
	lines := checkedFlag("lines", "the newest `N` of them, or all", "50", number("all"))
	lines.Aliases = []string{"n"}
	return &cli.Command{
		Name:      "history",
		Usage:     "print what was said in a room",
		UsageText: "holdfast history ROOM [--lines N|all] [--before SEQ] [--since 1h] [--json]",
		Description: "Asks without joining: nobody is told. Oldest first. With --since it prints all that is\n" +
			"not older, unless --lines says how many.",
		Flags: slices.Concat(readFlags(), lookFlags("2006-01-02 15:04"), []cli.Flag{
			roomFlag(), lines, sinceFlag(),
			checkedFlag("before", "only what stands before line `SEQ`, as --json numbers them", "", number()),
		}),
		Action: asking(runHistory),
	}
}

func runHistory(ctx context.Context, c *cli.Context, a *ask.Client) error {
	room, err := oneRoom(c)
	if err != nil {
		return err
	}
	if room == "" {
		return usage("which room? name it with --room, or as the argument")
	}
	most, from := math.MaxInt, since(c)
	if n, err := strconv.Atoi(c.String("lines")); err == nil && (from.IsZero() || c.IsSet("lines")) {
		most = n
	}
	before, _ := strconv.ParseUint(c.String("before"), 10, 64) // checked when it was set
	lines, err := linesBefore(ctx, a, room, before, most, from)
	if err != nil {
		return err
	}
	l := newLook(c, c.App.Writer)
	for _, line := range lines {
		m := messageOf(room, line)
		text := strings.Join(shown(l, m), "\n") + "\n"
		if c.Bool("json") {
			text = jsonl.Line(messageRecord(m))
		}
		if err := wrote(io.WriteString(c.App.Writer, text)); err != nil {
			return err
		}
	}
	return nil
}

// linesBefore reads page after page, back from before, until it has as many as most or
// the next one is older than from. It returns them oldest first.
func linesBefore(ctx context.Context, a *ask.Client, room string, before uint64, most int, from time.Time) ([]ask.Line, error) {
	var pages [][]ask.Line
	for got, end := 0, false; !end && got < most; {
		page, last, err := a.Lines(ctx, room, before, min(most-got, ask.MaxPage))
		if err != nil {
			return nil, err
		}
		young := slices.IndexFunc(page, func(l ask.Line) bool { return !l.At.Before(from) })
		if young < 0 {
			young = len(page)
		}
		end = last || young > 0 || len(page) == 0
		if len(page) > 0 {
			before = page[0].Seq
		}
		pages = append(pages, page[young:])
		got += len(page) - young
	}
	slices.Reverse(pages)
	return slices.Concat(pages...), nil
}
