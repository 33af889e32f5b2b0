package session

import "time"

// Lines that wait for long may no longer mean what they meant. With
// Options.StaleAfter they wait for a word of the user's once there is a connection,
// and all behind them waits with them: what was typed later must not come earlier.

// weigh looks, at the start of a connection, whether the user is to be asked, under mu.
func (o *outbox) weigh(now time.Time) {
	o.asking = false
	if o.window > 0 {
		n, _ := o.old(now)
		o.asking = n > 0
	}
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
	o.changed()
}

// discard removes and returns those of the lines that the server can't have: they were
// never sent; or this connection has not sent them, and began with the server saying
// that it has not taken them, from which moment on it takes nothing of older ones.
func (o *outbox) discard(ids map[ID]bool) (dropped []Line) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.drop(func(l Line) bool {
		if !ids[l.ID] {
			return false
		}
		taken, named := o.taken[l.ID.Source]
		return l.key > o.handed || named && l.ID.N > taken && l.key > o.sentHere
	})
}

// Release lets stale lines go, and all that wait behind them: see Options.StaleAfter.
func (s *Session) Release() { s.out.release() }

// Discard drops unsent lines for good and returns how many. Each gets a Receipt with
// the code "discarded". Of lines that the server may have it drops none: those that
// this connection has sent, and without a connection those that were ever sent or that
// an earlier process left. It waits for the disk; if that is full or fails, another
// process may find the lines and send them.
func (s *Session) Discard(ids ...ID) int {
	named := map[ID]bool{}
	for _, id := range ids {
		named[id] = true
	}
	select {
	case <-s.ended:
		return 0
	default:
	}
	lines := s.out.discard(named)
	if len(lines) == 0 {
		return 0
	}
	s.client.keeper.noteAcked(lines)
	_ = s.client.keeper.flush() // if that fails, see above
	for _, l := range lines {
		why := &RefusedError{Code: CodeDiscarded, Message: "discarded before it was sent", Text: l.Text, Kind: l.Kind, To: l.To}
		s.feed.push(item{Event: Receipt{ID: l.ID, Err: why}})
	}
	return len(lines)
}
