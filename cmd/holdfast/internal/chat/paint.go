package chat

import (
	"strings"

	"github.com/mattn/go-runewidth"

	"holdfast/cmd/holdfast/internal/look"
	"holdfast/cmd/holdfast/internal/say"
)

// signs are what the chat draws besides text.
type signs struct {
	gutter   string // before the second and later lines of a message
	waits    string // before a line that waits
	ellipsis string
	bar      string // between the parts of a row
}

// signsFor returns signs that any terminal can draw, or those that look better.
func signsFor(ascii bool) signs {
	if ascii {
		return signs{gutter: "  | ", waits: "  . ", ellipsis: "...", bar: " | "}
	}
	return signs{gutter: "  │ ", waits: "  · ", ellipsis: "…", bar: " · "}
}

// bold is what names and marks may be besides their colour.
const bold look.Style = 1

// note prints lines of our own, which no message can look like: one begins with a time.
// They are cleaned here.
func (c *Chat) note(s look.Style, texts ...string) { c.term.Print(c.marks(s, texts...)...) }

// marks is note without printing.
func (c *Chat) marks(s look.Style, texts ...string) (lines []string) {
	for _, t := range texts {
		lines = append(lines, c.mark(s, say.Clean(t))...)
	}
	return lines
}

// mark makes notes of clean text, broken between words where they are too long for the
// window. Messages are not: what is copied from the terminal should be what was said.
func (c *Chat) mark(s look.Style, clean ...string) (lines []string) {
	const first, next = "-- ", "   "
	cols, _ := c.term.Size()
	for _, t := range clean {
		lead := first
		for _, part := range wrap(t, cols-1-len(first)) {
			lines = append(lines, c.o.Look.Paint(s, lead+part))
			lead = next
		}
	}
	return lines
}

// wrap breaks text at blanks into parts of at most that many columns. A longer word
// stays whole.
func wrap(text string, cols int) (parts []string) {
	for cols > 0 {
		fits := len(runewidth.Truncate(text, cols, ""))
		if fits == len(text) {
			break
		}
		at := strings.LastIndexByte(text[:fits+1], ' ')
		if strings.TrimLeft(text[:max(at, 0)], " ") == "" {
			if at = strings.IndexByte(text[fits:], ' '); at < 0 {
				break
			}
			at += fits
		}
		rest := strings.TrimLeft(text[at:], " ")
		if rest == "" {
			break
		}
		parts = append(parts, strings.TrimRight(text[:at], " "))
		text = rest
	}
	return append(parts, text)
}

// cut shortens clean text to that many columns and shows that it did.
func (c *Chat) cut(text string, cols int) string {
	if cols <= 0 || runewidth.StringWidth(text) <= cols {
		return text
	}
	return runewidth.Truncate(text, max(cols, len(c.signs.ellipsis)), c.signs.ellipsis)
}

// indent is as wide as the time before a message.
func indent(stamp string) string { return strings.Repeat(" ", runewidth.StringWidth(stamp)) }
