package main

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// A typed line is a command, or is sent as it was typed, less the first of two slashes.
func FuzzCommand(f *testing.F) {
	for _, s := range []string{"", "/", "//", "//me", "/me waves", "/ME  waves ", " /me", "/me\twaves", "/quit", "/ a", "/\xff\x1b[2J x", "hello // you"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, line string) {
		cmd, rest, ok := command(line)
		switch {
		case !strings.HasPrefix(line, "/"):
			if ok || cmd != "" || rest != line {
				t.Errorf("%q: %q %q %v; want it as it is", line, cmd, rest, ok)
			}
		case strings.HasPrefix(line, "//"):
			if ok || cmd != "" || "/"+rest != line {
				t.Errorf("%q: %q %q %v; want one slash less", line, cmd, rest, ok)
			}
		default:
			if !ok || strings.Contains(cmd, " ") || cmd != strings.ToLower(cmd) || rest != strings.TrimSpace(rest) {
				t.Errorf("%q: %q %q %v", line, cmd, rest, ok)
			}
			first, after, _ := strings.Cut(line[1:], " ")
			if cmd != strings.ToLower(first) || !strings.Contains(after, rest) || strings.TrimSpace(after) != rest {
				t.Errorf("%q: %q %q; want %q %q", line, cmd, rest, first, after)
			}
		}
	})
}

// However input comes, in however small pieces, its lines are those that it has, in
// order and numbered, the last one with or without its end.
func FuzzReadLines(f *testing.F) {
	for _, s := range []string{"", "\n", "a", "a\nb\n", "a\r\nb\r", "\r\r\n\n\xff\n", "a\x00b"} {
		f.Add([]byte(s), false)
	}
	f.Add(bytes.Repeat([]byte("x"), 70_000), true)
	f.Fuzz(func(t *testing.T, in []byte, broken bool) {
		r := iotest.OneByteReader(bytes.NewReader(in))
		if len(in) > 4096 {
			r = bytes.NewReader(in)
		}
		if broken {
			r = io.MultiReader(r, iotest.ErrReader(io.ErrUnexpectedEOF))
		}
		want := strings.Split(string(in), "\n")
		if want[len(want)-1] == "" {
			want = want[:len(want)-1]
		}
		n, failed := 0, false
		for l := range readLines(r) {
			if n++; l.number != n || failed {
				t.Fatalf("line %d comes as number %d", n, l.number)
			}
			if failed = l.err != nil; failed {
				continue
			}
			if n > len(want) || l.text != strings.TrimRight(want[n-1], "\r") {
				t.Fatalf("line %d of %d is %q", n, len(want), l.text)
			}
		}
		if failed {
			n--
		}
		if failed != broken || n != len(want) {
			t.Fatalf("%d lines of %d, failed: %v", n, len(want), failed)
		}
	})
}
