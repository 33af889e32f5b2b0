package transport

import (
	"context"
	"net"
	"net/http"
	"time"
)

// WholeFrames is exported for tests.
var WholeFrames = wholeFrames

// PrivateClient is the default client, but that it dials elsewhere.
func PrivateClient(dial func(ctx context.Context, network, addr string) (net.Conn, error)) *http.Client {
	c := *privateClient
	t := c.Transport.(*http.Transport).Clone()
	t.DialContext = dial
	c.Transport = t
	return &c
}

// Tick is a call of c's timer that came just now.
func Tick(c *Conn) { c.beat.tick() }

// FallAsleep makes c believe that its machine was suspended for d: as after a
// real sleep, the wall clock is ahead of what the monotonic one has counted.
func FallAsleep(c *Conn, d time.Duration) {
	c.beat.turn <- struct{}{}
	c.beat.clocks.wall = c.beat.clocks.wall.Add(-d)
	<-c.beat.turn
}

// PauseAsleep is the wait of Conns on a machine that is suspended for slept just
// after it began.
func PauseAsleep(ctx context.Context, delay time.Duration, started time.Time, slept time.Duration) {
	watch := newClocks()
	watch.wall = watch.wall.Add(-slept)
	pause(ctx, delay, started, nil, watch)
}
