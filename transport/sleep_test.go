package transport_test

import (
	"errors"
	"testing"
	"time"

	"holdfast/transport"
	"holdfast/transport/netsim"
)

// No test can suspend the machine. These move what a clock said at the last look,
// which is the same to all that reads it; that Go's monotonic clock stands still
// in suspend is the operating system's promise.

func TestSleepIsProbed(t *testing.T) {
	for name, c := range map[string]struct {
		slept time.Duration
		probe bool
	}{
		"hour":          {time.Hour, true},
		"three seconds": {3 * time.Second, true},
		"one second":    {time.Second, false},
		"set back":      {-time.Hour, false},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, nil, func(t *testing.T, n *netsim.Net) {
				client, server, link := connect(t, n, nil)
				read(client, server)
				pass(100 * time.Millisecond) // now alive, and heard from
				transport.FallAsleep(client, c.slept)
				pass(10 * time.Second)
				wantAlive(t, client, server)

				link.Stall(true, true)
				heard := client.Heard()
				start := time.Now()
				transport.FallAsleep(client, c.slept)
				at, err := dies(client)
				if !errors.Is(err, transport.ErrPeerDead) {
					t.Fatal(err)
				}
				woke := at.Add(-probeTimeout)
				if quick := woke.Sub(start) >= 0 && woke.Sub(start) <= time.Second; quick != c.probe {
					t.Fatalf("died %v after it slept", at.Sub(start))
				}
				if !c.probe && at.Sub(heard) != deadAfter {
					t.Fatalf("died after %v of silence", at.Sub(heard))
				}
			})
		})
	}
}

func TestSleepCutsTheWait(t *testing.T) {
	for name, c := range map[string]struct{ slept, since, want time.Duration }{
		"awake":            {0, time.Hour, time.Hour},
		"asleep":           {time.Minute, time.Hour, time.Second}, // when it looks at the clocks
		"but not too soon": {time.Minute, 0, 2 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, nil, func(t *testing.T, _ *netsim.Net) {
				start := time.Now()
				transport.PauseAsleep(t.Context(), time.Hour, start.Add(-c.since), c.slept)
				after(t, start, c.want)
			})
		})
	}
}
