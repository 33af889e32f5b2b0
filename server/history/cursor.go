package history

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
)

// A cursor is written as a format digit, then 24 bytes in URL-safe base64 that
// needs no padding: epoch, position, digest.

// cursorFormat is the first byte of a cursor.
const cursorFormat = '1'

// unknownBacklog is how many lines a reader gets that asked for none but whose
// past is not known here.
const unknownBacklog = 200

// ErrGone is what [Past.At] returns for a line that was trimmed after the Past was made.
// The engine then makes a new one and tries again.
var ErrGone = errors.New("history: line was trimmed")

var cursorEncoding = base64.RawURLEncoding.Strict()

// Digest is made of all lines of a room up to one of them, in order.
type Digest [8]byte

// Point is a position in a room's log and the digest there. It is for engines whose
// positions have no gaps, as are Past and Spans.
type Point struct {
	Seq    uint64
	Digest Digest
}

// Origin is the point before the first line. It differs from room to room, so
// that a cursor of another room does not fit.
func Origin(room string) Point {
	sum := sha256.Sum256([]byte(room))
	return Point{Digest: Digest(sum[:8])}
}

// Next returns the point after one more line, which is as it will be read again: Once
// left out, At in UTC and whole milliseconds. scratch is memory to use, nil or what an
// earlier call returned.
func (p Point) Next(line *Line, scratch []byte) (Point, []byte) {
	buf := append(scratch[:0], p.Digest[:]...)
	buf = binary.BigEndian.AppendUint64(buf, p.Seq+1)
	buf = line.AppendPayload(buf)
	sum := sha256.Sum256(buf)
	return Point{p.Seq + 1, Digest(sum[:8])}, buf
}

// AppendPayload appends all of the line but Once: the time, the number and the strings,
// each behind its length. Digests are made of it, so what it appends for a line must never
// change, or no cursor fits any more.
func (line *Line) AppendPayload(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint64(dst, uint64(line.At.UnixMilli()))
	dst = binary.BigEndian.AppendUint64(dst, line.N)
	dst = appendStrings(dst, line.User, line.Source, line.Kind, line.Text)
	if line.Kind == KindPrivate {
		dst = appendStrings(dst, line.To, line.Readers)
	}
	return dst
}

func appendStrings(dst []byte, list ...string) []byte {
	for _, s := range list {
		dst = binary.AppendUvarint(dst, uint64(len(s)))
		dst = append(dst, s...)
	}
	return dst
}

// Cursor is the cursor that holds p. epoch is the one that wrote the line there.
func (p Point) Cursor(epoch uint64) string { return cursor{epoch, p}.String() }

// NewEpoch returns the id of one opening of a store. It is random, for a
// counter would be counted again after an older copy was restored.
func NewEpoch() uint64 {
	var b [8]byte
	rand.Read(b[:])
	return binary.BigEndian.Uint64(b[:])
}

type cursor struct {
	epoch uint64
	Point
}

func (c cursor) String() string {
	var raw [24]byte
	binary.BigEndian.PutUint64(raw[0:], c.epoch)
	binary.BigEndian.PutUint64(raw[8:], c.Seq)
	copy(raw[16:], c.Digest[:])
	var text [33]byte
	text[0] = cursorFormat
	cursorEncoding.Encode(text[1:], raw[:])
	return string(text[:])
}

func parseCursor(s string) (c cursor, ok bool) {
	if len(s) != 33 || s[0] != cursorFormat {
		return c, false
	}
	var raw [24]byte
	if n, err := cursorEncoding.Decode(raw[:], []byte(s[1:])); err != nil || n != len(raw) {
		return c, false
	}
	c.epoch = binary.BigEndian.Uint64(raw[0:])
	c.Seq = binary.BigEndian.Uint64(raw[8:])
	copy(c.Digest[:], raw[16:])
	return c, true
}

// Span says from which position on an epoch wrote to a room: up to where the next begins.
type Span struct {
	Epoch uint64
	Start uint64
}

// Spans are the epochs that wrote to a room, in order.
type Spans []Span

// Past is what is durable in a room at one moment. All fields must be set, but a room
// without lines has no Spans.
type Past struct {
	Edge  Point // all up to here was trimmed; the origin if nothing was
	Head  Point // the last durable line, or the edge
	Spans Spans // from the one that holds the edge on

	// At returns the digest at a line between the two, or ErrGone.
	At func(seq uint64) (Digest, error)
}

// between counts the lines after from, up to and including to.
func between(from, to uint64) int64 { return int64(to - from) }

// back returns the position before the newest backlog lines; -1 means before all.
func (p *Past) back(backlog int) uint64 {
	if kept := p.Head.Seq - p.Edge.Seq; backlog < 0 || uint64(backlog) > kept {
		return p.Edge.Seq
	}
	return p.Head.Seq - uint64(backlog)
}

// EpochAt returns the epoch that wrote the line at seq, zero before the first.
func (s Spans) EpochAt(seq uint64) uint64 {
	for i := len(s) - 1; i >= 0; i-- {
		if s[i].Start <= seq {
			return s[i].Epoch
		}
	}
	return 0
}

// From returns s without the spans that ended before seq.
func (s Spans) From(seq uint64) Spans {
	for len(s) > 1 && s[1].Start <= seq {
		s = s[1:]
	}
	return s
}

// end returns the last position that epoch wrote.
func (p *Past) end(epoch uint64) (seq uint64, known bool) {
	for i, s := range p.Spans {
		if s.Epoch != epoch {
			continue
		}
		if i+1 < len(p.Spans) {
			return p.Spans[i+1].Start - 1, true
		}
		return p.Head.Seq, true
	}
	return 0, false
}

// digestAt returns the digest at seq, or ErrGone.
func (p *Past) digestAt(seq uint64) (Digest, error) {
	switch seq {
	case p.Edge.Seq:
		return p.Edge.Digest, nil
	case p.Head.Seq:
		return p.Head.Digest, nil
	}
	return p.At(seq)
}

// Start is [Log.Start]: where a reader goes on who holds given, or none (""), and wants to
// see the last backlog lines, -1 for all. It fails only as At does.
//
//   - No cursor: Fresh, before the newest backlog lines.
//   - It lies before the trimmed edge: Expired, at the edge. What was there is no
//     longer known, so it counts as the same past.
//   - Its digest is the one here: Resumed.
//   - It is another one, or the position is beyond the head, and its epoch wrote
//     here too, but less: an older copy was restored, taken while or after that
//     epoch wrote. An epoch is one opening and so one past; both pasts agree to
//     the end of what the epoch wrote here. Diverged, there, and nothing is lost.
//   - Anything else: the copy is older than the reader's epoch, or the cursor is
//     another room's, made up or broken. Nothing tells how far the pasts agree.
//     Diverged, before the newest backlog lines, or unknownBacklog if the reader
//     wants none, and what is lost is unknown.
//
// A reader whose place is known goes on from before its backlog, if that is
// earlier: it wants to see those lines although it saw them before.
func (p *Past) Start(given string, backlog int) (Start, error) {
	tail := p.back(backlog)
	if given == "" {
		return p.at(tail, Start{Reason: Fresh, Missed: between(tail, p.Head.Seq)})
	}
	if c, ok := parseCursor(given); ok {
		if c.Seq < p.Edge.Seq {
			from := p.Edge.Seq
			return p.at(from, Start{
				Reason: Expired,
				Missed: between(from, p.Head.Seq), Lost: between(c.Seq, from),
			})
		}
		if c.Seq <= p.Head.Seq {
			here, err := p.digestAt(c.Seq)
			if err != nil {
				return Start{}, err
			}
			if here == c.Digest {
				return p.at(min(c.Seq, tail), Start{
					Resumed: true,
					Missed:  between(c.Seq, p.Head.Seq),
				})
			}
		}
		if end, known := p.end(c.epoch); known && end < c.Seq {
			from := max(end, p.Edge.Seq)
			return p.at(min(from, tail), Start{
				Reason: Diverged,
				Missed: between(from, p.Head.Seq), Lost: between(end, from),
			})
		}
	}
	if backlog == 0 {
		tail = p.back(unknownBacklog)
	}
	return p.at(tail, Start{Reason: Diverged, Missed: between(tail, p.Head.Seq), Lost: -1})
}

// at completes s, which begins at seq.
func (p *Past) at(seq uint64, s Start) (Start, error) {
	d, err := p.digestAt(seq)
	if err != nil {
		return Start{}, err
	}
	s.Seq = seq
	s.Cursor = Point{seq, d}.Cursor(p.Spans.EpochAt(seq))
	return s, nil
}
