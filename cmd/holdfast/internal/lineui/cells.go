//go:build linux || darwin || freebsd || openbsd || netbsd

package lineui

import (
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/mattn/go-runewidth"
)

var (
	sgr      = regexp.MustCompile("\x1b\\[[0-9;:]*m")
	sgrFirst = regexp.MustCompile("^" + sgr.String())
)

// printed makes rows of lines. Colours end with their line.
func printed(lines []string) string {
	if len(lines) == 0 {
		return ""
	}
	return strings.Join(lines, plain+newRow) + plain + newRow
}

// crop cuts text to that many columns and returns its width. SGR takes none.
func crop(text string, cols int) (_ string, width int) {
	for i := 0; i < len(text); {
		if seq := sgrFirst.FindString(text[i:]); seq != "" {
			i += len(seq)
			continue
		}
		r, size := utf8.DecodeRuneInString(text[i:])
		w := runewidth.RuneWidth(r)
		if width+w > cols {
			return text[:i], width
		}
		width += w
		i += size
	}
	return text, width
}

// fit crops text or fills it up with spaces.
func fit(text string, cols int) string {
	text, w := crop(text, cols)
	return text + plain + strings.Repeat(" ", cols-w)
}

// writeCells writes a row from column x on. Terminals disagree about the width
// of what is not ASCII, so a column is given after each such cell, but not in
// the middle of what is one sign for those that join it.
func writeCells(b *strings.Builder, row []cell, x, cols int) {
	for ; x < len(row); x++ {
		c := row[x]
		if c.s == "" { // the right half of a wide rune
			continue
		}
		b.WriteString(c.s)
		if next := x + c.w; c.s[0] >= utf8.RuneSelf && next < cols && !joins(c, row, next) {
			fmt.Fprintf(b, "\x1b[%dG", next+1)
		}
	}
}

// joins reports whether a terminal may draw c and the cell at next as one sign:
// a ZWJ sequence, a flag, or a skin tone.
func joins(c cell, row []cell, next int) bool {
	if strings.HasSuffix(c.s, "\u200d") {
		return true
	}
	if next >= len(row) {
		return false
	}
	r, _ := utf8.DecodeRuneInString(row[next].s)
	return r >= 0x1f3fb && r <= 0x1f3ff || r >= 0x1f1e6 && r <= 0x1f1ff
}
