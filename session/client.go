package session

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"holdfast/session/wire"
)

// Client is one user at one server: one connection, one file on disk and a few goroutines,
// however many rooms it joins. Each room is a [Session] of its own. For one room [Open] is
// all one needs. Methods may be called from any goroutine.
type Client struct {
	opts   Options
	at     server
	home   home
	id     identity
	device string
	solo   bool // it is there for one session, and ends with it

	keeper *keeper
	found  map[string]*roomState // what the file had of rooms that are yet to be joined; the keeper's
	wake   chan struct{}
	link   atomic.Pointer[link] // the connection that is up
	cancel context.CancelCauseFunc
	quit   context.Context
	wg     sync.WaitGroup
	ended  chan struct{} // closed when run has ended
	all    gather

	mu     sync.Mutex
	rooms  []*Session // that are open, in the order of joining; the first is the door
	closed bool
	door   *Session           // that the connection was made for, or is being made
	leave  context.CancelFunc // ends the dialling for it
	state  StateChange        // of the connection
	some   chan struct{}      // there may be a room

	// What follows is run's own.
	why    error  // why the last connection ended
	dialed string // the host of the last attempt, as in its Host header
}

// NewClient makes a client for target, the server's URL (ws://HOST:PORT or wss://HOST). It
// reads and locks the client's file, and connects when a room is joined. The errors are
// those of [Open]. End it with Close.
func NewClient(target string, opts *Options) (*Client, error) {
	c, err := newClient(target, opts)
	if err != nil {
		return nil, err
	}
	slot, err := c.home.openClient(c.opts.Exclusive)
	if err != nil {
		return nil, fmt.Errorf("session: %w", err)
	}
	if err := c.take(slot); err != nil {
		return nil, err
	}
	c.start()
	return c, nil
}

// Open starts a session in one room, on target, the server's URL (ws://HOST:PORT or
// wss://HOST). It reads and locks the session's slot, and does not wait for the network.
// It fails if an option is malformed (ErrOption), another process has what an Exclusive
// session wants (ErrInUse), or the slot can't be used. End it with Close or Drain.
func Open(target string, opts *Options) (*Session, error) {
	c, err := newClient(target, opts)
	if err != nil {
		return nil, err
	}
	room, err := wire.Name(c.opts.Room)
	if err != nil {
		return nil, fmt.Errorf("%w: room: %w", ErrOption, err)
	}
	slot, err := c.home.openRoom(room, c.opts.Fresh, c.opts.Exclusive)
	if err != nil {
		return nil, fmt.Errorf("session: %w", err)
	}
	c.solo = true
	if err := c.take(slot); err != nil {
		return nil, err
	}
	s := newSession(c, &c.opts, room, ownRoom, cmp.Or(c.found[ownRoom], new(roomState)))
	c.rooms = []*Session{s}
	c.start()
	return s, nil
}

// newClient checks what the user says and finds out who they are.
func newClient(target string, opts *Options) (*Client, error) {
	o, err := opts.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrOption, err)
	}
	at, err := locate(target)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrOption, err)
	}
	if err := makeDir(o.Dir); err != nil {
		return nil, fmt.Errorf("session: make state directory: %w", err)
	}
	id, err := readIdentity(o.Dir, at.host)
	if err != nil {
		return nil, fmt.Errorf("session: %w", err)
	}
	return &Client{
		opts: o, at: at, id: id, home: home{filepath.Join(o.Dir, at.addr), o.Name},
		wake: make(chan struct{}, 1), some: make(chan struct{}, 1), ended: make(chan struct{}),
		all: gather{more: make(chan struct{}, 1)},
	}, nil
}

// take takes over what is in the slot.
func (c *Client) take(slot *slot) error {
	state, err := slot.load()
	if err != nil {
		return fmt.Errorf("session: %w", errors.Join(err, slot.db.Close()))
	}
	c.device, c.found = state.device, state.rooms
	c.keeper = newKeeper(slot, &c.opts)
	return nil
}

// start runs the client until Close.
func (c *Client) start() {
	quit, cancel := context.WithCancelCause(context.Background())
	c.cancel, c.quit = cancel, quit
	c.wg.Go(c.keeper.run)
	c.wg.Go(func() {
		defer close(c.ended)
		c.run(quit)
	})
	c.wg.Go(func() { // a disk that fails ends the client
		select {
		case <-c.keeper.done:
			if c.keeper.err != nil {
				cancel(c.keeper.err)
			}
		case <-c.ended:
		}
	})
}

// Join joins a room and returns its session, as [Open] does. tune may change what the
// client's options say about a room: Backlog, Fresh, ManualCommit, StaleAfter and Window;
// other changes are without effect. The error is ErrOption for a malformed name or a room
// that is joined already, ErrClosed, or that the state can't be read or written.
func (c *Client) Join(room string, tune ...func(*Options)) (*Session, error) {
	name, err := wire.Name(room)
	if err != nil {
		return nil, fmt.Errorf("%w: room: %w", ErrOption, err)
	}
	o := c.opts
	for _, change := range tune {
		change(&o)
	}
	if o, err = o.withDefaults(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrOption, err)
	}
	if c.Session(name) != nil {
		return nil, fmt.Errorf("%w: %s is joined already", ErrOption, name)
	}
	var state *roomState
	err = c.keeper.do(func() (err error) {
		state, err = c.takeIn(name, o.Fresh)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("session: join %s: %w", name, err)
	}
	s := newSession(c, &o, name, name, state)
	if err := c.enter(s); err != nil {
		return nil, err
	}
	return s, nil
}

// Session returns the session of a room that is joined, nil if it is not.
func (c *Client) Session(room string) *Session {
	c.mu.Lock()
	defer c.mu.Unlock()
	if i := slices.IndexFunc(c.rooms, func(s *Session) bool { return strings.EqualFold(s.room, room) }); i >= 0 {
		return c.rooms[i]
	}
	return nil
}

// Name is the user's name, folded to lower case.
func (c *Client) Name() string { return c.opts.Name }

// Drain takes no more lines and no more rooms, waits until all lines are acknowledged, and
// closes the client. If ctx or the client ends before that, the error is ErrUnsent and says
// how many are left. It does not wait for consumers.
func (c *Client) Drain(ctx context.Context) error {
	open := c.shut()
	for _, s := range open {
		s.refuse.Store(true)
	}
	for _, s := range open {
		select {
		case <-s.out.empty():
		case <-s.ended:
		case <-ctx.Done():
		}
	}
	return c.Close()
}

// Close leaves all rooms and ends the client and its sessions at once. Lines that are not
// acknowledged stay on disk: the error is then ErrUnsent, and says how many. It returns
// when nothing of the client runs any more.
func (c *Client) Close() error {
	open := c.shut()
	err := c.end(open)
	unsent := 0
	for _, s := range open {
		n, _ := s.out.size()
		unsent += n
	}
	return errors.Join(err, unsentError(unsent))
}

// shut takes no more rooms, and returns those that are open.
func (c *Client) shut() []*Session {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	return c.rooms
}

// end ends the client, and sessions of it.
func (c *Client) end(open []*Session) error {
	for _, s := range open {
		s.refuse.Store(true)
	}
	c.cancel(ErrClosed)
	<-c.ended
	for _, s := range open {
		s.feed.stop()
	}
	err := c.keeper.close()
	c.wg.Wait()
	return err
}

// unsentError says that n lines are left, nil if none is.
func unsentError(n int) error {
	if n == 0 {
		return nil
	}
	return fmt.Errorf("%w: %d", ErrUnsent, n)
}

// takeIn returns what is known of a room, for the keeper.
func (c *Client) takeIn(room string, fresh bool) (*roomState, error) {
	moved, err := c.home.takeIn(c.keeper.slot, room, fresh)
	if err != nil {
		return nil, err
	}
	state, known := c.found[room]
	c.found[room] = nil // the next time, what the file has is newer
	if moved || known && state == nil {
		now, err := c.keeper.slot.load()
		return now.room(room), err
	}
	return cmp.Or(state, new(roomState)), nil
}

// release writes down what is left of a session that has ended. Its unsent lines go where the
// next session of the room looks for them.
func (c *Client) release(s *Session) error {
	err := c.keeper.do(func() error {
		if n, _ := s.out.size(); n == 0 {
			return nil
		}
		return c.home.giveBack(c.keeper.slot, s.room)
	})
	if errors.Is(err, ErrClosed) { // Close has done it
		return nil
	}
	return err
}

// enter makes s one of the client's rooms.
func (c *Client) enter(s *Session) error {
	if err := c.list(s); err != nil {
		return err
	}
	c.touch(s)
	return nil
}

// list adds s to the rooms.
func (c *Client) list(s *Session) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.closed || c.quit.Err() != nil:
		return ErrClosed
	case slices.ContainsFunc(c.rooms, func(o *Session) bool { return o.room == s.room }):
		return fmt.Errorf("%w: %s is joined already", ErrOption, s.room)
	}
	c.rooms = append(slices.Clip(c.rooms), s)
	if c.door != nil { // or else it is told when that is chosen
		s.setState(c.state)
	}
	nudge(c.some)
	return nil
}

// exit takes s off the list, and reports whether it was on it. The dialling for a door
// that is left goes on for another one.
func (c *Client) exit(s *Session) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := slices.Index(c.rooms, s)
	if i < 0 {
		return false
	}
	c.rooms = slices.Delete(slices.Clone(c.rooms), i, i+1)
	if c.door == s {
		c.leave()
	}
	nudge(c.some)
	return true
}

// open returns the rooms that are open. The result must not be changed.
func (c *Client) open() []*Session {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.rooms
}

// touch has the connection, if there is one, look at what s has to say.
func (c *Client) touch(s *Session) {
	if l := c.link.Load(); l != nil {
		l.touch(s)
	}
}
