package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/urfave/cli/v2"

	"holdfast/cmd/holdfast/internal/ask"
	"holdfast/cmd/holdfast/internal/chat"
	"holdfast/cmd/holdfast/internal/lineui"
	"holdfast/cmd/holdfast/internal/say"
	"holdfast/session"
)

func joinCommand() *cli.Command {
	return &cli.Command{
		Name:      "join",
		Usage:     "chat in a room",
		UsageText: "holdfast join ROOM --as NAME [--server ws://HOST:PORT] [--host]",
		Description: "In a terminal you get a prompt; /help there lists commands. Otherwise each line of\n" +
			"stdin is sent, lines of the room go to stdout, and the end of stdin ends it when all is\n" +
			"stored. With --host the server runs in this process, unless one answers already.",
		Flags: slices.Concat(clientFlags(), serverFlags("With --host"), lookFlags("15:04"), promptFlags(),
			[]cli.Flag{roomFlag(), historyFlag("200"), retryFlag("0s", "never")}),
		Action: join,
	}
}

// promptFlags are those of join alone.
func promptFlags() []cli.Flag {
	return []cli.Flag{
		&cli.BoolFlag{Name: "host", Usage: "run the server too, and keep its data"},
		&cli.BoolFlag{Name: "plain", Usage: "plain lines, also in a terminal"},
		&cli.BoolFlag{Name: "ascii", Usage: "draw with ASCII only; the rule where the locale is not UTF-8"},
		checkedFlag("bell", "ring for: off, mention (your name, and private lines), dm, all", string(chat.Mention), oneOf(chat.Bells...)),
		&cli.StringSliceFlag{Name: "highlight", Usage: "mark lines with `WORD` as if it was your name"},
		checkedFlag("stale-after", "ask before lines are sent that were typed so `LONG` ago; 0s is never", "1h", span),
	}
}

func join(c *cli.Context) (err error) {
	room, err := oneRoom(c)
	if err != nil {
		return err
	}
	if _, err := mustName(c); err != nil {
		if room == "" {
			return usage("which room, and who are you? `holdfast join ROOM --as NAME`")
		}
		return err
	}
	others := func() int { return 0 }
	if c.Bool("host") {
		h, err := hostHere(c)
		if err != nil {
			return err
		}
		who := newTeller(c)
		if h == nil {
			who.say("a server answers at %s already", c.String("server"))
		} else {
			who.say("serving at %s; it ends with this chat", c.String("server"))
			defer func() {
				who.say("stopping the server")
				err = errors.Join(err, h.stop())
			}()
			others = func() int { return h.chat.Users() - 1 }
		}
	}
	ctx, p := newPatience(c.Context, c.Duration("retry-for"))
	defer p.stop()
	if !c.Bool("plain") && isTerminal(c.App.Reader) && isTerminal(c.App.Writer) {
		err := prompt(ctx, c, room, p, others)
		if !errors.Is(err, lineui.ErrUnsupported) {
			return keptWhere(c, err)
		}
		who := newTeller(c)
		who.say("%s: no prompt", describe(err))
	}
	s, closeLog, err := openSession(c, room, func(o *session.Options) { o.Backlog = backlog(c) })
	if err != nil {
		return err
	}
	defer closeLog()
	pipe := &pipe{sender: sender{s: s, teller: newTeller(c), typed: isTerminal(c.App.Reader)}, out: c.App.Writer, level: make(chan struct{})}
	return keptWhere(c, pipe.run(ctx, c.App.Reader, p))
}

// hostHere starts a server at the address that --server names. It returns nil if
// something serves there already.
func hostHere(c *cli.Context) (*host, error) {
	u, err := url.Parse(c.String("server"))
	if err != nil || u.Scheme != "ws" || u.Host == "" {
		return nil, usage("--host serves at --server, which must be ws://HOST:PORT")
	}
	port := u.Port()
	if port == "" {
		port = "80"
	}
	addr := net.JoinHostPort(u.Hostname(), port)
	l, err := net.Listen("tcp", addr)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, hostThere(c, addr)
	}
	if err != nil {
		return nil, &exitError{code: exitFailure, err: fmt.Errorf("host at %s: %w", addr, err), try: "name an address of this machine with --server, or leave --host out"}
	}
	out, closeLog, err := logTo(c.String("log-file")) // the terminal is the chat's
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	h, err := startHost(c, l, slog.New(slog.NewTextHandler(out, nil)))
	if err != nil {
		closeLog()
		return nil, errors.Join(err, l.Close())
	}
	h.closeLog = closeLog
	return h, nil
}

// hostThere returns an error if what has taken addr is no server of ours. One that does
// not answer for now may be: join tries again.
func hostThere(c *cli.Context, addr string) error {
	a, err := newAccess(c)
	if err != nil {
		return err
	}
	a.client.Timeout = 2 * time.Second
	_, err = (&ask.Client{Server: a.server, HTTP: a.client, Header: a.header}).Rooms(c.Context)
	if errors.Is(err, ask.ErrNoAnswer) {
		return &exitError{code: exitFailure, err: fmt.Errorf("host at %s: something listens there that is no Holdfast server", addr), try: "name another port with --server, or leave --host out"}
	}
	return nil
}

// pipe chats without a terminal: lines in, lines out.
type pipe struct {
	sender
	out   io.Writer
	level chan struct{} // closed when all that was said so far is printed
}

func (p *pipe) run(ctx context.Context, in io.Reader, wait *patience) error {
	ctx, p.end = context.WithCancelCause(ctx)
	defer p.end(nil)
	if p.typed {
		p.say("plain lines: each is said to all; Ctrl-D leaves")
	}
	p.wg.Go(func() { p.print(wait) })
	err := p.lines(ctx, in)
	if err == nil { // stdin may have been empty: who asks for history gets it
		select {
		case <-p.level:
		case <-p.s.Done():
		case <-ctx.Done():
			err = context.Cause(ctx)
		}
	}
	return p.finish(ctx, err)
}

// print writes what happens in the room to out until the session ends. If it can't, it
// ends the chat: who reads out may have gone.
func (p *pipe) print(wait *patience) {
	var state session.State
	known := false // who is here
	level := sync.OnceFunc(func() { close(p.level) })
	show := func(lines ...string) {
		for _, l := range lines {
			if err := wrote(fmt.Fprintln(p.out, l)); err != nil {
				p.end(err)
			}
		}
	}
	for e := range p.s.Events() {
		switch e := e.(type) {
		case session.StateChange:
			wait.see(e, state)
			p.tell(e, state)
			if e.State == session.Online {
				level()
			}
			state = e.State
		case session.Message:
			if !e.Own {
				show(say.Message(e)...)
			}
		case session.Presence:
			show(say.Presence(e, p.s.Room(), p.s.Name(), !known)...)
			known = true
		case session.Gap:
			show("* " + say.Gap(e))
		case session.Held:
			wait.held(e)
			p.held(e)
		case session.Receipt:
			p.receipt(e)
		}
	}
}
