package main

import (
	"errors"
	"os"
	"runtime"
	"time"

	"github.com/urfave/cli/v2"

	"holdfast/cmd/holdfast/internal/look"
)

// lookFlags say how output is shown, of commands that show lines to people. Without
// --time-format times have the given layout, or are not shown if it is none.
func lookFlags(layout string) []cli.Flag {
	return []cli.Flag{
		checkedFlag("color", "colours `WHEN`: auto (in a terminal), always or never", "auto", oneOf("auto", "always", "never")),
		checkedFlag("time-format", "show times as `LAYOUT`: how you write 2 January 2006 15:04:05; or none", layout, check{test: checkLayout, words: []string{"none"}}),
		&cli.BoolFlag{Name: "utc", Usage: "times in UTC, not of here"},
	}
}

// newLook is the look that the flags ask for, of what is written to out.
func newLook(c *cli.Context, out any) look.Look {
	l := look.Look{Color: wantsColor(c.String("color"), out), Layout: c.String("time-format"), Zone: time.Local}
	if l.Layout == "none" {
		l.Layout = ""
	}
	if c.Bool("utc") {
		l.Zone = time.UTC
	}
	return l
}

// wantsColor decides by --color, NO_COLOR (no-color.org), CLICOLOR_FORCE and what
// out is, in this order.
func wantsColor(flag string, out any) bool {
	switch {
	case flag == "always":
		return true
	case flag == "never", os.Getenv("NO_COLOR") != "":
		return false
	case os.Getenv("CLICOLOR_FORCE") != "" && os.Getenv("CLICOLOR_FORCE") != "0":
		return true
	case runtime.GOOS == "windows" && os.Getenv("WT_SESSION") == "":
		return false // the old console shows escape sequences as they are
	}
	return isTerminal(out) && os.Getenv("TERM") != "dumb"
}

// checkLayout wants a layout that tells times apart.
func checkLayout(layout string) error {
	if layout == "none" {
		return nil
	}
	a := time.Date(2001, 2, 3, 4, 5, 6, 0, time.UTC)
	b := time.Date(2022, 11, 20, 21, 37, 48, 0, time.UTC)
	if a.Format(layout) == b.Format(layout) {
		return errors.New("want none, or how you write 2 January 2006 15:04:05, like 15:04 or 2006-01-02 15:04")
	}
	return nil
}
