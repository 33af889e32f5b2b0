package wire

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Subprotocol is asked for and answered in Sec-WebSocket-Protocol.
const Subprotocol = "holdfast.v1"

// The limits of the protocol, in bytes where nothing else is said.
const (
	MaxText     = 4096     // a line
	MaxName     = 32       // a room's or user's name
	MaxID       = 64       // a device, source, request id or client's name
	MaxCursor   = 256      // a cursor
	MaxToServer = 32 << 10 // a message from a client: a line of only \u00XX escapes fits
	MaxToClient = 64 << 10 // a message from a server
	MaxSources  = 256      // sources in a hello
	MaxPage     = 200      // events in a page
	MaxAway     = 256      // why a user is away
	MaxHost     = 300      // the host that a client dialled, with its port
	MaxNumber   = 1<<53 - 1
)

// Name folds s to lower case and checks it as a room's or user's name: 1 to 32
// ASCII letters, digits, "-" and "_", the first one a letter or digit.
func Name(s string) (string, error) {
	if s == "" || len(s) > MaxName {
		return "", fmt.Errorf("name %q must have 1 to %d characters", clip(s), MaxName)
	}
	b := []byte(s)
	for i, c := range b {
		switch {
		case 'A' <= c && c <= 'Z':
			b[i] = c + 'a' - 'A'
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9', i > 0 && (c == '-' || c == '_'):
		default:
			return "", fmt.Errorf("name %q may hold only letters a-z, digits, '-' and '_', and starts with a letter or digit", clip(s))
		}
	}
	return string(b), nil
}

// clip keeps an error about a huge value readable.
func clip(s string) string {
	if len(s) > 40 {
		return s[:40] + "…"
	}
	return s
}

// CheckText says why text can't be a line, nil if it can. A line is valid UTF-8,
// not blank, of at most MaxText bytes, and has no control characters but newline
// and tab.
func CheckText(text string) *RefusedError {
	switch {
	case len(text) > MaxText:
		return &RefusedError{RefusedTooLong, fmt.Sprintf("line has %d bytes, more than %d", len(text), MaxText)}
	case !utf8.ValidString(text):
		return &RefusedError{RefusedControl, "line is not valid UTF-8"}
	case strings.TrimSpace(text) == "":
		return &RefusedError{RefusedBlank, "line is blank"}
	}
	for _, r := range text {
		if r < 0x20 && r != '\n' && r != '\t' || r >= 0x7f && r < 0xa0 {
			return &RefusedError{RefusedControl, fmt.Sprintf("line holds the control character %U", r)}
		}
	}
	return nil
}

// CheckAway says why text can't be why a user is away, nil if it can: at most MaxAway
// bytes of what may stand in a line, on one line. Empty means that the user is back.
func CheckAway(text string) error {
	switch bad := CheckText(text); {
	case text == "":
		return nil
	case len(text) > MaxAway:
		return fmt.Errorf("away text has %d bytes, more than %d", len(text), MaxAway)
	case bad != nil:
		return fmt.Errorf("away text: %w", bad)
	case strings.Contains(text, "\n"):
		return errors.New("away text has more than one line")
	}
	return nil
}

// RefusedError says why a line will never be taken.
type RefusedError struct {
	Code    string // one of the Refused constants
	Message string // for people
}

func (e *RefusedError) Error() string { return e.Message }

// Key decodes a key: 32 bytes in unpadded base64url.
func Key(s string) (key [32]byte, err error) {
	// Not strict, base64 takes line breaks and four spellings of one key.
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err != nil || len(b) != len(key) || len(s) != base64.RawURLEncoding.EncodedLen(len(key)) {
		return key, fmt.Errorf("key must be %d bytes in unpadded base64url", len(key))
	}
	return [32]byte(b), nil
}

// token checks an identifier that the other side chose.
func token(what, s string) error {
	if s == "" || len(s) > MaxID {
		return malformed("%s must have 1 to %d characters", what, MaxID)
	}
	for _, c := range []byte(s) {
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_') {
			return malformed("%s may hold only letters, digits, '-' and '_'", what)
		}
	}
	return nil
}
