//go:build linux || darwin || freebsd || openbsd || netbsd

package lineui

import (
	"fmt"
	"slices"
	"unicode/utf8"

	"github.com/mattn/go-runewidth" // the table of widths that liner itself uses
)

// cell is one column of an edit row.
type cell struct {
	s string // a rune and the zero-width ones after it; "" is the right half of a wide one
	w int    // columns: 1 or 2, 0 for a right half
}

var blank = cell{" ", 1}

// model is the screen that liner believes it draws on. It knows the few
// sequences that liner uses on Unix: text with auto-wrap, CR, LF, CHA, CUF, CUU,
// CUD, EL 0, HOME and ED 2, and those of ours: anchor, widthMark and promptEnd.
type model struct {
	cols     int
	rows     [][]cell // never empty; no row is wider than cols
	x, y     int      // x may equal cols: the next rune wraps
	prompted bool     // row 0 begins with liner's prompt
	width    int      // columns of that prompt
	cleared  bool     // Ctrl-L was pressed; the painter resets it
	pend     []byte   // the start of a rune or sequence whose rest is not here yet
}

// promptEnd and a widthMark are written into liner's output by ReadLine and never by
// liner. What liner drew before the one is of a prompt that is over; the other tells how
// wide the next one is.
const promptEnd = "\x1b[?7727z"

func widthMark(width int) string { return fmt.Sprintf("\x1b[%dz", width) }

func newModel(cols, promptWidth int) *model {
	m := &model{cols: max(cols, 1), width: promptWidth}
	m.reset()
	return m
}

func (m *model) reset() { m.rows, m.x, m.y, m.prompted = [][]cell{nil}, 0, 0, false }

// resize crops what no longer fits. liner redraws all of it soon.
func (m *model) resize(cols int) {
	m.cols = max(cols, 1)
	for y := range m.rows {
		m.crop(y, m.cols)
	}
	m.x = min(m.x, m.cols)
}

// used is the number of rows worth painting: up to the cursor or the last text.
// liner leaves empty rows behind when a long text becomes short.
func (m *model) used() int {
	n := len(m.rows)
	for n > m.y+1 && len(m.rows[n-1]) == 0 {
		n--
	}
	return n
}

func (m *model) feed(b []byte) {
	b = append(m.pend, b...)
	m.pend = nil
	for len(b) > 0 {
		n := 1
		switch c := b[0]; {
		case c == 0x1b:
			var more bool
			if n, more = seqLen(b); more {
				m.pend = slices.Clone(b)
				return
			}
			m.sequence(b[:n])
		case c == '\r':
			m.x = 0
		case c == '\n': // liner leaves ONLCR on, so LF is CR LF
			m.x = 0
			m.down(1)
		default:
			if !utf8.FullRune(b) {
				m.pend = slices.Clone(b)
				return
			}
			var r rune
			if r, n = utf8.DecodeRune(b); !control(r) {
				m.put(r)
			}
		}
		b = b[n:]
	}
}

func (m *model) sequence(b []byte) {
	if string(b) == promptEnd {
		m.reset()
		return
	}
	if len(b) < 3 {
		return
	}
	n := 0
	for _, c := range b[2 : len(b)-1] {
		if c < '0' || c > '9' {
			return
		}
		n = min(n*10+int(c-'0'), 9999)
	}
	count := max(n, 1)
	switch b[len(b)-1] {
	case 'G':
		m.x = min(count, m.cols) - 1
	case 'C':
		m.x = min(m.x+count, m.cols-1)
	case 'A':
		m.y, m.x = max(m.y-count, 0), min(m.x, m.cols-1)
	case 'B':
		m.x = min(m.x, m.cols-1)
		m.down(count)
	case 'K':
		m.crop(m.y, m.x)
		m.prompted = m.prompted && (m.y > 0 || m.x > 0)
	case 'J':
		m.reset()
		m.cleared = true
	case 'z':
		m.width = n
	}
}

func (m *model) down(n int) {
	for m.y += n; len(m.rows) <= m.y; {
		m.rows = append(m.rows, nil)
	}
}

// crop cuts row y to x columns; half a wide rune becomes a space.
func (m *model) crop(y, x int) {
	row := m.rows[y]
	if x >= len(row) {
		return
	}
	if x > 0 && row[x].s == "" {
		row[x-1] = blank
	}
	m.rows[y] = row[:x]
}

func (m *model) put(r rune) {
	if r == anchor { // liner has cleared all of its rows and begins anew at the first
		m.reset()
		m.prompted = true
		return
	}
	w := runewidth.RuneWidth(r)
	if w == 0 {
		m.join(r)
		return
	}
	if m.x+w > m.cols && m.x > 0 { // a pending wrap, or no room for a wide rune
		m.x = 0
		m.down(1)
	}
	if w > m.cols {
		return
	}
	row := m.rows[m.y]
	for len(row) < m.x+w {
		row = append(row, blank)
	}
	if row[m.x].s == "" && m.x > 0 { // liner never cuts a wide rune in two, but the rows must hold
		row[m.x-1] = blank
	}
	if end := m.x + w; end < len(row) && row[end].s == "" {
		row[end] = blank
	}
	row[m.x] = cell{string(r), w}
	if w == 2 {
		row[m.x+1] = cell{}
	}
	m.rows[m.y], m.x = row, m.x+w
}

// join adds a zero-width rune to the cell on the left. The bound keeps a paste
// of nothing but marks from being painted as one endless cell.
func (m *model) join(r rune) {
	const longest = 32
	row := m.rows[m.y]
	i := min(m.x, len(row)) - 1
	if i > 0 && row[i].s == "" {
		i--
	}
	if i >= 0 && m.x <= len(row) && len(row[i].s) < longest {
		row[i].s += string(r)
	}
}
