package netsim_test

import (
	"context"
	"errors"
	"io"
	"net"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/transport/netsim"
)

func TestRefused(t *testing.T) {
	bubble(t, nil, func(t *testing.T, n *netsim.Net) {
		dial := func(addr string) error {
			c, err := n.DialContext(t.Context(), "tcp", addr)
			if err == nil {
				_ = c.Close()
			}
			return err
		}
		refused := func(addr string) {
			t.Helper()
			if err := dial(addr); !errors.Is(err, syscall.ECONNREFUSED) {
				t.Fatal(addr, err)
			}
		}
		refused("server")
		l := listen(t, n, "server")
		listen(t, n, "server2:8080")
		refused("server2")
		if err := errors.Join(dial("server:80"), dial("server2:8080")); err != nil {
			t.Fatal(err)
		}
		n.SetDown("server", true)
		refused("server")
		n.SetDown("server", false)
		if _, err := n.Listen("server"); !errors.Is(err, syscall.EADDRINUSE) {
			t.Fatal(err)
		}

		// Connections that nobody accepted end with the listener.
		client, err := n.DialContext(t.Context(), "tcp", "server")
		if err != nil {
			t.Fatal(err)
		}
		_ = l.Close()
		wantErr(t, client, syscall.ECONNRESET)
		if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
			t.Fatal(err)
		}
		refused("server")
		listen(t, n, "server") // a restart
		if err := dial("server"); err != nil {
			t.Fatal(err)
		}
		if s := n.Stats(); s.Refused != 4 || s.Dials != 4 {
			t.Fatalf("%+v", s)
		}
	})
}

func TestDialGivesUp(t *testing.T) {
	opts := &netsim.Options{Latency: netsim.Between(time.Second, time.Second+1)}
	for _, patience := range []time.Duration{500 * time.Millisecond, 1500 * time.Millisecond} {
		bubble(t, opts, func(t *testing.T, n *netsim.Net) {
			l := listen(t, n, "server")
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			start := time.Now()
			if _, err := n.DialContext(ctx, "tcp", "server"); !errors.Is(err, context.DeadlineExceeded) {
				t.Fatal(err)
			}
			wantTook(t, start, patience)
			if patience < time.Second {
				return // the server never heard of it
			}
			server, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			wantErr(t, server, io.EOF)
			_ = server.Close()
		})
	}
}

func TestNetClose(t *testing.T) {
	bubble(t, nil, func(t *testing.T, n *netsim.Net) {
		client, server, _ := pair(t, n)
		n.Partition("server", true)
		late := make(chan error)
		go func() {
			_, err := n.DialContext(t.Context(), "tcp", "server")
			late <- err
		}()
		synctest.Wait()
		_ = n.Close()
		wantErr(t, client, syscall.ECONNRESET)
		wantErr(t, server, syscall.ECONNRESET)
		if err := <-late; !errors.Is(err, net.ErrClosed) {
			t.Fatal(err)
		}
		if _, err := n.Listen("other"); !errors.Is(err, net.ErrClosed) {
			t.Fatal(err)
		}
	})
}
