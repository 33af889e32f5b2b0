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
//
// Both engines keep positions without gaps. Only [between] and those who call
// [missing] rely on that.

// cursorFormat is the first byte of a cursor.
const cursorFormat = '1'

// unknownBacklog is how many lines a reader gets that asked for none but whose
// past is not known here.
const unknownBacklog = 200

// errGone means that a line was trimmed after the reader was told of it.
var errGone = errors.New("history: line was trimmed")

var cursorEncoding = base64.RawURLEncoding.Strict()

// digest is made of all lines of a room up to one of them, in order.
type digest [8]byte

// point is a position in a room's log and the digest there.
type point struct {
	seq    uint64
	digest digest
}

// origin is the point before the first line. It differs from room to room, so
// that a cursor of another room does not fit.
func origin(room string) point {
	sum := sha256.Sum256([]byte(room))
	return point{digest: digest(sum[:8])}
}

// next returns the point after one more line, and buf grown for the next call.
func (p point) next(buf []byte, line *Line) (point, []byte) {
	buf = append(buf[:0], p.digest[:]...)
	buf = binary.BigEndian.AppendUint64(buf, p.seq+1)
	buf = appendPayload(buf, line)
	sum := sha256.Sum256(buf)
	return point{p.seq + 1, digest(sum[:8])}, buf
}

// newEpoch returns the id of one opening of a store. It is random, for a
// counter would be counted again after an older copy was restored.
func newEpoch() uint64 {
	var b [8]byte
	rand.Read(b[:])
	return binary.BigEndian.Uint64(b[:])
}

type cursor struct {
	epoch uint64
	point
}

func (c cursor) String() string {
	var raw [24]byte
	binary.BigEndian.PutUint64(raw[0:], c.epoch)
	binary.BigEndian.PutUint64(raw[8:], c.seq)
	copy(raw[16:], c.digest[:])
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
	c.seq = binary.BigEndian.Uint64(raw[8:])
	copy(c.digest[:], raw[16:])
	return c, true
}

// span is where an epoch began to write to a room; it ends where the next begins.
type span struct {
	epoch uint64
	start uint64
}

// past is what is durable in a room at one moment.
type past struct {
	edge  point  // all up to here was trimmed; the origin if nothing was
	head  point  // the last durable line, or the edge
	spans []span // in order; from the one that holds the edge on
	at    func(seq uint64) (digest, error)
}

// between counts the lines after from, up to and including to.
func between(from, to uint64) int64 { return int64(to - from) }

// back returns the position before the newest backlog lines; -1 means before all.
func (p *past) back(backlog int) uint64 {
	if kept := p.head.seq - p.edge.seq; backlog < 0 || uint64(backlog) > kept {
		return p.edge.seq
	}
	return p.head.seq - uint64(backlog)
}

// epochAt returns the epoch that wrote the line at seq, zero before the first.
func (p *past) epochAt(seq uint64) uint64 { return epochAt(p.spans, seq) }

func epochAt(spans []span, seq uint64) uint64 {
	for i := len(spans) - 1; i >= 0; i-- {
		if spans[i].start <= seq {
			return spans[i].epoch
		}
	}
	return 0
}

// spansFrom drops the spans that ended before seq.
func spansFrom(spans []span, seq uint64) []span {
	for len(spans) > 1 && spans[1].start <= seq {
		spans = spans[1:]
	}
	return spans
}

// end returns the last position that epoch wrote.
func (p *past) end(epoch uint64) (seq uint64, known bool) {
	for i, s := range p.spans {
		if s.epoch != epoch {
			continue
		}
		if i+1 < len(p.spans) {
			return p.spans[i+1].start - 1, true
		}
		return p.head.seq, true
	}
	return 0, false
}

// digestAt returns the digest at seq, or errGone.
func (p *past) digestAt(seq uint64) (digest, error) {
	switch seq {
	case p.edge.seq:
		return p.edge.digest, nil
	case p.head.seq:
		return p.head.digest, nil
	}
	return p.at(seq)
}

// locate finds where a reader goes on who holds given and wants backlog lines.
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
func (p *past) locate(given string, backlog int) (Start, error) {
	tail := p.back(backlog)
	if given == "" {
		return p.start(tail, Start{Reason: Fresh, Missed: between(tail, p.head.seq)})
	}
	if c, ok := parseCursor(given); ok {
		if c.seq < p.edge.seq {
			from := p.edge.seq
			return p.start(from, Start{
				Reason: Expired,
				Missed: between(from, p.head.seq), Lost: between(c.seq, from),
			})
		}
		if c.seq <= p.head.seq {
			here, err := p.digestAt(c.seq)
			if err != nil {
				return Start{}, err
			}
			if here == c.digest {
				return p.start(min(c.seq, tail), Start{
					Resumed: true,
					Missed:  between(c.seq, p.head.seq),
				})
			}
		}
		if end, known := p.end(c.epoch); known && end < c.seq {
			from := max(end, p.edge.seq)
			return p.start(min(from, tail), Start{
				Reason: Diverged,
				Missed: between(from, p.head.seq), Lost: between(end, from),
			})
		}
	}
	if backlog == 0 {
		tail = p.back(unknownBacklog)
	}
	return p.start(tail, Start{Reason: Diverged, Missed: between(tail, p.head.seq), Lost: -1})
}

// start completes s, which begins at seq.
func (p *past) start(seq uint64, s Start) (Start, error) {
	d, err := p.digestAt(seq)
	if err != nil {
		return Start{}, err
	}
	s.Seq = seq
	s.Cursor = cursor{p.epochAt(seq), point{seq, d}}.String()
	return s, nil
}
