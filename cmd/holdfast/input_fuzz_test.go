package main

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

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
