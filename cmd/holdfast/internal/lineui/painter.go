//go:build linux || darwin || freebsd || openbsd || netbsd

package lineui

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

const (
	hideCursor  = "\x1b[?25l"
	showCursor  = "\x1b[?25h"
	pasteOn     = "\x1b[?2004h"
	pasteOff    = "\x1b[?2004l"
	clearScreen = "\x1b[H\x1b[2J"
	plain       = "\x1b[0m"
	newRow      = "\r\n"
	bel         = "\a"
)

// keepRecent is how many printed lines are kept for a rebuilt screen.
const keepRecent = 200

// painter knows what is on screen and makes the text that changes it. What it
// paints below the printed lines, status rows and edit rows, is the block.
type painter struct {
	model       *model
	promptWidth int // the usual one
	ascii       bool
	cols, rows  int // of the window

	shown    bool  // the block is on screen, the cursor in it
	rowsUp   int   // rows of the block above the cursor
	rowsDown int   // and below it
	widths   []int // columns taken by each row of the block
	bracket  bool  // the terminal brackets pastes
	rebuild  bool  // what is on screen is not known any more
	recent   []string

	shownCols, shownRows int // the window's size when the block was painted
}

func newPainter(promptWidth int, ascii bool, cols, rows int) *painter {
	return &painter{model: newModel(cols, promptWidth), promptWidth: promptWidth, ascii: ascii, cols: cols, rows: rows}
}

// resized takes the window's size at a SIGWINCH. If it is the known one, either
// resize was earlier, or the window was another for a moment and what was painted
// then may have been wrapped: a needless repaint is the lesser evil.
func (p *painter) resized(cols, rows int) {
	p.rebuild = p.rebuild || p.shown && cols == p.cols && rows == p.rows
	p.resize(cols, rows)
}

// resize takes the window's size at any time. Terminals disagree on what becomes
// of rows that no longer fit, and guessing has lost lines: the screen is painted
// anew.
func (p *painter) resize(cols, rows int) {
	if cols <= 0 || rows <= 0 || cols == p.cols && rows == p.rows {
		return
	}
	for _, w := range p.widths {
		p.rebuild = p.rebuild || p.shown && w > cols
	}
	p.rebuild = p.rebuild || p.shown && rows < p.rows && p.rowsDown > 0
	p.cols, p.rows = cols, rows
	p.model.resize(cols)
}

// clear has the next frame begin on an empty screen, as Ctrl-L does.
func (p *painter) clear() { p.model.cleared = true }

// frame makes the text that shows lines and the block as it is now.
func (p *painter) frame(lines, status []string, prompt string) string {
	var b strings.Builder
	b.WriteString(hideCursor)
	if !p.bracket {
		b.WriteString(pasteOn)
		p.bracket = true
	}
	b.WriteString(p.advance(lines))
	p.widths = p.widths[:0]
	for _, row := range status[:min(len(status), max(p.rows-2-min(p.model.used(), 3), 0))] {
		text, w := crop(row, p.cols-1)
		p.widths = append(p.widths, w)
		b.WriteString(text + plain + newRow)
	}
	above := len(p.widths)
	first, end := p.visible(above)
	edited := p.edited(prompt)
	for y := first; y < end; y++ {
		if y > first {
			b.WriteString(newRow)
		}
		x := 0
		if y == 0 && p.model.prompted && p.model.width < p.cols {
			b.WriteString(p.prompt(prompt) + plain)
			x = p.model.width
			fmt.Fprintf(&b, "\x1b[%dG", x+1)
		}
		writeCells(&b, edited[y], x, p.cols)
		p.widths = append(p.widths, len(edited[y]))
	}
	p.shownCols, p.shownRows = p.cols, p.rows
	p.rowsUp, p.rowsDown, p.shown = above+p.model.y-first, end-1-p.model.y, true
	if p.rowsDown > 0 {
		fmt.Fprintf(&b, "\x1b[%dA", p.rowsDown)
	}
	// An absolute column also ends the pending wrap of a full row, whose last cell
	// the next EL would eat.
	fmt.Fprintf(&b, "\x1b[%dG%s", min(p.model.x, p.cols-1)+1, showCursor)
	return b.String()
}

// edited is the model's rows as they are to be seen: with the prompt in the place of what
// liner was told, where that has wrapped in a narrow window, and without signs that the
// terminal can't draw.
func (p *painter) edited(prompt string) [][]cell {
	narrow := p.model.prompted && p.model.width >= p.cols
	if !p.ascii && !narrow {
		return p.model.rows
	}
	rows := make([][]cell, len(p.model.rows))
	for y, row := range p.model.rows {
		rows[y] = slices.Clone(row)
		for x, c := range row {
			if p.ascii && c.s == newlineMark {
				rows[y][x].s = asciiBreak + strings.Repeat(" ", c.w-1)
			}
		}
	}
	if narrow {
		drawn := newModel(p.cols, 0) // wraps as the other one
		drawn.feed([]byte(sgr.ReplaceAllString(p.prompt(prompt), "")))
		for y, row := range drawn.rows[:min(len(drawn.rows), len(rows))] {
			copy(rows[y], row)
		}
	}
	return rows
}

// prompt is text in the columns that liner's prompt takes. If they are less than usual,
// the last one is a space.
func (p *painter) prompt(text string) string {
	if p.model.width < p.promptWidth {
		text, _ = crop(text, p.model.width-1)
	}
	return fit(text, p.model.width)
}

// asciiBreak stands for newlineMark where only ASCII can be drawn.
const asciiBreak = "\x1b[7mn\x1b[27m"

// advance makes the text that takes the old block away and prints lines.
func (p *painter) advance(lines []string) string {
	p.recent = append(p.recent, lines...)
	if len(p.recent) > 2*keepRecent {
		p.recent = append([]string(nil), p.recent[len(p.recent)-keepRecent:]...)
	}
	erase := clearScreen
	switch {
	case p.model.cleared:
		p.recent = append([]string(nil), lines...)
	case p.rebuild:
		erase, lines = p.anew(lines)
	default:
		erase = p.erase()
	}
	p.model.cleared, p.rebuild = false, false
	return erase + printed(lines)
}

// anew makes the text that clears the screen, and tells the lines to print on it:
// those that fit, those that were there, and the new ones. Rather one twice in
// the scrollback than one nowhere.
func (p *painter) anew(lines []string) (erase string, _ []string) {
	before := p.firstFitting(p.shownCols, p.shownRows)
	if known := p.recent[min(before, p.firstFitting(p.cols, p.rows)):]; len(known) > len(lines) {
		lines = known
	}
	if before == 0 { // what was there before us may be worth the place in the scrollback that ED 2 gives it
		return p.wipe() + clearScreen, lines
	}
	return "\x1b[H" + strings.Repeat("\x1b[K\x1b[B", p.rows-1) + "\x1b[K\x1b[H", lines
}

// wipe makes the text that clears all rows in which the block can be, however the
// terminal has wrapped it since. Lines above it may go, too.
func (p *painter) wipe() string {
	up, down := 0, 0 // rows, the cursor's in both
	for i, w := range p.widths {
		n := max((w+p.cols-1)/p.cols, 1)
		if i <= p.rowsUp {
			up += n
		}
		if i >= p.rowsUp {
			down += n
		}
	}
	return fmt.Sprintf("\x1b[%dB", down) + strings.Repeat("\r\x1b[K\x1b[A", up+down)
}

// firstFitting returns where the last lines begin that fit on a screen.
func (p *painter) firstFitting(cols, rows int) int {
	i := len(p.recent)
	for ; i > 0; i-- {
		_, w := crop(p.recent[i-1], math.MaxInt)
		if rows -= max((w+cols-1)/cols, 1); rows < 0 {
			break
		}
	}
	return i
}

// visible returns the range of edit rows that fit below that many status rows.
// The cursor's is one of them.
func (p *painter) visible(above int) (first, end int) {
	end = p.model.used()
	if room := max(p.rows-1-above, 1); end > room {
		first = max(p.model.y-room+1, 0)
		end = first + room
	}
	return first, end
}

// erase makes the text that clears the block row by row and leaves the cursor
// where it began. Not with ED 0, which tmux at the top of the screen answers by
// pushing the screen into the scrollback.
func (p *painter) erase() string {
	if !p.shown {
		return ""
	}
	p.shown = false
	s := "\r"
	if p.rowsDown > 0 {
		s += fmt.Sprintf("\x1b[%dB", p.rowsDown)
	}
	return s + strings.Repeat("\x1b[K\x1b[A", p.rowsUp+p.rowsDown) + "\x1b[K"
}

// leave makes the text that hands the terminal to somebody else.
func (p *painter) leave() string {
	p.bracket = false
	return p.erase() + pasteOff
}

// forget is for when somebody else has used the terminal.
func (p *painter) forget() { p.shown, p.bracket = false, false }
