package chat

import (
	"context"
	"errors"
	"sync"
	"time"

	"holdfast/cmd/holdfast/internal/look"
	"holdfast/session"
)

// Chat is one user's chat on one terminal. Its methods are for join; only Complete may
// be called while Run runs.
type Chat struct {
	o     Options
	term  Terminal
	signs signs

	wg      sync.WaitGroup // all goroutines of Run
	closing chan struct{}  // closed when the user leaves
	changed chan struct{}  // prompt or status rows are not up to date

	typing typing // the own state of Run's goroutine

	mu      sync.Mutex // guards what follows
	rooms   []*room    // in the order of joining; never empty
	here    *room      // where typed lines go
	failed  error      // why the last room ended by itself
	outage  *outage    // nil: all rooms are level
	day     string     // of the last line printed
	caller  caller     // whom /reply answers
	bell    Bell
	ignored *ignoreList
	away    string // why the user is, empty if not

	toldAway map[string]string // why somebody is, as the user was told last
}

// New makes a chat that begins in first's room. Run has to follow: it closes first.
func New(first *session.Session, o Options) (*Chat, error) {
	ignored, err := openIgnoreList(o.Dir)
	if err != nil {
		return nil, err
	}
	if o.Bell == "" {
		o.Bell = Mention
	}
	if o.See == nil {
		o.See = func(session.Event, session.State) {}
	}
	if o.Others == nil {
		o.Others = func() int { return 0 }
	}
	r := newRoom(first)
	return &Chat{
		o: o, signs: signsFor(o.ASCII), ignored: ignored, closing: make(chan struct{}), changed: make(chan struct{}, 1),
		rooms: []*room{r}, here: r, bell: o.Bell, toldAway: map[string]string{},
	}, nil
}

// Run chats on term until the user leaves, ctx ends or the last session does. It
// returns when all sessions are closed and nothing of the chat runs any more. The error
// is the cause of ctx, why the server would not have the user, or session.ErrUnsent.
func (c *Chat) Run(ctx context.Context, term Terminal) error {
	c.term = term
	stop := context.AfterFunc(ctx, term.Abort)
	defer stop()
	c.loadTyped()
	c.follow(c.here)
	c.wg.Go(c.refresh)
	c.read(ctx)
	err := c.leave(ctx)
	c.wg.Wait()
	return c.verdict(ctx, err)
}

// verdict is Run's error, when all has ended with err.
func (c *Chat) verdict(ctx context.Context, err error) error {
	c.mu.Lock()
	failed := c.failed
	c.mu.Unlock()
	switch {
	case failed != nil && !errors.Is(failed, session.ErrClosed):
		return errors.Join(failed, err)
	case context.Cause(ctx) != nil && !errors.Is(err, session.ErrUnsent):
		return context.Cause(ctx)
	}
	return err
}

// leave gives lines on their way a moment, if they are, and closes all sessions.
func (c *Chat) leave(ctx context.Context) error {
	close(c.closing)
	c.term.SetStatus()
	c.term.SetPrompt("leaving...")
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaveTime)
	defer cancel()
	rooms := c.open()
	errs := make([]error, len(rooms))
	var wg sync.WaitGroup
	for i, r := range rooms {
		wg.Go(func() {
			if c.typing.now || r.s.Status().State != session.Online {
				errs[i] = r.s.Close()
			} else {
				errs[i] = r.s.Drain(ctx)
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// leaving reports whether the user leaves.
func (c *Chat) leaving() bool {
	select {
	case <-c.closing:
		return true
	default:
		return false
	}
}

// open returns the rooms that are open.
func (c *Chat) open() []*room {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]*room(nil), c.rooms...)
}

// current returns the room where typed lines go.
func (c *Chat) current() *room {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.here
}

// asking is meanwhile for a question to the server. Who has waited for a while is told
// that it is not the chat that is slow.
func (c *Chat) asking(f func(ctx context.Context)) {
	c.meanwhile(askTime, func(ctx context.Context) {
		slow := time.AfterFunc(slowAnswer, func() { c.note(look.Dim, "waiting for the server...") })
		defer slow.Stop()
		f(ctx)
	})
}

// meanwhile runs f, which must end with its context, while the user goes on typing.
func (c *Chat) meanwhile(limit time.Duration, f func(ctx context.Context)) {
	c.wg.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), limit)
		defer cancel()
		c.wg.Go(func() {
			select {
			case <-c.closing:
				cancel()
			case <-ctx.Done():
			}
		})
		f(ctx)
	})
}
