package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode"

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

// messageJSON is what tail --json prints for a message. Fields are only ever added.
type messageJSON struct {
	Type     string `json:"type"`
	Room     string `json:"room"`
	Seq      uint64 `json:"seq"`
	From     string `json:"from"`
	Text     string `json:"text"`
	At       string `json:"at"`
	Replayed bool   `json:"replayed"`
	Kind     string `json:"kind,omitempty"`
}

// gapJSON is what tail --json prints where lines are missing.
type gapJSON struct {
	Type   string `json:"type"`
	Room   string `json:"room"`
	Lost   int64  `json:"lost"`
	Reason string `json:"reason"`
}

func jsonMessage(m session.Message) messageJSON {
	return messageJSON{
		Type: "message", Room: m.Room, Seq: m.Seq, From: m.From, Text: m.Text,
		At: m.At.UTC().Format("2006-01-02T15:04:05.000Z07:00"), Replayed: m.Replayed, Kind: m.Kind,
	}
}

// jsonLine encodes v as one line that is safe on a terminal too: whatever controls or
// reorders text is escaped.
func jsonLine(v any) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(fmt.Sprintf("encode output: %v", err)) // no value of ours can't be encoded
	}
	var out strings.Builder
	for _, r := range strings.TrimSuffix(b.String(), "\n") {
		switch {
		case r < 0x80 && r != 0x7f, !unicode.In(r, unicode.Cc, unicode.Cf):
			out.WriteRune(r)
		case r > 0xffff:
			hi, lo := (r-0x10000)>>10+0xd800, (r-0x10000)&0x3ff+0xdc00
			fmt.Fprintf(&out, `\u%04x\u%04x`, hi, lo)
		default:
			fmt.Fprintf(&out, `\u%04x`, r)
		}
	}
	return out.String() + "\n"
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
