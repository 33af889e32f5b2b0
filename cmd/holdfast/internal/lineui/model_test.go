//go:build linux || darwin || freebsd || openbsd || netbsd

package lineui

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/mattn/go-runewidth"
)

func (m *model) text() string {
	var rows []string
	for _, row := range m.rows[:m.used()] {
		s := ""
		for _, c := range row {
			s += c.s
		}
		rows = append(rows, s)
	}
	return strings.Join(rows, "|")
}

func TestModel(t *testing.T) {
	a := string(anchor)
	for _, tt := range []struct {
		in   string
		want string
		x, y int
	}{
		{"abc", "abc", 3, 0},
		{"0123456789", "0123456789", 10, 0}, // the wrap is pending
		{"0123456789a", "0123456789|a", 1, 1},
		{"0123456789\r\x1b[K", "", 0, 0},
		{"你好世界啊", "你好世界啊", 10, 0},
		{"a你好世界啊", "a你好世界|啊", 2, 1}, // no room for half of it
		{"你\x1b[2Gx", " x", 2, 0},
		{"你\rx", "x ", 1, 0},
		{"你\x1b[2G\x1b[K", " ", 1, 0},
		{"e\u0301\u0302x", "e\u0301\u0302x", 2, 0},
		{"你\u0301", "你\u0301", 2, 0},
		{"0123456789\u0301", "0123456789\u0301", 10, 0},
		{"\u0301x", "x", 1, 0},
		{"👨\u200d👩", "👨\u200d👩", 4, 0},
		{"a\x07\x00\u009b\u0085b\x7f", "ab", 2, 0}, // nothing that a terminal acts on
		{"a\xffb\xe4\xbd", "a\ufffdb", 3, 0},
		{"abc\x1b[Dx", "abcx", 4, 0}, // not one of liner's
		{"abcdef\r\x1b[2Cx", "abxdef", 3, 0},
		{"abc\ndef\x1b[1Ax\x1b[1By", "abcx|def y", 5, 1},
		{"abc\x1b[H\x1b[2Jd", "d", 1, 0},
		{"abc\n\n\x1b[2A", "abc", 0, 0}, // empty rows below the cursor are not painted
		{"junk\njunk" + a + "~ x\n\x1b[A", "~ x", 0, 0},
		{"before" + promptEnd + "after", "after", 5, 0},
	} {
		for i := range len(tt.in) + 1 { // at every split
			m := newModel(10, 2)
			m.feed([]byte(tt.in[:i]))
			m.feed([]byte(tt.in[i:]))
			if got := m.text(); got != tt.want || m.x != tt.x || m.y != tt.y {
				t.Errorf("%q at %d: %q cursor %d,%d, want %q cursor %d,%d", tt.in, i, got, m.x, m.y, tt.want, tt.x, tt.y)
			}
		}
	}
}

func TestModelKnowsThePrompt(t *testing.T) {
	m := newModel(20, 2)
	for _, tt := range []struct {
		in   string
		want bool
	}{
		{string(anchor) + "~ ab", true},
		{"\r\x1b[K(reverse-i-search)`': ", false},
		{"\r\x1b[K" + string(anchor) + "~ ab\ncd\r\x1b[K", true},
		{promptEnd, false},
	} {
		if m.feed([]byte(tt.in)); m.prompted != tt.want {
			t.Errorf("after %q: %v", tt.in, m.prompted)
		}
	}
}

func TestAnchorTakesNoColumn(t *testing.T) {
	if w := runewidth.RuneWidth(anchor); w != 0 {
		t.Fatalf("%d columns", w)
	}
}

func TestModelResize(t *testing.T) {
	m := newModel(10, 2)
	m.feed([]byte("0123456你\nab"))
	m.resize(8)
	if got := m.text(); got != "0123456 |ab" {
		t.Errorf("%q", got)
	}
	m.resize(1)
	m.feed([]byte("你cd")) // no room for it at all
	if got := m.text(); got != "0|a|c|d" {
		t.Errorf("%q", got)
	}
}

func FuzzModel(f *testing.F) {
	f.Add([]byte("abc\x1b[2Cx你\r\x1b[K\x1b[1A\n"), 10, 5)
	f.Add([]byte(string(anchor)+"~ 012345678901234567890\x1b[3G\x1b[K"+promptEnd), 1, 2)
	f.Fuzz(func(t *testing.T, b []byte, cols, next int) {
		if len(b) > 1<<10 {
			return
		}
		cols, next = 1+abs(cols)%100, 1+abs(next)%100
		p := newPainter(2, false, cols, 10)
		p.model.feed(b[:len(b)/2])
		checkModel(t, p.model)
		checkFrame(t, p.frame(nil, nil, ">"))
		p.resize(next, 10)
		checkModel(t, p.model)
		p.model.feed(b[len(b)/2:])
		checkModel(t, p.model)
		checkFrame(t, p.frame(nil, nil, ">"))
	})
}

func abs(n int) int { return max(n, -(n + 1)) }

func checkModel(t *testing.T, m *model) {
	t.Helper()
	if len(m.rows) == 0 || m.x < 0 || m.x > m.cols || m.y < 0 || m.y >= len(m.rows) {
		t.Fatalf("cursor %d,%d of %d,%d", m.x, m.y, m.cols, len(m.rows))
	}
	for y, row := range m.rows {
		w := 0
		for _, c := range row {
			w += c.w
		}
		if w != len(row) || w > m.cols {
			t.Fatalf("row %d: %d columns in %d cells of %d", y, w, len(row), m.cols)
		}
	}
}

// checkFrame looks for anything that is neither text nor one of our sequences.
func checkFrame(t *testing.T, frame string) {
	t.Helper()
	for i := 0; i < len(frame); {
		r, size := utf8.DecodeRuneInString(frame[i:])
		switch {
		case r == 0x1b:
			n, more := seqLen([]byte(frame[i:]))
			if more || !strings.ContainsRune("ABGHJKhlm", rune(frame[i+n-1])) {
				t.Fatalf("%q in %q", frame[i:i+n], frame)
			}
			size = n
		case control(r) && r != '\r' && r != '\n', r == anchor, r == utf8.RuneError && size == 1:
			t.Fatalf("%q in %q", r, frame)
		}
		i += size
	}
}
