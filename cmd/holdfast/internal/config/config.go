// Package config reads the configuration file:
//
//	# of every profile
//	server = wss://chat.example
//	as = ana
//
//	[profile work]
//	server = wss://chat.work.example
//	token-file = /home/ana/.chat-token
//
// It knows the form, not the keys: what a key means, and whether there is such a one, is
// for the caller to say, with [Entry.Errorf].
package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxSize bounds the file, in bytes. Whoever is larger was named by mistake.
const maxSize = 1 << 20

// File is what a configuration file says. It is only read, and may be shared.
type File struct {
	base     []Entry
	profiles map[string][]Entry
}

// Entry is a line KEY = VALUE.
type Entry struct {
	Key, Value string // without blanks around; neither is empty
	Path       string
	Line       int // from 1
}

// Errorf makes an error that begins with where the entry is, and what it says. Secrets
// are left out: see Secret.
func (e Entry) Errorf(format string, args ...any) error {
	value := e.Value
	if e.Key == Secret {
		value = "..."
	}
	return fmt.Errorf("%s:%d: %s = %s: %w", e.Path, e.Line, e.Key, value, fmt.Errorf(format, args...))
}

// BareErrorf is Errorf without the value, for a key that nobody has checked yet: it may
// have been meant to be Secret.
func (e Entry) BareErrorf(format string, args ...any) error {
	e.Value = "..."
	return e.Errorf(format, args...)
}

// notInWord reports whether r ends a word of a key.
func notInWord(r rune) bool {
	return !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '-' && r != '_'
}

// firstWord is as much of a malformed line as may be shown: what follows, with whatever
// stands between, can be a secret.
func firstWord(line string) string {
	end := strings.IndexFunc(line, notInWord)
	switch {
	case end < 0:
		return line
	case end == 0:
		return "..."
	}
	return line[:end] + " ..."
}

// Secret is the one key whose value must not be seen: a file that has it may be read
// by nobody but its owner.
const Secret = "token"

// DefaultPath is where the file is if nobody says otherwise: holdfast/config in
// $XDG_CONFIG_HOME or ~/.config, or on Windows in %AppData%.
func DefaultPath() (string, error) {
	if dir := os.Getenv("XDG_CONFIG_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "holdfast", "config"), nil
	}
	if dir := os.Getenv("AppData"); runtime.GOOS == "windows" && dir != "" {
		return filepath.Join(dir, "holdfast", "config"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("find configuration: %w", err)
	}
	return filepath.Join(home, ".config", "holdfast", "config"), nil
}

// Load reads the file at path. The error is fs.ErrNotExist if there is none.
func Load(path string) (*File, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxSize+1))
	if err != nil {
		return nil, err
	}
	file, err := parse(path, text)
	if err != nil {
		return nil, err
	}
	for _, e := range file.Entries() {
		if e.Key != Secret {
			continue
		}
		if err := Private(f); err != nil {
			return nil, fmt.Errorf("%s:%d has a %s: %w", e.Path, e.Line, Secret, err)
		}
	}
	return file, nil
}

// Private returns an error if others than the owner may read the file, and what to do.
// On Windows modes don't tell.
func Private(f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		return fmt.Errorf("others can read it (mode %04o); try chmod 600 %s", info.Mode().Perm(), f.Name())
	}
	return nil
}

var (
	profileName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,32}$`)
	section     = regexp.MustCompile(`^\[\s*profile\s+([A-Za-z0-9_-]{1,32})\s*\]$`)
)

// CheckProfile returns an error unless a profile can have this name, which makes a
// directory's too, or it is empty: no profile.
func CheckProfile(name string) error {
	if name != "" && !profileName.MatchString(name) {
		return errors.New("want letters, digits, - and _, at most 32")
	}
	return nil
}

// parse reads text, which is at path.
func parse(path string, text []byte) (*File, error) {
	if len(text) > maxSize {
		return nil, fmt.Errorf("%s has more than %d bytes: is it the right file?", path, maxSize)
	}
	if !utf8.Valid(text) {
		return nil, fmt.Errorf("%s is no text file: it holds bytes that are not UTF-8", path)
	}
	text = bytes.TrimPrefix(text, []byte("\ufeff")) // as some editors begin
	f := &File{profiles: map[string][]Entry{}}
	profile, first := "", map[string]int{} // where each key of this section was
	n := 0
	for line := range strings.Lines(string(text)) {
		n++
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		if line[0] == '[' {
			m := section.FindStringSubmatch(line)
			if m == nil {
				return nil, fmt.Errorf("%s:%d: %s: want [profile NAME], NAME of letters, digits, - and _", path, n, "["+firstWord(line[1:]))
			}
			profile, first = m[1], map[string]int{}
			if _, twice := f.profiles[profile]; twice {
				return nil, fmt.Errorf("%s:%d: profile %s is there twice", path, n, profile)
			}
			f.profiles[profile] = nil
			continue
		}
		key, value, ok := strings.Cut(line, "=")
		e := Entry{strings.TrimSpace(key), strings.TrimSpace(value), path, n}
		switch {
		case !ok, strings.ContainsFunc(e.Key, notInWord):
			return nil, fmt.Errorf("%s:%d: %s: want FLAG = VALUE, [profile NAME], or # for a comment", path, n, firstWord(line))
		case e.Key == "" || e.Value == "":
			return nil, fmt.Errorf("%s:%d: %s: want FLAG = VALUE; leave out what has none", path, n, firstWord(line))
		case first[e.Key] > 0:
			return nil, e.BareErrorf("line %d says it already", first[e.Key])
		}
		first[e.Key] = n
		if profile == "" {
			f.base = append(f.base, e)
		} else {
			f.profiles[profile] = append(f.profiles[profile], e)
		}
	}
	return f, nil
}

// Entries are all, of every profile.
func (f *File) Entries() []Entry {
	all := slices.Clone(f.base)
	for _, name := range f.Profiles() {
		all = append(all, f.profiles[name]...)
	}
	return all
}

// Base are the entries before the first profile.
func (f *File) Base() []Entry { return f.base }

// Profile are the entries of one profile, and whether there is such a one.
func (f *File) Profile(name string) ([]Entry, bool) {
	entries, ok := f.profiles[name]
	return entries, ok
}

// Profiles are the profiles' names, in order.
func (f *File) Profiles() []string { return slices.Sorted(maps.Keys(f.profiles)) }
