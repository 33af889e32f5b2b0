package main

import (
	"slices"
	"strings"
	"testing"
)

// TestUsageWords: what is wrong with a flag is said in words that help, wherever its
// value comes from.
func TestUsageWords(t *testing.T) {
	home(t)
	for _, c := range []struct{ variable, args, err string }{
		{"", "jion general", `no command "jion" (did you mean join?)`},
		{"", "zzz", `no command "zzz"; `},
		{"", "send --rom general", "no flag --rom (did you mean --room?); see `holdfast send --help`"},
		{"", "send --retry-for 7", `--retry-for "7": want a number with a unit, like 30s`},
		{"", "send --room", "--room wants a ROOM; see"},
		{"", "join general --as", "--as wants a NAME; see"},
		{"", "send --as --room logs x", "--as wants a NAME; see"},
		{"", "send --room logs --as -- x", "--as wants a NAME; see"},
		{"", "serve --listen 18093", `--listen "18093": want HOST:PORT, like 127.0.0.1:18093`},
		{"", "serve --listen :99999", `--listen ":99999": want a port up to 65535`},
		{"", "who --server ws://127.0.0.1:99999", `--server "ws://127.0.0.1:99999": want a port up to 65535`},
		{"", "tail logs --count", "--count wants an N; see"},
		{"", "tail logs -n -1", `-n "-1": can't be negative`},
		{"", "tail --count x", `--count "x": want a number`},
		{"", "tail --history some", `--history "some": want a number, all or none`},
		{"", "tail --json=maybe", `--json "maybe": want true or false`},
		{"HOLDFAST_RETRY_FOR=7", "send --room r --as ana hello", "HOLDFAST_RETRY_FOR=7: want a number with a unit, like 30s"},
		{"HOLDFAST_HISTORY=-1", "tail --room r --as ana", "HOLDFAST_HISTORY=-1: can't be negative"},
		{"HOLDFAST_JSON=maybe", "tail --room r --as ana", "HOLDFAST_JSON=maybe: want true or false"},
	} {
		t.Run(c.variable+" "+c.args, func(t *testing.T) {
			if name, value, ok := strings.Cut(c.variable, "="); ok {
				t.Setenv(name, value)
			}
			code, out, errs := holdfast(t, "", strings.Fields(c.args)...)
			if code != exitUsage || out != "" || !strings.HasPrefix(errs, "holdfast: "+c.err) || strings.Count(errs, "\n") != 1 {
				t.Errorf("code %d, stdout %q, stderr %q; want %q", code, out, errs, c.err)
			}
		})
	}
}

// TestEmptyVariable: a variable that is empty is as good as none.
func TestEmptyVariable(t *testing.T) {
	home(t) // empties all of the caller's
	serveFor(t)
	for _, name := range []string{"HOLDFAST_RETRY_FOR", "HOLDFAST_HISTORY", "HOLDFAST_JSON", "HOLDFAST_STATE"} {
		t.Setenv(name, "")
	}
	if code, out, errs := holdfast(t, "", "tail", "--room", "general", "--as", "ana", "--until-live"); code != exitOK || out+errs != "" {
		t.Errorf("code %d, stdout %q, stderr %q", code, out, errs)
	}
}

func TestNearest(t *testing.T) {
	words := []string{"join", "send", "tail", "serve", "version", "history-lines", "history-age"}
	for word, want := range map[string]string{
		"jion": "join", "JOIN": "join", "sned": "send", "taill": "tail", "vers": "version", "history-line": "history-lines",
		"history": "", "x": "", "bogus": "", "": "",
	} {
		if got := nearest(word, words); got != want {
			t.Errorf("%q: %q, want %q", word, got, want)
		}
	}
	if got := distance("", "abc"); got != 3 {
		t.Errorf("three letters put in: %d", got)
	}
}

func TestCheckLayout(t *testing.T) {
	for layout, good := range map[string]bool{"15:04": true, "2006-01-02": true, "Jan": true, "none": true, "": false, "HH:MM": false, "%H:%M": false} {
		if err := checkLayout(layout); (err == nil) != good {
			t.Errorf("%q: %v", layout, err)
		}
	}
}

// TestWantsColor: --color before NO_COLOR before CLICOLOR_FORCE before what out is.
func TestWantsColor(t *testing.T) {
	home(t)
	for _, c := range []struct {
		flag, no, force string
		want            bool
	}{
		{"auto", "", "", false}, // no terminal
		{"always", "1", "", true},
		{"never", "", "1", false},
		{"auto", "", "1", true},
		{"auto", "", "0", false},
		{"auto", "1", "1", false},
	} {
		t.Setenv("NO_COLOR", c.no)
		t.Setenv("CLICOLOR_FORCE", c.force)
		if got := wantsColor(c.flag, &buffer{}); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
	if names := flagNames(lookFlags("15:04")); !slices.Equal(names, []string{"color", "time-format", "utc"}) {
		t.Errorf("flags %v", names)
	}
}
