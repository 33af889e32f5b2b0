package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"holdfast/cmd/holdfast/internal/config"
)

// offer is something that a word can go on with.
type offer struct{ word, about string }

// complete offers what the last of words can be, after those before it; words leave out
// the program's name. Nothing means that a file's name may be meant.
func complete(ctx context.Context, words []string) []offer {
	words = joined(words)
	if len(words) == 0 {
		words = []string{""}
	}
	app := newApp(strings.NewReader(""), io.Discard, io.Discard)
	before, word := words[:len(words)-1], words[len(words)-1]
	if len(before) == 0 {
		return starting(word, append(commandOffers(app), offer{"--help", "explain"}, offer{"--version", "print versions"}))
	}
	command := app.Command(before[0])
	if command == nil {
		return nil
	}
	if name, value, ok := strings.Cut(word, "="); ok && strings.HasPrefix(word, "-") {
		offers := starting(value, valueOffers(ctx, command, name, before))
		for i := range offers {
			offers[i].word = name + "=" + offers[i].word
		}
		return offers
	}
	if last := before[len(before)-1]; len(before) > 1 && takesValue(command, last) && strings.HasPrefix(last, "-") {
		return starting(word, valueOffers(ctx, command, last, before))
	}
	if strings.HasPrefix(word, "-") {
		return starting(word, flagOffers(command))
	}
	return starting(word, argumentOffers(ctx, app, command, before))
}

// joined undoes that bash takes an = for a word of its own: what is after it is the value
// of the flag before it.
func joined(words []string) (all []string) {
	for i, w := range words {
		switch {
		case w != "=":
			all = append(all, w)
		case i == len(words)-1:
			all = append(all, "")
		}
	}
	return all
}

func starting(with string, offers []offer) []offer {
	return slices.DeleteFunc(offers, func(o offer) bool { return !strings.HasPrefix(o.word, with) })
}

func commandOffers(app *cli.App) (offers []offer) {
	for _, c := range app.VisibleCommands() {
		offers = append(offers, offer{c.Name, c.Usage})
	}
	return offers
}

func flagOffers(command *cli.Command) (offers []offer) {
	for _, g := range groups(command) {
		for _, f := range g.flags {
			offers = append(offers, offer{f.names[0], f.about})
		}
	}
	return append(offers, offer{"--help", "explain"})
}

// valueOffers are what a flag's value can be; before is what was typed until then.
func valueOffers(ctx context.Context, command *cli.Command, flag string, before []string) []offer {
	f := findFlag(command.Flags, strings.TrimLeft(flag, "-"))
	if f == nil {
		return nil
	}
	switch f.Names()[0] {
	case "room":
		return roomOffers(ctx, command, before)
	case "profile":
		return profileOffers(command, before)
	}
	if g, ok := f.(*cli.GenericFlag); ok {
		if v, ok := g.Value.(*checked); ok {
			return wordOffers(v.check.words)
		}
	}
	return nil
}

func wordOffers(words []string) (offers []offer) {
	for _, w := range words {
		offers = append(offers, offer{word: w})
	}
	return offers
}

// argumentOffers are what an argument of the command can be.
func argumentOffers(ctx context.Context, app *cli.App, command *cli.Command, before []string) []offer {
	for i, word := range before[1:] {
		value := strings.HasPrefix(before[i], "-") && takesValue(command, before[i])
		if !strings.HasPrefix(word, "-") && !value {
			return nil // there is one already, and none takes two of these
		}
	}
	switch command.Name {
	case "join", "tail", "who", "history":
		return roomOffers(ctx, command, before)
	case "help":
		return append(commandOffers(app), offer{"config", "the configuration file"}, offer{"json", "the output of --json"})
	case "completion":
		return wordOffers(shells)
	}
	return nil
}

// accessArgs are the flags in words that say where the server is and who asks.
func accessArgs(command *cli.Command, words []string) (args []string) {
	for i := 1; i < len(words); i++ {
		name, value, hasValue := strings.Cut(words[i], "=")
		f := findFlag(command.Flags, strings.TrimLeft(name, "-"))
		if f == nil || !strings.HasPrefix(name, "-") {
			continue
		}
		if !hasValue && takesValue(command, words[i]) && i+1 < len(words) {
			i++
			value, hasValue = words[i], true
		}
		if hasValue && findFlag(accessFlags(), f.Names()[0]) != nil {
			args = append(args, "--"+f.Names()[0]+"="+value)
		}
	}
	return args
}

// roomOffers asks the server, for a second at most. Whatever goes wrong, there are none.
func roomOffers(ctx context.Context, command *cli.Command, before []string) (offers []offer) {
	var out bytes.Buffer
	app := newApp(strings.NewReader(""), &out, io.Discard)
	args := append([]string{"holdfast", "rooms", "--timeout=1s", "--json=false"}, accessArgs(command, before)...)
	if app.RunContext(ctx, args) != nil {
		return nil
	}
	for line := range strings.Lines(out.String()) {
		room, members, _ := strings.Cut(strings.TrimSpace(line), "\t")
		if checkName(room) == nil { // it goes into a shell
			offers = append(offers, offer{room, members})
		}
	}
	return offers
}

// profileOffers are the profiles of the configuration file.
func profileOffers(command *cli.Command, before []string) (offers []offer) {
	path := os.Getenv(variable("config"))
	for _, a := range accessArgs(command, before) {
		if p, ok := strings.CutPrefix(a, "--config="); ok {
			path = p
		}
	}
	if path == "" {
		path, _ = config.DefaultPath() // without a home there are none
	}
	file, err := config.Load(path)
	if err != nil {
		return nil
	}
	return wordOffers(file.Profiles())
}
