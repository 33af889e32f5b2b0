package main

import (
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"
)

// TestHelpFits: `holdfast help` fits a screen of 80 by 24, the rest its width, and none
// of it goes to stderr.
func TestHelpFits(t *testing.T) {
	home(t)
	app := newApp(nil, nil, nil)
	for _, args := range [][]string{{}, {"help"}, {"--help"}, {"help", "json"}, {"help", "config"}} {
		code, out, errs := holdfast(t, "", args...)
		if code != exitOK || errs != "" || out == "" {
			t.Errorf("%v: code %d, stdout %q, stderr %q", args, code, out, errs)
		}
		if rows := strings.Count(out, "\n"); len(args) < 2 && rows > 23 { // and the prompt
			t.Errorf("%v has %d rows", args, rows)
		}
		checkWidth(t, strings.Join(args, " "), out)
	}
	for _, c := range app.VisibleCommands() {
		_, byHelp, _ := holdfast(t, "", "help", c.Name)
		code, byFlag, errs := holdfast(t, "", c.Name, "--help")
		if code != exitOK || errs != "" || byFlag != byHelp && c.Name != "help" {
			t.Errorf("%s --help: code %d, stderr %q, stdout\n%s\nhelp %s says\n%s", c.Name, code, errs, byFlag, c.Name, byHelp)
		}
		if len(examples[c.Name]) == 0 || !strings.Contains(byHelp, examples[c.Name][0]) {
			t.Errorf("%s has no example", c.Name)
		}
		checkWidth(t, c.Name, byHelp)
	}
	for name := range examples {
		if app.Command(name) == nil {
			t.Errorf("examples of %s, which is no command", name)
		}
	}
	if code, out, errs := holdfast(t, "", "help", "tial"); code != exitUsage || out != "" || !strings.Contains(errs, "did you mean tail?") {
		t.Errorf("help tial: code %d, %q, %q", code, out, errs)
	}
}

func checkWidth(t *testing.T, what, text string) {
	t.Helper()
	for line := range strings.Lines(text) {
		if len(strings.TrimRight(line, "\n")) > 83 && !strings.HasPrefix(line, "  holdfast") {
			t.Errorf("%s: too wide: %s", what, line)
		}
		if strings.TrimRight(line, " \n") != strings.TrimRight(line, "\n") {
			t.Errorf("%s: blanks at the end: %q", what, line)
		}
	}
}

var aFlag = regexp.MustCompile(`--[a-z][a-z-]*`)

// TestExamples: each example's command and flags are there, and are taken.
func TestExamples(t *testing.T) {
	home(t)
	for name, lines := range examples {
		for _, line := range lines {
			line, _, _ = strings.Cut(strings.ReplaceAll(line, "$(hostname)", "host"), " #")
			_, line, ok := strings.Cut(line, "holdfast ")
			if !ok {
				t.Errorf("%s: no holdfast in %q", name, line)
			}
			line = strings.TrimRight(strings.TrimSpace(strings.FieldsFunc(line, func(r rune) bool { return strings.ContainsRune("|<>", r) })[0]), ")")
			args := strings.Fields(line)
			if args[0] != name {
				t.Errorf("an example of %s is about %s", name, args[0])
			}
			for i, a := range args {
				if a == "--profile" {
					args = slices.Delete(args, i, i+2) // there is none here
					break
				}
			}
			if code, errs := parsed(t, func(*cli.Context) {}, args...); code != exitOK {
				t.Errorf("%s: code %d, %s", line, code, errs)
			}
		}
	}
}

// TestDocumentsAgree: help and man page name the same commands and flags, those there
// are; README names all commands, and no other flags.
func TestDocumentsAgree(t *testing.T) {
	home(t)
	_, man, _ := holdfast(t, "", "man")
	man = strings.ReplaceAll(man, `\-`, "-")
	app := newApp(nil, nil, nil)
	known := map[string]bool{"--help": true, "--version": true}
	for _, c := range app.Commands {
		_, section, found := strings.Cut(man, ".SS "+c.Name+"\n")
		if found == c.Hidden {
			t.Errorf("%s in the man page: %v", c.Name, found)
		}
		section, _, _ = strings.Cut(section, "Examples:")
		_, help, _ := holdfast(t, "", "help", c.Name)
		for _, f := range c.Flags {
			name := dashed(f.Names()[0])
			known[name] = true
			visible := f.(cli.VisibleFlag).IsVisible()
			if listed := regexp.MustCompile(`(?m)^  ` + name + `($|,| )`).MatchString(help); listed != visible {
				t.Errorf("%s %s in help: %v", c.Name, name, listed)
			}
			if listed := strings.Contains(section, "\n.B "+name+" ") || strings.Contains(section, "\n.B "+name+"\n") || strings.Contains(section, "\n.B "+name+","); listed != visible {
				t.Errorf("%s %s in the man page: %v", c.Name, name, listed)
			}
		}
	}
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	for text, of := range map[string]string{string(readme): "README", man: "the man page"} {
		for _, name := range aFlag.FindAllString(text, -1) {
			if !known[name] {
				t.Errorf("%s names %s, which is no flag", of, name)
			}
		}
	}
	for _, m := range regexp.MustCompile("`holdfast ([a-z]+)").FindAllStringSubmatch(string(readme), -1) {
		if app.Command(m[1]) == nil {
			t.Errorf("README names %s, which is no command", m[1])
		}
	}
	for _, name := range commandNames(app) {
		if !strings.Contains(string(readme), "`holdfast "+name) {
			t.Errorf("README does not name %s", name)
		}
	}
	for _, e := range exitCodes {
		if !strings.Contains(man, "\n.B "+e.code+"\n") {
			t.Errorf("the man page does not name exit code %s", e.code)
		}
	}
	for name := range maps.Keys(topics) {
		if !strings.Contains(man, ".SH "+map[string]string{"config": "CONFIGURATION", "json": "JSON"}[name]+"\n") {
			t.Errorf("the man page has no %s", name)
		}
	}
}

// TestRoff: nothing that is said becomes a request.
func TestRoff(t *testing.T) {
	if got := roff(".TH a\\b\n'x\nc-d"); got != "\\&.TH a\\eb\n\\&'x\nc\\-d" {
		t.Errorf("%q", got)
	}
}

// TestVersionFlag: the program has it too, as everybody tries.
func TestVersionFlag(t *testing.T) {
	home(t)
	_, want, _ := holdfast(t, "", "version")
	if code, out, errs := holdfast(t, "", "--version"); code != exitOK || out != want || errs != "" || !strings.HasPrefix(out, "holdfast ") {
		t.Errorf("code %d, %q, %q; want %q", code, out, errs, want)
	}
}
