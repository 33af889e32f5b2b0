package session

import "time"

// Lines that wait for long may no longer mean what they meant. With
// Options.StaleAfter they wait for a word of the user's once there is a connection,
// and all behind them waits with them: what was typed later must not come earlier.

// weigh looks, at the start of a connection, whether the user is to be asked, under mu.
func (o *outbox) weigh(now time.Time) {
	n, _ := o.old(now)
	o.asking = o.window > 0 && n > 0
}

// old returns how many lines are stale and were not released, and when the first of
// them was taken, under mu.
func (o *outbox) old(now time.Time) (n int, oldest time.Time) {
	if o.staleAfter <= 0 {
		return 0, time.Time{}
	}
	for _, l := range o.lines {
		if l.key > o.released && now.Sub(l.At) > o.staleAfter {
			if n++; n == 1 {
				oldest = l.At
			}
		}
	}
	return n, oldest
}

// stale returns what the user is asked about now; n is zero if nothing.
func (o *outbox) stale() (n int, oldest time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.asking {
		return 0, time.Time{}
	}
	return o.old(time.Now())
}

// release lets all go that is there now.
func (o *outbox) release() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if n := len(o.lines); n > 0 {
		o.released = o.lines[n-1].key
	}
	o.asking = false
	nudge(o.changed)
}

// discard removes and returns those of the lines that the server can't have: the
// connection has told what it has, and has not been sent them since; or there is none,
// and they were never sent.
func (o *outbox) discard(ids map[ID]bool) (dropped []Line) {
	o.mu.Lock()
	defer o.mu.Unlock()
	certain := map[ID]bool{}
	for i, l := range o.lines {
		certain[l.ID] = ids[l.ID] && i >= o.sent && (o.window > 0 || l.key > o.handed)
	}
	dropped = o.drop(func(l Line) bool { return certain[l.ID] })
	o.weigh(time.Now())
	return dropped
}

// Release lets stale lines go, and all that wait behind them: see Options.StaleAfter.
func (s *Session) Release() { s.out.release() }

// Discard drops unsent lines for good and returns how many. Each gets a Receipt with
// the code "discarded". Of lines that the server may have it drops none: those on
// their way, and without a connection those that were ever sent or that an earlier
// process left.
func (s *Session) Discard(ids ...ID) int {
	named := map[ID]bool{}
	for _, id := range ids {
		named[id] = true
	}
	lines := s.out.discard(named)
	s.keeper.noteAcked(lines)
	for _, l := range lines {
		why := &RefusedError{Code: "discarded", Message: "discarded before it was sent", Text: l.Text}
		s.feed.push(item{Event: Receipt{ID: l.ID, Err: why}}, nil)
	}
	return len(lines)
}
