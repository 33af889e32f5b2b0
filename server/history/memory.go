package history

import (
	"context"
	"crypto/rand"
	"fmt"
	"maps"
	"sync"
	"time"
)

// Memory returns a Store that keeps everything in memory and loses it when the
// process ends. It starts one goroutine, which hands lines to the sinks and so
// plays the part of the disk; Close waits for it. It never fails and is never full.
func Memory() Store {
	m := &memory{
		epoch:   NewEpoch(),
		wake:    make(chan struct{}, 1),
		done:    make(chan struct{}),
		rooms:   make(map[string]*memRoom),
		claims:  make(map[string]*Claim),
		members: make(Members),
	}
	rand.Read(m.seed[:])
	go m.run()
	return m
}

type memory struct {
	epoch uint64
	wake  chan struct{} // holds one token while there is work
	done  chan struct{} // closed when run has ended

	mu      sync.Mutex
	rooms   map[string]*memRoom
	claims  map[string]*Claim
	seed    [32]byte // constant
	members Members
	queue   []memLine
	closing bool
	scratch []byte
}

// memRoom is what is durable, so to speak, in a room. Guarded by memory.mu.
type memRoom struct {
	edge    Point
	head    Point
	spans   Spans
	lines   []memLine // from just after the edge to the head
	sources map[[2]string]*memSource
	said    map[[2]string]time.Time // by user and Line.Once
	log     *memLog                 // nil while the room is not open
}

type memLine struct {
	log    *memLog // of whom it came
	entry  Entry
	digest Digest
	once   string
}

type memSource struct {
	Source
	used time.Time
}

// Open implements Store.
func (m *memory) Open(name string, sink func([]Entry)) (Log, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closing {
		return nil, ErrClosed
	}
	r := m.rooms[name]
	if r == nil {
		r = &memRoom{edge: Origin(name), head: Origin(name), sources: make(map[[2]string]*memSource), said: make(map[[2]string]time.Time)}
		m.rooms[name] = r
	}
	if r.log != nil {
		return nil, fmt.Errorf("open room %s: it is open already", name)
	}
	r.log = &memLog{m: m, name: name, sink: sink, room: r, last: r.head}
	return r.log, nil
}

// run stores what was appended and tells the sinks.
func (m *memory) run() {
	defer close(m.done)
	for {
		m.mu.Lock()
		batch, closing := m.queue, m.closing
		m.queue = nil
		order, lines := m.store(batch)
		m.mu.Unlock()
		for _, l := range order {
			l.sink(lines[l])
		}
		if len(batch) == 0 {
			if closing {
				return
			}
			<-m.wake
		}
	}
}

// store makes batch part of its rooms, and returns what each is to be told. The
// caller holds mu.
func (m *memory) store(batch []memLine) (order []*memLog, lines map[*memLog][]Entry) {
	lines = make(map[*memLog][]Entry)
	for _, line := range batch {
		l, r, e := line.log, line.log.room, line.entry
		if len(r.spans) == 0 {
			r.spans = Spans{{m.epoch, e.Seq}}
		}
		r.lines = append(r.lines, line)
		r.head = Point{e.Seq, line.digest}
		s := r.sources[[2]string{e.User, e.Source}]
		if s == nil {
			s = &memSource{}
			r.sources[[2]string{e.User, e.Source}] = s
		}
		s.Mark, s.used = e.N, e.At
		if line.once != "" {
			r.said[[2]string{e.User, line.once}] = e.At
		}
		if e.Kind == KindVoid {
			if s.Voids == nil {
				s.Voids = make(map[uint64]string)
			}
			s.Voids[e.N] = e.Text
		}
		l.waiting--
		if lines[l] == nil {
			order = append(order, l)
		}
		lines[l] = append(lines[l], e)
	}
	return order, lines
}

func (m *memory) signal() {
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

// Claim implements Store.
func (m *memory) Claim(name string, by Holder, now time.Time, ttl time.Duration) (holder Holder, mine bool, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closing {
		return holder, false, ErrClosed
	}
	c, mine := m.claims[name].Next(by, now, ttl)
	if mine {
		m.claims[name] = &c
	}
	return c.Holder, mine, nil
}

// Owner implements Store.
func (m *memory) Owner(name string, now time.Time, ttl time.Duration) (holder Holder, owned bool, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closing {
		return holder, false, ErrClosed
	}
	if c := m.claims[name]; c != nil && c.Holds(now, ttl) {
		return c.Holder, true, nil
	}
	return holder, false, nil
}

// ServerSeed implements Store.
func (m *memory) ServerSeed() ([32]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closing {
		return [32]byte{}, ErrClosed
	}
	return m.seed, nil
}

// Trim implements Store.
func (m *memory) Trim(ctx context.Context, keep Retention, now time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closing {
		return ErrClosed
	}
	for _, r := range m.rooms {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("trim history: %w", err)
		}
		r.trim(keep, now)
	}
	return nil
}

func (r *memRoom) trim(keep Retention, now time.Time) {
	drop := 0
	for ; drop < len(r.lines); drop++ {
		tooMany := keep.Lines > 0 && len(r.lines)-drop > keep.Lines
		tooOld := keep.Age > 0 && !r.lines[drop].entry.At.After(now.Add(-keep.Age))
		if !tooMany && !tooOld {
			break
		}
	}
	if drop > 0 {
		last := r.lines[drop-1]
		r.edge = Point{last.entry.Seq, last.digest}
		r.lines = append([]memLine(nil), r.lines[drop:]...)
	}
	for name, s := range r.sources {
		if s.used.Before(now.Add(-MarkTTL)) {
			delete(r.sources, name)
		}
	}
	maps.DeleteFunc(r.said, func(_ [2]string, at time.Time) bool { return at.Before(now.Add(-MarkTTL)) })
}

// Failed implements Store. A nil channel is never closed.
func (m *memory) Failed() <-chan struct{} { return nil }

// Err implements Store.
func (m *memory) Err() error { return nil }

// Close implements Store.
func (m *memory) Close() error {
	m.mu.Lock()
	m.closing = true
	m.mu.Unlock()
	m.signal()
	<-m.done
	return nil
}
