package chat

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"holdfast/cmd/holdfast/internal/look"
)

// What was typed is kept in a file of one line each, in the order of typing. Every chat
// of the user appends to it, so that none has to end well, and two at once keep what is
// typed in both. (A chat that begins may tidy the file: a line typed elsewhere at that
// instant is lost to the arrow keys.)

const (
	breakMark    = "\u2424" // a line break inside of a line, as the terminal shows it
	maxTyped     = 1000     // lines kept, when the file is tidied
	maxTypedSize = 64 << 10 // of a line; a longer one is no line of ours
)

// loadTyped gives the arrow keys what was typed in earlier chats. What can't be read is no
// reason not to chat.
func (c *Chat) loadTyped() {
	if c.o.Dir == "" {
		return
	}
	text, err := os.ReadFile(c.typedPath())
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	if over := len(lines) - maxTyped; err == nil && over > maxTyped {
		lines = lines[over:]
		err = replaceFile(c.typedPath(), strings.Join(lines, "\n")+"\n")
	}
	if err != nil {
		c.note(look.Red, "what you typed earlier can't be read: "+c.o.Describe(err))
	}
	for _, line := range lines {
		if len(line) <= maxTypedSize {
			c.term.AddHistory(strings.ReplaceAll(line, breakMark, "\n"))
		}
	}
}

// remember gives the arrow keys what was typed, also in later chats unless it is nobody's
// business. Of several in a row that can't be kept, the first is told of.
func (c *Chat) remember(line string) {
	c.term.AddHistory(line)
	if c.o.Dir == "" || secret(line) {
		return
	}
	err := appendLine(c.typedPath(), strings.ReplaceAll(line, "\n", breakMark))
	if err != nil && !c.typing.unkept {
		c.note(look.Red, "what you type can't be kept for the arrow keys of later chats: "+c.o.Describe(err))
	}
	c.typing.unkept = err != nil
}

// appendLine adds a line to a file that only its owner may read.
func appendLine(path, line string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(f, line)
	return errors.Join(err, f.Close())
}

func (c *Chat) typedPath() string { return filepath.Join(c.o.Dir, "history") }

// secret reports whether a line stays out of the file: what begins with a blank, as in
// shells, and private lines.
func secret(line string) bool {
	word, _, _ := strings.Cut(strings.ToLower(line), " ")
	return word == "" || word == "/msg" || word == "/reply"
}
