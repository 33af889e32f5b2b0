package disk

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"holdfast/server/history"
)

// room is one room of the disk engine.
type room struct {
	d    *disk
	name string
	sink func([]history.Entry)

	// Guarded by d.mu. The committer alone writes head, spans and inflight once
	// the room is open, so it may read them without.
	last     history.Point   // of the line appended last
	head     history.Point   // of the last durable line
	edge     history.Point   // of the last trimmed line
	spans    history.Spans   // the epochs that wrote here; see past
	inflight []history.Entry // in the batch that is being committed
	waiting  int             // appended, but not yet on the way to the sink
	closed   bool
}

// Open implements Store.
func (d *disk) Open(name string, sink func([]history.Entry)) (history.Log, error) {
	if err := checkNames(name); err != nil {
		return nil, err
	}
	if err := d.enter(); err != nil {
		return nil, err
	}
	defer d.leave()
	r := &room{d: d, name: name, sink: sink, edge: history.Origin(name)}
	d.mu.Lock()
	_, taken := d.rooms[name]
	if !taken {
		// Before it is loaded, so that a trim which the load misses finds it.
		d.rooms[name] = r
	}
	d.mu.Unlock()
	if taken {
		return nil, fmt.Errorf("open room %s: it is open already", name)
	}
	if err := r.load(); err != nil {
		d.mu.Lock()
		delete(d.rooms, name)
		d.mu.Unlock()
		return nil, fmt.Errorf("open room %s: %w", name, err)
	}
	return r, nil
}

// load reads where the room's log ends and begins, and who wrote it.
func (r *room) load() error {
	snap := r.d.db.NewSnapshot()
	defer snap.Close()
	edge, err := loadEdge(snap, r.name)
	if err != nil {
		return err
	}
	head, err := loadHead(snap, r.name, edge)
	if err != nil {
		return err
	}
	spans, err := loadSpans(snap, r.name)
	if err != nil {
		return err
	}
	r.d.mu.Lock()
	defer r.d.mu.Unlock()
	if r.edge.Seq < edge.Seq {
		r.edge = edge
	}
	r.head, r.last, r.spans = head, head, spans.From(r.edge.Seq)
	return nil
}

func loadEdge(from pebble.Reader, name string) (history.Point, error) {
	value, err := getFrom(from, trimKey(name))
	if err != nil || value == nil {
		return history.Origin(name), err
	}
	return decodePoint(value)
}

func loadHead(from pebble.Reader, name string, edge history.Point) (head history.Point, err error) {
	iter, err := from.NewIter(bounds(lineKey(nil, name, 0), lineKey(nil, name, 1<<64-1)))
	if err != nil {
		return head, err
	}
	defer func() { err = errors.Join(err, iter.Close()) }()
	if !iter.Last() {
		return edge, iter.Error()
	}
	entry, d, err := readEntry(iter, nil)
	if err != nil {
		return head, err
	}
	if !iter.First() {
		return head, iter.Error()
	}
	first, err := keySeq(iter.Key())
	if err == nil && first != edge.Seq+1 { // the engine may forget a whole table when its manifest is damaged
		err = missing(edge.Seq + 1)
	}
	return history.Point{Seq: entry.Seq, Digest: d}, err
}

func loadSpans(from pebble.Reader, name string) (spans history.Spans, err error) {
	iter, err := from.NewIter(bounds(epochKey(nil, name, 0), epochKey(nil, name, 1<<64-1)))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, iter.Close()) }()
	for ok := iter.First(); ok; ok = iter.Next() {
		start, err := keySeq(iter.Key())
		if err != nil {
			return nil, err
		}
		if len(iter.Value()) != 8 {
			return nil, fmt.Errorf("decode epoch: %w", errDamaged)
		}
		spans = append(spans, history.Span{Epoch: binary.BigEndian.Uint64(iter.Value()), Start: start})
	}
	return spans, iter.Error()
}

func appendEpoch(dst []byte, epoch uint64) []byte {
	return binary.BigEndian.AppendUint64(dst, epoch)
}

// wrote reports whether epoch is the last that has written to the room.
func (r *room) wrote(epoch uint64) bool {
	return len(r.spans) > 0 && r.spans[len(r.spans)-1].Epoch == epoch
}

// Append implements Log.
func (r *room) Append(line history.Line) error {
	if err := checkNames(line.User, line.Source, line.Once); err != nil {
		return err
	}
	line.At = fromMillis(uint64(line.At.UnixMilli()))
	once := line.Once
	line.Once = ""
	size := lineSize(&line) + len(once)
	d := r.d
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.usable(); err != nil {
		return err
	}
	switch {
	case r.closed:
		return history.ErrClosed
	case d.space.short():
		if now := time.Now(); now.Sub(d.asked) >= spaceEvery {
			d.asked = now
			d.signal()
		}
		return errNoSpace
	case d.queued+size > maxQueue:
		return errQueueFull
	}
	r.last, d.scratch = r.last.Next(&line, d.scratch)
	r.waiting++
	d.queued += size
	d.queue = append(d.queue, item{
		room:   r,
		entry:  history.Entry{Line: line, Seq: r.last.Seq, Cursor: r.last.Cursor(d.epoch)},
		digest: r.last.Digest,
		once:   once,
	})
	d.signal()
	return nil
}

// Close implements Log.
func (r *room) Close() error {
	r.d.mu.Lock()
	defer r.d.mu.Unlock()
	if r.closed {
		return nil
	}
	if r.waiting > 0 && r.d.Err() == nil {
		return fmt.Errorf("close room %s: %d lines wait for the disk", r.name, r.waiting)
	}
	r.closed = true
	delete(r.d.rooms, r.name)
	return nil
}
