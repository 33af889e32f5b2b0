package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/urfave/cli/v2"
)

func manCommand() *cli.Command {
	return &cli.Command{
		Name:        "man",
		Usage:       "print the man page",
		UsageText:   "holdfast man",
		Description: "Prints roff, made from the same tables as help.",
		Action: func(c *cli.Context) error {
			if err := noArgs(c); err != nil {
				return err
			}
			_, err := io.WriteString(c.App.Writer, manPage(c.App))
			return err
		},
	}
}

// manPage is the page of section 1. urfave/cli could make one, without groups, examples
// or anything but flags.
func manPage(app *cli.App) string {
	var b strings.Builder
	fmt.Fprintf(&b, ".TH HOLDFAST 1 \"\" \"holdfast %s\" \"User Commands\"\n", roff(version()))
	fmt.Fprintf(&b, ".SH NAME\nholdfast \\- %s\n", roff(app.Usage))
	b.WriteString(".SH SYNOPSIS\n.B holdfast\n.I COMMAND\n[\\fIARGUMENTS\\fR] [\\fIFLAGS\\fR]\n")
	fmt.Fprintf(&b, ".SH DESCRIPTION\n%s\n", roff(about))
	b.WriteString(".PP\nstdout has data, stderr has talk. Flags may stand before and after arguments; what follows \\-\\- is an argument.\n.SH COMMANDS\n")
	for _, c := range app.VisibleCommands() {
		fmt.Fprintf(&b, ".SS %s\n%s.\n.PP\n.B %s\n", roff(c.Name), roff(sentence(c.Usage)), roff(c.UsageText))
		if c.Description != "" {
			fmt.Fprintf(&b, ".PP\n%s\n", roff(c.Description))
		}
		for _, g := range groups(c) {
			fmt.Fprintf(&b, ".PP\n%s:\n", roff(g.title))
			for _, f := range g.flags {
				fmt.Fprintf(&b, ".TP\n.B %s\n%s\n", roff(f.head()), roff(f.manText()))
			}
		}
		b.WriteString(".PP\nExamples:\n" + preformatted(strings.Join(examples[c.Name], "\n")))
	}
	b.WriteString(".SH CONFIGURATION\n" + preformatted(strings.TrimSuffix(configTopic(), "\n")))
	b.WriteString(".SH JSON\n" + preformatted(strings.TrimSuffix(jsonTopic(), "\n")))
	b.WriteString(".SH ENVIRONMENT\nEach flag is also a variable: \\-\\-retry\\-for is HOLDFAST_RETRY_FOR. Besides:\n")
	for _, v := range [][2]string{
		{"HOLDFAST_TOKEN", "the access token, where no --token-file says another"},
		{"NO_COLOR", "if not empty, no colours, unless --color says so"},
		{"CLICOLOR_FORCE", "if not empty and not 0, colours, also where there is no terminal"},
		{"HTTP_PROXY, HTTPS_PROXY, NO_PROXY", "the proxies on the way to ws:// and wss:// servers"},
		{"XDG_CONFIG_HOME, XDG_STATE_HOME, XDG_DATA_HOME", "where settings, the client's state and the server's data are"},
	} {
		fmt.Fprintf(&b, ".TP\n.B %s\n%s\n", roff(v[0]), roff(v[1]))
	}
	b.WriteString(".SH EXIT STATUS\n")
	for _, e := range exitCodes {
		fmt.Fprintf(&b, ".TP\n.B %s\n%s\n", roff(e.code), roff(e.means))
	}
	return b.String()
}

func (d flagDoc) manText() string {
	if d.preset == "" {
		return sentence(d.about) + "."
	}
	return sentence(d.about) + ". Default: " + d.preset + "."
}

func sentence(text string) string { return strings.ToUpper(text[:1]) + text[1:] }

func preformatted(text string) string { return ".nf\n" + roff(text) + "\n.fi\n" }

// roff escapes text: what is special, and a dot or quote that would begin a request.
func roff(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(text)
	lines := strings.Split(text, "\n")
	for i, l := range lines {
		if strings.HasPrefix(l, ".") || strings.HasPrefix(l, "'") {
			lines[i] = `\&` + l
		}
	}
	return strings.Join(lines, "\n")
}
