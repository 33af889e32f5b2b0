package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"sync"
	"time"

	"github.com/urfave/cli/v2"

	"holdfast/session"
	"holdfast/transport"
)

const defaultServer = "ws://127.0.0.1:8080"

// clientFlags are what all commands need that speak with a server.
func clientFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "as", Aliases: []string{"user_name"}, Usage: "your `NAME`"},
		&cli.StringFlag{Name: "server", Usage: "where the server is, ws://HOST:PORT or wss://HOST", Value: defaultServer},
		&cli.StringFlag{Name: "state", Usage: "keep unsent lines, cursor and identity in `DIR`", DefaultText: "$XDG_STATE_HOME/holdfast"},
		&cli.StringFlag{Name: "log-file", Usage: "append what happens to `FILE`"},
	}
}

func roomFlag() cli.Flag {
	return &cli.StringFlag{Name: "room", Aliases: []string{"chat_room"}, Usage: "the `ROOM`, made when first joined"}
}

func retryFlag(value time.Duration, text string) cli.Flag {
	return &cli.DurationFlag{Name: "retry-for", Usage: "give up after so long without the server", Value: value, DefaultText: text}
}

func historyFlag(value string) cli.Flag {
	return checkedFlag("history", "begin with the last `N` lines, all or none", value, number("all", "none"))
}

// backlog is --history as session.Options has it.
func backlog(c *cli.Context) int {
	switch v := c.String("history"); v {
	case "all":
		return -1
	case "none":
		return 0
	default:
		n, _ := strconv.Atoi(v) // checked when it was set
		return n
	}
}

// openSession opens the session that the flags describe.
func openSession(c *cli.Context, room string, tune func(*session.Options)) (*session.Session, func(), error) {
	name, err := mustName(c)
	if err != nil {
		return nil, nil, err
	}
	if room == "" {
		return nil, nil, usage("which room? name it")
	}
	log, closeLog, err := logTo(c.String("log-file"))
	if err != nil {
		return nil, nil, err
	}
	o := &session.Options{
		Room: room, Name: name, Dir: c.String("state"), Client: clientName(),
		Logger: slog.New(slog.NewTextHandler(log, nil)),
	}
	tune(o)
	s, err := session.Open(c.String("server"), o)
	if err != nil {
		closeLog()
		return nil, nil, openError(err)
	}
	return s, closeLog, nil
}

// openError tells a malformed option, which is usage, from a slot that can't be used.
func openError(err error) error {
	if errors.Is(err, session.ErrOption) {
		return &exitError{code: exitUsage, err: err}
	}
	return err
}

// teller says on stderr how the link is. One goroutine may use it.
type teller struct {
	stderr io.Writer
	since  time.Time // when the connection was lost
}

// tell says on stderr when the link is lost and when it is back.
func (t *teller) tell(e session.StateChange, was session.State) {
	switch {
	case e.State == session.Waiting && e.Attempt == 1 && was != session.Waiting:
		fmt.Fprintf(t.stderr, "holdfast: %s; trying again\n", cleaned(describe(e.Err)))
	case e.State == session.Online && !t.since.IsZero():
		fmt.Fprintf(t.stderr, "holdfast: connected after %s\n", ago(time.Since(t.since)))
	}
	switch e.State {
	case session.Waiting:
		if t.since.IsZero() {
			t.since = time.Now()
		}
	case session.Online:
		t.since = time.Time{}
	}
}

// held says on stderr that the server does not take lines.
func (t *teller) held(e session.Held) {
	if e.Code != "" {
		fmt.Fprintf(t.stderr, "holdfast: %s; lines are kept and tried again\n", heldText)
	}
}

// heldText says what retry with the code storage means.
const heldText = "the server can't store lines just now: its disk may be full"

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
	errHeld        = errors.New(heldText)
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
	err := p.why
	switch {
	case errors.Is(err, errHeld):
		err = fmt.Errorf("waited %v: %w", p.limit, err)
	case err != nil:
		err = fmt.Errorf("%w for %v: %s", errUnreachable, p.limit, describe(err))
	default:
		err = fmt.Errorf("%w for %v", errUnreachable, p.limit)
	}
	p.cancel(&exitError{code: exitUnreachable, err: err})
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

// describeDial says in words why there is no connection.
func describeDial(e *transport.DialError) string {
	return "can't reach the server: " + rootCause(e).Error()
}

func rootCause(err error) error {
	for {
		next := errors.Unwrap(err)
		if next == nil {
			return err
		}
		err = next
	}
}
