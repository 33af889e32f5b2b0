package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"holdfast/cmd/holdfast/internal/jsonl"
)

const about = `What you type is kept on disk until the server has it on disk, and what was
said while you were away comes back in order: once, never twice.`

// examples are those of each command's help and of the man page.
var examples = map[string][]string{
	"join": {
		"holdfast join general --as ana --host              # chat at once, and run the server",
		"holdfast join general --as bob --server wss://chat.example",
	},
	"send": {
		"holdfast send --room general --as ana see you at eight",
		"dmesg | holdfast send --room logs --as $(hostname) --retry-for 0s",
		"holdfast send --room general --as ana --to bob between us two",
		"holdfast send --room notes --as ana --whole < note.txt",
	},
	"tail": {
		"holdfast tail logs --as reader --since 1h --until-live",
		"holdfast tail logs --as reader --json | jq -r 'select(.type == \"message\") | .text'",
	},
	"who":     {"holdfast who general", "holdfast who --json"},
	"rooms":   {"holdfast rooms --server wss://chat.example"},
	"history": {"holdfast history general -n 20", "holdfast history general --since 24h --json"},
	"check":   {"holdfast check --server wss://chat.example", "holdfast check --profile work"},
	"serve":   {"holdfast serve --listen 0.0.0.0:8080 --data /var/lib/holdfast --history-age 720h"},
	"completion": {
		"source <(holdfast completion bash)                 # in ~/.bashrc",
		"source <(holdfast completion zsh)                  # in ~/.zshrc, after compinit",
		"holdfast completion fish > ~/.config/fish/completions/holdfast.fish",
	},
	"man":     {"holdfast man | man -l -", "holdfast man > ~/.local/share/man/man1/holdfast.1"},
	"version": {"holdfast version --json"},
	"help":    {"holdfast help tail", "holdfast help json"},
}

// topics are what help knows besides commands.
var topics = map[string]func() string{"config": configTopic, "json": jsonTopic}

func helpCommand() *cli.Command {
	return &cli.Command{
		Name:      "help",
		Usage:     "explain a COMMAND, config or json",
		UsageText: "holdfast help [COMMAND|config|json]",
		Action: func(c *cli.Context) error {
			text := appHelp(c.App)
			if name := c.Args().First(); name != "" {
				topic, command := topics[name], c.App.Command(name)
				switch {
				case topic != nil:
					text = topic()
				case command != nil:
					text = commandHelp(command)
				default:
					return usage("no help about %q%s; `holdfast help` lists the commands", name, meant("", name, helpWords(c.App)))
				}
			}
			_, err := io.WriteString(c.App.Writer, text)
			return err
		},
	}
}

// helpWords are what help can be asked about.
func helpWords(app *cli.App) []string { return append(commandNames(app), "config", "json") }

// appHelp fits a screen of 80 columns and 24 rows.
func appHelp(app *cli.App) string {
	var b strings.Builder
	fmt.Fprintf(&b, "holdfast: %s\n\n%s\n\n", app.Usage, about)
	for _, c := range app.VisibleCommands() {
		fmt.Fprintf(&b, "  %-11s %s\n", c.Name, c.Usage)
	}
	b.WriteString("\n`holdfast help COMMAND` has flags and examples. Each flag is also a variable,\n" +
		"as --retry-for is HOLDFAST_RETRY_FOR, and a line of a file: see help config.\n")
	text := "Exit codes:"
	for i, e := range exitCodes {
		text += " " + e.code + " " + e.short
		if i < len(exitCodes)-1 {
			text += ","
		}
	}
	return b.String() + wrapped(text, 0, 0) + "\n"
}

// commandHelp is what a command's --help prints.
func commandHelp(c *cli.Command) string {
	var b strings.Builder
	fmt.Fprintf(&b, "holdfast %s: %s\n\nUsage: %s\n", c.Name, c.Usage, c.UsageText)
	if c.Description != "" {
		b.WriteString("\n" + wrapped(c.Description, 0, 0) + "\n")
	}
	b.WriteString("\nExamples:\n")
	for _, e := range examples[c.Name] {
		b.WriteString("  " + e + "\n")
	}
	for _, g := range groups(c) {
		b.WriteString("\n" + g.title + ":\n")
		for _, f := range g.flags {
			b.WriteString(f.help())
		}
	}
	return b.String()
}

// group is the flags of one category.
type group struct {
	title string
	flags []flagDoc
}

// groups are a command's flags as help shows them: its own first.
func groups(c *cli.Command) (all []group) {
	for _, f := range c.Flags {
		d, ok := f.(cli.DocGenerationFlag)
		if v, is := f.(cli.VisibleFlag); !ok || !is || !v.IsVisible() || f.Names()[0] == "help" {
			continue
		}
		title := "Flags"
		if cat, ok := f.(cli.CategorizableFlag); ok && cat.GetCategory() != "" {
			title = cat.GetCategory()
		}
		i := slices.IndexFunc(all, func(g group) bool { return g.title == title })
		if i < 0 {
			i = len(all)
			all = append(all, group{title: title})
		}
		all[i].flags = append(all[i].flags, document(d))
	}
	order := []string{"Flags", "With --host", catServer, catSettings, catTrouble}
	slices.SortStableFunc(all, func(a, b group) int { return slices.Index(order, a.title) - slices.Index(order, b.title) })
	return all
}

// flagDoc is a flag as it is documented.
type flagDoc struct {
	names  []string // as one types them
	value  string   // what it takes, in capitals; empty if nothing
	about  string
	preset string // what it is if nobody says; empty if that goes without saying
}

// document takes a flag's documentation from where it is declared. The word between
// backquotes is what it takes.
func document(f cli.DocGenerationFlag) flagDoc {
	var d flagDoc
	for i, n := range f.Names() {
		if i == 0 || len(n) == 1 { // other spellings of old are not for newcomers
			d.names = append(d.names, dashed(n))
		}
	}
	before, rest, quoted := strings.Cut(f.GetUsage(), "`")
	word, after, closed := strings.Cut(rest, "`")
	d.about = strings.ReplaceAll(f.GetUsage(), "`", "")
	if f.TakesValue() {
		d.value, d.preset = "VALUE", f.GetDefaultText()
		if quoted && closed && word == strings.ToUpper(word) {
			d.value, d.about = word, before+word+after
		}
		d.preset = strings.Trim(d.preset, `"`)
	}
	return d
}

// head is what one types.
func (d flagDoc) head() string {
	return strings.TrimSpace(strings.Join(d.names, ", ") + " " + d.value)
}

// help is the flag's lines: 80 columns, the words behind column 25.
func (d flagDoc) help() string {
	const indent = 25
	text := d.about
	if d.preset != "" {
		text += " (" + d.preset + ")"
	}
	head := fmt.Sprintf("  %-*s", indent-2, d.head())
	if len(d.head()) > indent-4 {
		head = "  " + d.head() + "\n" + strings.Repeat(" ", indent)
	}
	return head + wrapped(text, indent, indent) + "\n"
}

// wrapped breaks text so that it ends before column 80; it begins at a column, and what
// follows the first line is indented.
func wrapped(text string, column, indent int) string {
	var b strings.Builder
	for i, word := range strings.Fields(text) {
		switch {
		case i > 0 && column+1+len(word) > 79:
			b.WriteString("\n" + strings.Repeat(" ", indent))
			column = indent
		case i > 0:
			b.WriteString(" ")
			column++
		}
		b.WriteString(word)
		column += len(word)
	}
	return b.String()
}

// jsonTopic documents --json from the schema.
func jsonTopic() string {
	var b strings.Builder
	b.WriteString("--json prints objects, one a line, each in one write. The field \"type\" says\n" +
		"what it is. Types and fields are only ever added: skip those that you don't\n" +
		"know. Fields in brackets may be missing.\n")
	for _, t := range jsonl.Schema {
		b.WriteString("\n" + wrapped(fmt.Sprintf("%s: %s (%s)", t.Name, t.Doc, t.From), 0, 2) + "\n")
		for _, f := range t.Fields {
			name := f.Name
			if f.Optional {
				name = "[" + name + "]"
			}
			fmt.Fprintf(&b, "  %-11s %s\n", name, wrapped(f.Kind+": "+f.Doc, 14, 14))
		}
	}
	return b.String()
}

func configTopic() string {
	return `Settings come from the command line, or else from variables, the profile, the
file, and last from what is built in. The file is $XDG_CONFIG_HOME/holdfast/config
or ~/.config/holdfast/config (on Windows %AppData%\holdfast\config); --config or
HOLDFAST_CONFIG names another. Its lines are a flag without dashes, =, a value:

  # of every profile
  server = wss://chat.example
  as = ana
  history = 50

  [profile work]
  server = wss://chat.work.example
  token-file = /home/ana/.holdfast-work-token

--profile work, or HOLDFAST_PROFILE, chooses what stands under [profile work]
before what stands above. A profile has identity, cursors and unsent lines of its
own, in profiles/work of the state directory, unless --state names another place.

An access token, for servers behind a gate, is in a file that --token-file names,
in HOLDFAST_TOKEN, or here as "token = ...". Nobody else may be able to read the
file. It is sent as "Authorization: Bearer ...", and only over TLS or to this
machine. One from the file is only for the server that the file names for it: not
for one of --server, HOLDFAST_SERVER or a profile that has no token itself.

Variables that are empty count as unset. A name that is no flag, or a bad value in
the file, is an error, whichever command runs.
`
}
