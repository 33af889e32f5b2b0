package transport_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"holdfast/transport"
	"holdfast/transport/netsim"
)

// TestWake nudges a wait of an hour at instants since the start.
func TestWake(t *testing.T) {
	for name, c := range map[string]struct{ wakes, dials []time.Duration }{
		"at once":       {seconds(10), seconds(0, 10)},
		"too early":     {seconds(0.5), seconds(0, 2)},
		"twice":         {seconds(10, 10.5), seconds(0, 10, 12)},
		"often":         {seconds(10, 10.5, 10.6, 11, 11.9, 12.1, 12.2, 30), seconds(0, 10, 12, 14, 30)},
		"not any later": {seconds(3599), seconds(0, 3599)},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, nil, func(t *testing.T, n *netsim.Net) {
				wake := make(chan struct{}, 1)
				d := dialling(n, time.Hour)
				d.Wake = wake
				ctx, cancel := context.WithCancel(t.Context())
				start := time.Now()
				var nudger sync.WaitGroup
				nudger.Go(func() {
					for _, at := range c.wakes {
						pass(time.Until(start.Add(at)))
						select {
						case wake <- struct{}{}:
						default:
						}
					}
					sleep(10 * time.Second)
					cancel()
				})
				for range transport.Conns(ctx, "ws://server", &d.Options) {
				}
				nudger.Wait()
				if !slices.Equal(d.at, c.dials) {
					t.Fatalf("dialled at %v, want %v", d.at, c.dials)
				}
			})
		})
	}
}

// TestStaleWake has a wake that came before the attempt which it asked for.
func TestStaleWake(t *testing.T) {
	bubble(t, nil, func(t *testing.T, n *netsim.Net) {
		wake := make(chan struct{}, 1)
		wake <- struct{}{}
		d := dialling(n, seconds(5)...)
		d.Wake = wake
		for _, err := range transport.Conns(t.Context(), "ws://server", &d.Options) {
			if redial(t, err).Attempt == 2 {
				break
			}
		}
		if !slices.Equal(d.at, seconds(0, 5)) {
			t.Fatalf("dialled at %v", d.at)
		}
	})
}

// TestWakeNeverDelays nudges just before the wait is over.
func TestWakeNeverDelays(t *testing.T) {
	bubble(t, nil, func(t *testing.T, n *netsim.Net) {
		wake := make(chan struct{}, 1)
		d := dialling(n, seconds(0.2)...)
		d.Wake = wake
		for _, err := range transport.Conns(t.Context(), "ws://server", &d.Options) {
			wake <- struct{}{}
			if redial(t, err).Attempt == 3 {
				break
			}
		}
		if !slices.Equal(d.at, seconds(0, 0.2, 0.4)) {
			t.Fatalf("dialled at %v", d.at)
		}
	})
}

// TestContextEnds ends the sequence during a dial, a wait, and a connection.
func TestContextEnds(t *testing.T) {
	for name, c := range map[string]struct {
		prepare func(t *testing.T, n *netsim.Net)
		yields  int
	}{
		"dial": {func(_ *testing.T, n *netsim.Net) { n.Partition("server", true) }, 0},
		"wait": {func(*testing.T, *netsim.Net) {}, 1},
		"conn": {func(t *testing.T, n *netsim.Net) { accepting(t, listen(t, n), nil) }, 1},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, nil, func(t *testing.T, n *netsim.Net) {
				c.prepare(t, n)
				ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
				defer cancel()
				d := dialling(n, time.Hour)
				start := time.Now()
				yields := 0
				for conn := range transport.Conns(ctx, "ws://server", &d.Options) {
					yields++
					if conn != nil {
						<-ctx.Done()
						wantAlive(t, conn)
						conn.Close(transport.CloseNormal, "") // waits, as the server does not read
					}
				}
				if yields != c.yields {
					t.Fatalf("%d yields", yields)
				}
				want := 5 * time.Second
				if name == "conn" {
					want += closeTimeout
				}
				after(t, start, want)
				pass(10 * time.Second)
			})
		})
	}
	t.Run("before", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		for range transport.Conns(ctx, "ws://server", nil) {
			t.Fatal("dialled for a context that has ended")
		}
	})
}

// TestBodyLeaves wants the connection closed however the body ends.
func TestBodyLeaves(t *testing.T) {
	for name, body := range map[string]func(n *netsim.Net, d *dials){
		"break": func(_ *netsim.Net, d *dials) {
			for range transport.Conns(context.Background(), "ws://server", &d.Options) {
				break
			}
		},
		"panic": func(_ *netsim.Net, d *dials) {
			defer func() { _ = recover() }()
			for range transport.Conns(context.Background(), "ws://server", &d.Options) {
				panic("body")
			}
		},
		"break at an error": func(n *netsim.Net, d *dials) {
			for conn := range transport.Conns(context.Background(), "ws://server", &d.Options) {
				if conn == nil {
					break
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, nil, func(t *testing.T, n *netsim.Net) {
				conns := accepting(t, listen(t, n), nil)
				d := dialling(n, time.Hour)
				var reader sync.WaitGroup
				reader.Go(func() {
					c := <-conns
					_, err := c.Read()
					wantClosed(t, err, transport.CloseNormal, "")
				})
				start := time.Now()
				body(n, d)
				reader.Wait()
				after(t, start, 0)
				if len(d.at) != 1 {
					t.Fatalf("dialled at %v", d.at)
				}
			})
		})
	}
}

// TestComesBack loses connections in various ways and wants the next one.
func TestComesBack(t *testing.T) {
	bubble(t, nil, func(t *testing.T, n *netsim.Net) {
		conns := accepting(t, listen(t, n), nil)
		d := dialling(n, time.Second)
		lost := 0
		for conn, err := range transport.Conns(t.Context(), "ws://server", &d.Options) {
			if err != nil {
				lost++
				continue
			}
			server, links := <-conns, n.Links()
			ended := read(conn)
			start := time.Now()
			switch lost {
			case 0:
				server.Close(4000, "draining")
				<-ended
				wantClosed(t, conn.Err(), 4000, "draining")
			case 1:
				links[len(links)-1].Reset()
				<-ended
				after(t, start, 0)
			case 2:
				links[len(links)-1].Stall(true, true)
				<-ended
				after(t, start, deadAfter)
				if !errors.Is(conn.Err(), transport.ErrPeerDead) {
					t.Fatal(conn.Err())
				}
			case 3:
				return
			}
		}
	})
}
