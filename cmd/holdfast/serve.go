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
	"sync"
	"time"

	"github.com/urfave/cli/v2"

	"holdfast/server"
	"holdfast/server/history"
)

func serveCommand() *cli.Command {
	return &cli.Command{
		Name:      "serve",
		Usage:     "run a server",
		UsageText: "holdfast serve [--listen HOST:PORT] [--data DIR]",
		Description: "Prints `listening on ws://HOST:PORT` on stdout when it is ready; port 0 takes a free\n" +
			"one. Logs to stderr, never what is said. SIGTERM and SIGINT drain it: nobody is let in,\n" +
			"what was taken is stored and acknowledged, clients are told when to come back.",
		Flags: append(serverFlags(""),
			&cli.StringFlag{Name: "listen", Usage: "serve at `HOST:PORT`", Value: "127.0.0.1:8080"},
			&cli.StringFlag{Name: "log-level", Usage: "debug, info, warn or error", Value: "info"},
		),
		Action: serve,
	}
}

// serverFlags are those of serve and of join --host, whose help sets them apart.
func serverFlags(category string) []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Category: category, Name: "data", Usage: "keep rooms and names in `DIR`", DefaultText: "$XDG_DATA_HOME/holdfast"},
		&cli.DurationFlag{Category: category, Name: "heartbeat", Usage: "ping after so much silence", Value: 10 * time.Second},
		&cli.DurationFlag{Category: category, Name: "dead-after", Usage: "so much silence means dead", Value: 25 * time.Second},
		&cli.DurationFlag{Category: category, Name: "linger", Usage: "a user whose link was lost stays a member so long", Value: time.Minute},
		&cli.DurationFlag{Category: category, Name: "hello-timeout", Usage: "a new connection must say hello within", Value: 10 * time.Second},
		&cli.DurationFlag{Category: category, Name: "drain-for", Usage: "on SIGTERM take no longer than", Value: 12 * time.Second},
		&cli.DurationFlag{Category: category, Name: "name-ttl", Usage: "a name not used for so long is free again", Value: 30 * 24 * time.Hour},
		&cli.DurationFlag{Category: category, Name: "history-age", Usage: "drop lines older than this", DefaultText: "never"},
		&cli.IntFlag{Category: category, Name: "history-lines", Usage: "keep the newest `N` lines of each room", DefaultText: "all"},
	}
}

func serve(c *cli.Context) error {
	if err := noArgs(c); err != nil {
		return err
	}
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.String("log-level"))); err != nil {
		return usage("--log-level %q: want debug, info, warn or error", c.String("log-level"))
	}
	log := slog.New(slog.NewTextHandler(c.App.ErrWriter, &slog.HandlerOptions{Level: level}))
	l, err := net.Listen("tcp", c.String("listen"))
	if err != nil {
		return &exitError{code: exitFailure, err: fmt.Errorf("listen: %w", err), try: "choose another address with --listen"}
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
	if c.Int("history-lines") < 0 || c.Duration("history-age") < 0 {
		return nil, usage("--history-lines and --history-age can't be negative")
	}
	if c.Duration("heartbeat") <= 0 || c.Duration("dead-after") <= c.Duration("heartbeat") {
		return nil, usage("--heartbeat must be more than zero, and --dead-after more than that")
	}
	dir, err := dataDir(c)
	if err != nil {
		return nil, err
	}
	store, err := history.OpenDisk(dir, &history.DiskOptions{Logger: log})
	if err != nil {
		return nil, err
	}
	linger := c.Duration("linger")
	if linger == 0 {
		linger = -1 // to the library zero is the default
	}
	h := &host{store: store, drain: c.Duration("drain-for")}
	h.chat = server.New(&server.Options{
		Store: store, Logger: log,
		Heartbeat: c.Duration("heartbeat"), DeadAfter: c.Duration("dead-after"),
		Linger: linger, HelloTimeout: c.Duration("hello-timeout"), NameTTL: c.Duration("name-ttl"),
		Keep: history.Retention{Age: c.Duration("history-age"), Lines: c.Int("history-lines")},
	})
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
