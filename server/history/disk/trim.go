package disk

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"holdfast/server/history"
)

// markChunk is how many marks one batch of a trim drops.
const markChunk = 256

// Trim implements Store. It goes room by room, each in one synced batch together
// with the record of where the room now begins; what it did before ctx ends
// stays done. A reader whose position was trimmed just gets what is left from
// Read and Before; Start tells how much it lost. Lines that are not durable yet
// are safe: whatever a trim sees was written to the log before the trim itself.
func (d *disk) Trim(ctx context.Context, keep history.Retention, now time.Time) error {
	if err := d.enter(); err != nil {
		return err
	}
	defer d.leave()
	select {
	case d.trimming <- struct{}{}:
	case <-ctx.Done():
		return fmt.Errorf("trim history: %w", ctx.Err())
	}
	defer func() { <-d.trimming }()
	err := d.trimRooms(ctx, keep, now)
	if err == nil {
		err = d.trimMarks(ctx, markPrefix, now)
	}
	if err == nil {
		err = d.trimMarks(ctx, oncePrefix, now)
	}
	if err != nil {
		return fmt.Errorf("trim history: %w", err)
	}
	return nil
}

// do has the committer run add and waits until what it added is durable, even if
// ctx ends meanwhile: what one trim adds must not mix with what the next one finds.
func (d *disk) do(ctx context.Context, add func(*pebble.Batch) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if d.space.stuck() {
		return history.ErrFull
	}
	j := &job{add: add, done: make(chan struct{})}
	d.mu.Lock()
	err := d.usable()
	if err == nil {
		d.jobs = append(d.jobs, j)
	}
	d.mu.Unlock()
	if err != nil {
		return err
	}
	d.signal()
	select {
	case <-j.done:
		return j.err
	case <-d.fence.failed:
		return d.Err()
	}
}

// trimRooms trims every room that has lines.
func (d *disk) trimRooms(ctx context.Context, keep history.Retention, now time.Time) error {
	if keep.Age <= 0 && keep.Lines <= 0 {
		return nil
	}
	for next := []byte{linePrefix}; ; {
		name, err := d.roomFrom(next)
		if err != nil || name == "" {
			return err
		}
		edge, err := d.findEdge(ctx, name, keep, now)
		if err == nil && edge.Seq > 0 {
			err = d.do(ctx, func(batch *pebble.Batch) error { return d.dropLines(batch, name, edge) })
		}
		if err != nil {
			return fmt.Errorf("room %s: %w", name, err)
		}
		next = lineKey(nil, name, 1<<64-1)
	}
}

// roomFrom returns the first room with a line at or after key, "" if none has.
func (d *disk) roomFrom(key []byte) (name string, err error) {
	iter, err := d.db.NewIter(bounds(key, []byte{linePrefix + 1}))
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, iter.Close()) }()
	if !iter.First() {
		return "", iter.Error()
	}
	return keyRoom(iter.Key())
}

// findEdge returns the last line of a room to drop; its position is zero if all stay.
func (d *disk) findEdge(ctx context.Context, name string, keep history.Retention, now time.Time) (edge history.Point, err error) {
	iter, err := d.db.NewIter(bounds(lineKey(nil, name, 0), lineKey(nil, name, 1<<64-1)))
	if err != nil {
		return edge, err
	}
	defer func() { err = errors.Join(err, iter.Close()) }()
	if !iter.Last() {
		return edge, iter.Error()
	}
	head, err := keySeq(iter.Key())
	if err != nil {
		return edge, err
	}
	var newest uint64 // of those that are too many
	if keep.Lines > 0 && head > uint64(keep.Lines) {
		newest = head - uint64(keep.Lines)
	}
	oldest := now.Add(-keep.Age)
	for ok := iter.First(); ok; ok = iter.Next() {
		if err := ctx.Err(); err != nil {
			return history.Point{}, err
		}
		seq, err := keySeq(iter.Key())
		if err != nil {
			return history.Point{}, err
		}
		at, err := recordTime(iter.Value())
		if err != nil {
			return history.Point{}, err
		}
		if seq > newest && (keep.Age <= 0 || at.After(oldest)) {
			break
		}
		edge.Seq = seq
		copy(edge.Digest[:], iter.Value())
	}
	return edge, iter.Error()
}

// dropLines drops all lines of a room up to edge, and the epochs before it. It
// runs on the committer.
func (d *disk) dropLines(batch *pebble.Batch, name string, edge history.Point) error {
	spans, err := loadSpans(d.db, name)
	if err != nil {
		return err
	}
	// Readers learn of the edge before the lines go, so that they can tell a line
	// that was trimmed from one that is missing.
	d.mu.Lock()
	if r := d.rooms[name]; r != nil {
		r.edge = edge
		r.spans = r.spans.From(edge.Seq)
	}
	d.mu.Unlock()
	if kept := spans.From(edge.Seq); len(kept) > 0 && len(kept) < len(spans) {
		if err := batch.DeleteRange(epochKey(nil, name, 0), epochKey(nil, name, kept[0].Start), nil); err != nil {
			return err
		}
	}
	if err := batch.DeleteRange(lineKey(nil, name, 0), lineKey(nil, name, edge.Seq+1), nil); err != nil {
		return err
	}
	return batch.Set(trimKey(name), appendPoint(nil, edge), nil)
}

// trimMarks drops the marks that were not used for MarkTTL, and their voids; or, by the
// other prefix, the keys of lines, whose records are like marks. The marks are found here, but the committer looks again before it drops one: a
// mark lost under a line that was just stored would let that line in twice.
func (d *disk) trimMarks(ctx context.Context, prefix byte, now time.Time) error {
	oldest := now.Add(-history.MarkTTL)
	for next := []byte{prefix}; next != nil; {
		var found [][]byte
		var err error
		found, next, err = d.oldMarks(ctx, next, oldest)
		if err == nil && len(found) > 0 {
			err = d.do(ctx, func(batch *pebble.Batch) error { return d.dropMarks(batch, found, oldest) })
		}
		if err != nil {
			return fmt.Errorf("marks: %w", err)
		}
	}
	return nil
}

// oldMarks returns the next keys of marks last used before oldest, and where to go on.
func (d *disk) oldMarks(ctx context.Context, from []byte, oldest time.Time) (found [][]byte, next []byte, err error) {
	iter, err := d.db.NewIter(bounds(from, []byte{from[0] + 1}))
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, iter.Close()) }()
	for ok := iter.First(); ok; ok = iter.Next() {
		if err := ctx.Err(); err != nil {
			return nil, nil, err
		}
		if len(found) == markChunk {
			return found, bytes.Clone(iter.Key()), nil
		}
		_, used, err := decodeMark(iter.Value())
		if err != nil {
			return nil, nil, err
		}
		if used.Before(oldest) {
			found = append(found, bytes.Clone(iter.Key()))
		}
	}
	return found, nil, iter.Error()
}

// dropMarks drops those of the marks that are still old. It runs on the committer.
func (d *disk) dropMarks(batch *pebble.Batch, keys [][]byte, oldest time.Time) error {
	for _, key := range keys {
		value, err := d.get(key)
		if err != nil {
			return err
		}
		if value == nil {
			continue
		}
		_, used, err := decodeMark(value)
		if err != nil {
			return err
		}
		if !used.Before(oldest) {
			continue
		}
		if err := batch.Delete(key, nil); err != nil {
			return err
		}
		if key[0] != markPrefix {
			continue
		}
		from, to := voidsOfMark(key)
		if err := batch.DeleteRange(from, to, nil); err != nil {
			return err
		}
	}
	return nil
}
