package wire

import (
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"unicode/utf8"
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
	if !utf8.Valid(p) {
		return nil, malformed("not UTF-8")
	}
	d := parser{b: p}
	f := d.frame()
	d.end()
	if d.err != nil {
		return nil, d.err
	}
	if err := check(f); err != nil {
		return nil, err
	}
	return f, nil
}

// frame parses an object whose first field is its type.
func (d *parser) frame() (f Frame) {
	var fields []field
	d.each(func(key string) {
		if f == nil {
			if key != "type" {
				d.fail("first field is %q, not \"type\"", clip(key))
				return
			}
			f = newFrame(d.str())
			fields = f.fields()
			return
		}
		for _, known := range fields {
			if known.name == key {
				d.value(known.at)
				return
			}
		}
		d.skip()
	})
	if f == nil {
		d.fail("no type")
	}
	return f
}

func newFrame(kind string) Frame {
	if blank, ok := frames[kind]; ok {
		return blank()
	}
	return &Unknown{Type: kind}
}

var frames = map[string]func() Frame{
	"hello":    func() Frame { return new(Hello) },
	"send":     func() Frame { return new(Send) },
	"away":     func() Frame { return new(Away) },
	"history":  func() Frame { return new(History) },
	"bye":      func() Frame { return new(Bye) },
	"welcome":  func() Frame { return new(Welcome) },
	"events":   func() Frame { return new(Events) },
	"live":     func() Frame { return new(Live) },
	"ack":      func() Frame { return new(Ack) },
	"retry":    func() Frame { return new(Retry) },
	"refused":  func() Frame { return new(Refused) },
	"presence": func() Frame { return new(Presence) },
	"page":     func() Frame { return new(Page) },
}

// Encode returns f as a message.
func Encode(f Frame) []byte {
	b := append(make([]byte, 0, 128), `{"type":`...)
	b = appendString(b, f.kind())
	return append(appendFields(b, f.fields(), false), '}')
}

// EncodeEvent returns e as it stands inside events and pages. A room encodes each
// event once, for all its members.
func EncodeEvent(e *Event) []byte {
	b := make([]byte, 0, 160+len(e.Text))
	return appendObject(b, e)
}

// EventsOverhead is how many bytes an events frame can have besides its events and a
// comma for each. A cursor may be of nothing but quotes and backslashes, which take
// two bytes each.
const EventsOverhead = len(`{"type":"events","after":"","cursor":"","events":[]}`) + 2*2*MaxCursor

// AppendEvents appends to dst an events frame of events made by EncodeEvent.
func AppendEvents(dst []byte, after, cursor string, events [][]byte) []byte {
	dst = append(dst, `{"type":"events","after":`...)
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

func appendObject(b []byte, o object) []byte {
	return append(appendFields(append(b, '{'), o.fields(), true), '}')
}

func appendFields(b []byte, fs []field, first bool) []byte {
	for _, f := range fs {
		if f.optional && reflect.ValueOf(f.at).Elem().IsZero() {
			continue
		}
		if !first {
			b = append(b, ',')
		}
		first = false
		b = append(append(b, '"'), f.name...)
		b = appendValue(append(b, '"', ':'), f.at)
	}
	return b
}

func appendValue(b []byte, at any) []byte {
	switch v := at.(type) {
	case *string:
		return appendString(b, *v)
	case *uint64:
		return strconv.AppendUint(b, *v, 10)
	case *int64:
		return strconv.AppendInt(b, *v, 10)
	case *int:
		return strconv.AppendInt(b, int64(*v), 10)
	case *bool:
		return strconv.AppendBool(b, *v)
	case *Time:
		return append(v.UTC().AppendFormat(append(b, '"'), timeLayout), '"')
	case *[]string:
		return appendList(b, *v, func(b []byte, s *string) []byte { return appendString(b, *s) })
	case *Limits:
		return appendObject(b, v)
	case *[]Base:
		return appendList(b, *v, func(b []byte, e *Base) []byte { return appendObject(b, e) })
	case *[]Ack:
		return appendList(b, *v, func(b []byte, e *Ack) []byte { return appendObject(b, e) })
	case *[]Event:
		return appendList(b, *v, func(b []byte, e *Event) []byte { return appendObject(b, e) })
	case *[]Absent:
		return appendList(b, *v, func(b []byte, e *Absent) []byte { return appendObject(b, e) })
	}
	panic("wire: no such field type")
}

func appendList[T any](b []byte, list []T, item func([]byte, *T) []byte) []byte {
	b = append(b, '[')
	for i := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = item(b, &list[i])
	}
	return append(b, ']')
}

// appendString quotes s. What is not UTF-8 becomes U+FFFD; nothing that passed
// CheckText, Name or Decode holds any.
func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	for i, r := range s {
		switch {
		case r == '"' || r == '\\':
			b = append(b, '\\', byte(r))
		case r == '\n':
			b = append(b, '\\', 'n')
		case r == '\t':
			b = append(b, '\\', 't')
		case r < 0x20:
			b = fmt.Appendf(b, `\u%04x`, r)
		case r < utf8.RuneSelf:
			b = append(b, s[i])
		default:
			b = utf8.AppendRune(b, r)
		}
	}
	return append(b, '"')
}
