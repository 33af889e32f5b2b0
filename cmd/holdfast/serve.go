package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/urfave/cli/v2"

	"holdfast/server"
	"holdfast/server/history"
	"holdfast/server/history/disk"
)

func serveCommand() *cli.Command {
	return &cli.Command{
		Name:      "serve",
		Usage:     "run a server",
		UsageText: "holdfast serve [--listen HOST:PORT] [--data DIR]",
		Description: "Prints `listening on ws://HOST:PORT` on stdout when it is ready; port 0 takes a free\n" +
			"one. Logs to stderr, never what is said. SIGTERM and SIGINT drain it: nobody is let in,\n" +
			"what was taken is stored and acknowledged, clients are told when to come back.",
		Flags: slices.Concat([]cli.Flag{
			checkedFlag("listen", "serve at `HOST:PORT`", "127.0.0.1:8080", check{test: checkListen}),
			levelFlag(),
			&cli.BoolFlag{Name: "hide-rooms", Usage: "list no rooms to those who don't know their names"},
			&cli.StringSliceFlag{Name: "hostname", Usage: "serve only clients that dialled `HOST[:PORT]`, one of several; * is any"},
		}, serverFlags(""), configFlags()),
		Action: serve,
	}
}

// serverFlags are those of serve and of join --host, whose help sets them apart.
func serverFlags(category string) []cli.Flag {
	flags := []cli.Flag{
		&cli.StringFlag{Category: category, Name: "data", Usage: "keep rooms and names in `DIR`", DefaultText: "$XDG_DATA_HOME/holdfast"},
	}
	for _, f := range []*cli.GenericFlag{
		checkedFlag("heartbeat", "ping after `TIME` of silence", "10s", someSpan),
		checkedFlag("dead-after", "`TIME` of silence means dead", "25s", someSpan),
		checkedFlag("linger", "a user whose link was lost stays a member for `TIME`", "1m", span),
		checkedFlag("hello-timeout", "a new connection must say hello within `TIME`", "10s", someSpan),
		checkedFlag("drain-for", "on SIGTERM take no longer than `TIME`", "12s", span),
		checkedFlag("name-ttl", "a name that is not used for `TIME` is free again", "720h", someSpan),
		checkedFlag("history-age", "drop lines older than `TIME`; 0s is never", "0s", span),
		checkedFlag("history-lines", "keep the newest `N` lines of each room; 0 is all", "0", number()),
	} {
		f.Category = category
		flags = append(flags, f)
	}
	return flags
}

func serve(c *cli.Context) error {
	if err := noArgs(c); err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(c.App.ErrWriter, &slog.HandlerOptions{Level: logLevel(c)}))
	l, err := net.Listen("tcp", c.String("listen"))
	if err != nil {
		return &exitError{code: exitFailure, err: err, try: "choose another address with --listen"}
	}
	h, err := startHost(c, l, log)
	if err != nil {
		return errors.Join(err, l.Close())
	}
	fmt.Fprintf(c.App.Writer, "listening on ws://%s\n", l.Addr())
	select {
	case <-c.Context.Done():
		log.Info("draining", "cause", context.Cause(c.Context))
	case <-h.failed():
	}
	return h.stop()
}

// host is a running server: the chat, its store and its listener.
type host struct {
	chat  *server.Server
	store history.Store
	http  *http.Server
	drain time.Duration
	wg    sync.WaitGroup // http.Serve

	closeLog func() // nil if the log is not ours
}

// startHost serves on l.
func startHost(c *cli.Context, l net.Listener, log *slog.Logger) (*host, error) {
	o, err := serverOptions(c)
	if err != nil {
		return nil, err
	}
	dir, err := dataDir(c)
	if err != nil {
		return nil, err
	}
	store, err := disk.Open(dir, &disk.Options{Logger: log})
	if err != nil {
		return nil, err
	}
	o.Store, o.Logger = store, log
	h := &host{store: store, drain: c.Duration("drain-for"), chat: server.New(o)}
	var protocols http.Protocols
	protocols.SetHTTP1(true) // HTTP/2 can't be upgraded
	h.http = &http.Server{
		Handler: h.chat, Protocols: &protocols,
		ReadHeaderTimeout: 5 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 8 << 10,
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	h.wg.Go(func() { _ = h.http.Serve(l) }) // until stop closes it
	return h, nil
}

// serverOptions are the flags as server.New has them, but for store and log.
func serverOptions(c *cli.Context) (*server.Options, error) {
	if c.Duration("dead-after") <= c.Duration("heartbeat") {
		return nil, usage("--dead-after must be more than --heartbeat")
	}
	linger := c.Duration("linger")
	if linger == 0 {
		linger = -1 // to the library zero is the default
	}
	return &server.Options{
		Heartbeat: c.Duration("heartbeat"), DeadAfter: c.Duration("dead-after"),
		Linger: linger, HelloTimeout: c.Duration("hello-timeout"), NameTTL: c.Duration("name-ttl"),
		HideRooms: c.Bool("hide-rooms"), Hosts: c.StringSlice("hostname"),
		Keep: history.Retention{Age: c.Duration("history-age"), Lines: c.Int("history-lines")},
	}, nil
}

// failed is closed when the server can't go on.
func (h *host) failed() <-chan struct{} { return h.chat.Failed() }

// stop drains the server and closes its store.
func (h *host) stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), h.drain)
	defer cancel()
	var failed error
	select {
	case <-h.failed():
		failed = fmt.Errorf("store failed: %w", h.store.Err())
	default:
	}
	err := h.chat.Shutdown(ctx)
	err = errors.Join(failed, err, h.http.Close())
	h.wg.Wait()
	if h.closeLog != nil {
		defer h.closeLog()
	}
	if failed != nil {
		return err // a store that failed must not be touched again
	}
	return errors.Join(err, h.store.Close())
}

// dataDir is where the server keeps its data: --data, or the user's place for it.
func dataDir(c *cli.Context) (string, error) {
	if dir := c.String("data"); dir != "" {
		return dir, nil
	}
	if dir := os.Getenv("XDG_DATA_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "holdfast"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", usage("no home directory for the data: name one with --data")
	}
	return filepath.Join(home, ".local", "share", "holdfast"), nil
}
