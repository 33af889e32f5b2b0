package chat

import (
	"strings"

	"holdfast/session"
	"holdfast/session/wire"
)

// input is what a typed line means.
type input int

const (
	nothing input = iota // it is blank
	speech               // to be said
	order                // a command
	spoiled              // looks like a command and isn't
)

// typedFor is what the user types to say a refused line once more: sent as it comes
// back, a private one must not be for all.
func typedFor(e *session.RefusedError) string {
	switch {
	case e.To != "":
		return "/msg " + e.To + " " + e.Text
	case e.Kind == wire.KindAction:
		return "/me " + e.Text
	case strings.HasPrefix(e.Text, "/"):
		return "/" + e.Text
	}
	return e.Text
}

// parse tells what a typed line means. Of a command it returns the name in lower case
// and the argument, of speech the text: as it was typed, less the first of two
// slashes. A command is typed on one line and begins with its slash: whatever else
// begins with one, after blanks or before line breaks, is neither run nor said.
func parse(line string) (what input, name, rest string) {
	bare := strings.TrimLeft(line, " \t")
	switch {
	case strings.TrimSpace(line) == "":
		return nothing, "", ""
	case strings.HasPrefix(line, "//"):
		return speech, "", line[1:]
	case !strings.HasPrefix(bare, "/"):
		return speech, "", line
	case bare != line && strings.Contains(line, "\n"):
		return speech, "", line // a piece of code, say
	case bare != line || strings.Contains(line, "\n"):
		return spoiled, "", line
	}
	name, rest, _ = strings.Cut(line[1:], " ")
	return order, strings.ToLower(name), strings.TrimSpace(rest)
}
