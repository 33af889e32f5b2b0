package transport

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/cenkalti/backoff/v4"
)

// Options tunes a connection. A nil *Options and the zero value are ready to use.
// It is only read, and may be shared. Numbers and times below zero count as zero.
type Options struct {
	// Subprotocol is asked for when dialling and offered when accepting. A peer that
	// does not know it connects all the same: ask [Conn.Subprotocol]. Zero means none.
	Subprotocol string

	// Kinds are the kinds of message that the peer may send: Text, Binary, or
	// Text|Binary. They do not limit what is written. Zero means Text.
	Kinds Kind

	// Header is sent with the upgrade request. Zero means nothing but what the
	// upgrade needs. Dial and Conns only.
	Header http.Header

	// Prepare is called before each attempt and may change it: credentials that are
	// renewed, another server's URL. It must return when ctx ends, which
	// DialTimeout sees to. An error fails the attempt, and the *[DialError] wraps it.
	// Zero means that each attempt is like the first. Dial and Conns only.
	Prepare func(ctx context.Context, a *Attempt) error

	// HTTPClient performs the upgrade. Zero means a private client that honours
	// the proxy environment and follows no redirects: see [NewClient]. Dial and Conns only.
	HTTPClient *http.Client

	// Origins are the patterns of origins, besides the server's own host, whose
	// pages may connect. Zero means none. Accept only.
	Origins []string

	// Heartbeat is the time between pings: a dialled Conn pings on this clock, an
	// accepted one only after so much silence. Zero means 10 s.
	Heartbeat time.Duration

	// DeadAfter is how much silence means that the peer is dead. Zero means 25 s.
	DeadAfter time.Duration

	// ProbeTimeout is how long the answer to a probe may take. Zero means 3 s.
	ProbeTimeout time.Duration

	// DialTimeout bounds one attempt, from Prepare up to the finished upgrade. Zero
	// means 10 s.
	DialTimeout time.Duration

	// MessageTimeout bounds one message: from its first frame to its last when
	// reading, the whole write when writing. Zero means 10 s.
	MessageTimeout time.Duration

	// CloseTimeout bounds the close handshake. Zero means 500 ms.
	CloseTimeout time.Duration

	// ReadLimit is the largest message accepted, in bytes. A larger one ends the
	// Conn. Zero means 64 KiB.
	ReadLimit int64

	// StableAfter is how long a Conn must have lived for the backoff to fall back
	// to its start. Zero means 30 s. Conns only.
	StableAfter time.Duration

	// Backoff makes the schedule of waits between attempts, which one goroutine
	// uses. When that says backoff.Stop, Conns ends with [ErrGaveUp]. Zero means
	// [FullJitter], which never does. Conns only.
	Backoff func() backoff.BackOff

	// Retryable is the verdict on the reason, a *[DialError] or a Conn's reason for
	// death, that there is no connection: whether to dial again. Zero means
	// [Retryable]. Conns only.
	Retryable func(error) bool

	// Wake cuts the current wait short with each value that it delivers, but no
	// more often than every two seconds. Zero means never. Conns only.
	Wake <-chan struct{}

	// Observer is told of attempts and of the end of each Conn. Zero means nobody is.
	Observer *Observer

	// Logger gets debug records. Zero discards them.
	Logger *slog.Logger
}

const (
	minDelay  = 100 * time.Millisecond // between two attempts, whatever the schedule says
	minNudged = 2 * time.Second        // between the starts of two attempts, whoever wakes us
)

func (o *Options) withDefaults() Options {
	var d Options
	if o != nil {
		d = *o
	}
	set(&d.Heartbeat, 10*time.Second)
	set(&d.DeadAfter, 25*time.Second)
	set(&d.ProbeTimeout, 3*time.Second)
	set(&d.DialTimeout, 10*time.Second)
	set(&d.MessageTimeout, 10*time.Second)
	set(&d.CloseTimeout, 500*time.Millisecond)
	set(&d.ReadLimit, 64<<10)
	set(&d.StableAfter, 30*time.Second)
	if d.Kinds&(Text|Binary) == 0 {
		d.Kinds = Text
	}
	if d.Retryable == nil {
		d.Retryable = Retryable
	}
	if d.Backoff == nil {
		d.Backoff = FullJitter
	}
	if d.Logger == nil {
		d.Logger = slog.New(slog.DiscardHandler)
	}
	return d
}

// set takes a negative value for zero: a timer would never rest with it.
func set[T ~int64](v *T, def T) {
	if *v <= 0 {
		*v = def
	}
}

// FullJitter waits U[0, min(15 s, 500 ms·2^k)] before attempt k, for ever. Full
// jitter spreads a herd best: 1,000 clients that lost one server come back at no
// more than a few dozen per 100 ms. The library caps the interval before it adds
// the jitter, so half of each with a randomization of 1 gives exactly that.
func FullJitter() backoff.BackOff {
	return backoff.NewExponentialBackOff(
		backoff.WithInitialInterval(250*time.Millisecond),
		backoff.WithMultiplier(2),
		backoff.WithRandomizationFactor(1),
		backoff.WithMaxInterval(7500*time.Millisecond),
		backoff.WithMaxElapsedTime(0), // the library's default gives up for good after 15 minutes
	)
}
