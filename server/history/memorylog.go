package history

import (
	"fmt"
	"maps"
	"time"
)

// memLog is one opening of a room. Its fields but sink are guarded by memory.mu.
type memLog struct {
	m       *memory
	name    string
	sink    func([]Entry)
	room    *memRoom
	last    Point // of the line appended last
	waiting int
	closed  bool
}

// Append implements Log.
func (l *memLog) Append(line Line) error {
	line.At = time.UnixMilli(line.At.UnixMilli()).UTC()
	m := l.m
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closing || l.closed {
		return ErrClosed
	}
	once := line.Once
	line.Once = ""
	l.last, m.scratch = l.last.Next(&line, m.scratch)
	l.waiting++
	m.queue = append(m.queue, memLine{
		log:    l,
		entry:  Entry{line, l.last.Seq, l.last.Cursor(m.epoch)},
		digest: l.last.Digest,
		once:   once,
	})
	m.signal()
	return nil
}

// usable says whether the log can be read. The caller holds memory.mu.
func (l *memLog) usable() error {
	if l.m.closing || l.closed {
		return ErrClosed
	}
	return nil
}

// Source implements Log.
func (l *memLog) Source(user, source string) (Source, error) {
	l.m.mu.Lock()
	defer l.m.mu.Unlock()
	if err := l.usable(); err != nil {
		return Source{}, err
	}
	s := l.room.sources[[2]string{user, source}]
	if s == nil {
		return Source{}, nil
	}
	return Source{Mark: s.Mark, Voids: maps.Clone(s.Voids)}, nil
}

// Said implements Log.
func (l *memLog) Said(user, once string, now time.Time) (bool, error) {
	l.m.mu.Lock()
	defer l.m.mu.Unlock()
	if err := l.usable(); err != nil {
		return false, err
	}
	at, found := l.room.said[[2]string{user, once}]
	return found && !at.Before(now.Add(-MarkTTL)), nil
}

// Start implements Log.
func (l *memLog) Start(given string, backlog int) (Start, error) {
	l.m.mu.Lock()
	defer l.m.mu.Unlock()
	if err := l.usable(); err != nil {
		return Start{}, err
	}
	r := l.room
	p := Past{r.edge, r.head, r.spans, func(seq uint64) (Digest, error) {
		return r.lines[seq-r.edge.Seq-1].digest, nil
	}}
	return p.Start(given, backlog)
}

// Read implements Log.
func (l *memLog) Read(after uint64, limit int) ([]Entry, error) {
	l.m.mu.Lock()
	defer l.m.mu.Unlock()
	if err := l.usable(); err != nil {
		return nil, err
	}
	from := min(max(after, l.room.edge.Seq), l.room.head.Seq)
	return l.room.cut(from, l.room.head.Seq, limit, false), nil
}

// Before implements Log.
func (l *memLog) Before(before uint64, limit int) (lines []Entry, more bool, err error) {
	l.m.mu.Lock()
	defer l.m.mu.Unlock()
	if err := l.usable(); err != nil {
		return nil, false, err
	}
	r := l.room
	to := r.head.Seq
	if before > 0 {
		to = max(min(to, before-1), r.edge.Seq)
	}
	lines = r.cut(r.edge.Seq, to, limit, true)
	return lines, uint64(len(lines)) < to-r.edge.Seq, nil
}

// cut returns up to limit lines after from, up to and including to: the newest
// of them or the oldest.
func (r *memRoom) cut(from, to uint64, limit int, newest bool) []Entry {
	lines := r.lines[from-r.edge.Seq : to-r.edge.Seq]
	if n := max(limit, 0); n < len(lines) {
		if newest {
			lines = lines[len(lines)-n:]
		} else {
			lines = lines[:n]
		}
	}
	var out []Entry
	for _, line := range lines {
		out = append(out, line.entry)
	}
	return out
}

// Close implements Log.
func (l *memLog) Close() error {
	l.m.mu.Lock()
	defer l.m.mu.Unlock()
	if l.closed {
		return nil
	}
	if l.waiting > 0 {
		return fmt.Errorf("close room %s: %d lines wait for the sink", l.name, l.waiting)
	}
	l.closed = true
	l.room.log = nil
	return nil
}
