//go:build linux || darwin || freebsd || openbsd || netbsd

package lineui

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/peterh/liner"
	"golang.org/x/term"
)

// ReadLine lets the user edit one line. The typed line goes from the screen with
// its end; the caller prints what should stay. Line breaks that were
// pasted or typed with Alt-Enter are in it as "\n".
//
// The error is ErrInterrupted after Ctrl-C, and io.EOF after Ctrl-D on an empty
// line, after Abort, and when the terminal has gone or takes no output any more. A second caller waits for
// its turn. Outside of ReadLine, Ctrl-C is SIGINT as usual.
func (u *UI) ReadLine() (string, error) {
	select {
	case u.turn <- struct{}{}:
		defer func() { <-u.turn }()
	case <-u.aborted:
		return "", io.EOF
	}
	for {
		if err := u.prepare(); err != nil {
			return "", err
		}
		width := min(max(u.cols-minSpare, 0), u.opts.PromptWidth)
		io.WriteString(u.stdout, widthMark(width))
		u.call(promptBegins)
		line, err := u.liner.Prompt(blankPrompt(width))
		// In the stream behind what liner drew, so the model is empty when the next
		// prompt comes to it: there is nothing to wait for.
		io.WriteString(u.stdout, promptEnd)
		if !errors.Is(err, liner.ErrInternal) { // else the keys of the next prompt may be given already
			u.pasted = u.pasting.Swap(false)
			u.began = time.Time{}
			if first := u.first.Swap(nil); first != nil {
				u.began = *first
			}
		}
		switch {
		case err == nil:
			return unflatten(line), nil
		case errors.Is(err, liner.ErrPromptAborted):
			return "", ErrInterrupted
		case errors.Is(err, liner.ErrInternal): // a window of no columns; this liner will not recover
			select {
			case u.resized <- syscall.SIGWINCH:
			default:
			}
		case errors.Is(err, io.EOF):
			return "", io.EOF
		default:
			return "", fmt.Errorf("read line: %w", err)
		}
	}
}

// Pasted reports whether the terminal said that something was pasted into the
// line that ReadLine returned last, even if no more than a word of it, or nothing,
// was left in the end. Pasted line breaks are "\n" in the line. It is for the
// goroutine that calls ReadLine. A terminal without bracketed paste (the Linux
// console) never says so: what is pasted there comes as if it was typed.
func (u *UI) Pasted() bool { return u.pasted }

// Began tells when the first key of the line that ReadLine returned last came to it,
// or of the one that Ctrl-C threw away: zero if there was none before its end. Any key
// counts, so a line that was erased again is not an empty one. It is for the goroutine
// that calls ReadLine.
func (u *UI) Began() time.Time { return u.began }

// blankPrompt is what liner is told, of that many columns; its cells are painted over.
// It is ASCII: the width of "·" depends on the locale.
func blankPrompt(width int) string {
	if width == 0 {
		return string(anchor)
	}
	return string(anchor) + strings.Repeat("~", width-1) + " "
}

// prepare makes liner fit for a prompt. liner looks whether the prompt fits
// before it asks for the window's width, so the width it knows is that of its
// last prompt; if that was too small, it puts the terminal into cooked mode and
// never comes back. A new liner asks at once, so there is one after each resize. The
// signal of one may come late, so the width is looked at, too.
func (u *UI) prepare() error {
	for {
		cols, ok := u.width()
		resized := ok && cols != u.cols
		select {
		case <-u.aborted:
			return io.EOF
		case <-u.resized:
			resized = true
		default:
		}
		if resized {
			if err := u.waitForWidth(); err != nil {
				return err
			}
			if err := u.newLiner(); err != nil {
				return err
			}
			continue // the window may have changed meanwhile
		}
		for _, line := range u.history.unseen(false) {
			u.liner.AppendHistory(line)
		}
		return nil
	}
}

// width is the window's. It is not ok if it can't be told: reading will tell why.
func (u *UI) width() (cols int, ok bool) {
	cols, _, err := term.GetSize(outFD)
	return cols, err == nil
}

// waitForWidth waits until the window is wide enough for liner, and says that it does.
func (u *UI) waitForWidth() error {
	for told := false; ; told = true {
		if cols, ok := u.width(); !ok || cols >= minSpare {
			return nil
		}
		if !told {
			u.Print("-- too narrow to type: widen the window --")
		}
		select {
		case <-u.resized:
		case <-u.aborted:
			return io.EOF
		}
	}
}

// newLiner replaces liner and the pipe it reads from. Nothing that was typed is
// lost: the keys goroutine gives liner no more than one line.
func (u *UI) newLiner() error {
	r, w, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("make pipe: %w", err)
	}
	if !u.stdin.swap(r, w) {
		r.Close()
		w.Close()
		return io.EOF
	}
	if u.liner != nil {
		u.liner.Close() // cooked mode for an instant, which the new one finds and returns to
	}
	os.Stdin = r // before NewLiner, which keeps a reader of it
	u.cols, _ = u.width()
	l := liner.NewLiner()
	l.SetCtrlCAborts(true)
	l.SetBeep(false)
	// Single-line mode counts a wide rune as one column and shows blanks for a
	// long line of them.
	l.SetMultiLineMode(true)
	if u.opts.Complete != nil {
		l.SetWordCompleter(u.complete)
	}
	for _, line := range u.history.unseen(true) {
		l.AppendHistory(line)
	}
	u.liner = l
	if mode, err := term.GetState(inFD); err == nil {
		u.raw.Store(mode)
	}
	return nil
}

// complete keeps control bytes in a name from becoming keys or output.
func (u *UI) complete(line string, pos int) (head string, completions []string, tail string) {
	head, completions, tail = u.opts.Complete(line, pos)
	flat := make([]string, len(completions))
	for i, c := range completions {
		flat[i] = flatten(c)
	}
	return flatten(head), flat, flatten(tail)
}
