package main

import (
	"io"
	"strings"
	"testing"
)

// TestComplete: what each kind of word can go on with.
func TestComplete(t *testing.T) {
	home(t)
	other := configured(t, "[profile side]\n")
	configured(t, "[profile work]\n[profile home]\n")
	url, _ := serveFor(t)
	in, stdin := io.Pipe()
	ana := background(t, in, "join", "general", "--as", "ana")
	until(t, "ana is there", func() bool {
		_, out, _ := holdfast(t, "", "rooms")
		return out == "general\t1 member\n"
	})
	for _, c := range []struct{ words, want string }{
		{"ta", "tail"},
		{"h", "history help"},
		{"--v", "--version"},
		{"tail --un", "--until-live"},
		{"tail --color ", "auto always never"},
		{"tail --color n", "never"},
		{"tail --color=a", "--color=auto --color=always"},
		{"tail --color = a", "auto always"}, // as bash splits it
		{"tail --color =", "auto always never"},
		{"serve --log-level ", "debug info warn error"},
		{"tail ", "general"},
		{"join g", "general"},
		{"tail --color never g", "general"},
		{"tail general ", ""},
		{"history --server general ", ""}, // no server is there
		{"help join ", ""},
		{"send --room ", "general"},
		{"send --room=", "--room=general"},
		{"who x", ""},
		{"who --server ws://127.0.0.1:1 ", ""},
		{"who --server=ws://127.0.0.1:1 --json ", ""},
		{"check -p ", "home work"},
		{"check --config " + other + " -p ", "side"},
		{"send --as ", ""},
		{"send --token-file ", ""},
		{"completion ", "bash zsh fish"},
		{"help c", "check completion config"},
		{"nonsense ", ""},
	} {
		code, out, errs := holdfast(t, "", append([]string{"complete", "--"}, strings.Split(c.words, " ")...)...)
		var words []string
		for line := range strings.Lines(out) {
			word, _, _ := strings.Cut(line, "\t")
			words = append(words, word)
		}
		if got := strings.Join(words, " "); code != exitOK || got != c.want || errs != "" {
			t.Errorf("%s: code %d, %q, %q; want %q", c.words, code, got, errs, c.want)
		}
	}
	t.Setenv("HOLDFAST_SERVER", "ws://127.0.0.1:1")
	if _, out, _ := holdfast(t, "", "complete", "--", "tail", "--server", url, ""); out != "general\t1 member\n" {
		t.Errorf("by --server: %q", out)
	}
	if _, out, _ := holdfast(t, "", "complete"); !strings.Contains(out, "join\tchat in a room\n") {
		t.Errorf("without words: %q", out)
	}
	for args, want := range map[string]string{"completion": "which shell?", "completion tcsh": `shell "tcsh"`, "completion bash zsh": "which shell?"} {
		if code, out, errs := holdfast(t, "", strings.Fields(args)...); code != exitUsage || out != "" || !strings.Contains(errs, want) {
			t.Errorf("%s: code %d, %q, %q", args, code, out, errs)
		}
	}
	stdin.Close()
	ana.wait()
}
