package wire

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// ErrMalformed is what every error of Decode is.
var ErrMalformed = errors.New("malformed frame")

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrMalformed, fmt.Sprintf(format, args...))
}

// Decode parses one message. limit is the most bytes it may have, MaxToServer or
// MaxToClient. Frames of unknown types come back as *Unknown; every error wraps
// ErrMalformed.
func Decode(p []byte, limit int) (Frame, error) {
	if len(p) > limit {
		return nil, malformed("%d bytes, more than %d", len(p), limit)
	}
	// The type may stand anywhere, so it takes a pass of its own to know what the
	// rest is to be read into.
	var head struct {
		Type *string `json:"type"`
	}
	if err := json.Unmarshal(p, &head); err != nil {
		return nil, malformed("%s", printable(err))
	}
	if head.Type == nil {
		return nil, malformed("no type")
	}
	blank, known := frames[*head.Type]
	if !known {
		return &Unknown{Type: *head.Type}, nil
	}
	f := blank()
	if err := json.Unmarshal(p, f, strict); err != nil {
		return nil, malformed("%s", printable(err))
	}
	if err := check(f); err != nil {
		return nil, err
	}
	return f, nil
}

var frames = map[string]func() Frame{
	"challenge": func() Frame { return new(Challenge) },
	"hello":     func() Frame { return new(Hello) },
	"join":      func() Frame { return new(Join) },
	"more":      func() Frame { return new(More) },
	"remove":    func() Frame { return new(Remove) },
	"send":      func() Frame { return new(Send) },
	"away":      func() Frame { return new(Away) },
	"history":   func() Frame { return new(History) },
	"bye":       func() Frame { return new(Bye) },
	"welcome":   func() Frame { return new(Welcome) },
	"events":    func() Frame { return new(Events) },
	"live":      func() Frame { return new(Live) },
	"ack":       func() Frame { return new(Ack) },
	"retry":     func() Frame { return new(Retry) },
	"refused":   func() Frame { return new(Refused) },
	"presence":  func() Frame { return new(Presence) },
	"page":      func() Frame { return new(Page) },
}

// strict holds numbers to what every language can hold; the library would take all that
// the Go type can.
var strict = json.WithUnmarshalers(json.JoinUnmarshalers(
	json.UnmarshalFromFunc(func(d *jsontext.Decoder, at *uint64) error {
		n, err := number(d, 0)
		*at = uint64(n)
		return err
	}),
	json.UnmarshalFromFunc(func(d *jsontext.Decoder, at *int64) (err error) {
		*at, err = number(d, -MaxNumber)
		return err
	}),
	json.UnmarshalFromFunc(func(d *jsontext.Decoder, at *int) error {
		n, err := number(d, -MaxNumber)
		*at = int(max(math.MinInt, min(n, math.MaxInt))) // where int has 32 bits
		return err
	}),
))

// number reads a whole number of least to MaxNumber; null is 0.
func number(d *jsontext.Decoder, least int64) (int64, error) {
	text, err := d.ReadValue()
	if err != nil {
		return 0, err
	}
	if text.Kind() == 'n' {
		return 0, nil
	}
	n, err := strconv.ParseInt(string(text), 10, 64)
	if err != nil || n < least || n > MaxNumber {
		return 0, errors.New("not a whole number, or out of bounds")
	}
	return n, nil
}

// printable makes one short line of an error that may quote what a peer sent: it goes
// into logs and a bye.
func printable(err error) string {
	s := strings.Map(func(r rune) rune {
		if r == unicode.ReplacementChar || !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, err.Error())
	if len(s) > 200 {
		s = strings.ToValidUTF8(s[:200], "") + "…"
	}
	return s
}

// Encode returns f as a message. Its type stands first, because the first clients and
// servers of the protocol took it nowhere else.
func Encode(f Frame) []byte {
	b := append(make([]byte, 0, 128), `{"type":`...)
	b = appendString(b, f.kind())
	if fields := encode(f)[1:]; len(fields) > 1 {
		return append(append(b, ','), fields...)
	}
	return append(b, '}')
}

// EncodeEvent returns e as it stands inside events and pages. A room encodes each
// event once, for all its members.
func EncodeEvent(e *Event) []byte { return encode(e) }

// encode returns a frame or event as an object. What is not UTF-8 becomes U+FFFD;
// nothing that passed CheckText, Name or Decode holds any.
func encode(v any) []byte {
	b, err := json.Marshal(v, jsontext.AllowInvalidUTF8(true))
	if err != nil {
		panic("wire: " + err.Error()) // our types can't fail
	}
	return b
}

// EventsOverhead is how many bytes an events frame can have besides its events and a
// comma for each. A cursor may be of nothing but quotes and backslashes, which take
// two bytes each.
const EventsOverhead = len(`{"type":"events","room":"","after":"","cursor":"","events":[]}`) + MaxName + 2*2*MaxCursor

// AppendEvents appends to dst an events frame of events made by EncodeEvent. room is as
// in Events.
func AppendEvents(dst []byte, room, after, cursor string, events [][]byte) []byte {
	dst = append(dst, `{"type":"events",`...)
	if room != "" {
		dst = appendString(append(dst, `"room":`...), room)
		dst = append(dst, ',')
	}
	dst = append(dst, `"after":`...)
	dst = appendString(dst, after)
	dst = append(dst, `,"cursor":`...)
	dst = appendString(dst, cursor)
	dst = append(dst, `,"events":[`...)
	for i, e := range events {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, e...)
	}
	return append(dst, `]}`...)
}

func appendString(b []byte, s string) []byte {
	b, _ = jsontext.AppendQuote(b, s) // the error tells of U+FFFD, as in encode
	return b
}
