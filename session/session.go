package session

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// Session is one user's part in one room, kept up through whatever happens to the
// link. Unless said otherwise, methods may be called from any goroutine.
type Session struct {
	client *Client
	room   string
	opts   roomOptions
	log    *slog.Logger

	pen  pen // what the keeper writes with
	out  *outbox
	feed *feed
	asks *asks

	refuse  atomic.Bool   // Drain or Close was called: no more lines
	leaving atomic.Bool   // the room is to be told goodbye
	left    chan struct{} // closed when it was, if there is a connection
	leave   sync.Once     // closes left
	ending  sync.Once
	ended   chan struct{}

	mu      sync.Mutex // guards what follows
	err     error
	status  Status
	begun   bool              // a server has welcomed the session
	bases   map[string]uint64 // by source: acknowledged in this process
	refused map[ID]*RefusedError

	// ghosts are hellos that may still reach the server: of connections that were
	// given up before the answer, and one that a killed process may have left.
	ghosts int

	mine map[string]bool // the sources of this session's lines; constant

	// What follows is the consumer's own.
	members map[string]bool   // as the consumer knows them
	away    map[string]string // likewise
	pending *item             // that Next handed over

	gathered bool // guarded by gather.mu
}

// roomOptions are those of Options that are about a room.
type roomOptions struct {
	backlog       int
	fresh, manual bool
}

// Status is where a session stands, for those who show it.
type Status struct {
	State     State
	Attempt   int           // Waiting: failed attempts in a row
	RetryAt   time.Time     // Waiting: when the next one is due
	Err       error         // Waiting, Closed: why
	Unsent    int           // lines that are not acknowledged
	Stale     int           // lines that the user is asked about: see Options.StaleAfter
	Held      string        // why the server can't store lines just now, as in Held; empty if it can
	Moderator bool          // the user may Remove others, as the server said last
	Heard     time.Time     // when something last came from the server; zero if never
	RTT       time.Duration // of the last ping on this connection; zero if none
}

// newSession makes the session of a room, which the client's file knows by the name
// filed.
func newSession(c *Client, o *Options, room, filed string, state *roomState) *Session {
	s := &Session{
		client: c, room: room, opts: roomOptions{o.Backlog, o.Fresh, o.ManualCommit},
		log:  c.opts.Logger.With("room", room),
		left: make(chan struct{}), ended: make(chan struct{}), ghosts: 1, mine: map[string]bool{},
	}
	from := state.point
	if o.Fresh {
		from = point{}
	}
	touch := func() { c.touch(s) }
	s.out, s.asks = newOutbox(state.lines, o.StaleAfter, touch), newAsks(touch)
	s.feed = newFeed(from, o.Window, o.ManualCommit, func() { c.all.add(s) })
	s.pen = pen{room: filed, source: randomID(12), fresh: o.Fresh, out: s.out, feed: s.feed}
	s.mine[s.pen.source] = true
	for _, l := range state.lines {
		s.mine[l.ID.Source] = true
	}
	return s
}

// Status says where the session stands now.
func (s *Session) Status() Status {
	s.mu.Lock()
	st := s.status
	s.mu.Unlock()
	st.Unsent, _ = s.out.size()
	st.Stale, _ = s.out.stale()
	if l := s.client.link.Load(); l != nil {
		st.Heard, st.RTT = l.conn.Heard(), l.conn.RTT()
	}
	return st
}

// Redial ends a wait for the next attempt, or probes the connection if there is one:
// for when the network changed or the user knows better.
func (s *Session) Redial() {
	if l := s.client.link.Load(); l != nil {
		l.conn.Probe()
		return
	}
	nudge(s.client.wake)
}

// Drain takes no more lines, waits until all are acknowledged, and closes the
// session. If ctx or the session ends before that, the error is ErrUnsent and says
// how many are left. It does not wait for the consumer: lines that it has not
// consumed are for the next session.
func (s *Session) Drain(ctx context.Context) error {
	s.refuse.Store(true)
	select {
	case <-s.out.empty():
	case <-s.ended:
	case <-ctx.Done():
	}
	return s.Close()
}

// Close leaves the room and ends the session at once. Lines that are not acknowledged
// stay on disk: the error is then ErrUnsent, and says how many. It returns when
// nothing of the session runs any more. A line that the consumer has been handed and is not
// done with is not consumed: the next session begins with it. So it is safe in a defer, in a
// signal handler, and in the body of the consumer's loop.
func (s *Session) Close() error {
	var err error
	if s.client.solo {
		s.client.shut()
		err = s.client.end([]*Session{s})
	} else {
		err = s.part()
	}
	n, _ := s.out.size()
	return errors.Join(err, unsentError(n))
}

// part leaves the room, while the client goes on.
func (s *Session) part() error {
	s.refuse.Store(true)
	if s.client.exit(s) {
		s.goodbye()
	}
	s.finish(ErrClosed)
	s.feed.stop()
	return s.client.release(s)
}

// over reports whether the session has ended, or left its room.
func (s *Session) over() bool {
	select {
	case <-s.left:
		return true
	case <-s.ended:
		return true
	default:
		return false
	}
}

// finish ends the session, the first time for the reason why.
func (s *Session) finish(why error) {
	s.ending.Do(func() {
		s.client.exit(s)
		s.mu.Lock()
		s.err = why
		s.mu.Unlock()
		s.asks.lost()
		s.setState(StateChange{State: Closed, Err: why})
		s.feed.finish()
		close(s.ended)
	})
}

// Err says why the session ended: a *RejectedError, ErrClosed after Close, or that its
// state can't be written. It is nil while the session lasts.
func (s *Session) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// Room is the room's name, folded to lower case.
func (s *Session) Room() string { return s.room }

// Name is the user's name, folded to lower case.
func (s *Session) Name() string { return s.client.opts.Name }

// Done is closed when the session has ended, by itself or by Close.
func (s *Session) Done() <-chan struct{} { return s.ended }

// hold notes and announces that the server puts lines off, or no longer.
func (s *Session) hold(code string) {
	s.mu.Lock()
	changed := s.status.Held != code
	s.status.Held = code
	s.mu.Unlock()
	if changed {
		s.feed.push(item{Event: Held{code}})
	}
}

// setState notes and announces a change.
func (s *Session) setState(c StateChange) {
	s.mu.Lock()
	s.status.State, s.status.Attempt, s.status.Err = c.State, c.Attempt, c.Err
	s.status.RetryAt = time.Time{}
	if c.State == Waiting {
		s.status.RetryAt = time.Now().Add(c.RetryIn)
	}
	s.mu.Unlock()
	s.log.Info("session "+c.State.String(), "attempt", c.Attempt, "err", c.Err)
	s.feed.push(item{Event: c})
}
