package wire

import (
	"fmt"
	"time"

	"github.com/go-json-experiment/json"
)

// Frame is one message of the protocol. A new one is a struct here, with its kind, and
// a row in frames. The tags of its fields serve both directions, and their order is the
// order on the wire. A field that may be left out says omitzero, a list omitempty, so
// that one that is empty but not nil is left out too.
//
// Every frame about a room has the field Room, in lower case. Empty, it is the room that
// the connection was opened for, the door; but a Bye without it is about the connection.
type Frame interface{ kind() string }

// Challenge is a server's first frame. A hello signs it: see [Hello.Sign].
type Challenge struct {
	Nonce  string `json:"nonce"`           // 32 random bytes, for this connection only
	Server string `json:"server"`          // the server's public key
	Former bool   `json:"former,omitzero"` // the name is held by a secret of before there were key pairs
}

func (*Challenge) kind() string { return "challenge" }

// Hello is a client's first frame. It joins the door.
type Hello struct {
	Key       string `json:"key"`             // the user's public key; Sign fills it in
	Signature string `json:"signature"`       // Sign fills it in
	Host      string `json:"host"`            // the host that was dialled, and its port unless it is the scheme's own
	Former    string `json:"former,omitzero"` // the secret that held the name before, if the challenge asks for it
	Device    string `json:"device"`
	Sources   []Base `json:"sources"`
	Cursor    string `json:"cursor"`
	Backlog   int    `json:"backlog"`         // lines of history wanted; -1 all
	Window    int64  `json:"window,omitzero"` // lines that may come before there is a More; zero: any number
	Client    string `json:"client,omitzero"`
}

func (*Hello) kind() string { return "hello" }

// Join joins a room besides the door. Its fields are as in Hello.
type Join struct {
	Room    string `json:"room"`
	Device  string `json:"device"`
	Sources []Base `json:"sources"`
	Cursor  string `json:"cursor"`
	Backlog int    `json:"backlog"`
	Window  int64  `json:"window,omitzero"`
}

func (*Join) kind() string { return "join" }

// More lets so many lines come, besides those that Window and earlier ones let come.
type More struct {
	Room  string `json:"room,omitzero"`
	Lines int64  `json:"lines"`
}

func (*More) kind() string { return "more" }

// Remove ends another user's part in the room. It is for who may moderate it.
type Remove struct {
	Room string `json:"room,omitzero"`
	Name string `json:"name"`
	Text string `json:"text,omitzero"` // why
}

func (*Remove) kind() string { return "remove" }

// Base is a source of lines and the number up to which the client will send none of it
// again: each is acknowledged, refused or set aside.
type Base struct {
	Source string `json:"source"`
	Base   uint64 `json:"base"`
}

// Send is a line on its way to the server.
type Send struct {
	Room   string `json:"room,omitzero"`
	Source string `json:"source"`
	N      uint64 `json:"n"`
	Kind   string `json:"kind,omitzero"`
	To     string `json:"to,omitzero"`   // with KindPrivate: who it is for
	Once   string `json:"once,omitzero"` // the line is stored only if the user has none with this key in the room
	Text   string `json:"text"`
}

func (*Send) kind() string { return "send" }

// Away says that the user does not read, and why; without Text, that they do again. It
// holds as long as the user is a member.
type Away struct {
	Room string `json:"room,omitzero"`
	Text string `json:"text,omitzero"`
}

func (*Away) kind() string { return "away" }

// History asks for a Page: Limit lines below the position Before (zero: the newest).
type History struct {
	Room   string `json:"room,omitzero"`
	ID     string `json:"id"`
	Before uint64 `json:"before"`
	Limit  int    `json:"limit"`
}

func (*History) kind() string { return "history" }

// Bye is the last frame of either side, or the last one about Room if it names one. Code
// and what follows are a server's.
type Bye struct {
	Room    string `json:"room,omitzero"`
	Code    string `json:"code,omitzero"`
	Message string `json:"message,omitzero"`
	RetryMS int64  `json:"retry_ms,omitzero"`
}

func (*Bye) kind() string { return "bye" }

// Welcome answers Hello and Join.
type Welcome struct {
	Room        string   `json:"room,omitzero"`
	Generation  uint64   `json:"generation"`
	Cursor      string   `json:"cursor"`
	Resumed     bool     `json:"resumed"`
	Reason      string   `json:"reason,omitzero"`
	Missed      int64    `json:"missed"`
	Lost        int64    `json:"lost"` // -1 unknown
	Acks        []Ack    `json:"acks"`
	Taken       []Ack    `json:"taken,omitempty"` // where it is more than what is acknowledged
	HeartbeatMS int64    `json:"heartbeat_ms"`
	TimeoutMS   int64    `json:"timeout_ms"`
	Limits      Limits   `json:"limits"`
	Members     []string `json:"members"`
	Moderate    bool     `json:"moderate,omitzero"` // Remove is allowed
	Now         Time     `json:"now"`
}

func (*Welcome) kind() string { return "welcome" }

// Limits are what a server takes.
type Limits struct {
	TextBytes int `json:"text_bytes"`
	InFlight  int `json:"in_flight"`
	Rooms     int `json:"rooms,omitzero"` // on one connection
}

// Events carries a contiguous run of the room's log, from After to Cursor.
type Events struct {
	Room   string  `json:"room,omitzero"`
	After  string  `json:"after"`
	Cursor string  `json:"cursor"`
	Events []Event `json:"events"`
}

func (*Events) kind() string { return "events" }

// Event is a line in the room's log.
type Event struct {
	Seq    uint64 `json:"seq"`
	At     Time   `json:"at"`
	From   string `json:"from"`
	Source string `json:"source"`
	N      uint64 `json:"n"`
	Kind   string `json:"kind,omitzero"`
	To     string `json:"to,omitzero"` // with KindPrivate: who it is for
	Text   string `json:"text"`
}

// Live says that the replay is over.
type Live struct {
	Room string `json:"room,omitzero"`
}

func (*Live) kind() string { return "live" }

// Ack says that every line of a source up to N is on disk. Those in a Welcome leave Room
// empty.
type Ack struct {
	Room   string `json:"room,omitzero"`
	Source string `json:"source"`
	N      uint64 `json:"n"`
}

func (*Ack) kind() string { return "ack" }

// Retry says that N and what follows was not stored and is to be sent again.
type Retry struct {
	Room    string `json:"room,omitzero"`
	Source  string `json:"source"`
	N       uint64 `json:"n"`
	AfterMS int64  `json:"after_ms"`
	Code    string `json:"code"`
}

func (*Retry) kind() string { return "retry" }

// Refused says that N will never be taken; its number is used up.
type Refused struct {
	Room    string `json:"room,omitzero"`
	Source  string `json:"source"`
	N       uint64 `json:"n"`
	Code    string `json:"code"`
	Message string `json:"message"`
}

func (*Refused) kind() string { return "refused" }

// Presence says who came and went, and who is away or back.
type Presence struct {
	Room   string   `json:"room,omitzero"`
	Joined []string `json:"joined,omitempty"`
	Left   []string `json:"left,omitempty"`
	Away   []Absent `json:"away,omitempty"`
}

func (*Presence) kind() string { return "presence" }

// Absent is a member who is away, and why; without Text, one who is back.
type Absent struct {
	Name string `json:"name"`
	Text string `json:"text,omitzero"`
}

// Page answers History, oldest event first.
type Page struct {
	Room   string  `json:"room,omitzero"`
	ID     string  `json:"id"`
	Events []Event `json:"events"`
	End    bool    `json:"end"` // there is nothing older
}

func (*Page) kind() string { return "page" }

// RoomOf returns the room that f names, empty if it names none.
func RoomOf(f Frame) string {
	switch f := f.(type) {
	case *Join:
		return f.Room
	case *More:
		return f.Room
	case *Remove:
		return f.Room
	case *Send:
		return f.Room
	case *Away:
		return f.Room
	case *History:
		return f.Room
	case *Bye:
		return f.Room
	case *Welcome:
		return f.Room
	case *Events:
		return f.Room
	case *Live:
		return f.Room
	case *Ack:
		return f.Room
	case *Retry:
		return f.Room
	case *Refused:
		return f.Room
	case *Presence:
		return f.Room
	case *Page:
		return f.Room
	}
	return ""
}

// Unknown is a frame of a type that this version does not know; ignore it.
type Unknown struct {
	Type string `json:"-"`
}

func (u *Unknown) kind() string { return u.Type }

// Time is an instant as it stands on the wire: RFC 3339, UTC, milliseconds.
type Time struct{ time.Time }

// MarshalJSON writes t in UTC and cuts it to milliseconds. It returns no error.
func (t Time) MarshalJSON() ([]byte, error) {
	return t.UTC().AppendFormat(nil, `"2006-01-02T15:04:05.000Z"`), nil
}

// UnmarshalJSON takes any RFC 3339 time of the years 0 to 9999 and cuts it to what the
// wire holds; all else is an error.
func (t *Time) UnmarshalJSON(p []byte) error {
	var at time.Time
	if err := json.Unmarshal(p, &at); err != nil {
		return err
	}
	at = at.UTC().Truncate(time.Millisecond)
	if y := at.Year(); y < 0 || y > 9999 { // the zone moved it there
		return fmt.Errorf("year %d", y)
	}
	t.Time = at
	return nil
}
