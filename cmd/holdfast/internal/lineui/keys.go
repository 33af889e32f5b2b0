//go:build linux || darwin || freebsd || openbsd || netbsd

package lineui

import (
	"bytes"
	"slices"
	"strings"
	"unicode/utf8"
)

const (
	pasteBegin = "\x1b[200~"
	pasteEnd   = "\x1b[201~"
)

// keyFilter turns what the terminal sends into keys that liner understands. A
// bracketed paste becomes plain text without a single key in it: bare liner runs
// a pasted Enter, Tab or Ctrl-C. A pasteMark stands before each piece of it.
// Sequences that liner would type into the line as rubbish (Shift-Up, reports of
// focus and mouse) are dropped.
type keyFilter struct {
	pend   []byte // the start of a rune or sequence whose rest is not here yet
	paste  bool
	pasted rune // the last rune pasted: CR LF is one line break
}

// feed takes what one read gave and returns what can be decided so far. All of
// it is valid UTF-8.
func (k *keyFilter) feed(b []byte) (out []byte) {
	b = append(k.pend, b...)
	k.pend = nil
	for len(b) > 0 {
		n := 0
		if k.paste {
			out, n = k.pasteText(out, b)
		} else {
			out, n = k.key(out, b)
		}
		if n == 0 {
			k.pend = slices.Clone(b)
			break
		}
		b = b[n:]
	}
	return out
}

// waitsForMore reports that the last byte was an ESC outside a paste: a key of
// its own, or a sequence that the network tore apart. Only time tells.
func (k *keyFilter) waitsForMore() bool { return !k.paste && string(k.pend) == "\x1b" }

// flush gives up waiting: the ESC was a key.
func (k *keyFilter) flush() []byte {
	out := k.pend
	k.pend = nil
	return out
}

// key appends the first key of b to out. n is its length, 0 when b ends in the
// middle of it.
func (k *keyFilter) key(out, b []byte) (_ []byte, n int) {
	if b[0] == 0x1b {
		return k.escape(out, b)
	}
	if !utf8.FullRune(b) {
		return out, 0
	}
	r, n := utf8.DecodeRune(b)
	if ours(r) || r >= 0x80 && control(r) {
		return out, n
	}
	return utf8.AppendRune(out, r), n
}

func (k *keyFilter) escape(out, b []byte) (_ []byte, n int) {
	switch {
	case len(b) == 1:
		return out, 0
	case b[1] == 0x1b: // liner would type the second sequence as text
		return out, 1
	case b[1] == '\r' || b[1] == '\n': // Alt-Enter
		return append(out, newlineMark...), 2
	case b[1] == 'O':
		return k.function(out, b)
	case b[1] != '[': // Alt-B and its like, or an ESC and a key
		return append(out, b[0]), 1
	case bytes.HasPrefix(b, []byte(pasteBegin)):
		k.paste, k.pasted = true, 0
		return out, len(pasteBegin)
	case len(b) > 2 && b[2] == '[': // a function key of the Linux console has one byte more
		if len(b) == 3 {
			return out, 0
		}
		return out, 4
	}
	n, more := seqLen(b)
	if more {
		return out, 0
	}
	if linerKnows(string(b[2:n])) {
		out = append(out, b[:n]...)
	}
	return out, n
}

// function handles ESC O x, which a terminal in application mode sends for the
// arrows; liner knows those only as ESC [ x.
func (k *keyFilter) function(out, b []byte) (_ []byte, n int) {
	switch {
	case len(b) == 2:
		return out, 0
	case b[2] < 0x20 || b[2] >= 0x7f: // an Enter must not be swallowed
		return out, 2
	case strings.IndexByte("ABCDFH", b[2]) >= 0:
		return append(out, 0x1b, '[', b[2]), 3
	case b[2] == 'c' || b[2] == 'd': // Ctrl with an arrow in rxvt
		return append(out, b[:3]...), 3
	}
	return out, 3
}

// linerKnows reports whether liner acts on CSI s; it types every other one.
func linerKnows(s string) bool {
	switch s {
	case "A", "B", "C", "D", "F", "H", "Z", "1;5C", "1;5D",
		"1~", "2~", "3~", "4~", "5~", "6~", "7~", "8~":
		return true
	}
	return false
}

// pasteText appends the text of b up to the end of the paste or of b. n is 0
// when what is left of b may be the start of the end marker or of a rune.
func (k *keyFilter) pasteText(out, b []byte) (_ []byte, n int) {
	if n = bytes.Index(b, []byte(pasteEnd)); n == 0 {
		k.paste = false
		return out, len(pasteEnd)
	}
	if n < 0 {
		n = len(b) - unfinished(b)
	}
	text := string(b[:n])
	if k.pasted == '\r' {
		text = strings.TrimPrefix(text, "\n")
	}
	if n > 0 {
		k.pasted = rune(b[n-1])
	}
	if text = flatten(text); text != "" {
		out = utf8.AppendRune(out, pasteMark)
	}
	return append(out, text...), n
}

// unfinished counts the bytes at the end of b that the next read may complete:
// to the end marker, or to a rune.
func unfinished(b []byte) int {
	for n := min(len(b), len(pasteEnd)-1); n > 0; n-- {
		if bytes.HasSuffix(b, []byte(pasteEnd[:n])) {
			return n
		}
	}
	for n := 1; n <= min(len(b), utf8.UTFMax-1); n++ {
		if tail := b[len(b)-n:]; utf8.RuneStart(tail[0]) {
			if !utf8.FullRune(tail) {
				return n
			}
			break
		}
	}
	return 0
}
