package wire

// Code is what a bye says and the WebSocket close code that goes with it.
type Code struct {
	Word  string // in bye.code
	Close int    // the close code; below 4500 of the private ones a client comes back
	Text  string // what it means, for a person
}

// ComeBack reports whether a client that got this code dials again.
func (c Code) ComeBack() bool { return c.Close < 4500 }

// The codes of bye, PROTOCOL.md "Close codes".
var (
	Leave      = Code{"leave", 1000, "left for good"}
	Internal   = Code{"internal", 1011, "the server had an error"}
	Draining   = Code{"draining", 4000, "the server stops or restarts"}
	Dead       = Code{"dead", 4001, "nothing was heard in time"}
	Resync     = Code{"resync", 4002, "the two sides lost step"}
	TooSlow    = Code{"too_slow", 4003, "could not keep up"}
	HelloLate  = Code{"hello_late", 4004, "no complete hello in time"}
	Superseded = Code{"superseded", 4500, "the same client connected again"}
	Malformed  = Code{"malformed", 4501, "sent something the protocol does not know"}
	NameTaken  = Code{"name_taken", 4502, "the name belongs to someone else"}
	Forbidden  = Code{"forbidden", 4503, "access was refused or revoked"}
	Version    = Code{"version", 4504, "the server does not speak this version of the protocol"}
	TooMany    = Code{"too_many", 4505, "too many rooms on one connection"}
)

var codes = []Code{Leave, Internal, Draining, Dead, Resync, TooSlow, HelloLate, Superseded, Malformed, NameTaken, Forbidden, Version, TooMany}

// CodeOf finds a code by its word. An unknown word comes back: it is a newer
// server's, and its close code decides.
func CodeOf(word string) (Code, bool) {
	for _, c := range codes {
		if c.Word == word {
			return c, true
		}
	}
	return Code{}, false
}

// CodeOfClose finds a code by its close code.
func CodeOfClose(code int) (Code, bool) {
	for _, c := range codes {
		if c.Close == code {
			return c, true
		}
	}
	return Code{}, false
}

// Why a line is to be sent again, in retry.code.
const (
	RetryGap     = "gap"     // an earlier line is missing
	RetryRate    = "rate"    // too many at once
	RetryStorage = "storage" // the server can't store lines just now
)

// Why a line will never be taken, in refused.code.
const (
	RefusedTooLong = "too_long"
	RefusedControl = "control"
	RefusedBlank   = "blank"
	RefusedKind    = "kind"
	RefusedUnknown = "unknown_user" // nobody owns the name that a private line is for

	RefusedDuplicate = "duplicate" // the user has said a line with this key in the room: that one is on disk
	RefusedReadOnly  = "read_only" // the user may not say anything in this room
	RefusedRejected  = "rejected"  // by the application that the server is part of; its words are the message
)

// The kinds of an event. A line has none.
const (
	KindAction  = "action"  // /me
	KindPrivate = "private" // for one user of the room, and shown to that one and its sender only
	KindVoid    = "void"    // keeps the place of a refused line; skip it
)

// Why a welcome did not resume, in welcome.reason.
const (
	ReasonFresh    = "fresh"
	ReasonExpired  = "expired"
	ReasonDiverged = "diverged"
)
