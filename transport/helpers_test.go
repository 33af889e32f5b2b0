package transport_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/transport"
	"holdfast/transport/netsim"
)

// bubble runs f in a bubble with a network. That it returns proves that no
// goroutine is left.
func bubble(t *testing.T, opts *netsim.Options, f func(t *testing.T, n *netsim.Net)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		n := netsim.New(1, opts)
		t.Cleanup(func() { _ = n.Close() })
		f(t, n)
	})
}

// sleep lets time go by, for goroutines beside the test's own.
func sleep(d time.Duration) { time.Sleep(d) }

// pass lets time go by, and everybody come to rest.
func pass(d time.Duration) {
	sleep(d)
	synctest.Wait()
}

func after(t *testing.T, start time.Time, want time.Duration) {
	t.Helper()
	if took := time.Since(start); took != want {
		t.Fatalf("took %v, want %v", took, want)
	}
}

// serve runs handler behind l until the test ends.
func serve(t *testing.T, l net.Listener, handler http.HandlerFunc) {
	t.Helper()
	server := &http.Server{Handler: handler}
	served := make(chan error)
	go func() { served <- server.Serve(l) }()
	t.Cleanup(func() {
		_ = server.Close()
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			t.Error("serve:", err)
		}
	})
}

// accepting serves on l and returns the connections it has accepted.
func accepting(t *testing.T, l net.Listener, opts *transport.Options) <-chan *transport.Conn {
	t.Helper()
	conns := make(chan *transport.Conn, 1000)
	serve(t, l, func(w http.ResponseWriter, r *http.Request) {
		if c, err := transport.Accept(w, r, opts); err == nil {
			t.Cleanup(func() { c.Close(transport.CloseNormal, "") })
			conns <- c
		}
	})
	return conns
}

func listen(t *testing.T, n *netsim.Net) net.Listener {
	t.Helper()
	l, err := n.Listen("server")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// with returns a copy of opts that dials through n.
func with(n *netsim.Net, opts *transport.Options) *transport.Options {
	var o transport.Options
	if opts != nil {
		o = *opts
	}
	o.HTTPClient = n.Client("ana")
	return &o
}

func dial(t *testing.T, target string, opts *transport.Options) *transport.Conn {
	t.Helper()
	c, err := transport.Dial(context.Background(), target, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(transport.CloseNormal, "") })
	return c
}

// connect returns both ends of a connection of ours, which nobody reads yet.
func connect(t *testing.T, n *netsim.Net, opts *transport.Options) (client, server *transport.Conn, link *netsim.Link) {
	t.Helper()
	conns := accepting(t, listen(t, n), opts)
	client = dial(t, "ws://server", with(n, opts))
	return client, <-conns, n.Links()[0]
}

// connectTCP is connect over the loopback interface.
func connectTCP(t *testing.T, opts *transport.Options) (client, server *transport.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	conns := accepting(t, l, opts)
	client = dial(t, "ws://"+l.Addr().String(), opts)
	return client, <-conns
}

// read reads c until it is dead and throws away what comes. The channel is
// closed then.
func read(conns ...*transport.Conn) (ended <-chan struct{}) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		for _, c := range conns[1:] {
			defer func(ended <-chan struct{}) { <-ended }(read(c))
		}
		for {
			if _, err := conns[0].Read(); err != nil {
				return
			}
		}
	}()
	return done
}

// dies waits for c's death and returns its reason and when it was.
func dies(c *transport.Conn) (time.Time, error) {
	<-c.Done()
	return time.Now(), c.Err()
}

func wantDeath(t *testing.T, c *transport.Conn, at time.Time, want error) {
	t.Helper()
	when, err := dies(c)
	if !when.Equal(at) || !errors.Is(err, want) {
		t.Fatalf("died %v late of %v, want %v", when.Sub(at), err, want)
	}
}

func wantAlive(t *testing.T, conns ...*transport.Conn) {
	t.Helper()
	synctest.Wait()
	for i, c := range conns {
		if c.Err() != nil {
			t.Fatalf("connection %d is dead: %v", i, c.Err())
		}
	}
}

func wantClosed(t *testing.T, err error, code transport.CloseCode, reason string) {
	t.Helper()
	e, ok := errors.AsType[*transport.CloseError](err)
	if !ok || e.Code != code || e.Reason != reason {
		t.Fatalf("got %v, want %d %q", err, code, reason)
	}
}

func wantRead(t *testing.T, c *transport.Conn, want string) {
	t.Helper()
	if p, err := c.Read(); err != nil || string(p) != want {
		t.Fatalf("read %d bytes, %v; want %d", len(p), err, len(want))
	}
}

// write may be called from any goroutine.
func write(t *testing.T, c *transport.Conn, text string) {
	t.Helper()
	if err := c.Write([]byte(text)); err != nil {
		t.Error("write:", err)
	}
}
