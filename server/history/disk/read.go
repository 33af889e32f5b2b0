package disk

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"holdfast/server/history"
)

// Pebble shows a batch to readers before it is synced. So whoever reads here
// stops at the room's durable head, and looks through what is in flight.

// view returns what is durable in the room now.
func (r *room) view() (*history.Past, error) {
	r.d.mu.Lock()
	defer r.d.mu.Unlock()
	if r.closed {
		return nil, history.ErrClosed
	}
	return &history.Past{Edge: r.edge, Head: r.head, Spans: r.spans, At: r.digestAt}, nil
}

// digestAt returns the digest at a durable line, errGone if it is no longer there.
func (r *room) digestAt(seq uint64) (history.Digest, error) {
	value, err := r.d.get(lineKey(nil, r.name, seq))
	if err != nil {
		return history.Digest{}, err
	}
	if value == nil {
		return history.Digest{}, history.ErrGone
	}
	d, _, err := decodeRecord(value)
	return d, err
}

// Start implements Log.
func (r *room) Start(given string, backlog int) (history.Start, error) {
	if err := r.d.enter(); err != nil {
		return history.Start{}, err
	}
	defer r.d.leave()
	var edge uint64
	for first := true; ; first = false {
		p, err := r.view()
		if err != nil {
			return history.Start{}, err
		}
		s, err := p.Start(given, backlog)
		// A trim moves the edge before it drops the lines, so one more look finds
		// it. If the edge stands still the line is missing for another reason.
		if errors.Is(err, history.ErrGone) && (first || p.Edge.Seq > edge) {
			edge = p.Edge.Seq
			continue
		}
		if err == nil {
			err = r.d.Err()
		}
		if err != nil {
			return history.Start{}, fmt.Errorf("start in room %s: %w", r.name, err)
		}
		return s, nil
	}
}

// Read implements Log.
func (r *room) Read(after uint64, limit int) ([]history.Entry, error) {
	if err := r.d.enter(); err != nil {
		return nil, err
	}
	defer r.d.leave()
	p, err := r.view()
	if err != nil || limit <= 0 || after >= p.Head.Seq {
		return nil, err
	}
	lines, _, err := r.scan(p, after+1, p.Head.Seq, limit, (*pebble.Iterator).First, (*pebble.Iterator).Next)
	return lines, err
}

// Before implements Log.
func (r *room) Before(before uint64, limit int) (lines []history.Entry, more bool, err error) {
	if err := r.d.enter(); err != nil {
		return nil, false, err
	}
	defer r.d.leave()
	p, err := r.view()
	if err != nil {
		return nil, false, err
	}
	to := p.Head.Seq
	if before > 0 {
		to = min(to, before-1)
	}
	if to <= p.Edge.Seq || limit <= 0 {
		return nil, to > p.Edge.Seq, nil
	}
	lines, more, err = r.scan(p, p.Edge.Seq+1, to, limit, (*pebble.Iterator).Last, (*pebble.Iterator).Prev)
	slices.Reverse(lines)
	return lines, more, err
}

// scan reads up to limit lines from first on, in the direction of next, within
// the positions from and to, both included.
func (r *room) scan(p *history.Past, from, to uint64, limit int, first, next func(*pebble.Iterator) bool) (
	lines []history.Entry, more bool, err error,
) {
	iter, err := r.d.db.NewIter(bounds(lineKey(nil, r.name, from), lineKey(nil, r.name, to+1)))
	if err != nil {
		return nil, false, fmt.Errorf("read room %s: %w", r.name, err)
	}
	defer func() {
		if err = errors.Join(err, iter.Close(), r.d.Err()); err != nil {
			lines, more, err = nil, false, fmt.Errorf("read room %s: %w", r.name, err)
		}
	}()
	for ok := first(iter); ok; ok = next(iter) {
		if len(lines) == limit {
			return lines, true, nil
		}
		entry, _, err := readEntry(iter, p.Spans)
		if err != nil {
			return nil, false, err
		}
		if n := len(lines); n > 0 && entry.Seq != lines[n-1].Seq+1 && entry.Seq != lines[n-1].Seq-1 {
			return nil, false, missing(min(lines[n-1].Seq, entry.Seq) + 1)
		}
		lines = append(lines, entry)
	}
	return lines, false, iter.Error()
}

// readEntry decodes the line that iter is at.
func readEntry(iter *pebble.Iterator, spans history.Spans) (history.Entry, history.Digest, error) {
	seq, err := keySeq(iter.Key())
	if err != nil {
		return history.Entry{}, history.Digest{}, err
	}
	value, err := iter.ValueAndErr()
	if err != nil {
		return history.Entry{}, history.Digest{}, err
	}
	d, line, err := decodeRecord(value)
	if err != nil {
		return history.Entry{}, history.Digest{}, fmt.Errorf("line %d: %w", seq, err)
	}
	p := history.Point{Seq: seq, Digest: d}
	return history.Entry{Line: line, Seq: seq, Cursor: p.Cursor(spans.EpochAt(seq))}, d, nil
}

// Source implements Log.
func (r *room) Source(user, source string) (history.Source, error) {
	if err := checkNames(user, source); err != nil {
		return history.Source{}, err
	}
	if err := r.d.enter(); err != nil {
		return history.Source{}, err
	}
	defer r.d.leave()
	s, err := r.readSource(markKey(nil, r.name, user, source))
	if err == nil {
		err = r.d.Err()
	}
	if err != nil {
		return history.Source{}, fmt.Errorf("read source: %w", err)
	}
	r.d.mu.Lock()
	defer r.d.mu.Unlock()
	if r.closed {
		return history.Source{}, history.ErrClosed
	}
	for i := range r.inflight {
		if line := &r.inflight[i].Line; line.User == user && line.Source == source {
			s.Mark = min(s.Mark, line.N-1)
			break
		}
	}
	for n := range s.Voids {
		if n > s.Mark {
			delete(s.Voids, n)
		}
	}
	if len(s.Voids) == 0 {
		s.Voids = nil
	}
	return s, nil
}

// Said implements Log.
func (r *room) Said(user, once string, now time.Time) (said bool, err error) {
	if err := checkNames(user, once); err != nil {
		return false, err
	}
	if err := r.d.enter(); err != nil {
		return false, err
	}
	defer r.d.leave()
	if _, err := r.view(); err != nil {
		return false, err
	}
	value, err := r.d.get(onceKey(nil, r.name, user, once))
	if err == nil && value != nil {
		var at time.Time
		_, at, err = decodeMark(value)
		said = !at.Before(now.Add(-history.MarkTTL))
	}
	if err == nil {
		err = r.d.Err()
	}
	if err != nil {
		return false, fmt.Errorf("look up line: %w", err)
	}
	return said, nil
}

// readSource reads the mark at key and its voids, of which some may be in flight.
func (r *room) readSource(key []byte) (s history.Source, err error) {
	snap := r.d.db.NewSnapshot()
	defer snap.Close()
	value, err := getFrom(snap, key)
	if err != nil || value == nil {
		return s, err
	}
	if s.Mark, _, err = decodeMark(value); err != nil {
		return s, err
	}
	iter, err := snap.NewIter(bounds(voidsOfMark(key)))
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, iter.Close()) }()
	for ok := iter.First(); ok; ok = iter.Next() {
		n, err := keySeq(iter.Key())
		if err != nil {
			return s, err
		}
		if s.Voids == nil {
			s.Voids = make(map[uint64]string)
		}
		s.Voids[n] = string(iter.Value())
	}
	return s, iter.Error()
}

func bounds(from, to []byte) *pebble.IterOptions {
	return &pebble.IterOptions{LowerBound: from, UpperBound: to}
}

// get returns the value of key, nil if there is none.
func (d *disk) get(key []byte) ([]byte, error) { return getFrom(d.db, key) }

func getFrom(from pebble.Reader, key []byte) ([]byte, error) {
	value, closer, err := from.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer closer.Close()
	return append(make([]byte, 0, len(value)), value...), nil
}
