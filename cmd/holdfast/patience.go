package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"holdfast/cmd/holdfast/internal/say"
	"holdfast/session"
)

// patience ends a context when the server was out of reach for too long.
type patience struct {
	limit  time.Duration
	timer  *time.Timer // nil: endless
	cancel context.CancelCauseFunc

	mu  sync.Mutex
	why error // why nothing moves
}

// What made a context lose patience.
var (
	errUnreachable = errors.New("server unreachable")
	errHeld        = errors.New(say.HeldText)
)

// newPatience returns a context that ends when the server was out of reach for as long
// as limit, as told by see, or, as told by held, took no lines; a limit of zero
// never ends. Call stop when done.
func newPatience(ctx context.Context, limit time.Duration) (context.Context, *patience) {
	ctx, cancel := context.WithCancelCause(ctx)
	p := &patience{limit: limit, cancel: cancel}
	if limit > 0 {
		p.timer = time.AfterFunc(limit, p.end)
	}
	return ctx, p
}

func (p *patience) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	err, try := p.why, ""
	switch {
	case errors.Is(err, errHeld):
		err = fmt.Errorf("waited %v: %w", p.limit, err)
	case err != nil:
		why := strings.TrimPrefix(describe(err), "can't reach the server: ")
		err, try = fmt.Errorf("%w for %v: %s", errUnreachable, p.limit, why), seeCheck
	default:
		err = fmt.Errorf("%w for %v", errUnreachable, p.limit)
	}
	p.cancel(&exitError{code: exitUnreachable, err: err, try: try})
}

func (p *patience) stop() {
	if p.timer != nil {
		p.timer.Stop()
	}
	p.cancel(nil)
}

func (p *patience) see(e session.StateChange, was session.State) {
	switch up := e.State == session.Online || e.State == session.Resuming; {
	case p.timer == nil:
	case up:
		p.timer.Stop()
	case e.State == session.Waiting:
		p.blame(e.Err)
		if was == session.Online || was == session.Resuming {
			p.timer.Reset(p.limit)
		}
	}
}

// held is told that lines are put off, or no longer. When the connection ends too, see
// begins the time anew.
func (p *patience) held(e session.Held) {
	switch {
	case p.timer == nil:
	case e.Code == "":
		p.timer.Stop()
	default:
		p.blame(errHeld)
		p.timer.Reset(p.limit)
	}
}

func (p *patience) blame(why error) {
	p.mu.Lock()
	p.why = why
	p.mu.Unlock()
}
