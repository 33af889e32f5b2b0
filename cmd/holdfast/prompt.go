package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/urfave/cli/v2"

	"holdfast/cmd/holdfast/internal/ask"
	"holdfast/cmd/holdfast/internal/chat"
	"holdfast/cmd/holdfast/internal/lineui"
	"holdfast/session"
	"holdfast/session/wire"
)

// prompt chats in the terminal. others counts those who are without a server when it
// ends. The error is lineui.ErrUnsupported, and nothing has happened, where lines can't be
// edited.
func prompt(ctx context.Context, c *cli.Context, room string, wait *patience, others func() int) (err error) {
	var talk *chat.Chat
	out := c.App.Writer // before the UI has os.Stdout point elsewhere
	ascii := c.Bool("ascii") || !isUTF8(os.Getenv)
	ui, err := lineui.New(&lineui.Options{
		PromptWidth: chat.PromptWidth, ASCII: ascii,
		Complete: func(line string, pos int) (string, []string, string) { return talk.Complete(line, pos) },
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, ui.Close()) }()
	a, err := newAccess(c)
	if err != nil {
		return err
	}
	rooms := &ask.Client{Server: a.server, HTTP: a.client, Header: a.header}
	client, s, closeLog, err := openClient(c, room, func(o *session.Options) {
		o.Backlog, o.StaleAfter = backlog(c), c.Duration("stale-after")
	})
	if err != nil {
		return err
	}
	defer closeLog()
	defer func() { err = errors.Join(err, client.Close()) }()
	dir, err := stateHere(c)
	if err == nil {
		talk, err = chat.New(s, chat.Options{
			Open: func(room string) (*session.Session, error) { return client.Join(room) }, Describe: describe, Nearest: nearest, See: wait.follow, Rooms: rooms.Rooms, Others: others,
			Version: fmt.Sprintf("holdfast %s, protocol %s", version(), wire.Subprotocol), Dir: dir,
			Look: newLook(c, out), ASCII: ascii,
			Bell: chat.Bell(c.String("bell")), Highlight: c.StringSlice("highlight"),
		})
	}
	if err != nil {
		return errors.Join(err, s.Close())
	}
	// Ctrl-C is a key while a line is edited. For the moment between two lines the
	// terminal makes a signal of it, which must not mean more.
	signal.Ignore(syscall.SIGINT)
	defer signal.Reset(syscall.SIGINT)
	return talk.Run(ctx, ui)
}

// follow is see and held for who has all events.
func (p *patience) follow(e session.Event, was session.State) {
	switch e := e.(type) {
	case session.StateChange:
		p.see(e, was)
	case session.Held:
		p.held(e)
	}
}

// isUTF8 reports whether the locale has UTF-8, as the variables tell.
func isUTF8(env func(string) string) bool {
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if v := strings.ToLower(env(name)); v != "" {
			return strings.Contains(v, "utf-8") || strings.Contains(v, "utf8")
		}
	}
	return false
}
