package safe

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/mattn/go-runewidth"
)

type lineTest struct{ name, in, want string }

// lineTests have what must stay readable. What must not do harm is in testdata.
var lineTests = []lineTest{
	{"plain", "héllo 你好 мир", "héllo 你好 мир"},
	{"spaces", "a\u2003b\u202fc\u00a0d\u3000e", "a b c\u00a0d\u3000e"},
	{"joined family", "👨\u200d👩\u200d👧", "👨\u200d👩\u200d👧"},
	{"joined heart", "❤\ufe0f\u200d🔥 👩🏽\u200d🚀", "❤\ufe0f\u200d🔥 👩🏽\u200d🚀"},
	{"joiner in Latin", "a\u200db\u200d", "ab"},
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

// hostile reads the texts that are meant to do harm.
func hostile(t testing.TB) (tests []lineTest) {
	t.Helper()
	file, err := os.ReadFile("testdata/hostile.txt")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(file)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		parts := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if len(parts) != 3 {
			t.Fatalf("%d parts: %q", len(parts), line)
		}
		in, err1 := strconv.Unquote(parts[1])
		want, err2 := strconv.Unquote(parts[2])
		if err := cmp.Or(err1, err2); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		tests = append(tests, lineTest{parts[0], in, want})
	}
	if len(tests) < 50 {
		t.Fatalf("only %d hostile texts", len(tests))
	}
	return tests
}

func TestLine(t *testing.T) {
	for _, tt := range append(hostile(t), lineTests...) {
		t.Run(tt.name, func(t *testing.T) {
			if got := Line(tt.in, 1000); got != tt.want {
				t.Errorf("%q: got %q, want %q", tt.in, got, tt.want)
			}
			if again := Line(tt.want, 1000); again != tt.want {
				t.Errorf("%q once more: %q", tt.want, again)
			}
			if why := bad(tt.want); why != "" {
				t.Errorf("%q: %s", tt.want, why)
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

// bad reports why s must not reach a terminal, "" if it may. It is a list of what is
// allowed, by Unicode's own categories: whatever else comes is bad.
func bad(s string) string {
	if !utf8.ValidString(s) {
		return "not UTF-8"
	}
	prev, marks := rune(0), 0 // marks on the last base
	for i, r := range s {
		last := i+utf8.RuneLen(r) == len(s)
		switch {
		case r == '\ufe0e', r == '\ufe0f':
			if prev == 0 || selector(prev) {
				return "a selector without a base"
			}
		case r == zwj || r == zwnj:
			if prev < utf8.RuneSelf || prev == zwj || prev == zwnj || last {
				return "a joiner that joins nothing"
			}
		case unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector), r == '\u2800':
			return fmt.Sprintf("%U draws nothing", r)
		case r == ' ', r == '\u00a0', r == '\u3000', unicode.In(r, unicode.L, unicode.N, unicode.P, unicode.S):
			marks = 0
		case unicode.Is(unicode.M, r):
			if prev == 0 || unicode.IsSpace(prev) {
				return "a mark without a base"
			}
			if !unicode.Is(unicode.Mc, r) {
				marks++
			}
			if marks > maxMarks {
				return "a tower of marks"
			}
		default:
			return fmt.Sprintf("%U is not text", r)
		}
		prev = r
	}
	return ""
}

// Nothing that bad lets pass may be such a thing, whatever Unicode calls it.
func TestBadIsStrict(t *testing.T) {
	for r := range rune(unicode.MaxRune + 1) {
		if !utf8.ValidRune(r) || bad("x"+string(r)) != "" {
			continue
		}
		if unicode.IsControl(r) || unicode.In(r, unicode.Bidi_Control, unicode.Cf, unicode.Co, unicode.Zl, unicode.Zp) || r >= 0xe0000 && r < 0xf0000 {
			t.Errorf("%U", r)
		}
	}
}

func FuzzLine(f *testing.F) {
	for _, tt := range append(hostile(f), lineTests...) {
		f.Add(tt.in, 5)
		f.Add(tt.in, 200)
	}
	f.Fuzz(func(t *testing.T, s string, n int) {
		n %= 1000
		out := Line(s, n)
		if why := bad(out); why != "" {
			t.Fatalf("Line(%q, %d) = %q: %s", s, n, out, why)
		}
		if got := utf8.RuneCountInString(out); got > max(n, 0)+1 {
			t.Fatalf("Line(%q, %d) has %d runes", s, n, got)
		}
		if got := runewidth.StringWidth(out); got > 2*(max(n, 0)+1) {
			t.Fatalf("Line(%q, %d) has %d columns", s, n, got)
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
				t.Fatalf("a line of %q is %q: %s", s, l, why)
			}
		}
	})
}
