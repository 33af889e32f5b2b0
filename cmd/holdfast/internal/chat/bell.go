package chat

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"holdfast/session"
)

// Bell says which lines of others ring the terminal's bell. Lines that come again, or
// come late, never do.
type Bell string

// The bells.
const (
	Off     Bell = "off"
	Mention Bell = "mention" // lines with the user's name or a highlighted word, and private ones
	DM      Bell = "dm"      // private lines
	All     Bell = "all"
)

// Bells are all of them, for help and completion.
var Bells = []string{string(Off), string(Mention), string(DM), string(All)}

// ParseBell reads a Bell.
func ParseBell(s string) (Bell, error) {
	for _, b := range Bells {
		if strings.EqualFold(s, b) {
			return Bell(b), nil
		}
	}
	return "", fmt.Errorf("bell %q: want %s", s, strings.Join(Bells, ", "))
}

func (b Bell) rings(m session.Message, mentioned bool) bool {
	switch b {
	case Mention:
		return mentioned || m.To != ""
	case DM:
		return m.To != ""
	case All:
		return true
	}
	return false
}

// hasWord reports whether one of the words stands in text by itself, whatever the case.
func hasWord(text string, words []string) bool {
	text = strings.ToLower(text)
	for _, w := range words {
		w = strings.ToLower(w)
		for rest, before := text, ' '; w != ""; {
			i := strings.Index(rest, w)
			if i < 0 {
				break
			}
			if i > 0 {
				before, _ = utf8.DecodeLastRuneInString(rest[:i])
			}
			after, _ := utf8.DecodeRuneInString(rest[i+len(w):])
			if !inWord(before) && !inWord(after) {
				return true
			}
			before, _ = utf8.DecodeLastRuneInString(w)
			rest = rest[i+len(w):]
		}
	}
	return false
}

func inWord(r rune) bool {
	return r == '_' || r == '-' || r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsDigit(r))
}
