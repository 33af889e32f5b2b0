package history

import (
	"context"
	"errors"
	"time"
)

// Store keeps every room's log, the marks of every source and the claimed
// names. All methods may be called from any goroutine.
//
// # What a wrapped store may do
//
// A program may hand the server a store that embeds one of this package's, and whose Open
// returns a Log that embeds the one of the embedded store's. Its Append is called by one
// goroutine at a time in each room, under a lock of the server's: it must not wait, nor
// call the server. It may
//
//   - refuse a line for good: pass it on with KindVoid for its Kind, a code of wire's, such
//     as "rejected", for its Text, and To, Readers and Once empty. The line's number must
//     be stored, or the client sends it for ever;
//   - put a line off: return an error, ErrFull for one that is no news, and append
//     nothing. The client sends it again after a second, and what it said next after it;
//   - change Text or Kind of a line, but not its User, Source and N, by which it is known;
//   - inject lines, before or after one that it passes on, from a Source that no client
//     has, numbered from what Source says is stored of it, plus one. They are shown to
//     everybody like any other. Injected at another time they need a lock of the
//     program's, for each Log takes one Append at a time;
//   - hold a line back and append it later, if it keeps the order of each source: nobody
//     is shown it, and its sender gets no ack, before it comes out of the sink. Log.Close
//     is called only after that, so a line that never comes out keeps Shutdown waiting.
//
// Its Open may give the embedded store a sink of its own, to see what is durable, which
// hands on all that it gets. Where only words decide, the server's Options.Accept is
// simpler, and may wait.
type Store interface {
	// Open returns the log of room, which need not exist yet. From then on sink
	// gets every line that becomes durable in that room, in order and once, in
	// batches; it is called by one goroutine at a time and must not block or call
	// the store. The slice is the sink's to keep. A room may be open once only,
	// until its Log is closed.
	Open(room string, sink func([]Entry)) (Log, error)

	// Claim makes name belong to by.Key and notes its use at now. It reports false,
	// and changes nothing, if somebody else holds the name and used it within ttl
	// before now; ttl zero means for ever. Where a secret holds the name, by.Former
	// being its hash passes it on to by.Key, in one step. holder is what is on record
	// then: a key that took over from a secret keeps its hash.
	Claim(name string, by Holder, now time.Time, ttl time.Duration) (holder Holder, mine bool, err error)

	// Owner returns who holds name at now, if anybody does.
	Owner(name string, now time.Time, ttl time.Duration) (holder Holder, owned bool, err error)

	// ServerSeed returns 32 random bytes from which the server makes its key pair. They
	// are made when first asked for, are on disk before they are returned, and stay the
	// same as long as the store exists.
	ServerSeed() ([32]byte, error)

	// NoteMembers notes who is a member of room from now on and who no longer is. It
	// waits neither for the disk nor for room on it: after a power cut, or while a
	// disk is full, what is on it may be older.
	NoteMembers(room string, joined, left []string)

	// Members returns the members of each room that has any, in order, as noted last:
	// also by an earlier process, if the store outlives one. closed is when that one
	// closed the store, zero if it did not.
	Members() (members map[string][]string, closed time.Time)

	// Trim drops the lines of every room that keep does not cover, and the marks
	// of sources and the keys of lines that were not used for MarkTTL.
	Trim(ctx context.Context, keep Retention, now time.Time) error

	// Failed is closed when the store can no longer promise durability; Err says
	// why. Nothing appended but not yet handed to a sink will be, ever. The only
	// right answer is to stop and start anew from what is on disk.
	Failed() <-chan struct{}
	Err() error

	// Close waits for what was appended to become durable, then closes.
	Close() error
}

// Log is one room's lines, each at its position seq: strictly increasing, from 1
// up, not necessarily without gaps.
type Log interface {
	// Append queues line behind all that were appended before and does not wait
	// for the disk. The line is durable, together with its source's mark, when it
	// comes out of the sink. The caller sees to it that line.N is the source's
	// mark plus one. ErrFull means that it was not queued and may be tried later.
	Append(line Line) error

	// Source returns the durable state of a source of user's.
	Source(user, source string) (Source, error)

	// Said reports whether user said a line with this key, Line.Once, within MarkTTL
	// before now. It may tell of one before it comes out of the sink.
	Said(user, once string, now time.Time) (bool, error)

	// Start finds where a reader goes on who holds cursor, or who holds none
	// (""), and who wants to see the last backlog lines (-1 means all). With both
	// it goes on from whichever is earlier; a cursor that fits is still resumed,
	// and Missed counts only what follows the cursor.
	Start(cursor string, backlog int) (Start, error)

	// Read returns up to limit durable lines after position after, oldest first.
	// Lines that were trimmed are passed over; Start tells how many.
	Read(after uint64, limit int) ([]Entry, error)

	// Before returns up to limit durable lines at positions below before, oldest
	// first; before zero means from the newest. more is true if older ones remain.
	Before(before uint64, limit int) (lines []Entry, more bool, err error)

	// Close lets the room be opened again. Every appended line must have come out
	// of the sink.
	Close() error
}

// Holder is who holds a name, or asks for it.
type Holder struct {
	// Key is the public key; zero if a secret still holds the name.
	Key [32]byte
	// Former is the SHA-256 of the secret that held the name before there were key
	// pairs; zero if none did. What was said privately then is for whoever has it.
	Former [32]byte
}

// HasKey reports whether h is a key, and not only a secret.
func (h *Holder) HasKey() bool { return h.Key != [32]byte{} }

// HasFormer reports whether h has a secret.
func (h *Holder) HasFormer() bool { return h.Former != [32]byte{} }

// Line is what a client said.
type Line struct {
	User   string    // who said it
	Source string    // which of the user's sources numbered it
	N      uint64    // its number there
	Kind   string    // as on the wire; KindVoid keeps the place of a refused line
	Text   string    // for KindVoid the code of the refusal
	At     time.Time // when the server took it; kept to the millisecond, UTC

	// Only of a KindPrivate line: whom it is for, and what tells its readers, which
	// is for the caller to know.
	To, Readers string

	// Once is a key by which Said finds the line; the caller sees to it that it is said
	// once. It is kept with the line and not part of it: what comes back has none.
	Once string
}

const (
	// KindVoid marks an entry that only keeps a refused line's number.
	KindVoid = "void"
	// KindPrivate marks a line that is not for everybody.
	KindPrivate = "private"
)

// Entry is a durable line at its place in the room's log.
type Entry struct {
	Line
	Seq    uint64
	Cursor string // the point just after this line
}

// Source is the durable state of one source of lines.
type Source struct {
	Mark  uint64            // every line up to this number is stored
	Voids map[uint64]string // numbers that were refused, with the code; nil if none
}

// Start is a point in a room's log for a reader to go on from.
type Start struct {
	Seq     uint64 // the reader has, or does without, all up to here
	Cursor  string // the same point, for the reader to keep
	Resumed bool   // the reader's own cursor, so nothing is lost
	Reason  Reason // why not resumed
	Missed  int64  // how many durable lines follow that the reader does not have
	Lost    int64  // lines between the reader's cursor and Seq that can't be shown; -1 unknown
}

// Reason says why a reader was not resumed. The zero value means that it was.
type Reason string

// The reasons, as they stand on the wire.
const (
	Fresh    Reason = "fresh"    // it had no cursor
	Expired  Reason = "expired"  // retention dropped lines it had not seen
	Diverged Reason = "diverged" // it saw lines that this log does not have: an older copy was restored
)

// Retention says which lines to keep. The zero value keeps all.
type Retention struct {
	Age   time.Duration // keep lines younger than this; zero means any age
	Lines int           // keep the newest so many of each room; zero means any number
}

// MarkTTL is how long the mark of a source outlives the source's last line. It
// must be longer than a line may wait in any client's outbox.
const MarkTTL = 90 * 24 * time.Hour

// The errors that callers tell apart.
var (
	ErrFull     = errors.New("history: storage full")             // not stored; may work later
	ErrClosed   = errors.New("history: closed")                   // the store or log was closed
	ErrLocked   = errors.New("history: directory in use")         // another process has it open
	ErrNewer    = errors.New("history: written by newer version") // this program is too old for it
	ErrReadOnly = errors.New("history: directory not writable")   // permission or read-only file system
)
