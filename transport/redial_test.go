package transport_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/cenkalti/backoff/v4"

	"holdfast/transport"
	"holdfast/transport/netsim"
)

// schedule is a backoff that says what the test wants; the last wait repeats.
type schedule struct {
	waits []time.Duration
	next  int
}

func (s *schedule) Reset() { s.next = 0 }

func (s *schedule) NextBackOff() time.Duration {
	s.next++
	return s.waits[min(s.next, len(s.waits))-1]
}

// dials are options that dial through n by a schedule and note when.
type dials struct {
	transport.Options
	at []time.Duration // since it was made
}

func dialling(n *netsim.Net, waits ...time.Duration) *dials {
	d := &dials{}
	start := time.Now()
	d.Backoff = func() backoff.BackOff { return &schedule{waits: waits} }
	d.HTTPClient = &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			d.at = append(d.at, time.Since(start))
			return n.DialContext(ctx, network, addr)
		},
	}}
	return d
}

// redial returns what Conns said before it waited.
func redial(t *testing.T, err error) *transport.RedialError {
	t.Helper()
	var e *transport.RedialError
	if !errors.As(err, &e) {
		t.Fatalf("%T: %v", err, err)
	}
	return e
}

func seconds(s ...float64) (ds []time.Duration) {
	for _, x := range s {
		ds = append(ds, time.Duration(x*float64(time.Second)))
	}
	return ds
}

func TestSchedule(t *testing.T) {
	for name, c := range map[string]struct{ waits, dials []time.Duration }{
		"exact":  {seconds(1, 2, 4, 0.5, 3600), seconds(0, 1, 3, 7, 7.5, 3607.5, 7207.5)},
		"floor":  {seconds(0, 0, 0.05, -2, 0.1, 0.2), seconds(0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 0.9)},
		"steady": {seconds(15), seconds(0, 15, 30, 45)},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, nil, func(t *testing.T, n *netsim.Net) {
				d := dialling(n, c.waits...)
				attempt := 0
				for conn, err := range transport.Conns(t.Context(), "ws://server", &d.Options) {
					e := redial(t, err)
					attempt++
					want := max(c.waits[min(attempt, len(c.waits))-1], 100*time.Millisecond)
					if conn != nil || e.Attempt != attempt || e.RetryIn != want || !errors.Is(e, syscall.ECONNREFUSED) {
						t.Fatalf("%+v", e)
					}
					if attempt == len(c.dials) {
						break
					}
				}
				if !slices.Equal(d.at, c.dials) {
					t.Fatalf("dialled at %v, want %v", d.at, c.dials)
				}
			})
		})
	}
}

func TestNeverGivesUp(t *testing.T) {
	bubble(t, nil, func(t *testing.T, n *netsim.Net) {
		d := dialling(n)
		d.Backoff = nil
		ctx, cancel := context.WithTimeout(t.Context(), 24*time.Hour)
		defer cancel()
		last := 0
		for _, err := range transport.Conns(ctx, "ws://server", &d.Options) {
			e := redial(t, err)
			if last++; e.Attempt != last || e.RetryIn < 100*time.Millisecond || e.RetryIn > 15*time.Second {
				t.Fatalf("%+v", e)
			}
		}
		if lowest := 24 * 60 * 60 / 9; last < lowest {
			t.Fatalf("only %d attempts in a day", last)
		}
	})
}

// TestFallsBack has connections that live for a while, by which the schedule
// falls back, or does not.
func TestFallsBack(t *testing.T) {
	body := func(c *transport.Conn, lives time.Duration) {
		cut := time.AfterFunc(lives, func() { c.Close(transport.CloseNormal, "") })
		defer cut.Stop()
		for {
			if _, err := c.Read(); err != nil {
				return
			}
		}
	}
	for name, c := range map[string]struct {
		body  func(c *transport.Conn)
		waits []time.Duration
	}{
		"welcome and die": {func(c *transport.Conn) { body(c, time.Second) }, seconds(1, 2, 4, 8, 8, 8)},
		"nearly stable":   {func(c *transport.Conn) { body(c, 30*time.Second-1) }, seconds(1, 2, 4, 8, 8, 8)},
		"stable":          {func(c *transport.Conn) { body(c, 30*time.Second) }, seconds(1, 1, 1)},
		"proven":          {func(c *transport.Conn) { c.Proven(); body(c, time.Second) }, seconds(1, 1, 1)},
		"long after": {func(c *transport.Conn) { // the body is slow, the connection dead
			body(c, time.Second)
			sleep(time.Minute)
		}, seconds(1, 2, 4)},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, nil, func(t *testing.T, n *netsim.Net) {
				conns := accepting(t, listen(t, n), nil)
				go func() {
					for range c.waits {
						read(<-conns)
					}
				}()
				d := dialling(n, seconds(1, 2, 4, 8)...)
				var waits []time.Duration
				for conn, err := range transport.Conns(t.Context(), "ws://server", &d.Options) {
					if err == nil {
						c.body(conn)
						continue
					}
					e := redial(t, err)
					if want := len(waits) + 1; e.Attempt != want && c.waits[1] != c.waits[0] || c.waits[1] == c.waits[0] && e.Attempt != 1 {
						t.Fatalf("%+v", e)
					}
					if waits = append(waits, e.RetryIn); len(waits) == len(c.waits) {
						break
					}
				}
				if !slices.Equal(waits, c.waits) {
					t.Fatalf("waited %v, want %v", waits, c.waits)
				}
			})
		})
	}
}

// TestHungDialCounts: who dialled into a black hole has waited by that.
func TestHungDialCounts(t *testing.T) {
	bubble(t, nil, func(t *testing.T, n *netsim.Net) {
		accepting(t, listen(t, n), nil)
		n.Partition("server", true)
		d := dialling(n, seconds(4, 10, 12, 15)...)
		d.HTTPClient = n.Client("client") // dials take 10 s, and may go on beside the next
		var waits []time.Duration
		for _, err := range transport.Conns(t.Context(), "ws://server", &d.Options) {
			if waits = append(waits, redial(t, err).RetryIn); len(waits) == 4 {
				break
			}
		}
		if want := seconds(0.1, 0.1, 2, 5); !slices.Equal(waits, want) {
			t.Errorf("waited %v, want %v", waits, want)
		}
	})
}

// TestServerTellsDelay honours what the server asks for, in both ways, and spreads
// those who were asked.
func TestServerTellsDelay(t *testing.T) {
	for name, refuse := range map[string]bool{"Retry-After": true, "RetryAfter": false} {
		t.Run(name, func(t *testing.T) {
			bubble(t, nil, func(t *testing.T, n *netsim.Net) {
				serve(t, listen(t, n), func(w http.ResponseWriter, r *http.Request) {
					if refuse {
						w.Header().Set("Retry-After", "10")
						w.WriteHeader(http.StatusServiceUnavailable)
					} else if c, err := transport.Accept(w, r, nil); err == nil {
						read(c)
					}
				})
				d := dialling(n, seconds(1)...)
				var sum time.Duration
				attempts := 0
				for conn, err := range transport.Conns(t.Context(), "ws://server", &d.Options) {
					if err == nil {
						conn.RetryAfter(10 * time.Second)
						continue
					}
					e := redial(t, err)
					if e.RetryIn < 10*time.Second || e.RetryIn > 15*time.Second {
						t.Fatal(e.RetryIn)
					}
					sum += e.RetryIn
					if attempts++; attempts == 300 {
						break
					}
				}
				if mean := sum / 300; mean < 12*time.Second || mean > 13*time.Second {
					t.Fatalf("mean %v", mean)
				}
				for i := 1; i < len(d.at); i++ {
					if gap := d.at[i] - d.at[i-1]; gap < 10*time.Second {
						t.Fatalf("dialled again after %v", gap)
					}
				}
			})
		})
	}
	t.Run("schedule is longer", func(t *testing.T) {
		bubble(t, nil, func(t *testing.T, n *netsim.Net) {
			accepting(t, listen(t, n), nil)
			d := dialling(n, time.Minute)
			for conn, err := range transport.Conns(t.Context(), "ws://server", &d.Options) {
				if err != nil {
					if got := redial(t, err).RetryIn; got != time.Minute {
						t.Fatal(got)
					}
					break
				}
				conn.RetryAfter(time.Second)
			}
		})
	})
}

func TestTerminal(t *testing.T) {
	for name, c := range map[string]struct {
		target string
		serve  http.HandlerFunc
		conns  int
	}{
		"bad URL": {"http://server", nil, 0},
		"404":     {"ws://server", http.NotFound, 0},
		"4500": {"ws://server", func(w http.ResponseWriter, r *http.Request) {
			if c, err := transport.Accept(w, r, nil); err == nil {
				c.Close(4500, "superseded")
			}
		}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, nil, func(t *testing.T, n *netsim.Net) {
				if c.serve != nil {
					serve(t, listen(t, n), c.serve)
				}
				d := dialling(n, time.Second)
				conns := 0
				var last *transport.RedialError
				for conn, err := range transport.Conns(t.Context(), c.target, &d.Options) {
					if last != nil {
						t.Fatal("something came after", last)
					}
					if err != nil {
						last = redial(t, err)
						continue
					}
					conns++
					_, _ = conn.Read()
				}
				if last == nil || last.RetryIn >= 0 || transport.Retryable(last) || conns != c.conns || last.Attempt != 1 {
					t.Fatalf("%d connections, %+v", conns, last)
				}
				if len(d.at) > 1 {
					t.Fatalf("dialled at %v", d.at)
				}
			})
		})
	}
}
