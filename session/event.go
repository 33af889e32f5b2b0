package session

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	"holdfast/session/wire"
)

// Event is something that happened in a session: a Message, Receipt, Gap, Presence,
// StateChange, Held or Stale.
type Event interface{ event() }

// Message is a line of the room's, in the order of the room. Two things identify it: ID, for
// ever and everywhere, and (Room, Seq), until a Gap says that the server's past has changed
// (wire.ReasonDiverged). Either is a key for a program that keeps its own account of what
// it has done.
type Message struct {
	Room, From string
	Text       string // from others: clean it before it reaches a terminal
	Kind       string // "" for a line, wire.KindAction for /me, wire.KindPrivate for a private one
	To         string // of a private line, which only two are shown: who it is for
	At         time.Time
	Seq        uint64 // its place in the room: strictly increasing
	ID         ID     // whose line it is, to know one's own
	Own        bool   // sent by this process, or left to it unsent by an earlier one; others of the user's have From
	Replayed   bool   // said before the session was level with the room
	Seen       bool   // consumed by an earlier session; shown again because of Options.Backlog

	at   point // where the log goes on behind it, for Commit
	past int   // as in feed
}

// after reports whether m comes later in the log than o, which may be nil.
func (m *Message) after(o *Message) bool {
	return o == nil || m.past > o.past || m.past == o.past && m.at.seq > o.at.seq
}

// ID is a line's identity, for ever.
type ID struct {
	Source string
	N      uint64
}

// Receipt says what became of a line that Send took.
type Receipt struct {
	ID        ID
	Err       *RefusedError // nil: it is on the server's disk
	Duplicate bool          // another line with the same key is, which was said before: see Session.SendOnce
}

// RefusedError is a line that the server will never take. The line is kept aside.
type RefusedError struct {
	Code    string // one of wire's Refused constants, CodeTooBig or CodeDiscarded
	Message string // from the server: clean it
	Text    string // the line
	Kind    string // as in Message
	To      string // as in Message
}

// Error says why in the server's words, or else by its code.
func (e *RefusedError) Error() string {
	return "line refused: " + cmp.Or(e.Message, e.Code, "no reason given")
}

// The codes of a RefusedError that no server gives.
const (
	CodeDiscarded = "discarded" // by Discard
	CodeTooBig    = "too_big"   // the server ends each connection at a line of its size
)

// Gap says that lines are missing here, before the next Message.
type Gap struct {
	Lost   int64  // how many can't be shown; -1 unknown
	Reason string // wire.ReasonExpired or wire.ReasonDiverged
}

// Presence says who is in the room. The first one after a connection lists all.
type Presence struct {
	Here   []string // all members, in order; only when a connection becomes level
	Joined []string // who came, since the last Presence
	Left   []string // who went

	// Away has all who are away, and why; nil if nothing of that changed.
	Away map[string]string
}

// State is where a session stands.
type State int

// The states.
const (
	Dialing  State = iota // trying to connect
	Waiting               // until the next attempt
	Resuming              // connected; the room's lines are being replayed
	Online                // connected and level with the room
	Closed                // over: see Session.Err
)

func (s State) String() string {
	return [...]string{"dialing", "waiting", "resuming", "online", "closed"}[s]
}

// StateChange says where the session stands now.
type StateChange struct {
	State   State
	Attempt int           // Waiting: failed attempts in a row
	RetryIn time.Duration // Waiting: until the next one
	Err     error         // Waiting, Closed: why
	Missed  int64         // Resuming: lines that come now, which an earlier connection did not show
}

// Held says that the server can't store lines just now, and why, or that it can again.
// They wait in the outbox meanwhile, and are sent again and again.
type Held struct {
	Code string // wire.RetryStorage; empty when it is over, or the connection is
}

// Stale says that lines have waited for longer than Options.StaleAfter, and that
// nothing is sent until Release or Discard. It is said again by each connection.
type Stale struct {
	Lines  int
	Oldest time.Time // when Send took the first of them
}

func (Message) event()     {}
func (Receipt) event()     {}
func (Gap) event()         {}
func (Presence) event()    {}
func (StateChange) event() {}
func (Held) event()        {}
func (Stale) event()       {}

// The errors that callers tell apart.
var (
	// ErrOption means that an option or an argument is malformed.
	ErrOption = errors.New("session: bad option")
	// ErrOutboxFull means that the line was not taken. There is room when others are
	// acknowledged.
	ErrOutboxFull = errors.New("session: outbox full")
	// ErrClosed means that the session was closed or is draining.
	ErrClosed = errors.New("session: closed")
	// ErrDisk ends a session whose state file can't be written. Of lines that Send
	// did not take for it nobody knows whether they are on disk: the next session
	// may find and send them.
	ErrDisk = errors.New("session: disk failed")
	// ErrInUse means that another process has the state which an Exclusive session wants
	// for itself.
	ErrInUse = errors.New("session: in use by another process")
	// ErrCommitted means that a line was consumed before: it must not be answered again.
	ErrCommitted = errors.New("session: line is committed already")
	// ErrNotModerator means that the server has not given this user the right to moderate
	// the room.
	ErrNotModerator = errors.New("session: not a moderator here")
	// ErrUnsent means that a session ended with lines that are not acknowledged.
	// They are kept, and go out when a session of the same name is opened again.
	ErrUnsent = errors.New("session: lines left unsent")
)

// RejectedError ends a session: the server will not have this client.
type RejectedError struct {
	Code    wire.Code // what was said, or what the close code or status means
	Message string    // from the server: clean it
}

func (e *RejectedError) Error() string {
	if e.Message == "" {
		return fmt.Sprintf("session: rejected: %s", e.Code.Text)
	}
	return fmt.Sprintf("session: rejected: %s", e.Message)
}

// TextError is a line that can't be sent to anyone.
type TextError = wire.RefusedError
