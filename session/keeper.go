package session

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"syscall"
	"time"
)

// keeper owns a slot's file. It numbers and stores new lines, all that wait in one
// transaction, and writes down what was acknowledged and consumed along with them,
// or tidyDelay later: that may be lost in a crash, and is learnt again.
type keeper struct {
	slot   *slot
	out    *outbox
	source string // of this process
	max    struct{ lines, bytes int }

	requests chan *request
	dirty    chan struct{}
	quit     chan struct{} // closed by close
	done     chan struct{} // closed when the file is closed
	err      error         // of the last writes; set before done is closed
	closing  sync.Once

	last uint64 // the last number given to a line; run's own

	mu    sync.Mutex // guards what is to be written down
	noted bool       // there is something
	acked []Line
	aside []refusal
	point point
}

type request struct {
	kind, to string
	texts    []string
	first    ID
	err      error
	done     chan struct{}
}

type refusal struct {
	Line
	RefusedError
}

const tidyDelay = 200 * time.Millisecond

func newKeeper(s *slot, out *outbox, opts *Options) *keeper {
	k := &keeper{
		slot: s, out: out, source: randomID(12),
		requests: make(chan *request), dirty: make(chan struct{}, 1),
		quit: make(chan struct{}), done: make(chan struct{}),
	}
	k.max.lines, k.max.bytes = opts.MaxLines, opts.MaxBytes
	return k
}

// add stores lines and returns the first one's ID; the others follow it.
func (k *keeper) add(kind, to string, texts []string) (ID, error) {
	r := &request{kind: kind, to: to, texts: texts, done: make(chan struct{})}
	select {
	case k.requests <- r:
		<-r.done
		return r.first, r.err
	case <-k.quit:
		return ID{}, ErrClosed
	case <-k.done:
		return ID{}, cmp.Or(k.err, ErrClosed)
	}
}

// fits reports whether lines can be added to so many.
func (k *keeper) fits(texts []string, count, bytes int) bool {
	for _, t := range texts {
		bytes += len(t)
	}
	return count+len(texts) <= k.max.lines && bytes <= k.max.bytes
}

// flush returns when all that was noted is written down, or can't be.
func (k *keeper) flush() { _, _ = k.add("", "", nil) }

// note changes what is to be written down.
func (k *keeper) note(change func()) {
	k.mu.Lock()
	change()
	k.noted = true
	k.mu.Unlock()
	nudge(k.dirty)
}

func (k *keeper) noteAcked(lines []Line) {
	k.note(func() { k.acked = append(k.acked, lines...) })
}

// noteRefused moves a line aside: in one note, or a crash could find it gone from
// the one place and not yet in the other.
func (k *keeper) noteRefused(l Line, why RefusedError) {
	k.note(func() { k.acked, k.aside = append(k.acked, l), append(k.aside, refusal{l, why}) })
}

func (k *keeper) notePoint(p point) { k.note(func() { k.point = p }) }

// close writes down what is left and closes the file.
func (k *keeper) close() error {
	k.closing.Do(func() { close(k.quit) })
	<-k.done
	return k.err
}

// run serves until close.
func (k *keeper) run() {
	defer close(k.done)
	var tidy <-chan time.Time
	for {
		select {
		case r := <-k.requests:
			tidy = nil
			if err := k.store(k.gather(r)); err != nil {
				k.err = errors.Join(err, k.slot.db.Close())
				return
			}
		case <-k.dirty:
			if tidy == nil {
				tidy = time.After(tidyDelay)
			}
		case <-tidy:
			tidy = nil
			if err := k.store(nil); err != nil {
				k.err = errors.Join(err, k.slot.db.Close())
				return
			}
		case <-k.quit:
			k.err = errors.Join(k.store(nil), k.slot.db.Close())
			return
		}
	}
}

// gather takes all requests that wait, up to a bound.
func (k *keeper) gather(r *request) []*request {
	batch := []*request{r}
	for len(batch) < 256 {
		select {
		case r := <-k.requests:
			batch = append(batch, r)
		default:
			return batch
		}
	}
	return batch
}

// store writes the batch's lines, and what was noted, in one transaction. A full disk
// fails the requests and may pass; any other error is returned and is final.
func (k *keeper) store(batch []*request) error {
	lines := k.number(batch)
	k.mu.Lock()
	noted, acked, aside, at := k.noted, k.acked, k.aside, k.point
	k.noted, k.acked, k.aside = false, nil, nil
	k.mu.Unlock()
	var err error
	if noted || len(lines) > 0 {
		err = guard(func() error { // damage in what only a write reads
			return k.slot.edit(func(e *edits) (err error) {
				for i := range lines {
					if lines[i].key, err = putLine(e, lines[i]); err != nil {
						return err
					}
				}
				return writeNotes(e, acked, aside, at)
			})
		})
	}
	if err != nil {
		k.note(func() { k.acked, k.aside = append(acked, k.acked...), append(aside, k.aside...) })
		if err = fmt.Errorf("write state file %s: %w", k.slot.path, err); !full(err) {
			err = fmt.Errorf("%w: %w", ErrDisk, err)
		}
	} else {
		k.last += uint64(len(lines))
		k.out.add(lines)
	}
	for _, r := range batch {
		if r.err == nil {
			r.err = err
		}
		close(r.done)
	}
	if !errors.Is(err, ErrDisk) {
		return nil
	}
	return err
}

// number makes lines of the requests for which there is room.
func (k *keeper) number(batch []*request) (lines []Line) {
	now := time.Now().UTC()
	count, bytes := k.out.size()
	for _, r := range batch {
		if !k.fits(r.texts, count, bytes) {
			r.err = ErrOutboxFull
			continue
		}
		count += len(r.texts)
		r.first = ID{k.source, k.last + uint64(len(lines)) + 1}
		for _, t := range r.texts {
			bytes += len(t)
			id := ID{k.source, k.last + uint64(len(lines)) + 1}
			lines = append(lines, Line{ID: id, Kind: r.kind, To: r.to, Text: t, At: now})
		}
	}
	return lines
}

// full reports whether a write failed for want of room, before anything was synced:
// then the file is as it was.
func full(err error) bool {
	var failed *fs.PathError
	return errors.As(err, &failed) && (failed.Op == "write" || failed.Op == "truncate") &&
		(errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EFBIG))
}

func writeNotes(e *edits, acked []Line, aside []refusal, at point) error {
	for _, l := range acked {
		if err := e.delete(outboxBucket, be(l.key)); err != nil {
			return err
		}
	}
	for _, r := range aside {
		v, err := json.Marshal(record{
			Source: r.ID.Source, N: r.ID.N, Kind: r.Line.Kind, To: r.Line.To, Text: r.Line.Text, At: r.At, Code: r.Code, Reason: r.Message,
		})
		if err != nil {
			return err
		}
		if err := e.tx.Bucket(asideBucket).Put(be(r.key), v); err != nil { // nothing reads it again
			return err
		}
	}
	if at == (point{}) {
		return nil
	}
	return e.put(metaBucket, pointKey, append(be(at.seq), at.cursor...))
}
