package lineui

import "errors"

// ErrUnsupported is what New returns where lines can't be edited: standard input
// or output is no terminal, TERM is dumb, the window has less than 10 columns, or the
// system is Windows. The caller reads plain lines instead.
var ErrUnsupported = errors.New("lineui: no terminal to edit lines on")

// ErrInterrupted is what ReadLine returns when Ctrl-C threw away the line.
var ErrInterrupted = errors.New("lineui: interrupted")

// Options tunes a UI. A nil *Options and the zero value are ready to use.
type Options struct {
	// PromptWidth is the number of columns kept for the prompt as long as the UI
	// lives, less in a window that has not 10 more; zero means 2.
	PromptWidth int

	// ASCII says that the terminal can draw nothing else: a line break in the line is
	// then an inverse n while it is edited.
	ASCII bool

	// Complete is asked when Tab is pressed: for the line and the cursor's position
	// in runes it returns what stays on the left, the words to cycle through, and
	// what stays on the right. It runs inside ReadLine and must not call it. Nil
	// means no completion.
	Complete func(line string, pos int) (head string, completions []string, tail string)
}
