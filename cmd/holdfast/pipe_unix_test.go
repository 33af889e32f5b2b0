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

// TestHead: who reads no further, as head does, ends tail without a word, as a shell
// expects it.
func TestHead(t *testing.T) {
	home(t)
	serveFor(t)
	if code, _, errs := holdfast(t, strings.Repeat("short\n"+strings.Repeat("x", 4000)+"\n", 40), "send", "--room", "general", "--as", "ana"); code != exitOK {
		t.Fatal(errs)
	}
	tail := processOf(t, nil, "tail", "general", "--as", "bob", "--history", "all")
	out, err := tail.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var errs bytes.Buffer
	tail.Stderr = &errs
	if err := tail.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReaderSize(out, 16).ReadString('\n'); line != "ana: short\n" || err != nil {
		t.Errorf("%q, %v", line, err)
	}
	_ = out.Close()
	var exit *exec.ExitError
	if err := tail.Wait(); !errors.As(err, &exit) {
		t.Fatalf("ended with %v", err)
	}
	status := exit.Sys().(syscall.WaitStatus)
	if !status.Signaled() || status.Signal() != syscall.SIGPIPE || errs.Len() > 0 {
		t.Errorf("ended with %v, stderr %q; want SIGPIPE and nothing", exit, &errs)
	}
}

// TestBrokenPipe: likewise where the write tells it and no signal does.
func TestBrokenPipe(t *testing.T) {
	var errs buffer
	if code := report(&errs, errors.Join(errors.New("write"), syscall.EPIPE)); code != exitPipe || errs.String() != "" {
		t.Errorf("code %d, stderr %q", code, &errs)
	}
}
