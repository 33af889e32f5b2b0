package chat

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"holdfast/cmd/holdfast/internal/look"
)

// loadHistory gives the arrow keys what was typed in earlier chats. A history that can't
// be read is no reason not to chat.
func (c *Chat) loadHistory() {
	if c.o.Dir == "" {
		return
	}
	f, err := os.Open(c.historyPath())
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err == nil {
		defer f.Close()
		err = c.term.LoadHistory(f)
	}
	if err != nil {
		c.note(look.Red, "what you typed earlier can't be read: "+c.o.Describe(err))
	}
}

// saveHistory writes down what was typed, less what is nobody's business. Of two chats
// at once, the last to end wins.
func (c *Chat) saveHistory() error {
	if c.o.Dir == "" {
		return nil
	}
	var all bytes.Buffer
	err := c.term.SaveHistory(&all)
	if err == nil {
		var kept strings.Builder
		for line := range strings.Lines(all.String()) {
			if !secret(line) {
				kept.WriteString(line)
			}
		}
		err = replaceFile(c.historyPath(), kept.String())
	}
	if err != nil {
		return fmt.Errorf("write history: %w", err)
	}
	return nil
}

func (c *Chat) historyPath() string { return filepath.Join(c.o.Dir, "history") }

// secret reports whether a line stays out of the file: what begins with a blank, as in
// shells, and private lines.
func secret(line string) bool {
	word, _, _ := strings.Cut(strings.ToLower(strings.TrimSuffix(line, "\n")), " ")
	return word == "" || word == "/msg" || word == "/reply"
}
