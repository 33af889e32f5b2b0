package main

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"
)

// checked is the text of a flag that must pass a check, so that all that can be wrong
// with it is found where it comes from: command line, variable or file.
type checked struct {
	text  string
	check check
}

// Set takes text if it is right. It is called by urfave/cli.
func (v *checked) Set(text string) error {
	if err := v.check.test(text); err != nil {
		return err
	}
	v.text = text
	return nil
}

func (v *checked) String() string { return v.text }

// checkedFlag is a flag whose text must pass a check; its value is c.String's.
func checkedFlag(name, usage, value string, c check) *cli.GenericFlag {
	return &cli.GenericFlag{Name: name, Usage: usage, Value: &checked{text: value, check: c}}
}

// check is what a text must be.
type check struct {
	test  func(string) error
	words []string // that pass, to be offered
}

// oneOf passes these words.
func oneOf(words ...string) check {
	return check{words: words, test: func(text string) error {
		if slices.Contains(words, text) {
			return nil
		}
		return errors.New("want " + either(words))
	}}
}

// number passes whole numbers that are not negative, and these words.
func number(words ...string) check {
	return check{words: words, test: func(text string) error {
		n, err := strconv.Atoi(text)
		switch {
		case err == nil && n < 0:
			return errors.New("can't be negative")
		case err != nil && !slices.Contains(words, text):
			return errors.New("want " + either(append([]string{"a number"}, words...)))
		}
		return nil
	}}
}

// The checks of durations: any, and such as can't be zero.
var (
	span     = check{test: func(text string) error { return checkSpan(text, 0) }}
	someSpan = check{test: func(text string) error { return checkSpan(text, 1) }}
)

func checkSpan(text string, least time.Duration) error {
	switch d, err := time.ParseDuration(text); {
	case err != nil:
		return errors.New("want a number with a unit, like 30s, 5m or 1h30m")
	case d < 0:
		return errors.New("can't be negative")
	case d < least:
		return errors.New("can't be zero")
	}
	return nil
}

// either lists what there is to choose from.
func either(words []string) string {
	last := len(words) - 1
	if last == 0 {
		return words[0]
	}
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

// complaints of package flag, which has no types for them.
var (
	badValue = regexp.MustCompile(`^invalid (?:boolean )?value ("(?:[^"\\]|\\.)*") for (?:flag )?-([^:]+): (.*)$`)
	noFlag   = regexp.MustCompile(`^flag provided but not defined: -(.*)$`)
	noValue  = regexp.MustCompile(`^flag needs an argument: -(.*)$`)
)

// onUsage puts what is wrong with a command line in our words.
func onUsage(c *cli.Context, err error, _ bool) error {
	text := err.Error()
	see := "see `holdfast help`"
	if !isGlobal(c) {
		see = fmt.Sprintf("see `holdfast %s --help`", c.Command.Name)
	}
	if m := badValue.FindStringSubmatch(text); m != nil {
		return usage("%s %s: %s", dashed(m[2]), m[1], want(findFlag(c.Command.Flags, m[2]), m[3]))
	}
	if m := noFlag.FindStringSubmatch(text); m != nil {
		if isGlobal(c) && isFlagOfAny(m[1]) {
			return usage("%s stands behind the command: holdfast COMMAND %s", dashed(m[1]), dashed(m[1]))
		}
		return usage("no flag %s%s; %s", dashed(m[1]), meant("--", m[1], flagNames(c.Command.Flags)), see)
	}
	if m := noValue.FindStringSubmatch(text); m != nil {
		return usage("%s wants %s; %s", dashed(m[1]), valueOf(findFlag(c.Command.Flags, m[1])), see)
	}
	return usage("%w; %s", err, see)
}

// isGlobal reports whether c is of what stands before the command.
func isGlobal(c *cli.Context) bool {
	return c.Command == nil || c.Command.Name == "" || c.Command.Name == c.App.Name
}

// isFlagOfAny reports whether some command has a flag of that name.
func isFlagOfAny(name string) bool {
	for _, f := range allFlags() {
		if slices.Contains(f.Names(), name) {
			return true
		}
	}
	return false
}

// valueOf is what help calls the value of a flag, with its article.
func valueOf(f cli.Flag) string {
	d, ok := f.(cli.DocGenerationFlag)
	if !ok {
		return "a value"
	}
	value := document(d).value
	if value == "N" {
		return "an N"
	}
	return "a " + value
}

// want says what a flag takes instead of what it was given; why is what its type said.
func want(f cli.Flag, why string) string {
	if _, ok := f.(*cli.BoolFlag); ok {
		return "want true or false"
	}
	return why // a checked value's own words
}

// dashed is a flag as one types it.
func dashed(name string) string {
	if len(name) == 1 {
		return "-" + name
	}
	return "--" + name
}

// findFlag returns the flag of that name or alias; nil if there is none.
func findFlag(flags []cli.Flag, name string) cli.Flag {
	i := slices.IndexFunc(flags, func(f cli.Flag) bool { return slices.Contains(f.Names(), name) })
	if i < 0 {
		return nil
	}
	return flags[i]
}

// flagNames are the first names of flags that help shows.
func flagNames(flags []cli.Flag) (names []string) {
	for _, f := range flags {
		if v, ok := f.(cli.VisibleFlag); ok && v.IsVisible() {
			names = append(names, f.Names()[0])
		}
	}
	return names
}
