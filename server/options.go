package server

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"holdfast/server/history"
	"holdfast/transport"
)

// Options tunes a server. A nil *Options and the zero value are ready to use.
type Options struct {
	// Store keeps rooms and names. The caller closes it after Shutdown. Zero means
	// a store in memory, which forgets all when the process ends.
	Store history.Store

	// Heartbeat is how much silence makes the server ping a client, and the time
	// between a client's own pings. Zero means 10 s.
	Heartbeat time.Duration

	// DeadAfter is how much silence means that a client is dead. Zero means 25 s.
	DeadAfter time.Duration

	// Linger is how long a user whose connection was lost stays a member of the
	// room. Zero means 60 s; negative means not at all.
	Linger time.Duration

	// HelloTimeout is how long a new connection may take to send its hello, and how
	// long one may live that is in no room any more. Zero means 10 s.
	HelloTimeout time.Duration

	// Authorize says who may come into a room, as whom, and what for: for each
	// connection before the upgrade, for the room of its path; and again, with the same
	// request, for each other room that it joins. Names are in lower case. Zero lets
	// everybody in who has the key of their name.
	//
	// Later the request's body is empty, and its context has no values and ends with the
	// connection. A refusal is told before the upgrade as an HTTP status, later as the end
	// of that room's part: see [Refusal]. Who only reads over HTTP, without joining, is
	// asked about with an empty name, for the list of rooms with an empty room as well;
	// the Identity does not count then.
	//
	// It is called from many goroutines at once, without any lock, and may call the
	// Server's methods. It holds up only the connection that asks.
	Authorize func(r *http.Request, room, name string) (Grant, error)

	// Accept is asked about each line before it is stored, private ones too. An error
	// refuses the line for good, and the client is told its text, of which 500 bytes
	// count; after a restart it is told other words. Zero accepts all lines.
	//
	// It is called where the sender's connection is read, without any lock, with a
	// context that ends with that connection: it holds up that sender only, but after
	// some 5 s a client takes a connection on which nothing comes for dead. After the
	// context has ended an error refuses nothing. A line is asked about again if it was
	// not stored, but never after it was. Lines of Server.Say are not asked about, nor
	// are lines that are refused in any case.
	Accept func(ctx context.Context, l Line) error

	// Observer is told what happens. Zero tells nobody.
	Observer *Observer

	// Hosts are the names under which clients reach this server, as in the Host header:
	// a hello that was signed for another one is refused, so that nobody can use here
	// what a user said elsewhere. A name without a port stands for any port; "*" is
	// any host. Zero means that the request's Host or X-Forwarded-Host is believed.
	Hosts []string

	// MaxRooms is how many rooms one connection may be in. Zero means 4096.
	MaxRooms int

	// NameTTL is how long an unused name stays its owner's. Zero means 30 days.
	NameTTL time.Duration

	// Keep says which lines to keep. Zero means all.
	Keep history.Retention

	// InFlight is how many unacknowledged lines a client may have on their way.
	// Zero means 256.
	InFlight int

	// PresenceDelay is how long joins and leaves are collected before they are
	// announced together. Zero means 200 ms.
	PresenceDelay time.Duration

	// HideRooms keeps to itself which rooms there are; who knows a room's name can
	// still ask for it.
	HideRooms bool

	// Origins are the patterns of origins, besides the server's own host, whose
	// web pages may connect. Zero means none.
	Origins []string

	// Logger gets joins, leaves and trouble, never what is said. Zero discards.
	Logger *slog.Logger
}

const (
	tidyEvery    = time.Minute // how often retention is applied
	touchEvery   = time.Hour   // how often the claims of connected users are renewed
	spreadAtMin  = 2 * time.Second
	spreadPerSec = 200 // how many clients a restarted server should see per second
)

func (o *Options) withDefaults() Options {
	var d Options
	if o != nil {
		d = *o
	}
	set(&d.Heartbeat, 10*time.Second)
	set(&d.DeadAfter, 25*time.Second)
	set(&d.Linger, time.Minute)
	set(&d.HelloTimeout, 10*time.Second)
	set(&d.NameTTL, 30*24*time.Hour)
	set(&d.InFlight, 256)
	set(&d.MaxRooms, 4096)
	set(&d.PresenceDelay, 200*time.Millisecond)
	if d.Logger == nil {
		d.Logger = slog.New(slog.DiscardHandler)
	}
	return d
}

func set[T comparable](v *T, def T) {
	var zero T
	if *v == zero {
		*v = def
	}
}

func (o *Options) transport(subprotocol string, limit int64) *transport.Options {
	return &transport.Options{
		Subprotocol: subprotocol,
		Origins:     o.Origins,
		Heartbeat:   o.Heartbeat,
		DeadAfter:   o.DeadAfter,
		ReadLimit:   limit,
	}
}
