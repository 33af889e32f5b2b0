package server

import (
	"holdfast/server/history"
	"holdfast/session/wire"
)

// line is a durable line, encoded once for everybody.
type line struct {
	history.Entry
	json []byte
}

func newLine(e history.Entry) line { return line{e, wire.EncodeEvent(event(e))} }

func event(e history.Entry) *wire.Event {
	return &wire.Event{
		Seq: e.Seq, At: wire.Time{Time: e.At}, From: e.User,
		Source: e.Source, N: e.N, Kind: e.Kind, To: e.To, Text: e.Text,
	}
}

// tail is the newest part of a room's log, in memory for those who are nearly level.
type tail struct {
	after uint64 // lines holds all that follow this position
	lines []line
	bytes int
}

const (
	tailBytes = 256 << 10
	tailLines = 1024
)

func (t *tail) add(ls []line) {
	t.lines = append(t.lines, ls...)
	for _, l := range ls {
		t.bytes += len(l.json)
	}
	drop := 0
	for ; t.bytes > tailBytes || len(t.lines)-drop > tailLines; drop++ {
		t.bytes -= len(t.lines[drop].json)
		t.after = t.lines[drop].Seq
	}
	if drop > len(t.lines)/2 || drop > tailLines/4 { // copying little by little would copy all each time
		t.lines = append([]line(nil), t.lines[drop:]...)
	} else {
		t.lines = t.lines[drop:]
	}
}

// begin sets where the tail starts, once the room's head is known. Lines that came
// out of the store before that are kept.
func (t *tail) begin(head uint64) {
	if t.after = head; len(t.lines) > 0 {
		t.after = min(head, t.lines[0].Seq-1)
	}
}

// from returns what follows position seq; known is false if memory does not reach
// back that far. The result must not be changed.
func (t *tail) from(seq uint64) (ls []line, known bool) {
	if seq < t.after {
		return nil, false
	}
	lo, hi := 0, len(t.lines)
	for lo < hi {
		if mid := (lo + hi) / 2; t.lines[mid].Seq <= seq {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return t.lines[lo:len(t.lines):len(t.lines)], true
}

func (t *tail) head() uint64 {
	if n := len(t.lines); n > 0 {
		return t.lines[n-1].Seq
	}
	return t.after
}
