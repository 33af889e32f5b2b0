package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"holdfast/cmd/holdfast/internal/config"
)

// configFlags are of all commands that have settings.
func configFlags() []cli.Flag {
	profile := checkedFlag("profile", "use the settings of [profile `NAME`], and a state of its own", "", check{test: config.CheckProfile})
	profile.Aliases, profile.Category = []string{"p"}, catSettings
	return []cli.Flag{
		&cli.StringFlag{Category: catSettings, Name: "config", Usage: "read settings from `FILE`", DefaultText: "$XDG_CONFIG_HOME/holdfast/config"},
		profile,
	}
}

// notInFile are flags that a configuration file can't set.
var notInFile = []string{"config", "profile"}

// layer is one place that settings come from.
type layer func(flag string) (setting, bool)

// setting is the text of a flag, and how to complain about it.
type setting struct {
	text  string
	wrong func(format string, args ...any) error
}

// settle gives every flag that is not on the command line its value from the first of
// variable, profile and file that has one. Every entry of the file is checked,
// whichever command runs: a mistake there shows at once.
func settle(c *cli.Context) error {
	if c.IsSet(config.Secret) {
		return usage("a token on the command line can be seen by everyone here: put it into a file and use --token-file, or into HOLDFAST_TOKEN")
	}
	variables := []layer{fromVariables}
	for _, name := range notInFile {
		if err := fill(c, findFlag(c.Command.Flags, name), variables); err != nil {
			return err
		}
	}
	layers := variables
	if findFlag(c.Command.Flags, "config") != nil {
		fromFile, err := fileLayers(c)
		if err != nil {
			return err
		}
		layers = append(layers, fromFile...)
	}
	if err := fillToken(c, layers); err != nil {
		return err
	}
	for _, f := range c.Command.Flags {
		if name := f.Names()[0]; name == "help" || slices.Contains(tokenFlags, name) {
			continue
		}
		if err := fill(c, f, layers); err != nil {
			return err
		}
	}
	tellMisspelt(newTeller(c))
	return nil
}

// tellMisspelt tells of variables that are nearly settings: they are ignored.
func tellMisspelt(talk teller) {
	var ours []string
	for _, e := range os.Environ() {
		if name, _, _ := strings.Cut(e, "="); strings.HasPrefix(name, variable("")) {
			ours = append(ours, name)
		}
	}
	if ours == nil {
		return
	}
	flags := allFlags()
	for _, name := range ours {
		if v := misspelt(name, flags); v != "" {
			talk.say("%s is no setting, and is ignored; did you mean %s?", name, v)
		}
	}
}

// misspelt returns the variable that name is nearly, but not quite. It is no error, and
// only what is very near counts: variables of our name may be somebody else's, such as
// HOLDFAST_PORT where containers find their services by variables.
func misspelt(name string, flags map[string]cli.Flag) (meant string) {
	const short = 5
	least := 3
	for flag := range flags {
		v := variable(flag)
		d := distance(name, v)
		if d < least && (d < 2 || len(flag) > short) {
			meant, least = v, d
		}
	}
	if least == 0 {
		return ""
	}
	return meant
}

// allFlags are the flags of all commands. A name means the same in all that have it.
func allFlags() map[string]cli.Flag {
	flags := map[string]cli.Flag{}
	for _, c := range newApp(nil, io.Discard, io.Discard).Commands {
		for _, f := range c.Flags {
			flags[f.Names()[0]] = f
		}
	}
	return flags
}

// fill sets a flag, unless it is set, from the first layer that has it.
func fill(c *cli.Context, f cli.Flag, layers []layer) error {
	if f == nil || c.IsSet(f.Names()[0]) {
		return nil
	}
	for _, from := range layers {
		s, ok := from(f.Names()[0])
		if !ok {
			continue
		}
		if err := c.Set(f.Names()[0], s.text); err != nil {
			return s.wrong("%s", want(f, err.Error()))
		}
		return nil
	}
	return nil
}

// tokenFlags say the same in two ways: of each layer one counts.
var tokenFlags = []string{config.Secret, "token-file"}

// fillToken takes one of tokenFlags from the first layer that has any.
func fillToken(c *cli.Context, layers []layer) error {
	token, file := findFlag(c.Command.Flags, tokenFlags[0]), findFlag(c.Command.Flags, tokenFlags[1])
	if file == nil || c.IsSet(tokenFlags[1]) {
		return nil
	}
	for i, from := range layers {
		a, hasToken := from(tokenFlags[0])
		b, hasFile := from(tokenFlags[1])
		used, s := token, a
		switch {
		case hasToken && hasFile:
			return a.wrong("there is a token-file too; leave one out")
		case hasFile:
			used, s = file, b
		case !hasToken:
			continue
		}
		if err := tokenFits(c, layers, i, s); err != nil {
			return err
		}
		return fill(c, used, []layer{from})
	}
	return nil
}

// tokenFits returns an error if the token of layer i is not for the server in use. It
// is for the one that its own layer sees: a file's token must not go to whatever the
// command line, a variable or a profile names instead. Command line and variables count
// as one layer: whoever sets a variable says it of this call.
func tokenFits(c *cli.Context, layers []layer, i int, token setting) error {
	if i == 0 {
		return nil
	}
	used := c.String("server")
	if !c.IsSet("server") {
		used = firstText("server", layers, used)
	}
	if own := firstText("server", layers[i:], defaultServer); used != own {
		return token.wrong("this token is for %s, not for %s; name one for that with --token-file FILE, or none with --token-file=", own, used)
	}
	return nil
}

// firstText is the text of a flag in the first layer that has it.
func firstText(flag string, layers []layer, otherwise string) string {
	for _, from := range layers {
		if s, ok := from(flag); ok {
			return s.text
		}
	}
	return otherwise
}

// fromVariables is the environment. An empty variable counts as unset.
func fromVariables(flag string) (setting, bool) {
	name := variable(flag)
	text := os.Getenv(name)
	return setting{text, func(format string, args ...any) error {
		if flag == config.Secret {
			return usage("%s: %w", name, fmt.Errorf(format, args...))
		}
		return usage("%s=%s: %w", name, text, fmt.Errorf(format, args...))
	}}, text != ""
}

// variable names the variable of a flag.
func variable(flag string) string {
	return "HOLDFAST_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// fileLayers are the profile and what is before all profiles, in the configuration
// file. The file need not be there, unless somebody named it or a profile.
func fileLayers(c *cli.Context) ([]layer, error) {
	path, profile := c.String("config"), c.String("profile")
	named := path != ""
	if !named {
		var err error
		if path, err = config.DefaultPath(); err != nil {
			if profile != "" {
				return nil, usage("no profile %q: %w", profile, err)
			}
			return nil, nil // no home, no file
		}
	}
	file, err := config.Load(path)
	if errors.Is(err, fs.ErrNotExist) && !named {
		if profile != "" {
			return nil, usage("no profile %q: there is no %s", profile, path)
		}
		return nil, nil
	}
	if err != nil {
		if _, noFile := errors.AsType[*fs.PathError](err); noFile {
			return nil, usage("configuration: %w", err)
		}
		return nil, usage("%w", err)
	}
	if err := checkEntries(file); err != nil {
		return nil, err
	}
	entries, ok := file.Profile(profile)
	if profile != "" && !ok {
		there := "; it has none"
		if names := file.Profiles(); len(names) > 0 {
			there = "; it has " + strings.Join(names, ", ")
		}
		return nil, usage("no profile %q in %s%s%s", profile, path, meant("", profile, file.Profiles()), there)
	}
	return []layer{fromEntries(entries), fromEntries(file.Base())}, nil
}

func fromEntries(entries []config.Entry) layer {
	return func(flag string) (setting, bool) {
		i := slices.IndexFunc(entries, func(e config.Entry) bool { return e.Key == flag })
		if i < 0 {
			return setting{}, false
		}
		return setting{entries[i].Value, func(format string, args ...any) error { return usage("%w", entries[i].Errorf(format, args...)) }}, true
	}
}

// checkEntries tries each entry on the flag of its name.
func checkEntries(file *config.File) error {
	flags := allFlags()
	maps.DeleteFunc(flags, func(name string, _ cli.Flag) bool { return slices.Contains(notInFile, name) })
	known := slices.Sorted(maps.Keys(flags))
	for _, e := range file.Entries() {
		f := flags[e.Key]
		if f == nil {
			if slices.Contains(notInFile, e.Key) {
				return usage("%w", e.Errorf("not in the file: use --%s or %s", e.Key, variable(e.Key)))
			}
			return usage("%w", e.BareErrorf("there is no flag --%s%s", e.Key, meant("", e.Key, known)))
		}
		set := flag.NewFlagSet("", flag.ContinueOnError)
		if err := f.Apply(set); err != nil {
			return fmt.Errorf("configuration: %w", err)
		}
		if err := set.Set(e.Key, e.Value); err != nil {
			why := want(f, err.Error())
			if strings.Contains(e.Value, " #") {
				why += "; a comment needs a line of its own"
			}
			return usage("%w", e.Errorf("%s", why))
		}
	}
	return nil
}
