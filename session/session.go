package session

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"holdfast/session/wire"
	"holdfast/transport"
)

// Session is one user's part in one room, kept up through whatever happens to the
// link. Unless said otherwise, methods may be called from any goroutine.
type Session struct {
	opts   Options
	at     server
	key    string
	device string

	keeper *keeper
	out    *outbox
	feed   *feed
	asks   *asks
	wake   chan struct{}

	conn   atomic.Pointer[transport.Conn] // the one that is up, for Redial
	cancel context.CancelCauseFunc
	quit   <-chan struct{} // closed by cancel
	wg     sync.WaitGroup
	ended  chan struct{} // closed when run has ended
	refuse atomic.Bool   // Drain or Close was called: no more lines

	mu       sync.Mutex // guards what follows
	err      error
	status   Status
	consumed point // what the consumer has taken

	members map[string]bool   // as the consumer knows them; the consumer's own
	away    map[string]string // likewise

	// What follows is run's own.
	at0   uint64            // what an earlier session of this slot had shown
	got   point             // where the log goes on
	begun bool              // a server has welcomed the session
	why   error             // the last connection ended
	bases map[string]uint64 // by source: acknowledged in this process
	mine  map[string]bool   // the sources of this session's lines

	// ghosts are hellos that may still reach the server: of connections that were
	// given up before the answer, and one that a killed process may have left.
	ghosts int
}

// Status is where a session stands, for those who show it.
type Status struct {
	State   State
	Attempt int           // Waiting: failed attempts in a row
	RetryAt time.Time     // Waiting: when the next one is due
	Err     error         // Waiting, Closed: why
	Unsent  int           // lines that are not acknowledged
	Stale   int           // lines that the user is asked about: see Options.StaleAfter
	Held    string        // why the server can't store lines just now, as in Held; empty if it can
	Heard   time.Time     // when something last came from the server; zero if never
	RTT     time.Duration // of the last ping on this connection; zero if none
}

// Open starts a session on target, the server's URL (ws://HOST:PORT or wss://HOST).
// It reads and locks the session's slot, and does not wait for the network. It
// fails if an option is malformed (ErrOption) or the slot can't be used. End it with Close or
// Drain.
func Open(target string, opts *Options) (*Session, error) {
	o, err := opts.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrOption, err)
	}
	at, err := locate(target, o.Room, o.Name)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrOption, err)
	}
	if err := makeDir(o.Dir); err != nil {
		return nil, fmt.Errorf("session: make state directory: %w", err)
	}
	key, err := identity(o.Dir, at.host)
	if err != nil {
		return nil, fmt.Errorf("session: %w", err)
	}
	slot, err := openSlot(filepath.Join(o.Dir, at.addr, o.Room, o.Name), o.Fresh)
	if err != nil {
		return nil, fmt.Errorf("session: %w", err)
	}
	state, err := slot.load()
	if err != nil {
		return nil, fmt.Errorf("session: %w", errors.Join(err, slot.db.Close()))
	}
	return start(o, at, key, slot, state), nil
}

func start(o Options, at server, key string, slot *slot, state slotState) *Session {
	s := &Session{
		opts: o, at: at, key: key, device: state.device,
		out: newOutbox(state.lines, o.StaleAfter), feed: newFeed(), asks: newAsks(), wake: make(chan struct{}, 1),
		ended: make(chan struct{}), bases: map[string]uint64{}, mine: map[string]bool{}, ghosts: 1,
	}
	if !o.Fresh {
		s.got, s.consumed, s.at0 = state.point, state.point, state.point.seq
	}
	s.keeper = newKeeper(slot, s.out, &o)
	s.mine[s.keeper.source] = true
	for _, l := range state.lines {
		s.mine[l.ID.Source] = true
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	s.cancel, s.quit = cancel, ctx.Done()
	s.wg.Go(s.keeper.run)
	s.wg.Go(func() {
		defer close(s.ended)
		s.run(ctx)
	})
	s.wg.Go(func() { // a disk that fails ends the session
		select {
		case <-s.keeper.done:
			if s.keeper.err != nil {
				cancel(s.keeper.err)
			}
		case <-s.ended:
		}
	})
	return s
}

// Send puts lines in the outbox, in order and in one durable step: when it returns
// nil they are on disk and will be delivered once, however long that takes. It
// never waits for the network. It returns the first line's ID; the others' numbers
// follow it. If a line is not fit to be sent, the error is a *TextError and none is
// taken. If the outbox has no room for all, none is taken: ErrOutboxFull. After ErrDisk
// nobody knows whether they were.
func (s *Session) Send(lines ...string) (ID, error) { return s.send("", "", lines) }

// SendWait is Send, but waits for room in the outbox until ctx or the session ends.
// More than even an empty outbox takes is refused at once: ErrOutboxFull.
func (s *Session) SendWait(ctx context.Context, lines ...string) (ID, error) {
	for {
		freed := s.out.room()
		id, err := s.Send(lines...)
		if !errors.Is(err, ErrOutboxFull) || !s.keeper.fits(lines, 0, 0) {
			return id, err
		}
		select {
		case <-freed:
		case <-s.ended:
			return ID{}, s.Err()
		case <-ctx.Done():
			return ID{}, fmt.Errorf("wait for room in the outbox: %w", context.Cause(ctx))
		}
	}
}

// SendAction is Send for lines in the manner of /me.
func (s *Session) SendAction(lines ...string) (ID, error) {
	return s.send(wire.KindAction, "", lines)
}

// SendTo is Send for lines that only the user named to is shown, now or when they next
// are in the room. If nobody has that name, the line's Receipt comes with the code
// wire.RefusedUnknown; an older server refuses all of them, as wire.RefusedKind.
func (s *Session) SendTo(to string, lines ...string) (ID, error) {
	name, err := wire.Name(to)
	if err != nil {
		return ID{}, &TextError{Code: wire.RefusedUnknown, Message: err.Error()}
	}
	return s.send(wire.KindPrivate, name, lines)
}

func (s *Session) send(kind, to string, lines []string) (ID, error) {
	if len(lines) == 0 {
		return ID{}, nil
	}
	for _, l := range lines {
		if err := wire.CheckText(l); err != nil {
			return ID{}, err
		}
	}
	if s.refuse.Load() {
		return ID{}, ErrClosed
	}
	select {
	case <-s.ended:
		return ID{}, s.Err()
	default:
	}
	id, err := s.keeper.add(kind, to, lines)
	if err != nil && !errors.Is(err, ErrOutboxFull) && !errors.Is(err, ErrClosed) {
		err = fmt.Errorf("session: %w", err)
	}
	return id, err
}

// Events yields what happens, in order, and ends when the session does; Err then
// says why. There may be one consumer at a time. A slow one delays the connection,
// which may be lost for it, but never loses a line: it will be replayed. One that
// comes late, or breaks off and ranges again, gets every line that it has not had;
// but of more than 1,024 events that come meanwhile, all but lines and gaps are
// forgotten.
//
// A line counts as consumed when the loop asks for the next event or ends, and when
// Close is called meanwhile. After Close there are no more lines; the next session
// has those that are left.
func (s *Session) Events() iter.Seq[Event] {
	return func(yield func(Event) bool) {
		defer s.feed.detach()
		if s.feed.attach() {
			if c := s.conn.Load(); c != nil { // the next one goes on from consumed
				c.Close(transport.CloseCode(wire.Resync.Close), wire.Resync.Word)
			}
		}
		for {
			it, ok := s.feed.take()
			if !ok {
				return
			}
			e := it.Event
			if it.members != nil {
				e = s.meet(it, e.(Presence))
			}
			more := e == nil || yield(e)
			s.take(it)
			if !more {
				return
			}
		}
	}
}

// take notes that the consumer has it.
func (s *Session) take(it item) {
	if it.at == (point{}) {
		return
	}
	s.mu.Lock()
	s.consumed = it.at
	s.mu.Unlock()
	if !it.old {
		s.keeper.notePoint(it.at)
	}
}

// meet completes p with what changed since the consumer was last told who is there,
// and returns nil if that is nothing. So an outage in which nothing changed says
// nothing more than who is here.
func (s *Session) meet(now item, p Presence) Event {
	members := now.members
	for m := range members {
		if !s.members[m] {
			p.Joined = append(p.Joined, m)
		}
	}
	for m := range s.members {
		if !members[m] {
			p.Left = append(p.Left, m)
		}
	}
	s.members = members
	if !maps.Equal(s.away, now.away) {
		p.Away, s.away = now.away, now.away
	}
	if len(p.Here)+len(p.Joined)+len(p.Left) == 0 && p.Away == nil {
		return nil
	}
	slices.Sort(p.Joined)
	slices.Sort(p.Left)
	return p
}

// Messages is Events for those who want the lines alone.
func (s *Session) Messages() iter.Seq[Message] {
	return func(yield func(Message) bool) {
		for e := range s.Events() {
			if m, ok := e.(Message); ok && !yield(m) {
				return
			}
		}
	}
}

// Unsent returns the lines that are stored and not acknowledged, oldest first.
func (s *Session) Unsent() []Line { return s.out.all() }

// Status says where the session stands now.
func (s *Session) Status() Status {
	s.mu.Lock()
	st := s.status
	s.mu.Unlock()
	st.Unsent, _ = s.out.size()
	st.Stale, _ = s.out.stale()
	if c := s.conn.Load(); c != nil {
		st.Heard, st.RTT = c.Heard(), c.RTT()
	}
	return st
}

// Redial ends a wait for the next attempt, or probes the connection if there is one:
// for when the network changed or the user knows better.
func (s *Session) Redial() {
	if c := s.conn.Load(); c != nil {
		c.Probe()
		return
	}
	nudge(s.wake)
}

// Drain takes no more lines, waits until all are acknowledged, and closes the
// session. If ctx or the session ends before that, the error is ErrUnsent and says
// how many are left. It does not wait for the consumer: lines that one too slow
// misses are for the next session.
func (s *Session) Drain(ctx context.Context) error {
	s.refuse.Store(true)
	s.feed.hurry()
	select {
	case <-s.out.empty():
	case <-s.ended:
	case <-ctx.Done():
	}
	return s.Close()
}

// Close leaves the room and ends the session at once. Lines that are not acknowledged
// stay on disk: the error is then ErrUnsent, and says how many. It returns when
// nothing of the session runs any more.
func (s *Session) Close() error {
	s.refuse.Store(true)
	s.cancel(ErrClosed)
	<-s.ended
	if p := s.feed.stop(); p != (point{}) {
		s.keeper.notePoint(p)
	}
	err := s.keeper.close()
	s.wg.Wait()
	if n, _ := s.out.size(); n > 0 {
		err = errors.Join(err, fmt.Errorf("%w: %d", ErrUnsent, n))
	}
	return err
}

// Err says why the session ended: a *RejectedError, ErrClosed after Close, or that its
// state can't be written. It is nil while the session lasts.
func (s *Session) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// Room is the room's name, folded to lower case.
func (s *Session) Room() string { return s.opts.Room }

// Name is the user's name, folded to lower case.
func (s *Session) Name() string { return s.opts.Name }

// Done is closed when the session has ended, by itself or by Close.
func (s *Session) Done() <-chan struct{} { return s.ended }
