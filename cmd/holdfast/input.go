package main

import (
	"bufio"
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

// inputLine is a line of standard input, or the error that ended it.
type inputLine struct {
	number int // from 1
	text   string
	err    error
}

// maxInput bounds a line of input; one that is fit to be sent is far shorter.
const maxInput = 1 << 20

// readLines reads in by a goroutine of its own, because a read can't be interrupted:
// at the process's end it is left behind.
func readLines(in io.Reader) <-chan inputLine {
	lines := make(chan inputLine, 256)
	go func() {
		defer close(lines)
		s := bufio.NewScanner(in)
		s.Buffer(nil, maxInput)
		n := 0
		for s.Scan() {
			n++
			lines <- inputLine{number: n, text: strings.TrimRight(s.Text(), "\r")}
		}
		if s.Err() != nil {
			lines <- inputLine{number: n + 1, err: s.Err()}
		}
	}()
	return lines
}

// spoken is what a line says that somebody typed where there are no commands: as at the
// prompt, of two slashes that it begins with the first is left out, and what looks like
// a command is not said to all.
func spoken(line string) (text string, ok bool) {
	if strings.HasPrefix(line, "//") {
		return line[1:], true
	}
	return line, !strings.HasPrefix(strings.TrimLeft(line, " \t"), "/")
}

// isTerminal reports whether f, one of the standard streams, is a terminal.
func isTerminal(f any) bool {
	file, ok := f.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}
