package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// run is main without the process: arguments in, exit code out.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	app := newApp(stdin, stdout, stderr)
	ctx, stop := withSignals(ctx)
	defer stop()
	return report(stderr, app.RunContext(ctx, permute(app, args)))
}

// newApp declares the commands. urfave/cli is kept to parsing and help: it must not
// exit, print errors or guess.
func newApp(stdin io.Reader, stdout, stderr io.Writer) *cli.App {
	app := &cli.App{
		Name:                      "holdfast",
		Usage:                     "chat that holds fast on bad networks",
		Reader:                    stdin,
		Writer:                    stdout,
		ErrWriter:                 stderr,
		DisableSliceFlagSeparator: true, // commas are text
		HideVersion:               true, // its flag would take -v
		Flags:                     []cli.Flag{&cli.BoolFlag{Name: "version", Usage: "print versions"}, cli.HelpFlag},
		ExitErrHandler:            func(*cli.Context, error) {}, // main exits, nobody else
		Commands: []*cli.Command{
			joinCommand(), sendCommand(), tailCommand(), whoCommand(), roomsCommand(), historyCommand(), checkCommand(), serveCommand(),
			completionCommand(), completeCommand(), manCommand(), versionCommand(), helpCommand(),
		},
		Action: func(c *cli.Context) error {
			if name := c.Args().First(); name != "" {
				return usage("no command %q%s; `holdfast help` lists them", name, meant("", name, commandNames(c.App)))
			}
			if c.Bool("version") {
				return printVersion(c)
			}
			_, err := io.WriteString(c.App.Writer, appHelp(c.App))
			return err
		},
	}
	app.OnUsageError = onUsage
	app.CustomAppHelpTemplate = appHelp(app)
	for _, c := range app.Commands {
		c.HideHelpCommand = true // else `send help` prints help and sends nothing
		c.OnUsageError = onUsage
		c.Before = settle
		c.Action = asJSON(c.Action)
		slices.SortStableFunc(c.Flags, func(a, b cli.Flag) int { return strings.Compare(a.Names()[0], b.Names()[0]) })
		c.CustomHelpTemplate = commandHelp(c)
	}
	return app
}

// helpFlag is --help. The library has one flag for all apps and writes to it when it
// parses: two runs in one process, as in tests, would race for it.
type helpFlag struct{ *cli.BoolFlag }

func init() {
	cli.HelpFlag = helpFlag{&cli.BoolFlag{Name: "help", Aliases: []string{"h"}, Usage: "show help", DisableDefaultText: true}}
}

// Apply implements cli.Flag.
func (f helpFlag) Apply(set *flag.FlagSet) error {
	own := *f.BoolFlag
	return own.Apply(set)
}

// permute moves flags in front of arguments, where urfave/cli demands them: it takes
// a flag after the first argument for an argument, and says nothing.
func permute(app *cli.App, args []string) []string {
	i := 1
	for i < len(args) && strings.HasPrefix(args[i], "-") {
		i++
	}
	if i >= len(args) || app.Command(args[i]) == nil {
		return args
	}
	var flags, rest []string
	cmd := app.Command(args[i])
	for j := i + 1; j < len(args); j++ {
		a := args[j]
		if a == "--" {
			rest = append(rest, args[j+1:]...)
			break
		}
		if len(a) < 2 || a[0] != '-' {
			rest = append(rest, a)
			continue
		}
		flags = append(flags, a)
		if takesValue(cmd, a) {
			j++
			if j == len(args) || args[j] == "--" || isFlag(cmd, args[j]) {
				return append(slices.Clone(args[:i+1]), flags...) // last, it is found to have no value
			}
			flags = append(flags, args[j])
		}
	}
	out := append(slices.Clone(args[:i+1]), flags...)
	if len(rest) > 0 {
		out = append(append(out, "--"), rest...)
	}
	return out
}

func takesValue(cmd *cli.Command, arg string) bool {
	name := strings.TrimLeft(arg, "-")
	if strings.Contains(name, "=") {
		return false
	}
	d, ok := findFlag(cmd.Flags, name).(cli.DocGenerationFlag)
	return ok && d.TakesValue()
}

// isFlag reports whether arg is a flag of the command, rather than a value that begins
// with a dash, as a negative number.
func isFlag(cmd *cli.Command, arg string) bool {
	name, _, _ := strings.Cut(strings.TrimLeft(arg, "-"), "=")
	return strings.HasPrefix(arg, "-") && (findFlag(cmd.Flags, name) != nil || slices.Contains(cli.HelpFlag.Names(), name))
}

// commandNames are the commands that help lists.
func commandNames(app *cli.App) (names []string) {
	for _, c := range app.VisibleCommands() {
		names = append(names, c.Name)
	}
	return names
}

// noArgs is the check of commands that take none.
func noArgs(c *cli.Context) error {
	if c.Args().Present() {
		return usage("%s takes no argument %q", c.Command.Name, c.Args().First())
	}
	return nil
}

var errNoName = errors.New("who are you? name yourself with --as NAME")

func mustName(c *cli.Context) (string, error) {
	if name := c.String("as"); name != "" {
		return name, nil
	}
	return "", &exitError{code: exitUsage, err: errNoName}
}

// logTo opens the log of a client: a file, or nothing, since stderr is for talk.
func logTo(path string) (io.Writer, func(), error) {
	if path == "" {
		return io.Discard, func() {}, nil
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, nil, fmt.Errorf("open log: %w", err)
	}
	return f, func() { _ = f.Close() }, nil
}
