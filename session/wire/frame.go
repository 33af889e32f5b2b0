package wire

import "time"

// Frame is one message of the protocol.
type Frame interface {
	kind() string
	object
}

// Hello is a client's first frame.
type Hello struct {
	Device  string
	Key     string
	Sources []Base
	Cursor  string
	Backlog int // lines of history wanted; -1 all
	Client  string
}

// Base is a source of lines and the number up to which the client will send none of it
// again: each is acknowledged, refused or set aside.
type Base struct {
	Source string
	Base   uint64
}

// Send is a line on its way to the server.
type Send struct {
	Source string
	N      uint64
	Kind   string
	To     string // with KindPrivate: who it is for
	Text   string
}

// Away says that the user does not read, and why; without Text, that they do again. It
// holds as long as the user is a member.
type Away struct {
	Text string
}

// History asks for a Page: Limit lines below the position Before (zero: the newest).
type History struct {
	ID     string
	Before uint64
	Limit  int
}

// Bye is the last frame of either side. Code and what follows are a server's.
type Bye struct {
	Code    string
	Message string
	RetryMS int64
}

// Welcome answers Hello.
type Welcome struct {
	Generation  uint64
	Cursor      string
	Resumed     bool
	Reason      string
	Missed      int64
	Lost        int64 // -1 unknown
	Acks        []Ack
	Taken       []Ack // where it is more than what is acknowledged
	HeartbeatMS int64
	TimeoutMS   int64
	Limits      Limits
	Members     []string
	Now         Time
}

// Limits are what a server takes.
type Limits struct {
	TextBytes int
	InFlight  int
}

// Events carries a contiguous run of the room's log, from After to Cursor.
type Events struct {
	After  string
	Cursor string
	Events []Event
}

// Event is a line in the room's log.
type Event struct {
	Seq    uint64
	At     Time
	From   string
	Source string
	N      uint64
	Kind   string
	To     string // with KindPrivate: who it is for
	Text   string
}

// Live says that the replay is over.
type Live struct{}

// Ack says that every line of a source up to N is on disk.
type Ack struct {
	Source string
	N      uint64
}

// Retry says that N and what follows was not stored and is to be sent again.
type Retry struct {
	Source  string
	N       uint64
	AfterMS int64
	Code    string
}

// Refused says that N will never be taken; its number is used up.
type Refused struct {
	Source  string
	N       uint64
	Code    string
	Message string
}

// Presence says who came and went, and who is away or back.
type Presence struct {
	Joined []string
	Left   []string
	Away   []Absent
}

// Absent is a member who is away, and why; without Text, one who is back.
type Absent struct {
	Name string
	Text string
}

// Page answers History, oldest event first.
type Page struct {
	ID     string
	Events []Event
	End    bool // there is nothing older
}

// Unknown is a frame of a type that this version does not know; ignore it.
type Unknown struct{ Type string }

// Time is an instant as it stands on the wire: RFC 3339, UTC, milliseconds.
type Time struct{ time.Time }

const timeLayout = "2006-01-02T15:04:05.000Z"
