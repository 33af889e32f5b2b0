package wire

import (
	"math"
	"slices"
	"strconv"
	"time"
	"unicode/utf16"
	"unicode/utf8"
)

// parser reads strict JSON (RFC 8259) from UTF-8. After an error every method does
// nothing, so callers need not look until the end.
type parser struct {
	b     []byte
	i     int
	depth int
	err   error
}

// maxDepth bounds how deep values may be nested in a field that is skipped.
const maxDepth = 16

func (d *parser) fail(format string, args ...any) {
	if d.err == nil {
		d.err = malformed(format, args...)
		d.i = len(d.b)
	}
}

// next passes white space and returns the byte after it, 0 at the end.
func (d *parser) next() byte {
	for d.i < len(d.b) {
		switch c := d.b[d.i]; c {
		case ' ', '\t', '\r', '\n':
			d.i++
		default:
			return c
		}
	}
	return 0
}

func (d *parser) expect(c byte) {
	if d.next() != c {
		d.fail("expected %q at byte %d", c, d.i)
		return
	}
	d.i++
}

func (d *parser) end() {
	if d.next() != 0 || d.i < len(d.b) {
		d.fail("something follows the object at byte %d", d.i)
	}
}

// items parses what stands between open and close, separated by commas.
func (d *parser) items(open, close byte, item func()) {
	d.expect(open)
	if d.depth++; d.depth > maxDepth {
		d.fail("nested too deep")
	}
	for first := true; d.err == nil; first = false {
		if c := d.next(); c == close && first {
			break
		}
		item()
		if d.next() != ',' {
			break
		}
		d.i++
	}
	d.expect(close)
	d.depth--
}

// each parses an object; value must parse the value of key.
func (d *parser) each(value func(key string)) {
	var seen []string
	d.items('{', '}', func() {
		key := d.str()
		if slices.Contains(seen, key) {
			d.fail("field %q stands twice", clip(key))
		}
		if seen = append(seen, key); len(seen) > 64 {
			d.fail("more than 64 fields")
		}
		d.expect(':')
		if d.err == nil {
			value(key)
		}
	})
}

// object parses an object into o. Unknown fields are skipped.
func (d *parser) object(o object) {
	fs := o.fields()
	d.each(func(key string) {
		for _, f := range fs {
			if f.name == key {
				d.value(f.at)
				return
			}
		}
		d.skip()
	})
}

func (d *parser) value(at any) {
	switch v := at.(type) {
	case *string:
		*v = d.str()
	case *uint64:
		n := d.num()
		if n < 0 {
			d.fail("negative number")
		}
		*v = uint64(n)
	case *int64:
		*v = d.num()
	case *int:
		*v = int(max(math.MinInt, min(d.num(), math.MaxInt))) // where int has 32 bits
	case *bool:
		*v = d.boolean()
	case *Time:
		*v = d.time()
	case *[]string:
		d.items('[', ']', func() { *v = append(*v, d.str()) })
	case *Limits:
		d.object(v)
	case *[]Base:
		parseList(d, v)
	case *[]Ack:
		parseList(d, v)
	case *[]Event:
		parseList(d, v)
	case *[]Absent:
		parseList(d, v)
	default:
		panic("wire: no such field type")
	}
}

func parseList[T any, P interface {
	*T
	object
}](d *parser, list *[]T) {
	d.items('[', ']', func() {
		var t T
		d.object(P(&t))
		*list = append(*list, t)
	})
}

// skip parses any value and forgets it.
func (d *parser) skip() {
	switch c := d.next(); c {
	case '{':
		d.each(func(string) { d.skip() })
	case '[':
		d.items('[', ']', d.skip)
	case '"':
		d.str()
	case 't', 'f':
		d.boolean()
	case 'n':
		if !d.word("null") {
			d.fail("expected null at byte %d", d.i)
		}
	default:
		d.number()
	}
}

func (d *parser) word(w string) bool {
	if len(d.b)-d.i < len(w) || string(d.b[d.i:d.i+len(w)]) != w {
		return false
	}
	d.i += len(w)
	return true
}

func (d *parser) boolean() bool {
	d.next()
	if d.word("true") {
		return true
	}
	if !d.word("false") {
		d.fail("expected true or false at byte %d", d.i)
	}
	return false
}

// number passes a JSON number of any form.
func (d *parser) number() []byte {
	d.next()
	start := d.i
	digits := func() {
		at := d.i
		for d.i < len(d.b) && '0' <= d.b[d.i] && d.b[d.i] <= '9' {
			d.i++
		}
		if d.i == at {
			d.fail("expected a value at byte %d", at)
		}
	}
	d.word("-")
	if zero := d.i; !d.word("0") {
		digits()
	} else if d.i < len(d.b) && '0' <= d.b[d.i] && d.b[d.i] <= '9' {
		d.fail("number begins with 0 at byte %d", zero)
	}
	if d.word(".") {
		digits()
	}
	if d.word("e") || d.word("E") {
		_ = d.word("+") || d.word("-")
		digits()
	}
	if d.err != nil {
		return nil
	}
	return d.b[start:d.i]
}

// num parses a whole number that every language can hold.
func (d *parser) num() int64 {
	text := d.number()
	if d.err != nil {
		return 0
	}
	n, err := strconv.ParseInt(string(text), 10, 64)
	if err != nil || n > MaxNumber || n < -MaxNumber {
		d.fail("%q is not a whole number below 2^53", clip(string(text)))
		return 0
	}
	return n
}

// time parses any RFC 3339 time and cuts it to what the wire holds.
func (d *parser) time() Time {
	s := d.str()
	if d.err != nil {
		return Time{}
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	t = t.UTC().Truncate(time.Millisecond)
	switch {
	case err != nil,
		s[len("2006-01-02T15")] != ':', s[len("2006-01-02T15:04:05")] == ',', // Parse takes T1: and a comma
		t.Year() < 0, t.Year() > 9999: // the zone moved it there
		d.fail("%q is not an RFC 3339 time", clip(s))
	}
	return Time{t}
}

func (d *parser) str() string {
	d.expect('"')
	start := d.i
	for i := start; i < len(d.b); i++ {
		switch c := d.b[i]; {
		case c == '"':
			d.i = i + 1
			return string(d.b[start:i])
		case c == '\\':
			return d.escaped(start, i)
		case c < 0x20:
			d.fail("control character in a string at byte %d", i)
			return ""
		}
	}
	d.fail("string does not end")
	return ""
}

// escaped goes on with a string from its first escape, at i.
func (d *parser) escaped(start, i int) string {
	out := append([]byte(nil), d.b[start:i]...)
	for i < len(d.b) {
		c := d.b[i]
		switch {
		case c == '"':
			d.i = i + 1
			return string(out)
		case c < 0x20:
			d.fail("control character in a string at byte %d", i)
			return ""
		case c != '\\':
			out = append(out, c)
			i++
			continue
		}
		if i+1 >= len(d.b) {
			break
		}
		switch e := d.b[i+1]; e {
		case '"', '\\', '/':
			out, i = append(out, e), i+2
		case 'b':
			out, i = append(out, '\b'), i+2
		case 'f':
			out, i = append(out, '\f'), i+2
		case 'n':
			out, i = append(out, '\n'), i+2
		case 'r':
			out, i = append(out, '\r'), i+2
		case 't':
			out, i = append(out, '\t'), i+2
		case 'u':
			r, n := d.unicode(i)
			if n == 0 {
				d.fail("bad \\u escape at byte %d", i)
				return ""
			}
			out, i = utf8.AppendRune(out, r), i+n
		default:
			d.fail("bad escape at byte %d", i)
			return ""
		}
	}
	d.fail("string does not end")
	return ""
}

// unicode reads the \u escape, or the pair of them, at i; n is its length, 0 if
// it is bad. Half a surrogate pair is no character, so it is bad.
func (d *parser) unicode(i int) (r rune, n int) {
	r, ok := d.hex4(i)
	if !ok {
		return 0, 0
	}
	if !utf16.IsSurrogate(r) {
		return r, 6
	}
	r2, ok := d.hex4(i + 6)
	if r = utf16.DecodeRune(r, r2); !ok || r == utf8.RuneError {
		return 0, 0
	}
	return r, 12
}

func (d *parser) hex4(i int) (rune, bool) {
	if i+6 > len(d.b) || d.b[i] != '\\' || d.b[i+1] != 'u' {
		return 0, false
	}
	for _, c := range d.b[i+2 : i+6] { // ParseUint alone takes a sign or "_" in places
		if !('0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F') {
			return 0, false
		}
	}
	n, err := strconv.ParseUint(string(d.b[i+2:i+6]), 16, 16)
	return rune(n), err == nil
}
