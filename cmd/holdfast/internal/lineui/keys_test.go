//go:build linux || darwin || freebsd || openbsd || netbsd

package lineui

import (
	"strings"
	"testing"
	"unicode/utf8"
)

var keyTests = []struct{ in, want string }{
	{"plain text\r", "plain text\r"},
	{"\x01\x03\x04\x1a\x7f\x00", "\x01\x03\x04\x1a\x7f\x00"}, // keys, all of them
	{"你好é🙂", "你好é🙂"},
	{"\xff\xc3(", "\ufffd\ufffd("},
	{"a\u009bb\u0085c", "abc"}, // C1 is no key
	{"a\U000E0100b", "ab"},     // the model's anchor
	{"\x1b[A\x1b[B\x1b[C\x1b[D\x1b[F\x1b[H\x1b[Z", "\x1b[A\x1b[B\x1b[C\x1b[D\x1b[F\x1b[H\x1b[Z"},
	{"\x1b[1;5C\x1b[1;5D\x1b[3~\x1b[5~", "\x1b[1;5C\x1b[1;5D\x1b[3~\x1b[5~"},
	{"\x1b[1;2Aa\x1b[I\x1b[Ob\x1b[<0;1;1Mc\x1b[24;80Rd\x1b[?1;2ce\x1b[201~\x1b[~", "abcde"},
	{"\x1b[[Ax\x1b[15~", "x"},                            // function keys
	{"\x1bOA\x1bOH\x1bOcx\x1bOP", "\x1b[A\x1b[H\x1bOcx"}, // application mode
	{"\x1bb\x1bf\x1bd\x1by\x1b\x7f", "\x1bb\x1bf\x1bd\x1by\x1b\x7f"},
	{"a\x1b\rb\x1b\nc", "a␤b␤c"},
	{"\x1b\x1b[A", "\x1b[A"},
	{"\x1b[1\rx", "\rx"}, // a lost final byte swallows no Enter
	{"\x1bO\rx", "\rx"},
	{"\x1b[" + strings.Repeat("1", 40) + "\r", "1111111111\r"},
	{"\x1b[200~a\r\nb\rc\nd\te\x03\x1b[31m\x7f\u009b\xff\u2028f\x1b[201~\r", "a␤b␤c␤d    e[31m\ufffd␤f\r"},
	{"\x1b[200~\x1b[200~a\x1b[20\x1b[201~b\x1b[200~\x1b[201~", "[200~a[20b"},
	{"\x1b[200~\n\r\n\r\r\n\x1b[201~", "␤␤␤␤"},
}

// filtered returns the keys in chunks without pasteMarks, of which a paste in more
// pieces has more.
func filtered(chunks ...string) string { return unmarked(marked(chunks...)) }

func unmarked(keys string) string { return strings.ReplaceAll(keys, string(pasteMark), "") }

func marked(chunks ...string) string {
	var k keyFilter
	var out []byte
	for _, c := range chunks {
		out = append(out, k.feed([]byte(c))...)
	}
	return string(append(out, k.flush()...))
}

// However the terminal or the network tears them apart, the keys are the same.
func TestKeysAtEverySplit(t *testing.T) {
	for _, tt := range keyTests {
		if got := filtered(tt.in); got != tt.want {
			t.Errorf("%q: got %q, want %q", tt.in, got, tt.want)
		}
		for i := range tt.in {
			if got := filtered(tt.in[:i], tt.in[i:]); got != tt.want {
				t.Errorf("%q | %q: got %q, want %q", tt.in[:i], tt.in[i:], got, tt.want)
			}
		}
		if got := filtered(strings.Split(tt.in, "")...); got != tt.want {
			t.Errorf("%q in runes: got %q, want %q", tt.in, got, tt.want)
		}
		var single []string
		for i := range len(tt.in) {
			single = append(single, tt.in[i:i+1])
		}
		if got := filtered(single...); got != tt.want {
			t.Errorf("%q in bytes: got %q, want %q", tt.in, got, tt.want)
		}
	}
}

// Each piece of a paste has its mark, nothing else has one.
func TestPasteIsMarked(t *testing.T) {
	for _, tt := range []struct {
		chunks []string
		want   string // with | for the mark
	}{
		{[]string{"ab\x1b[200~cd\x1b[201~e\r"}, "ab|cde\r"},
		{[]string{"\x1b[200~c", "d", "\x1b[201~e"}, "|c|de"},
		{[]string{"\x1b[200~\x03\x1b[201~e"}, "e"}, // nothing is left of it
		{[]string{"a\U000E0101b\x1b[200~\U000E0101\U000E0100\x1b[201~"}, "ab"},
	} {
		if got := strings.ReplaceAll(marked(tt.chunks...), string(pasteMark), "|"); got != tt.want {
			t.Errorf("%q: got %q, want %q", tt.chunks, got, tt.want)
		}
	}
}

func TestLoneEscapeIsAKey(t *testing.T) {
	var k keyFilter
	if out := k.feed([]byte("a\x1b")); string(out) != "a" || !k.waitsForMore() {
		t.Errorf("%q, waits %v", out, k.waitsForMore())
	}
	if out := k.flush(); string(out) != "\x1b" || k.waitsForMore() {
		t.Errorf("%q, waits %v", out, k.waitsForMore())
	}
	if k.feed([]byte("\x1b[")); k.waitsForMore() {
		t.Error("a sequence that has begun is waited for as long as it takes")
	}
	if k.feed([]byte("200~x\x1b")); k.waitsForMore() {
		t.Error("an ESC in a paste is no key")
	}
}

func FuzzKeys(f *testing.F) {
	for i, tt := range keyTests {
		f.Add([]byte(tt.in), []byte(tt.want), i)
	}
	f.Fuzz(func(t *testing.T, before, pasted []byte, at int) {
		var k keyFilter
		if out := k.feed(before); !utf8.Valid(out) {
			t.Fatalf("%q: not UTF-8", out)
		}
		k = keyFilter{}
		k.feed([]byte(pasteBegin))
		at = max(0, min(at, len(pasted)))
		text := string(pasted[:at]) + string(pasted[at:])
		out := append(k.feed(pasted[:at]), k.feed(pasted[at:])...)
		if end := strings.Index(text, pasteEnd); end >= 0 { // a paste can't hold its own end
			return
		}
		out = append(out, k.feed([]byte(pasteEnd))...)
		if len(out) > 0 && !strings.HasPrefix(string(out), string(pasteMark)) {
			t.Fatalf("%q pasted, %q comes out", text, out)
		}
		for _, r := range unmarked(string(out)) {
			if control(r) || r == anchor {
				t.Fatalf("%q pasted, %q comes out", text, out)
			}
		}
		if !utf8.Valid(out) || k.paste {
			t.Fatalf("%q pasted, %q comes out, in paste %v", text, out, k.paste)
		}
		if whole := filtered(pasteBegin + text + pasteEnd); whole != unmarked(string(out)) {
			t.Fatalf("%q split at %d: %q, whole %q", text, at, out, whole)
		}
	})
}
