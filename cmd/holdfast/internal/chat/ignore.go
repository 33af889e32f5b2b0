package chat

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"holdfast/cmd/holdfast/internal/look"
	"holdfast/cmd/holdfast/internal/safe"
)

// ignoreList is who the user does not want to hear, in a file of one name a line. Names
// that look alike count as one. The chat's mutex guards it.
type ignoreList struct {
	path  string // empty: it is not kept
	names []string
}

// openIgnoreList reads the list of dir; a missing one is empty.
func openIgnoreList(dir string) (*ignoreList, error) {
	if dir == "" {
		return &ignoreList{}, nil
	}
	l := &ignoreList{path: filepath.Join(dir, "ignored")}
	text, err := os.ReadFile(l.path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read ignored names: %w", err)
	}
	l.names = strings.Fields(string(text))
	return l, nil
}

// alike reports whether two names can be taken for one another.
func alike(a, b string) bool { return safe.Key(a) == safe.Key(b) }

func (l *ignoreList) has(name string) bool {
	return slices.ContainsFunc(l.names, func(n string) bool { return alike(n, name) })
}

// without returns the names that are not ignored.
func (l *ignoreList) without(names []string) []string {
	return slices.DeleteFunc(slices.Clone(names), l.has)
}

// ignores reports whether lines of name are not to be shown.
func (c *Chat) ignores(name string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ignored.has(name)
}

// anyLike reports whether somebody in one of the rooms is called so, or nearly.
func (c *Chat) anyLike(name string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.ContainsFunc(c.rooms, func(r *room) bool {
		return slices.ContainsFunc(r.here, func(n string) bool { return alike(n, name) })
	})
}

// ignoredNames lists who is ignored.
func (c *Chat) ignoredNames() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.ignored.names)
}

// rereadIgnored takes over what another chat of the user has written down meanwhile, or
// says that it can't.
func (c *Chat) rereadIgnored() bool {
	now, err := openIgnoreList(c.o.Dir)
	if err != nil {
		c.note(look.Red, c.o.Describe(err))
		return false
	}
	if c.o.Dir != "" {
		c.mu.Lock()
		c.ignored.names = now.names
		c.mu.Unlock()
	}
	return true
}

// setIgnored begins or ends to ignore name, and whoever's looks the same. The error says
// that it could not be written down. It is for Run's goroutine.
func (c *Chat) setIgnored(name string, on bool) error {
	c.mu.Lock()
	l := c.ignored
	l.names = slices.DeleteFunc(l.names, func(n string) bool { return alike(n, name) })
	if on {
		l.names = append(l.names, strings.ToLower(name))
	}
	text := strings.Join(append(slices.Clone(l.names), ""), "\n")
	c.mu.Unlock()
	if l.path == "" {
		return nil
	}
	return replaceFile(l.path, text)
}

// replaceFile writes a file that only its owner may read, in one step: whoever reads it
// meanwhile gets the old text or the new one.
func replaceFile(path, text string) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+"-*") // made with mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.WriteString(text)
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
