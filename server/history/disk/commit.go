package disk

import (
	"fmt"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"holdfast/server/history"
)

const (
	// maxBatch bounds the bytes of one batch. Pebble takes a batch of more than
	// half its memtable for a table of its own, which is slower.
	maxBatch = 2 << 20
	// maxQueue bounds the bytes that wait for the disk.
	maxQueue = 16 << 20
	// lineCost is what a line takes beside its strings, roughly.
	lineCost = 256
)

// These are made once, as a full disk meets every line of everyone.
var (
	errNoSpace   = fmt.Errorf("append line: %w: too little of the disk is free", history.ErrFull)
	errQueueFull = fmt.Errorf("append line: %w: too many lines wait for the disk", history.ErrFull)
)

// item is a line that waits for the disk.
type item struct {
	room   *room
	entry  history.Entry
	digest history.Digest
	once   string // the line's key
}

func (it *item) size() int { return lineSize(&it.entry.Line) + len(it.once) }

func lineSize(line *history.Line) int {
	return lineCost + len(line.User) + len(line.Source) + len(line.Kind) + len(line.Text)
}

// job is something else to write in the committer's next batch. add runs on the
// committer, so that nothing changes between what it reads and what it writes.
type job struct {
	add  func(*pebble.Batch) error
	err  error
	done chan struct{} // closed when the batch is durable; err is set before
}

// commitLoop writes what waits, until the store closes or fails.
func (d *disk) commitLoop() {
	defer close(d.done)
	for {
		if time.Since(d.space.seen) >= spaceEvery {
			d.space.look()
		}
		items, jobs, ended := d.take()
		if len(items)+len(jobs) == 0 {
			if ended {
				return
			}
			select {
			case <-d.wake:
			case <-d.fence.failed:
				return
			}
			continue
		}
		for rest := items; len(rest)+len(jobs) > 0; jobs = nil {
			n := batchLen(rest)
			if !d.commit(rest[:n], jobs) {
				return
			}
			rest = rest[n:]
		}
		d.recycle(items)
	}
}

// take returns all that waits. ended means that nothing more will come.
func (d *disk) take() (items []item, jobs []*job, ended bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	items, jobs = d.queue, d.jobs
	d.queue, d.spare, d.jobs = d.spare, nil, nil
	if j := d.takeNotes(); j != nil {
		jobs = append(jobs, j)
	}
	return items, jobs, d.closing
}

// recycle keeps the memory of items, unless it is of a size that was rarely needed.
func (d *disk) recycle(items []item) {
	const most = 4096
	if cap(items) > most {
		return
	}
	clear(items)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.spare = items[:0]
}

// batchLen returns how many of items fit in a batch: at least one, if there is one.
func batchLen(items []item) int {
	bytes := 0
	for i := range items {
		if bytes += items[i].size(); bytes > maxBatch {
			return max(i, 1)
		}
	}
	return len(items)
}

// commit makes jobs and items durable in one batch and then tells the sinks. It
// reports false if the store has failed; then nothing of the batch was shown.
func (d *disk) commit(items []item, jobs []*job) bool {
	batch := d.db.NewBatch()
	for _, j := range jobs {
		j.err = j.add(batch)
	}
	err := d.prepare(batch, items)
	if err == nil {
		err = batch.Commit(pebble.Sync)
	}
	if err != nil {
		d.fail(fmt.Errorf("commit batch: %w", err))
	}
	// A nil error is not enough: the fence keeps those of the log to itself.
	if d.fence.failure() != nil {
		return false
	}
	// The lines are on disk; this only gives the batch's memory back.
	_ = batch.Close()
	sinks := d.publish(items)
	for _, j := range jobs {
		close(j.done)
	}
	for _, s := range sinks {
		s.room.sink(s.lines)
	}
	return true
}

// prepare puts items into batch and marks them as under way.
func (d *disk) prepare(batch *pebble.Batch, items []item) error {
	d.touched = d.touched[:0]
	d.mu.Lock()
	for i := range items {
		r := items[i].room
		if len(r.inflight) == 0 {
			d.touched = append(d.touched, r)
		}
		r.inflight = append(r.inflight, items[i].entry)
	}
	d.mu.Unlock()
	var key, value []byte
	for _, r := range d.touched {
		if !r.wrote(d.epoch) {
			key = epochKey(key[:0], r.name, r.inflight[0].Seq)
			value = appendEpoch(value[:0], d.epoch)
			if err := batch.Set(key, value, nil); err != nil {
				return err
			}
		}
	}
	for i := range items {
		var err error
		if key, value, err = put(batch, &items[i], key, value); err != nil {
			return err
		}
	}
	return nil
}

// put adds a line, its mark, and what else goes with it. key and value are memory.
func put(batch *pebble.Batch, it *item, key, value []byte) ([]byte, []byte, error) {
	name, line := it.room.name, &it.entry.Line
	key = lineKey(key[:0], name, it.entry.Seq)
	value = appendRecord(value[:0], it.digest, line)
	if err := batch.Set(key, value, nil); err != nil {
		return key, value, err
	}
	key = markKey(key[:0], name, line.User, line.Source)
	value = appendMark(value[:0], line.N, line.At)
	if err := batch.Set(key, value, nil); err != nil {
		return key, value, err
	}
	if it.once != "" {
		key = onceKey(key[:0], name, line.User, it.once)
		value = appendMark(value[:0], it.entry.Seq, line.At)
		if err := batch.Set(key, value, nil); err != nil {
			return key, value, err
		}
	}
	if line.Kind == history.KindVoid {
		key = voidKey(key[:0], name, line.User, line.Source, line.N)
		value = append(value[:0], line.Text...)
		return key, value, batch.Set(key, value, nil)
	}
	return key, value, nil
}

// delivery is one call of a sink.
type delivery struct {
	room  *room
	lines []history.Entry
}

// publish makes a durable batch visible to readers, and returns whom to tell.
func (d *disk) publish(items []item) []delivery {
	sinks := make([]delivery, 0, len(d.touched))
	d.mu.Lock()
	defer d.mu.Unlock()
	for i := range items {
		it := &items[i]
		it.room.head = history.Point{Seq: it.entry.Seq, Digest: it.digest}
		d.queued -= it.size()
	}
	for _, r := range d.touched {
		if !r.wrote(d.epoch) {
			r.spans = append(r.spans, history.Span{Epoch: d.epoch, Start: r.inflight[0].Seq})
		}
		r.waiting -= len(r.inflight)
		sinks = append(sinks, delivery{r, r.inflight})
		r.inflight = nil
	}
	return sinks
}
