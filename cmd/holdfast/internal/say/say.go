// Package say puts what happens in a room into words. All that it returns is clean:
// whatever of it came from elsewhere went through package safe, once, here.
package say

import (
	"fmt"
	"strconv"
	"time"

	"holdfast/cmd/holdfast/internal/safe"
	"holdfast/session"
	"holdfast/session/wire"
)

const (
	maxLines = 40   // of one message
	maxRunes = 4096 // of one line of it
)

// Gutter stands before the second and later lines of a message: nobody can put words
// in another's mouth by a line break.
const Gutter = "  | "

// HeldText says what session.Held means.
const HeldText = "the server can't store lines just now: its disk may be full"

// Clean makes one printable line of text that is not ours.
func Clean(text string) string { return safe.Line(text, maxRunes) }

// Parts is a message as the head that names who speaks, and at least one line of what
// was said. No user can say what looks like a head: names hold no blank.
func Parts(m session.Message) (head string, lines []string) {
	return Head(m.From, m.To, m.Kind), safe.Block(m.Text, maxLines, maxRunes)
}

// Head is the beginning of a line: "ana: ", "* ana " for an action, and "ana -> bob: "
// for a line that only bob sees.
func Head(from, to, kind string) string {
	from, to = Clean(from), Clean(to)
	switch {
	case to != "" && kind == wire.KindAction:
		return "* " + from + " -> " + to + " "
	case to != "":
		return from + " -> " + to + ": "
	case kind == wire.KindAction:
		return "* " + from + " "
	}
	return from + ": "
}

// Message is a message as lines of text.
func Message(m session.Message) []string {
	head, lines := Parts(m)
	lines[0] = head + lines[0]
	for i := 1; i < len(lines); i++ {
		lines[i] = Gutter + lines[i]
	}
	return lines
}

// Presence puts a change among the members into words. Who is there when one joins,
// that is at the first, is no news; nor is what self does.
func Presence(p session.Presence, room, self string, first bool) (lines []string) {
	if first {
		return nil
	}
	for _, n := range p.Joined {
		if n != self {
			lines = append(lines, Clean(n)+" joined "+room)
		}
	}
	for _, n := range p.Left {
		if n != self {
			lines = append(lines, Clean(n)+" left "+room)
		}
	}
	return lines
}

// Unsaid is the reason of those who are away and give none: an empty one would mean that
// they are back.
const Unsaid = "away"

// Away says that somebody is away, and why; not clean.
func Away(why string) string {
	if why == Unsaid {
		return "away"
	}
	return "away: " + why
}

// Gap puts missing lines into words.
func Gap(g session.Gap) string {
	switch {
	case g.Reason == wire.ReasonDiverged && g.Lost <= 0:
		return "the server went back to an older copy of this room: some of what you saw is not there any more"
	case g.Lost < 0:
		return "some lines can no longer be shown"
	}
	return Count(int(g.Lost), "line") + " can no longer be shown"
}

// Ago rounds a time for people.
func Ago(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	}
	return fmt.Sprintf("%d h %d min", int(d.Hours()), int(d.Minutes())%60)
}

// Millis is a short time for people: "12 ms", and never zero.
func Millis(d time.Duration) string {
	if d < time.Millisecond {
		return "under 1 ms"
	}
	return Number(int(d.Round(time.Millisecond).Milliseconds())) + " ms"
}

// Count counts things for people.
func Count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return Number(n) + " " + what + "s"
}

// Number is a number for people: 12,345.
func Number(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
