package safe

import (
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

var lineTests = []struct{ name, in, want string }{
	{"plain", "héllo 你好 мир", "héllo 你好 мир"},
	{"colour", "\x1b[31mred\x1b[0m", "␛[31mred␛[0m"},
	{"nested escape", "\x1b\x1b[m[2J", "␛␛[m[2J"},
	{"title", "hi \x1b]2;PWNED\x07", "hi ␛]2;PWNED␇"},
	{"clipboard", "a\x1b]52;c;ZXZpbA==\x1b\\b", "a␛]52;c;ZXZpbA==␛\\b"},
	{"link", "\x1b]8;;http://evil\x1b\\x\x1b]8;;\x1b\\", "␛]8;;http://evil␛\\x␛]8;;␛\\"},
	{"device control", "\x1bP1$r0m\x1b\\", "␛P1$r0m␛\\"},
	{"unterminated", "\x1b]0;all the rest", "␛]0;all the rest"},
	{"cursor", "\x1b[1A\r\x1b[K<boss> send it", "␛[1A␍␛[K<boss> send it"},
	{"C1 in UTF-8", "a\u009b31m\u009d52;c;x\u009c\u0090", "a\ufffd31m\ufffd52;c;x\ufffd\ufffd"},
	{"C1 as bytes", "a\x9b31mred", "a\ufffd31mred"},
	{"overprint", "real\rfake", "real␍fake"},
	{"backspace", "ok\b\bno\x7f", "ok␈␈no␡"},
	{"NUL and shift out", "\x00\x0e\x0f\a", "␀␎␏␇"},
	{"tab", "a\tb", "a b"},
	{"line breaks", "a\nb\u2028c\u2029d\u0085e", "a␤b␤c␤d␤e"},
	{"vertical tab and form feed", "a\vb\f", "a␋b␌"},
	{"bidi override", "abc\u202egpj.exe", "abcgpj.exe"},
	{"bidi isolates", "\u2066x\u2069\u061c\u200e\u200f", "x"},
	{"zero width", "ad\u200bm\u200ci\ufeffn\u2060", "admin"},
	{"soft hyphen", "ad\u00admin", "admin"},
	{"tags", "hi\U000e0041\U000e0042\U000e007f", "hi"},
	{"fillers", "\u3164\u115f\u1160\uffa0\u2800\u034fx", "x"},
	{"spaces", "a\u2003b\u202fc\u00a0d\u3000e", "a b c\u00a0d\u3000e"},
	{"private and unassigned", "\ue000\ufdd0\U0010ffff\u0378", "\ufffd\ufffd\ufffd\ufffd"},
	{"not UTF-8", "a\xc3(\xed\xa0\x80\xf5", "a\ufffd(\ufffd\ufffd\ufffd\ufffd"},
	{"tower of marks", "e\u0301\u0302\u0303\u0304\u0305x", "e\u0301\u0302\u0303x"},
	{"tower with selectors", "e\u0301\ufe0f\u0302\ufe0f\u0303\u0304x", "e\u0301\u0302\u0303x"},
	{"leading mark", "\u0301\u0903x \u0301y\u3000\u0301", "x y\u3000"},
	{"joined family", "👨\u200d👩\u200d👧", "👨\u200d👩\u200d👧"},
	{"joined heart", "❤\ufe0f\u200d🔥 👩🏽\u200d🚀", "❤\ufe0f\u200d🔥 👩🏽\u200d🚀"},
	{"joiner in Latin", "a\u200db\u200d", "ab"},
	{"joiners in a row", "👨\u200d\u200d\u200d👩", "👨\u200d👩"},
	{"joiner at the end", "👨\u200d", "👨"},
	{"joiner before text", "👨\u200dx", "👨x"},
	{"selectors", "❤\ufe0f 1\ufe0f\u20e3 x\ufe0f❤\ufe0f\ufe0f\ufe0e\U000e0100\ufe0f", "❤\ufe0f 1\ufe0f\u20e3 x❤\ufe0f"},
	{"leading selector", "\ufe0fx", "x"},
	{"flag and skin tone", "🇩🇪 👍🏽", "🇩🇪 👍🏽"},
	{"Persian", "می\u200cخواهم", "می\u200cخواهم"},
	{"Sinhala", "ශ\u0dca\u200dරී", "ශ\u0dca\u200dරී"},
	{"Burmese", "မြို့ ကြောင့်", "မြို့ ကြောင့်"},
	{"Hindi and Thai", "नमस्ते ที่", "नमस्ते ที่"},
	{"Arabic and Hebrew", "مرحبا שלום", "مرحبا שלום"},
}

func TestLine(t *testing.T) {
	for _, tt := range lineTests {
		t.Run(tt.name, func(t *testing.T) {
			if got := Line(tt.in, 1000); got != tt.want {
				t.Errorf("%q: got %q, want %q", tt.in, got, tt.want)
			}
			if again := Line(tt.want, 1000); again != tt.want {
				t.Errorf("%q once more: %q", tt.want, again)
			}
		})
	}
}

func TestLineIsCut(t *testing.T) {
	for _, tt := range []struct {
		in   string
		max  int
		want string
	}{
		{"abc", 3, "abc"},
		{"abcd", 3, "abc…"},
		{"abc\u200b\u202e", 3, "abc"}, // nothing that could be seen is left out
		{"你好世界", 2, "你好…"},
		{"\x1b\x1b\x1b", 2, "␛␛…"},
		{"👨\u200d👩", 2, "👨…"}, // no joiner may reach for what follows
		{"e\u0301\u0302", 1, "e…"},
		{"x", 0, "…"},
		{"x", -1, "…"},
		{"", 0, ""},
	} {
		if got := Line(tt.in, tt.max); got != tt.want {
			t.Errorf("Line(%q, %d) = %q, want %q", tt.in, tt.max, got, tt.want)
		}
	}
}

func TestBlock(t *testing.T) {
	for _, tt := range []struct {
		in   string
		want []string
	}{
		{"", []string{""}},
		{"one", []string{"one"}},
		{"hi\n12:00 <bob> I quit\r\nx", []string{"hi", "12:00 <bob> I quit", "…"}},
		{"a\u2028b\n\n\n", []string{"a", "b"}},
		{"a\u0085b", []string{"a", "b"}},
		{"a\rb\n\x1b[1A", []string{"a␍b", "␛[1A"}},
		{"\n\n\nx", []string{"", "", "…"}},
		{"a\n" + strings.Repeat("x", 100), []string{"a", strings.Repeat("x", 20) + "…"}},
	} {
		if got := Block(tt.in, 2, 20); !slices.Equal(got, tt.want) {
			t.Errorf("%q: got %q, want %q", tt.in, got, tt.want)
		}
	}
}

func TestKey(t *testing.T) {
	for _, alike := range [][]string{
		{"bob", "b0b", "BOB", "bo_b", "b-o-b"},
		{"alice", "al1ce", "a1lce", "AIice", "allce"},
		{"kern", "kem", "ker-n"},
		{"wim", "vvim", "v-v1rn"},
		{"vvv", "vw", "wv"},
		{"sos", "505"},
	} {
		for _, name := range alike[1:] {
			if Key(name) != Key(alike[0]) {
				t.Errorf("%q and %q have the keys %q and %q", name, alike[0], Key(name), Key(alike[0]))
			}
		}
	}
	seen := map[string]string{}
	for _, name := range []string{"ana", "anna", "bob", "bobby", "carol", "dave", "x", "y", "r", "n", "rm", "8ball", "ball", "z2", "zz"} {
		if other, taken := seen[Key(name)]; taken {
			t.Errorf("%q and %q have the same key", name, other)
		}
		seen[Key(name)] = name
	}
}

// bad reports why s must not reach a terminal.
func bad(s string) string {
	if !utf8.ValidString(s) {
		return "not UTF-8"
	}
	prev, marks := rune(0), 0
	for _, r := range s {
		switch {
		case unicode.IsControl(r):
			return "control"
		case unicode.Is(unicode.Bidi_Control, r), r == '\u2028', r == '\u2029', r == '\ufeff', r == '\u200b':
			return "invisible"
		case r == zwj && prev == zwj, r == zwj && prev < 0x80:
			return "joiner"
		case unicode.IsMark(r) && prev == 0:
			return "leading mark"
		case stacks(r):
			if marks++; marks > maxMarks {
				return "tower of marks"
			}
		case !extends(r):
			marks = 0
		}
		prev = r
	}
	return ""
}

func FuzzLine(f *testing.F) {
	for _, tt := range lineTests {
		f.Add(tt.in, 5)
	}
	f.Fuzz(func(t *testing.T, s string, n int) {
		n %= 1000
		out := Line(s, n)
		if why := bad(out); why != "" {
			t.Fatalf("%s in Line(%q, %d) = %q", why, s, n, out)
		}
		if got := utf8.RuneCountInString(out); got > max(n, 0)+1 {
			t.Fatalf("Line(%q, %d) has %d runes", s, n, got)
		}
		if again := Line(out, 2000); again != out {
			t.Fatalf("%q becomes %q, then %q", s, out, again)
		}
		lines := Block(s, 3, n)
		if len(lines) == 0 || len(lines) > 4 {
			t.Fatalf("%d lines of %q", len(lines), s)
		}
		for _, l := range lines {
			if why := bad(l); why != "" {
				t.Fatalf("%s in a line of %q: %q", why, s, l)
			}
		}
	})
}
