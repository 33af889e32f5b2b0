//go:build unix

package main

import (
	"bufio"
	"bytes"
	"errors"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// TestHead: who reads no further, as head does, ends tail and join without a word, and
// with the exit code that a shell expects. They leave the room before.
func TestHead(t *testing.T) {
	home(t)
	serveFor(t)
	if code, _, errs := holdfast(t, strings.Repeat("short\n"+strings.Repeat("x", 4000)+"\n", 40), "send", "--room", "general", "--as", "ana"); code != exitOK {
		t.Fatal(errs)
	}
	for _, command := range []string{"tail", "join"} {
		p := processOf(t, nil, command, "general", "--as", "bob", "--history", "all")
		out, err := p.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		in, err := p.StdinPipe() // which join reads, and which does not end
		if err != nil {
			t.Fatal(err)
		}
		var errs bytes.Buffer
		p.Stderr = &errs
		if err := p.Start(); err != nil {
			t.Fatal(err)
		}
		if line, err := bufio.NewReaderSize(out, 16).ReadString('\n'); line != "ana: short\n" || err != nil {
			t.Errorf("%s: %q, %v", command, line, err)
		}
		_ = out.Close()
		var exit *exec.ExitError
		if err := p.Wait(); !errors.As(err, &exit) || exit.ExitCode() != exitPipe || errs.Len() > 0 {
			t.Errorf("%s: ended with %v, stderr %q; want %d and nothing", command, err, &errs, exitPipe)
		}
		_ = in.Close()
		if _, here, _ := holdfast(t, "", "who", "general"); strings.Contains(here, "bob") {
			t.Errorf("%s: bob is still here: %q", command, here)
		}
	}
}

// TestBrokenPipe: likewise where the write tells it and no signal does.
func TestBrokenPipe(t *testing.T) {
	var errs buffer
	if code := report(&errs, errors.Join(errors.New("write"), syscall.EPIPE)); code != exitPipe || errs.String() != "" {
		t.Errorf("code %d, stderr %q", code, &errs)
	}
}
