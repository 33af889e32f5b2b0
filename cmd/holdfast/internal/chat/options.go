package chat

import (
	"context"
	"time"

	"holdfast/cmd/holdfast/internal/ask"
	"holdfast/cmd/holdfast/internal/look"
	"holdfast/session"
)

// Terminal is what the chat needs of a terminal; *lineui.UI is one. All but ReadLine
// may be called from any goroutine and wait for nobody.
type Terminal interface {
	// ReadLine returns what the user typed, with its line breaks. The error is
	// lineui.ErrInterrupted after Ctrl-C, and io.EOF after Ctrl-D, after Abort, and when
	// the terminal has gone.
	ReadLine() (string, error)

	// Pasted reports whether something of that line was pasted.
	Pasted() bool

	// Began tells when the first key of that line came, or of the one that Ctrl-C threw
	// away: zero if there was none.
	Began() time.Time

	// Print puts lines above the prompt, SetStatus shows rows between them and the
	// prompt, SetPrompt changes the prompt.
	Print(lines ...string)
	SetStatus(rows ...string)
	SetPrompt(text string)

	Size() (cols, rows int)
	Clear()
	Bell()

	AddHistory(line string)

	// Abort ends ReadLine for good.
	Abort()
}

// PromptWidth is the number of columns that the prompt takes.
const PromptWidth = 15

// Options tunes a Chat. Open, Describe, Nearest and Rooms must be set.
type Options struct {
	// Open opens a session for another room.
	Open func(room string) (*session.Session, error)

	// Describe puts an error into words, not cleaned.
	Describe func(error) string

	// See is told of each state of each session, and of the one before. Zero tells
	// nobody.
	See func(e session.Event, was session.State)

	// Rooms asks the server which rooms there are.
	Rooms func(ctx context.Context) ([]ask.Room, error)

	// Nearest returns which of the words was meant, empty if none is near.
	Nearest func(word string, words []string) string

	// Others counts the users besides this one who are without a server when the chat
	// ends. Zero means that it never is any.
	Others func() int

	// Version is what /version says.
	Version string

	// Dir is where history and ignored names are kept. Zero means nowhere.
	Dir string

	// Look says how lines are shown; ASCII, that the terminal can't draw more.
	Look  look.Look
	ASCII bool

	// Bell says what rings it. Zero means Mention.
	Bell Bell

	// Highlight are words that are marked as the user's name is.
	Highlight []string
}

const (
	quietTime  = 300 * time.Millisecond // an ack within this shows no mark
	doubtAfter = 3 * time.Second        // silence that is shown when an ack is due; the session doubts the link too
	leaveTime  = 2 * time.Second        // for lines on their way when the user leaves
	glance     = time.Second            // until the user has seen who writes
	askTime    = 10 * time.Second       // for an answer of the server to a command
	slowAnswer = 2 * time.Second        // for one, from when on the user wonders
	drawEvery  = 500 * time.Millisecond // how often countdowns and ages are redrawn
)
