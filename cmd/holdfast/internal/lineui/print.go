//go:build linux || darwin || freebsd || openbsd || netbsd

package lineui

import "golang.org/x/term"

// Print puts lines above the prompt. They must be safe to show, and may hold SGR
// sequences, which end with the line. When the terminal takes no output for
// long, the oldest waiting lines give way to a notice.
func (u *UI) Print(lines ...string) { u.board.print(lines) }

// Clear takes all that was printed so far from the screen, as Ctrl-L does; the
// prompt goes to the top. Terminals may keep it in their scrollback.
func (u *UI) Clear() { u.board.clear() }

// Bell rings the terminal's bell with the next frame, at most once in 2 seconds:
// others in between do nothing.
func (u *UI) Bell() { u.board.ring() }

// SetStatus shows rows between the lines and the prompt instead of the ones
// before; none hides them. Rows are cut at the window's width and may hold SGR.
func (u *UI) SetStatus(rows ...string) { u.board.setStatus(rows) }

// SetPrompt changes the prompt at once, also while a line is typed. It may hold
// SGR and is cut or filled up to the prompt's width.
func (u *UI) SetPrompt(text string) { u.board.setPrompt(text) }

// Size returns the window's size in cells, zeros when the terminal has none.
func (u *UI) Size() (cols, rows int) {
	cols, rows, err := term.GetSize(outFD)
	if err != nil {
		return 0, 0
	}
	return cols, rows
}

// AddHistory adds an entry that the arrows and Ctrl-R find from the next
// ReadLine on. Line breaks are kept.
func (u *UI) AddHistory(line string) { u.history.add(line) }
