package session

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v4"

	"holdfast/session/wire"
	"holdfast/transport"
)

// Options says who chats where, and tunes the session. Name must be set, and for [Open]
// also Room; of all else the zero value is ready to use. For [NewClient] the fields about
// a room hold for each room that is joined.
type Options struct {
	Room string // letters, digits, "-" and "_"; at most wire.MaxName; case does not count
	Name string // likewise

	// Dir is where lines, cursors and the identity key are kept, on a disk that
	// honours fsync. Zero means [DefaultDir].
	Dir string

	// Backlog is how many lines of history to begin with, -1 for all. Those that
	// an earlier session in this slot has consumed come with Message.Seen. Zero means
	// only what was missed since then, and for a first session what is said from now on.
	Backlog int

	// Fresh neither uses nor moves the slot's cursor: the session begins with
	// Backlog lines, as if for the first time.
	Fresh bool

	// ManualCommit consumes lines by [Session.Commit] and [Session.Reply] alone, for a program
	// that has to finish with a line before it counts as consumed. Zero means that a
	// line is consumed when the next one is asked for.
	ManualCommit bool

	// Exclusive lets no two processes with the same Dir be this user in the room at
	// once, or for [NewClient] at this server: Open then fails with ErrInUse. Zero means
	// that each of them is told all lines, and has its own cursor.
	Exclusive bool

	// Window is how many lines may wait in memory for the consumer. The server is asked
	// for more as they are consumed. Zero means 1,024.
	Window int

	// MaxLines and MaxBytes bound the outbox of a room; when it is full, Send refuses. Zero
	// means 10,000 lines and 8 MiB.
	MaxLines int
	MaxBytes int

	// HTTPClient and Header are for the upgrade request. Zero means
	// transport.Options' defaults.
	HTTPClient *http.Client
	Header     http.Header

	// Prepare is called before each attempt to connect and may change it, for an access
	// token that is renewed: see transport.Options. It may change the URL's host, but not
	// its path, which says room and user. Zero means that each attempt is like the first.
	Prepare func(ctx context.Context, a *transport.Attempt) error

	// Retryable is the verdict on why there is no connection: whether to dial again, or
	// end the session with a RejectedError. It is for a place where a 401 or 403 comes from a
	// gateway and passes. What the server says in its own frames is not put to it. Zero
	// means transport.Retryable.
	Retryable func(error) bool

	// StaleAfter is the age from which a line that could not be sent is not sent
	// without being asked: when there is a connection again, a Stale event tells of
	// it, and nothing goes out until Release or Discard. Zero means never to ask.
	StaleAfter time.Duration

	// Heartbeat and DeadAfter hold until the server has said its own. Zero means
	// transport.Options' defaults.
	Heartbeat, DeadAfter time.Duration

	// AckTimeout is how long an ack may take before the link is doubted and
	// probed. Zero means 3 s.
	AckTimeout time.Duration

	// Backoff makes the schedule of redials; when that says backoff.Stop, the session ends
	// with transport.ErrGaveUp. Zero means transport.FullJitter, which never does.
	Backoff func() backoff.BackOff

	// Client names the program to the server, for its log; at most 64 bytes.
	Client string

	// Logger gets state changes and trouble, never what is said. Zero discards.
	Logger *slog.Logger
}

// DefaultDir is the user's place for state: $XDG_STATE_HOME/holdfast, or
// ~/.local/state/holdfast, or on Windows a folder in %LocalAppData%.
func DefaultDir() (string, error) {
	if dir := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "holdfast"), nil
	}
	if dir := os.Getenv("LocalAppData"); dir != "" {
		return filepath.Join(dir, "holdfast"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("find state directory: %w; name one", err)
	}
	return filepath.Join(home, ".local", "state", "holdfast"), nil
}

func (o *Options) withDefaults() (Options, error) {
	var d Options
	if o != nil {
		d = *o
	}
	var err error
	if d.Name, err = wire.Name(d.Name); err != nil {
		return d, fmt.Errorf("user: %w", err)
	}
	if d.Dir == "" {
		if d.Dir, err = DefaultDir(); err != nil {
			return d, err
		}
	}
	if d.Backlog < -1 || len(d.Client) > wire.MaxID || d.MaxLines < 0 || d.MaxBytes < 0 || d.AckTimeout < 0 || d.Window < 0 {
		return d, errors.New("out of range: Backlog, Client, MaxLines, MaxBytes, AckTimeout or Window")
	}
	set(&d.MaxLines, 10_000)
	set(&d.MaxBytes, 8<<20)
	set(&d.AckTimeout, 3*time.Second)
	set(&d.Window, 1024)
	if d.Logger == nil {
		d.Logger = slog.New(slog.DiscardHandler)
	}
	d.Logger = d.Logger.With("user", d.Name)
	return d, nil
}

func set[T comparable](v *T, def T) {
	var zero T
	if *v == zero {
		*v = def
	}
}

func (o *Options) transport(wake <-chan struct{}) *transport.Options {
	return &transport.Options{
		Subprotocol: wire.Subprotocol,
		Header:      o.Header,
		HTTPClient:  o.HTTPClient,
		Retryable:   o.Retryable,
		Heartbeat:   o.Heartbeat,
		DeadAfter:   o.DeadAfter,
		ReadLimit:   wire.MaxToClient,
		Backoff:     o.Backoff,
		Wake:        wake,
		Logger:      o.Logger,
	}
}

// server is where a session's server is found.
type server struct {
	url  *url.URL
	addr string // host and port, the name of the slots' folder
	host string // whom the identity is for
}

// room is the URL of a room and user.
func (s server) room(room, user string) string { return s.url.JoinPath("chat", room, user).String() }

// locate checks the server's URL.
func locate(target string) (server, error) {
	u, err := url.Parse(target)
	if err != nil || u.Scheme != "ws" && u.Scheme != "wss" || u.Hostname() == "" {
		return server{}, fmt.Errorf("server %q: want ws://HOST:PORT or wss://HOST", target)
	}
	if u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return server{}, fmt.Errorf("server %q: want no user, query or fragment", target)
	}
	port := cmp.Or(u.Port(), usualPort[u.Scheme])
	host := strings.ToLower(u.Hostname())
	if ip := net.ParseIP(host); host == "localhost" || ip != nil && ip.IsLoopback() {
		host = "localhost" // by whichever of its names
	}
	addr := host + "_" + port + strings.TrimRight(u.Path, "/")
	return server{u, url.PathEscape(strings.ReplaceAll(addr, ":", "_")), host}, nil
}

var usualPort = map[string]string{"ws": "80", "wss": "443"}

// hostHeader is what a request to u has as Host.
func hostHeader(u *url.URL) string {
	host := strings.ToLower(u.Host)
	if u.Port() == usualPort[u.Scheme] {
		host = strings.TrimSuffix(host, ":"+u.Port())
	}
	return host
}
