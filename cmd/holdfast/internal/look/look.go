// Package look says how output is shown to people: in colour or not, and with which
// form of time. It knows nothing of flags and terminals; whoever makes a [Look] does.
package look

import (
	"hash/fnv"
	"strconv"
	"strings"
	"time"
)

// Look is how output is shown. The zero value is plain: no colour, no times. It is
// only read, and may be shared.
type Look struct {
	// Color allows escape sequences for colours. Nothing is told by colour alone.
	Color bool

	// Layout is the form of times, as in time.Layout. Zero means that none is shown.
	Layout string

	// Zone is where times are shown for. Zero means the local one.
	Zone *time.Location
}

// Time returns t in the layout and a space, for the beginning of a line; nothing if
// there is no layout or t is not known.
func (l Look) Time(t time.Time) string {
	if l.Layout == "" || t.IsZero() {
		return ""
	}
	zone := l.Zone
	if zone == nil {
		zone = time.Local
	}
	return l.Paint(Dim, t.In(zone).Format(l.Layout)) + " "
}

// Style is the parameter of a terminal's SGR sequence. Only the 16 base colours are
// used: their owner chose how they look.
type Style int

// The styles that mean something. Names have others.
const (
	Dim    Style = 2
	Red    Style = 31
	Green  Style = 32
	Yellow Style = 33
)

// Paint returns text in a style, or as it is if there are no colours. The text must
// be clean.
func (l Look) Paint(s Style, text string) string {
	if !l.Color || text == "" {
		return text
	}
	return "\x1b[" + strconv.Itoa(int(s)) + "m" + text + "\x1b[0m"
}

// Name returns a user's name in its colour, the same everywhere and always. Case does
// not count. The name must be clean.
func (l Look) Name(name string) string { return l.Paint(StyleOf(name), name) }

// hues leaves out black, blue and white, which are hard to read on one background or
// another, and red and yellow, which warn.
var hues = [...]Style{32, 35, 36, 91, 92, 93, 94, 95, 96}

// StyleOf is the style of a user's name.
func StyleOf(name string) Style {
	h := fnv.New32a()
	_, _ = h.Write([]byte(strings.ToLower(name))) // never fails
	return hues[h.Sum32()%uint32(len(hues))]
}
