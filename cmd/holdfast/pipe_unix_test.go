//go:build unix

package main

import (
	"bufio"
	"bytes"
	"errors"
	"os"
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

// TestBrokenOutput: every command whose output can't be written says so, and not that
// something else is wrong; where only the reader has gone, nothing but the exit code.
func TestBrokenOutput(t *testing.T) {
	home(t)
	serveFor(t)
	if code, _, errs := holdfast(t, strings.Repeat("x\n", 500), "send", "--room", "general", "--as", "ana"); code != exitOK {
		t.Fatal(errs)
	}
	if err := processOf(t, nil, "tail", "general", "--as", "zoe").Start(); err != nil {
		t.Fatal(err)
	}
	until(t, "somebody in the room", func() bool {
		_, here, _ := holdfast(t, "", "who", "general")
		return here != ""
	})
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip(err)
	}
	defer full.Close()
	r, broken, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer broken.Close()
	_ = r.Close()
	for _, args := range []string{
		"who", "rooms", "history general", "history general --json", "tail general --as bob --history all --until-live",
		"join general --as bob", "send --room general --as ana --json hello",
	} {
		for out, want := range map[*os.File]int{full: exitFailure, broken: exitPipe} {
			p := processOf(t, nil, strings.Fields(args)...)
			var errs bytes.Buffer
			p.Stdout, p.Stderr = out, &errs
			_ = p.Run() // with nothing on stdin
			said := errs.String()
			if code := p.ProcessState.ExitCode(); code != want || (want == exitPipe) != (said == "") || want == exitFailure && said != "holdfast: write: write /dev/stdout: no space left on device\n" {
				t.Errorf("%s: code %d, stderr %q; want %d", args, code, said, want)
			}
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
