package netsim_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"

	"holdfast/transport/netsim"
)

// echo is a WebSocket server that sends back what it gets and notes it.
type echo struct {
	mu    sync.Mutex
	heard []string
	ended int
}

func (e *echo) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c, err := websocket.Accept(w, r, nil)
	if err != nil {
		return
	}
	defer c.CloseNow()
	for err == nil {
		var data []byte
		if _, data, err = c.Read(context.Background()); err == nil {
			e.note(string(data))
			err = c.Write(context.Background(), websocket.MessageText, data)
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.ended++
}

func (e *echo) note(text string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.heard = append(e.heard, text)
}

func (e *echo) said() (heard []string, ended int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.heard), e.ended
}

// serveEcho serves until the test ends.
func serveEcho(t *testing.T, l net.Listener) *echo {
	t.Helper()
	e := &echo{}
	server := &http.Server{Handler: e}
	served := make(chan error)
	go func() { served <- server.Serve(l) }()
	t.Cleanup(func() {
		_ = server.Close()
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			t.Error("serve:", err)
		}
	})
	return e
}

func dial(t *testing.T, n *netsim.Net, name, host string) (*websocket.Conn, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	c, _, err := websocket.Dial(ctx, "ws://"+host, &websocket.DialOptions{HTTPClient: n.Client(name)})
	return c, err
}

// dialEcho returns a connection that is being read, so that pings work.
func dialEcho(t *testing.T, n *netsim.Net, name, host string) *websocket.Conn {
	t.Helper()
	c, err := dial(t, n, name, host)
	if err != nil {
		t.Fatal(err)
	}
	var reader sync.WaitGroup
	reader.Go(func() {
		for {
			if _, _, err := c.Read(context.Background()); err != nil {
				return
			}
		}
	})
	t.Cleanup(func() { _ = c.CloseNow(); reader.Wait() })
	return c
}

func ping(t *testing.T, c *websocket.Conn, patience time.Duration) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	return c.Ping(ctx)
}

func TestHoursOfPings(t *testing.T) {
	bubble(t, &netsim.Options{Latency: netsim.Between(10*time.Millisecond, 90*time.Millisecond)}, func(t *testing.T, n *netsim.Net) {
		serveEcho(t, listen(t, n, "server"))
		c := dialEcho(t, n, "ana", "server")
		for start := time.Now(); time.Since(start) < 12*time.Hour; pass(15 * time.Second) {
			if err := ping(t, c, time.Second); err != nil {
				t.Fatalf("after %v: %v", time.Since(start), err)
			}
		}
	})
}

func TestStallIsNoticed(t *testing.T) {
	for way, stall := range map[string][2]bool{"both": {true, true}, "up": {true, false}, "down": {false, true}} {
		t.Run(way, func(t *testing.T) {
			bubble(t, nil, func(t *testing.T, n *netsim.Net) {
				serveEcho(t, listen(t, n, "server"))
				c := dialEcho(t, n, "ana", "server")
				if err := ping(t, c, 10*time.Second); err != nil {
					t.Fatal(err)
				}
				n.Links()[0].Stall(stall[0], stall[1])
				start := time.Now()
				if err := ping(t, c, 10*time.Second); !errors.Is(err, context.DeadlineExceeded) {
					t.Fatal(err)
				}
				wantTook(t, start, 10*time.Second)
				n.Links()[0].Heal()
				if err := ping(t, c, 10*time.Second); err != nil {
					t.Fatal("after the heal:", err)
				}
				wantTook(t, start, 10*time.Second)
			})
		})
	}
}

// TestCutWebSocket cuts the handshake and the frames behind it after every byte.
func TestCutWebSocket(t *testing.T) {
	handshakes, frames := 0, 0
	for k := 1; k <= 300; k++ {
		cut := func(link *netsim.Link) {
			if k%2 == 0 {
				link.CutAfter(k, 0)
			} else {
				link.CutAfter(0, k)
			}
		}
		bubble(t, &netsim.Options{OnLink: cut}, func(t *testing.T, n *netsim.Net) {
			e := serveEcho(t, listen(t, n, "server"))
			c, err := dial(t, n, "ana", "server")
			if err != nil {
				handshakes++
				return
			}
			defer c.CloseNow()
			frames++
			for i := 0; ; i++ {
				text := fmt.Sprintf("line %d", i)
				if err = c.Write(t.Context(), websocket.MessageText, []byte(text)); err != nil {
					break
				}
				var data []byte
				if _, data, err = c.Read(t.Context()); err != nil {
					break
				}
				if string(data) != text {
					t.Fatalf("cut at %d: got %q for %q", k, data, text)
				}
			}
			if !errors.Is(err, syscall.ECONNRESET) || n.Stats().Cuts != 1 {
				t.Fatalf("cut at %d: %v, %+v", k, err, n.Stats())
			}
			heard, _ := e.said()
			for i, text := range heard {
				if text != fmt.Sprintf("line %d", i) {
					t.Fatalf("cut at %d: the server heard %q", k, heard)
				}
			}
		})
	}
	if handshakes < 50 || frames < 50 {
		t.Fatalf("%d handshakes and %d frames were cut", handshakes, frames)
	}
}

// TestZombie has a connection say its last words after its owner came back on
// another one.
func TestZombie(t *testing.T) {
	bubble(t, &netsim.Options{Latency: netsim.Between(20*time.Millisecond, 30*time.Millisecond)}, func(t *testing.T, n *netsim.Net) {
		e := serveEcho(t, listen(t, n, "server"))
		say := func(c *websocket.Conn, text string) {
			t.Helper()
			if err := c.Write(t.Context(), websocket.MessageText, []byte(text)); err != nil {
				t.Fatal(err)
			}
			pass(time.Second)
		}
		old := dialEcho(t, n, "ana", "server")
		say(old, "first")
		zombie := n.Links()[0]
		zombie.Stall(true, true)
		say(old, "last words")
		_ = old.CloseNow()

		again := dialEcho(t, n, "ana", "server")
		say(again, "back")
		pass(time.Hour)
		if heard, ended := e.said(); !slices.Equal(heard, []string{"first", "back"}) || ended != 0 || n.Stats().Late != 0 {
			t.Fatalf("the server heard %q, %d ended, %+v", heard, ended, n.Stats())
		}
		zombie.Heal()
		pass(time.Second)
		say(again, "on")
		if heard, ended := e.said(); !slices.Equal(heard, []string{"first", "back", "last words", "on"}) || ended != 1 {
			t.Fatalf("the server heard %q, %d ended", heard, ended)
		}
		if n.Stats().Late == 0 || len(n.Links()) != 1 {
			t.Fatalf("%+v, %d links", n.Stats(), len(n.Links()))
		}
	})
}
