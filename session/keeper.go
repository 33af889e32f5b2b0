package session

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"sync"
	"syscall"
	"time"
)

// keeper owns a slot's file. It numbers and stores new lines, all that wait in one
// transaction, and writes down what was acknowledged and consumed along with them,
// or tidyDelay later: that may be lost in a crash, and is learnt again.
type keeper struct {
	slot *slot
	max  struct{ lines, bytes int }

	requests chan *request
	dirty    chan struct{}
	quit     chan struct{} // closed by close
	done     chan struct{} // closed when the file is closed
	err      error         // of the last writes; set before done is closed
	closing  sync.Once

	mu     sync.Mutex // guards what is to be written down
	noted  bool       // there is something
	acked  []Line
	aside  []refusal
	points map[string]point // by what the file calls the room
}

// pen is a session as the keeper writes for it. The keeper alone uses last.
type pen struct {
	room   string // what the file calls it
	source string // of this session: minted anew each time that a room is opened
	fresh  bool   // its point is not written
	out    *outbox
	feed   *feed
	last   uint64 // the last number given to a line
}

// request is what somebody waits for: lines to be stored, perhaps as the answer to a line,
// which is then consumed in the same transaction; or a job on the file.
type request struct {
	pen     *pen
	draft   draft
	answers *Message
	job     func() error

	first ID
	err   error
	done  chan struct{}
}

// draft is lines that have no number yet.
type draft struct {
	kind, to, once string
	texts          []string
}

type refusal struct {
	Line
	RefusedError
	room string
}

const tidyDelay = 200 * time.Millisecond

func newKeeper(s *slot, opts *Options) *keeper {
	k := &keeper{
		slot: s, points: map[string]point{},
		requests: make(chan *request), dirty: make(chan struct{}, 1),
		quit: make(chan struct{}), done: make(chan struct{}),
	}
	k.max.lines, k.max.bytes = opts.MaxLines, opts.MaxBytes
	return k
}

// ask hands r over and waits until the keeper is done with it.
func (k *keeper) ask(r *request) error {
	r.done = make(chan struct{})
	select {
	case k.requests <- r:
		<-r.done
		return r.err
	case <-k.quit:
		return ErrClosed
	case <-k.done:
		return cmp.Or(k.err, ErrClosed)
	}
}

// add stores lines and returns the first one's ID; the others follow it.
func (k *keeper) add(p *pen, d draft) (ID, error) {
	r := &request{pen: p, draft: d}
	err := k.ask(r)
	return r.first, err
}

// fits reports whether lines can be added to so many.
func (k *keeper) fits(texts []string, count, bytes int) bool {
	for _, t := range texts {
		bytes += len(t)
	}
	return count+len(texts) <= k.max.lines && bytes <= k.max.bytes
}

// flush returns when all that was noted is written down, or why it can't be.
func (k *keeper) flush() error { return k.ask(&request{}) }

// do runs a job on the file, when all that was noted is written down.
func (k *keeper) do(job func() error) error { return k.ask(&request{job: job}) }

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
func (k *keeper) noteRefused(room string, l Line, why RefusedError) {
	k.note(func() { k.acked, k.aside = append(k.acked, l), append(k.aside, refusal{l, why, room}) })
}

func (k *keeper) notePoint(room string, p point) { k.note(func() { k.points[room] = p }) }

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

// gather takes all requests that wait, up to a bound or a job.
func (k *keeper) gather(r *request) []*request {
	batch := []*request{r}
	for r.job == nil && len(batch) < 256 {
		select {
		case r = <-k.requests:
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
	noted, acked, aside, points := k.noted, k.acked, k.aside, maps.Clone(k.points)
	k.noted, k.acked, k.aside = false, nil, nil
	clear(k.points)
	k.mu.Unlock()
	var err error
	if noted || slices.ContainsFunc(batch, (*request).writes) {
		err = guard(func() error { // damage in what only a write reads
			return k.slot.edit(func(e *edits) error {
				return cmp.Or(writeLines(e, batch, lines), writeNotes(e, acked, aside), writePoints(e, points, batch))
			})
		})
	}
	if err != nil {
		k.note(func() {
			k.acked, k.aside = append(acked, k.acked...), append(aside, k.aside...)
			for room, p := range points {
				if _, later := k.points[room]; !later {
					k.points[room] = p
				}
			}
		})
		if err = fmt.Errorf("write state file %s: %w", k.slot.path, err); !full(err) {
			err = fmt.Errorf("%w: %w", ErrDisk, err)
		}
	}
	k.settle(batch, lines, err)
	if !errors.Is(err, ErrDisk) {
		return nil
	}
	return err
}

// writes reports whether r changes the file.
func (r *request) writes() bool {
	return r.err == nil && (len(r.draft.texts) > 0 || r.answers != nil)
}

// settle hands on what was stored, and tells those who wait.
func (k *keeper) settle(batch []*request, lines [][]Line, err error) {
	for i, r := range batch {
		if r.err == nil {
			r.err = err
		}
		if err == nil && len(lines[i]) > 0 {
			r.pen.last += uint64(len(lines[i]))
			r.pen.out.add(lines[i])
		}
		if r.err == nil && r.answers != nil {
			r.pen.feed.commit(r.answers)
		}
		if r.err == nil && r.job != nil {
			r.err = r.job()
		}
		close(r.done)
	}
}

// number makes lines of the requests for which there is room, in their order.
func (k *keeper) number(batch []*request) (lines [][]Line) {
	type use struct {
		lines, bytes int
		last         uint64
		answered     *Message
	}
	now := time.Now().UTC()
	uses := map[*pen]*use{}
	lines = make([][]Line, len(batch))
	for i, r := range batch {
		if r.pen == nil {
			continue
		}
		u := uses[r.pen]
		if u == nil {
			count, bytes := r.pen.out.size()
			u = &use{lines: count, bytes: bytes, last: r.pen.last}
			uses[r.pen] = u
		}
		if !k.fits(r.draft.texts, u.lines, u.bytes) {
			r.err = ErrOutboxFull
			continue
		}
		if m := r.answers; m != nil {
			if !r.pen.feed.ahead(m) || !m.after(u.answered) {
				r.err = ErrCommitted
				continue
			}
			u.answered = m
		}
		u.lines += len(r.draft.texts)
		r.first = ID{r.pen.source, u.last + 1}
		for _, t := range r.draft.texts {
			u.bytes += len(t)
			u.last++
			d := &r.draft
			lines[i] = append(lines[i], Line{ID: ID{r.pen.source, u.last}, Kind: d.kind, To: d.to, Text: t, At: now, once: d.once})
		}
	}
	return lines
}

// writeLines writes the lines of each request, and notes under which keys.
func writeLines(e *edits, batch []*request, lines [][]Line) (err error) {
	for i, r := range batch {
		for j := range lines[i] {
			if lines[i][j].key, err = putLine(e, r.pen.room, lines[i][j]); err != nil {
				return err
			}
		}
	}
	return nil
}

// writePoints writes the points that were noted, and those that go with lines.
func writePoints(e *edits, points map[string]point, batch []*request) error {
	points = maps.Clone(points)
	for _, r := range batch {
		if r.err == nil && r.answers != nil && !r.pen.fresh {
			points[r.pen.room] = r.pen.feed.until(r.answers)
		}
	}
	for room, p := range points {
		if err := e.put(metaBucket, pointOf(room), p.bytes()); err != nil {
			return err
		}
	}
	return nil
}

// full reports whether a write failed for want of room, before anything was synced:
// then the file is as it was.
func full(err error) bool {
	var failed *fs.PathError
	return errors.As(err, &failed) && (failed.Op == "write" || failed.Op == "truncate") &&
		(errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EFBIG))
}

func writeNotes(e *edits, acked []Line, aside []refusal) error {
	for _, l := range acked {
		if err := e.delete(outboxBucket, be(l.key)); err != nil {
			return err
		}
	}
	for _, r := range aside {
		v, err := json.Marshal(record{
			Room: r.room, Source: r.ID.Source, N: r.ID.N, Kind: r.Line.Kind, To: r.Line.To, Text: r.Line.Text, At: r.At, Code: r.Code, Reason: r.Message,
		})
		if err != nil {
			return err
		}
		if err := e.tx.Bucket(asideBucket).Put(be(r.key), v); err != nil { // nothing reads it again
			return err
		}
	}
	return nil
}
