package main

import (
	"fmt"
	"time"

	"holdfast/cmd/holdfast/internal/safe"
	"holdfast/session"
	"holdfast/session/wire"
)

const (
	maxLines = 40   // of one message on the screen
	maxRunes = 4096 // of one line of it
)

// cleaned makes one printable line of text that is not ours.
func cleaned(text string) string { return safe.Line(text, maxRunes) }

// said is a message as lines of text. The first begins with the name, which no line
// after it can: those stand behind a gutter, so nobody can put words in another's
// mouth.
func said(m session.Message, gutter string) []string {
	lines := safe.Block(m.Text, maxLines, maxRunes)
	name := cleaned(m.From)
	if m.Kind == wire.KindAction {
		lines[0] = "* " + name + " " + lines[0]
	} else {
		lines[0] = name + ": " + lines[0]
	}
	for i := 1; i < len(lines); i++ {
		lines[i] = gutter + lines[i]
	}
	return lines
}

const gutter = "  | "

// sayPresence puts a change among the members in words. Who is there when one joins
// is no news.
func sayPresence(p session.Presence, room, self string, first bool) (lines []string) {
	if first {
		return nil
	}
	for _, n := range p.Joined {
		if n != self {
			lines = append(lines, cleaned(n)+" joined "+room)
		}
	}
	for _, n := range p.Left {
		if n != self {
			lines = append(lines, cleaned(n)+" left "+room)
		}
	}
	return lines
}

// sayGap puts missing lines in words.
func sayGap(g session.Gap) string {
	switch {
	case g.Reason == wire.ReasonDiverged && g.Lost <= 0:
		return "the server went back to an older copy of this room: some of what you saw is not there any more"
	case g.Lost < 0:
		return "some lines can no longer be shown"
	case g.Lost == 1:
		return "1 line can no longer be shown"
	}
	return fmt.Sprintf("%d lines can no longer be shown", g.Lost)
}

// ago rounds a time for people.
func ago(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	}
	return fmt.Sprintf("%d h %d min", int(d.Hours()), int(d.Minutes())%60)
}

// count counts things for people.
func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
