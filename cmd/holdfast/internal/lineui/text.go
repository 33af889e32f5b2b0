//go:build linux || darwin || freebsd || openbsd || netbsd

package lineui

import "strings"

const (
	// newlineMark stands for a line break while a line is edited: liner edits single
	// lines only, and Enter would send.
	newlineMark = "\u2424"

	// anchor is drawn by liner as the first rune of its prompt. It takes no column,
	// and tells the model where the first edit row is. No text may hold it.
	anchor = '\U000E0100'

	// pasteMark stands before pasted text among the filtered keys, and goes no
	// further than the keys goroutine. No text may hold it.
	pasteMark = '\U000E0101'

	pastedTab = "    "
)

// control reports whether r is something that a terminal acts on instead of
// drawing it: C0, DEL and C1.
func control(r rune) bool { return r < 0x20 || r >= 0x7f && r < 0xa0 }

// ours reports whether r is a sign between parts of this package.
func ours(r rune) bool { return r == anchor || r == pasteMark }

// flatten makes one line of s that holds nothing liner would take for a key. A
// byte that is not UTF-8 becomes U+FFFD.
func flatten(s string) string {
	var b strings.Builder
	after := rune(0)
	for _, r := range s {
		switch {
		case r == '\n' && after == '\r': // one line break, already written
		case r == '\r' || r == '\n' || r == 0x85 || r == 0x2028 || r == 0x2029:
			b.WriteString(newlineMark)
		case r == '\t':
			b.WriteString(pastedTab)
		case control(r) || ours(r):
		default:
			b.WriteRune(r)
		}
		after = r
	}
	return b.String()
}

// unflatten turns an edited line back into text with line breaks.
func unflatten(s string) string {
	return strings.ReplaceAll(s, newlineMark, "\n")
}

// seqLen measures the escape sequence that b begins with; more means that b ends
// before the sequence does. A byte that can't be part of a sequence ends it, and
// is not counted: a lost final byte must not swallow an Enter.
func seqLen(b []byte) (n int, more bool) {
	const longest = 32
	switch {
	case len(b) < 2:
		return len(b), true
	case b[1] < 0x20 || b[1] >= 0x7f:
		return 1, false
	case b[1] != '[':
		return 2, false
	}
	for i := 2; i < len(b); i++ {
		switch c := b[i]; {
		case c >= 0x40 && c < 0x7f:
			return i + 1, false
		case c < 0x20 || c >= 0x40 || i == longest:
			return i, false
		}
	}
	return len(b), true
}
