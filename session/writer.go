package session

import (
	"time"

	"holdfast/session/wire"
	"holdfast/transport"
)

// send writes what the rooms have to say until the connection dies: each in turn a line,
// so that none has to wait for all that another has to say.
func (l *link) send() {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	waiting := map[*part]bool{} // those with a due
	for {
		p := l.next()
		if p == nil {
			timer.Reset(l.wake(waiting))
			select {
			case <-l.more:
			case <-timer.C:
			case <-l.conn.Done():
				return
			}
			continue
		}
		again, ok := l.turn(p)
		if !ok {
			return
		}
		if again {
			l.touch(p.s)
		}
		if p.due.IsZero() {
			delete(waiting, p)
		} else {
			waiting[p] = true
		}
	}
}

// next takes the next part that may have something to say, nil if there is none.
func (l *link) next() *part {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.ready) == 0 {
		return nil
	}
	p := l.ready[0]
	l.ready = l.ready[1:]
	p.queued = false
	return p
}

// wake queues the parts that are due, and returns how long none of the others is.
func (l *link) wake(waiting map[*part]bool) time.Duration {
	now, soonest := time.Now(), time.Hour
	l.mu.Lock()
	defer l.mu.Unlock()
	for p := range waiting {
		if left := p.due.Sub(now); left > 0 {
			soonest = min(soonest, left)
			continue
		}
		delete(waiting, p)
		l.queueLocked(p)
	}
	return soonest
}

// turn says what p has to say, but one line at most. again means that there may be more.
// It is not ok if the connection is over.
func (l *link) turn(p *part) (again, ok bool) {
	p.due = time.Time{}
	l.mu.Lock()
	asked, in, not, named := p.asked, p.in, p.not, p.named
	l.mu.Unlock()
	now := time.Now()
	switch {
	case p.s.leaving.Load():
		return false, l.exit(p, asked)
	case p.s.over():
		return false, true
	case !asked && now.Before(not):
		p.due = not
		return false, true
	case !asked:
		p.known = 0
		return false, l.write(l.entry(p))
	case !in:
		return false, true
	}
	if !l.ask(p) {
		return false, false
	}
	s := p.s
	line, wait, ok := s.out.next(now)
	switch {
	case ok && !named[line.ID.Source]: // more sources than one hello can name
		l.again(s)
		return false, true
	case ok:
		return true, l.write(&wire.Send{
			Room: l.name(s), Source: line.ID.Source, N: line.ID.N, Kind: line.Kind, To: line.To, Once: line.once, Text: line.Text,
		})
	case wait > 0:
		p.due = now.Add(wait)
	}
	if patience, waiting := s.out.patience(now, l.c.opts.AckTimeout); waiting {
		if patience <= 0 {
			s.out.doubted(now)
			l.conn.Probe()
			patience = l.c.opts.AckTimeout
		}
		if due := now.Add(patience); p.due.IsZero() || due.Before(p.due) {
			p.due = due
		}
	}
	return false, true
}

// exit leaves p's room; with the last one it ends the connection.
func (l *link) exit(p *part, asked bool) (ok bool) {
	defer p.s.leave.Do(func() { close(p.s.left) })
	l.drop(p.s)
	if len(l.c.open()) == 0 {
		_ = l.write(&wire.Bye{})
		l.conn.Close(transport.CloseNormal, "")
		return false
	}
	return !asked || l.write(&wire.Bye{Room: p.s.room})
}

// ask tells the server what is to be said besides lines.
func (l *link) ask(p *part) (ok bool) {
	s := p.s
	if n := s.feed.grant(); n > 0 && !l.write(&wire.More{Room: l.name(s), Lines: n}) {
		return false
	}
	frames, known := s.asks.next(p.known)
	p.known = known
	for _, f := range frames {
		switch f := f.(type) {
		case *wire.Away:
			f.Room = l.name(s)
		case *wire.History:
			f.Room = l.name(s)
		case *wire.Remove:
			f.Room = l.name(s)
		}
		if !l.write(f) {
			return false
		}
	}
	return true
}

// name is what frames call the room of s.
func (l *link) name(s *Session) string {
	if s == l.door {
		return ""
	}
	return s.room
}

func (l *link) write(f wire.Frame) (ok bool) { return l.conn.Write(wire.Encode(f)) == nil }
