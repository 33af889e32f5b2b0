package transport_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cenkalti/backoff/v4"

	"holdfast/transport"
	"holdfast/transport/netsim"
)

// TestPrepare gives each attempt a path and a token of its own.
func TestPrepare(t *testing.T) {
	bubble(t, nil, func(t *testing.T, n *netsim.Net) {
		var asked []string
		serve(t, listen(t, n), func(w http.ResponseWriter, r *http.Request) {
			asked = append(asked, fmt.Sprintf("%s%s%s%s", r.Host, r.URL, r.Header["Authorization"], r.Header.Get("Always")))
			http.Error(w, "not yet", http.StatusServiceUnavailable)
		})
		d := dialling(n, seconds(1)...)
		d.Header = http.Header{"Always": {"here"}}
		d.Prepare = func(_ context.Context, a *transport.Attempt) error {
			if a.URL != "ws://server/begin" {
				t.Error("begins with", a.URL)
			}
			a.URL = fmt.Sprintf("ws://server/%d", a.Number)
			a.Header.Add("Authorization", fmt.Sprintf("token %d", a.Number))
			if a.Number == 2 {
				a.Header.Set("Host", "alias")
				a.Header.Set("Always", "changed")
			}
			return nil
		}
		for _, err := range transport.Conns(t.Context(), "ws://server/begin", &d.Options) {
			if redial(t, err).Attempt == 3 {
				break
			}
		}
		want := []string{"server/1[token 1]here", "alias/2[token 2]changed", "server/3[token 3]here"}
		if !slices.Equal(asked, want) {
			t.Fatalf("asked %q, want %q", asked, want)
		}
	})
}

// TestPrepareAlone has neither headers nor a target to begin with.
func TestPrepareAlone(t *testing.T) {
	bubble(t, nil, func(t *testing.T, n *netsim.Net) {
		accepting(t, listen(t, n), nil)
		opts := with(n, &transport.Options{Prepare: func(_ context.Context, a *transport.Attempt) error {
			a.URL = "ws://server"
			a.Header.Set("X", "y")
			return nil
		}})
		dial(t, "", opts)
	})
}

// TestPrepareFails wants its error to be a failed dial, and its time limited.
func TestPrepareFails(t *testing.T) {
	bubble(t, nil, func(t *testing.T, n *netsim.Net) {
		d := dialling(n, seconds(1)...)
		d.DialTimeout = 4 * time.Second
		errNoToken := errors.New("no token")
		d.Prepare = func(ctx context.Context, a *transport.Attempt) error {
			if a.Number == 1 {
				return errNoToken
			}
			<-ctx.Done()
			return ctx.Err()
		}
		start := time.Now()
		for _, err := range transport.Conns(t.Context(), "ws://server", &d.Options) {
			e := redial(t, err)
			if dialError(t, err).Status != 0 {
				t.Fatal(err)
			}
			if e.Attempt == 1 {
				if !errors.Is(err, errNoToken) || e.RetryIn != time.Second {
					t.Fatalf("%+v", e)
				}
				continue
			}
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Fatal(err)
			}
			after(t, start, 5*time.Second)
			break
		}
		if d.at != nil {
			t.Fatalf("dialled at %v", d.at)
		}
	})
}

// TestVerdict is the caller's, in both directions.
func TestVerdict(t *testing.T) {
	bubble(t, nil, func(t *testing.T, n *netsim.Net) {
		status := http.StatusUnauthorized
		serve(t, listen(t, n), func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			status = http.StatusServiceUnavailable
		})
		d := dialling(n, seconds(1)...)
		d.Retryable = func(err error) bool { return dialError(t, err).Status == http.StatusUnauthorized }
		var waits []time.Duration
		for _, err := range transport.Conns(t.Context(), "ws://server", &d.Options) {
			waits = append(waits, redial(t, err).RetryIn)
		}
		if want := []time.Duration{time.Second, -1}; !slices.Equal(waits, want) {
			t.Fatalf("waits %v, want %v", waits, want)
		}
	})
}

// TestVerdictOverConn is asked for a Conn's reason for death, too.
func TestVerdictOverConn(t *testing.T) {
	bubble(t, nil, func(t *testing.T, n *netsim.Net) {
		accepting(t, listen(t, n), nil)
		d := dialling(n, seconds(1)...)
		d.Retryable = func(err error) bool { return !errors.Is(err, transport.ErrClosed) }
		var last *transport.RedialError
		for conn, err := range transport.Conns(t.Context(), "ws://server", &d.Options) {
			if conn == nil {
				last = redial(t, err)
			}
		}
		if last == nil || last.RetryIn >= 0 || !errors.Is(last, transport.ErrClosed) || len(d.at) != 1 {
			t.Fatalf("dialled at %v, then %+v", d.at, last)
		}
	})
}

// TestGivesUp has schedules that stop.
func TestGivesUp(t *testing.T) {
	for retries, want := range map[uint64][]time.Duration{
		0: {-1},
		2: {time.Second, time.Second, -1},
	} {
		t.Run(fmt.Sprint(retries), func(t *testing.T) {
			bubble(t, nil, func(t *testing.T, n *netsim.Net) {
				d := dialling(n)
				d.Backoff = func() backoff.BackOff {
					if retries == 0 {
						return &backoff.StopBackOff{}
					}
					return backoff.WithMaxRetries(backoff.NewConstantBackOff(time.Second), retries)
				}
				var waits []time.Duration
				var last error
				for _, err := range transport.Conns(t.Context(), "ws://server", &d.Options) {
					if errors.Is(last, transport.ErrGaveUp) {
						t.Fatal("something came after", last)
					}
					last = err
					waits = append(waits, redial(t, err).RetryIn)
				}
				if !slices.Equal(waits, want) || !errors.Is(last, transport.ErrGaveUp) || !errors.Is(last, syscall.ECONNREFUSED) {
					t.Fatalf("waits %v, then %v", waits, last)
				}
				if !strings.HasPrefix(last.Error(), "transport: gave up: transport: dial: ") {
					t.Fatal(last)
				}
			})
		})
	}
}
