package main

import (
	"cmp"
	"fmt"
	"io"
	"time"

	"github.com/urfave/cli/v2"

	"holdfast/cmd/holdfast/internal/jsonl"
	"holdfast/cmd/holdfast/internal/probe"
	"holdfast/cmd/holdfast/internal/say"
	"holdfast/transport"
)

func checkCommand() *cli.Command {
	return &cli.Command{
		Name:      "check",
		Usage:     "walk the way to the server and say where it ends",
		UsageText: "holdfast check [--server URL] [--json]",
		Description: "Finds the address, connects, looks at the certificate, asks for the upgrade and pings, as\n" +
			"a chat does, and prints a line for each step with its time. Joins nothing and claims no\n" +
			"name. Exits with 3 if the server refuses, with 4 if there is no way to it.",
		Flags:  readFlags(),
		Action: runCheck,
	}
}

func runCheck(c *cli.Context) error {
	if err := noArgs(c); err != nil {
		return err
	}
	a, err := newAccess(c)
	if err != nil {
		return err
	}
	o := &probe.Options{
		Server: a.server, Room: "check", User: "check", HTTPClient: a.client, Header: a.header,
		Token: a.token, Timeout: c.Duration("timeout"),
	}
	var wrong error // what was printed could not be written
	var last probe.Step
	err = probe.Run(c.Context, o, func(s probe.Step) {
		last = s
		_, err := io.WriteString(c.App.Writer, stepLine(s, c.Bool("json")))
		wrong = cmp.Or(wrong, err)
	})
	switch {
	case err == nil:
		return wrong
	case c.Context.Err() != nil || last.Err == nil:
		return err
	}
	code := exitUnreachable
	if !transport.Retryable(err) {
		code = exitRefused
	}
	return &exitError{code: code, err: fmt.Errorf("%s: %s", last.Name, last.Detail), try: last.Try}
}

// stepLine is a step as it is printed: whether it went well, which one, how long it
// took and what was found.
func stepLine(s probe.Step, asJSON bool) string {
	if asJSON {
		return jsonl.Line(jsonl.Step{Step: s.Name, OK: s.Err == nil, MS: float64(s.Took.Microseconds()) / 1000, Detail: s.Detail, Try: s.Try})
	}
	mark := "ok  "
	if s.Err != nil {
		mark = "FAIL"
	}
	return fmt.Sprintf("%s %-8s %8s  %s\n", mark, s.Name, millis(s.Took), say.Clean(s.Detail))
}

func millis(d time.Duration) string {
	return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1000)
}
