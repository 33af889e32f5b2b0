package main

import (
	"embed"
	"fmt"

	"github.com/urfave/cli/v2"
)

// The scripts only hand the words to `holdfast complete`: what there is to complete is
// known in one place.
//
//go:embed completion
var scripts embed.FS

var shells = []string{"bash", "zsh", "fish"}

func completionCommand() *cli.Command {
	return &cli.Command{
		Name:        "completion",
		Usage:       "print completion for bash, zsh or fish",
		UsageText:   "holdfast completion bash|zsh|fish",
		Description: "Completes commands, flags and their values, and the rooms of the server.",
		Action: func(c *cli.Context) error {
			shell := c.Args().First()
			if shell == "" || c.Args().Len() > 1 {
				return usage("which shell? one of %s", either(shells))
			}
			text, err := scripts.ReadFile("completion/holdfast." + shell)
			if err != nil {
				return usage("shell %q: want %s", shell, either(shells))
			}
			_, err = c.App.Writer.Write(text)
			return err
		},
	}
}

func completeCommand() *cli.Command {
	return &cli.Command{
		Name:      "complete",
		Usage:     "print what WORDS can go on with",
		UsageText: "holdfast complete -- [WORDS...]",
		Description: "For the scripts of completion. The last word is the one to complete. Prints a word a\n" +
			"line, and after a tab what it means.",
		Hidden: true,
		Action: func(c *cli.Context) error {
			for _, o := range complete(c.Context, c.Args().Slice()) {
				if _, err := fmt.Fprintf(c.App.Writer, "%s\t%s\n", o.word, o.about); err != nil {
					return err
				}
			}
			return nil
		},
	}
}
