//go:build linux || darwin || freebsd || openbsd || netbsd

package lineui

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/hinshun/vt10x"
)

func TestWideRowsArePaintedByColumn(t *testing.T) {
	for in, want := range map[string]string{
		"ab":              "ab",
		"a你b":             "a你\x1b[4Gb",
		"·x":              "·\x1b[2Gx",
		"👨\u200d👩x":       "👨\u200d👩\x1b[5Gx",
		"🇩🇪x":             "🇩🇪\x1b[3Gx",
		"👍🏽x":             "👍🏽\x1b[5Gx",
		"e\u0301x":        "e\u0301x",
		"01234567你":       "01234567你", // none after the last column: it would end in the next row
		"0123456789":      "0123456789",
		"é012345678":      "é\x1b[2G012345678",
		"012345678\u00e9": "012345678é",
	} {
		m := newModel(10, 2)
		m.feed([]byte(in))
		var b strings.Builder
		writeCells(&b, m.rows[0], 0, 10)
		if got := b.String(); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestCrop(t *testing.T) {
	for _, tt := range []struct {
		in   string
		cols int
		want string
		w    int
	}{
		{"abc", 5, "abc", 3},
		{"abcdef", 3, "abc", 3},
		{"\x1b[1;31mabc\x1b[0mdef", 4, "\x1b[1;31mabc\x1b[0md", 4},
		{"你好", 3, "你", 2},
		{"e\u0301x", 1, "e\u0301", 1},
		{"a", 0, "", 0},
	} {
		if got, w := crop(tt.in, tt.cols); got != tt.want || w != tt.w {
			t.Errorf("crop(%q, %d) = %q, %d", tt.in, tt.cols, got, w)
		}
	}
}

// A full row is followed by a column, never by EL: the pending wrap would let
// EL take its last cell. And nothing is erased with ED 0 (see painter.erase).
func TestFramesEraseRowByRow(t *testing.T) {
	p := newPainter(2, false, 10, 5)
	vt := vt10x.New(vt10x.WithSize(10, 5))
	for _, text := range []string{"01234567", "01234567\x1b[A\x1b[B", "x"} {
		p.model.feed([]byte("\r\x1b[K" + string(anchor) + "~ " + text))
		frame := p.frame([]string{"==========", "short"}, []string{"status 123"}, ">")
		for _, before := range strings.SplitAfter(frame, "\x1b[K") {
			before, erased := strings.CutSuffix(before, "\x1b[K")
			if erased && before != "" && !strings.HasSuffix(before, "\r") && !regexp.MustCompile("\x1b\\[\\d*[AB]$").MatchString(before) {
				t.Errorf("EL after text in %q", frame)
			}
		}
		if strings.Contains(frame, "\x1b[J") || strings.Contains(frame, "\x1b[0J") {
			t.Errorf("ED 0 in %q", frame)
		}
		vt.Write([]byte(frame))
		text, _, _ = strings.Cut(text, "\x1b")
		if want := "==========\nshort     \nstatus 12 \n> " + text; !strings.Contains(vt.String(), want) {
			t.Errorf("%q shows\n%s\nwant\n%s", frame, vt.String(), want)
		}
	}
}

// In a window narrower than the prompt, the prompt wraps as what liner drew did. A line
// break that is edited is ASCII where it must.
func TestEdited(t *testing.T) {
	const prompt = "\x1b[33m[general]\x1b[0m >"
	liner := string(anchor) + strings.Repeat("~", 14) + " "
	for _, c := range []struct {
		cols  int
		ascii bool
		want  string
	}{
		{40, false, "[general] >    one␤two"},
		{40, true, "[general] >    onentwo"},
		{15, false, "[general] >    \none␤two"},
		{10, false, "[general] \n>    one␤t\nwo"},
		{4, false, "[gen\neral\n] > \n   o\nne␤t\nwo"},
	} {
		p := newPainter(15, c.ascii, c.cols, 10)
		p.model.feed([]byte(liner + "one" + newlineMark + "two"))
		frame := p.frame(nil, nil, prompt)
		vt := vt10x.New(vt10x.WithSize(c.cols, 10))
		vt.Write([]byte(frame))
		got := strings.TrimRight(vt.String(), " \n")
		if trailing := regexp.MustCompile(` +\n`); trailing.ReplaceAllString(got, "\n") != trailing.ReplaceAllString(c.want, "\n") {
			t.Errorf("%d columns, ascii %v:\n%s\nwant\n%s", c.cols, c.ascii, got, c.want)
		}
		if c.ascii != strings.Contains(frame, "one\x1b[7mn\x1b[27mtwo") {
			t.Errorf("ascii %v: %q", c.ascii, frame)
		}
	}
}

// All rows are cleared in which a block can be that the terminal has wrapped anew.
func TestWipe(t *testing.T) {
	p := newPainter(2, false, 40, 10)
	p.model.feed([]byte(string(anchor) + "~ " + strings.Repeat("x", 98))) // 100 columns
	p.frame(nil, []string{strings.Repeat("=", 30), "short"}, ">")
	p.resize(20, 10)
	// In the worst case, from above: the status in two rows and one, each of the edit
	// rows in two, the last, which has the cursor, in one.
	if want := "\x1b[1B" + strings.Repeat("\r\x1b[K\x1b[A", 2+1+2+2+1+1); p.wipe() != want {
		t.Errorf("%q, want %q", p.wipe(), want)
	}
	if frame := p.frame(nil, nil, ">"); !strings.Contains(frame, "\x1b[A"+clearScreen) {
		t.Errorf("cleared without a wipe: %q", frame)
	}
}

// After a resize all is painted anew: what was on screen, what fits now, and what
// is new, though it be more than fits.
func TestRebuild(t *testing.T) {
	numbered := func(from, to int) (lines []string) {
		for i := range to - from {
			lines = append(lines, fmt.Sprintf("line %d", from+i))
		}
		return lines
	}
	wide := []string{strings.Repeat("=", 30)}
	for _, tt := range []struct {
		name          string
		before, after int // lines printed
		cols, rows    int
		clear, first  string
	}{
		{"all that was there", 5, 0, 20, 10, clearScreen, "line 0"},
		{"as many as fit", 50, 0, 20, 10, "\x1b[K\x1b[H", "line 40"},
		{"as many as were there", 50, 0, 4, 10, "\x1b[K\x1b[H", "line 40"},
		{"a lower window", 50, 0, 20, 5, "\x1b[K\x1b[H", "line 40"},
		{"a higher window", 50, 0, 20, 20, "\x1b[K\x1b[H", "line 30"},
		{"more than fit", 50, 30, 20, 10, "\x1b[K\x1b[H", "line 50"},
		{"more than are remembered", 50, 3 * keepRecent, 20, 10, "\x1b[K\x1b[H", "line 50"},
	} {
		p := newPainter(2, false, 40, 10)
		p.frame(numbered(0, tt.before), wide, ">")
		p.resize(tt.cols, tt.rows)
		frame := p.frame(numbered(tt.before, tt.before+tt.after), wide, ">")
		if !strings.Contains(frame, tt.clear+tt.first+plain) {
			t.Errorf("%s: %.300q", tt.name, frame)
		}
		if p.resize(tt.cols, tt.rows); strings.Contains(p.frame(nil, nil, ">"), "line") {
			t.Errorf("%s: printed once more", tt.name)
		}
	}
}
