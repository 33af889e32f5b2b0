package netsim_test

import (
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/transport/netsim"
)

// bubble runs f in a bubble of its own. That it returns proves that no goroutine
// is left.
func bubble(t *testing.T, opts *netsim.Options, f func(t *testing.T, n *netsim.Net)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		n := netsim.New(1, opts)
		t.Cleanup(func() { _ = n.Close() })
		f(t, n)
	})
}

// pass lets time go by, and everybody come to rest.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func listen(t *testing.T, n *netsim.Net, addr string) net.Listener {
	t.Helper()
	l, err := n.Listen(addr)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// pair dials the only listener of a new host.
func pair(t *testing.T, n *netsim.Net) (client, server net.Conn, k *netsim.Link) {
	t.Helper()
	l := listen(t, n, "server")
	client, err := n.DialContext(t.Context(), "tcp", "server")
	if err != nil {
		t.Fatal(err)
	}
	if server, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = client.Close(), server.Close() })
	return client, server, n.Links()[0]
}

func send(t *testing.T, c net.Conn, text string) {
	t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal("write:", err)
	}
}

func wantText(t *testing.T, c net.Conn, text string) {
	t.Helper()
	got := make([]byte, len(text))
	if n, err := io.ReadFull(c, got); err != nil || string(got) != text {
		t.Fatalf("read %q, %v; want %q", got[:n], err, text)
	}
}

func wantErr(t *testing.T, c net.Conn, want error) {
	t.Helper()
	if n, err := c.Read(make([]byte, 64)); n != 0 || !errors.Is(err, want) {
		t.Fatalf("read %d bytes, %v; want %v", n, err, want)
	}
}

// wantSilence checks that nothing comes for an hour.
func wantSilence(t *testing.T, c net.Conn) {
	t.Helper()
	_ = c.SetReadDeadline(time.Now().Add(time.Hour))
	wantErr(t, c, os.ErrDeadlineExceeded)
	_ = c.SetReadDeadline(time.Time{})
}

func wantWriteErr(t *testing.T, c net.Conn, want error) {
	t.Helper()
	if _, err := io.WriteString(c, "x"); !errors.Is(err, want) {
		t.Fatalf("write: %v; want %v", err, want)
	}
}

func wantTook(t *testing.T, start time.Time, want time.Duration) {
	t.Helper()
	if took := time.Since(start); took != want {
		t.Fatalf("took %v, want %v", took, want)
	}
}

func TestBothWays(t *testing.T) {
	bubble(t, nil, func(t *testing.T, n *netsim.Net) {
		client, server, k := pair(t, n)
		send(t, client, "ping")
		wantText(t, server, "ping")
		send(t, server, "pong")
		wantText(t, client, "pong")
		if client.LocalAddr().String() != server.RemoteAddr().String() || k.To() != "server:80" || k.From() != "" {
			t.Fatal(client.LocalAddr(), server.RemoteAddr(), k.From(), k.To())
		}
		send(t, client, "last")
		_ = client.Close()
		wantText(t, server, "last")
		wantErr(t, server, io.EOF)
		wantErr(t, server, io.EOF)
		wantErr(t, client, net.ErrClosed)
		wantWriteErr(t, client, net.ErrClosed)
		wantWriteErr(t, server, syscall.EPIPE)
		if err := client.Close(); !errors.Is(err, net.ErrClosed) {
			t.Fatal("second close:", err)
		}
		if len(n.Links()) != 1 {
			t.Fatal("one end is still open")
		}
		_ = server.Close()
		if s := n.Stats(); len(n.Links()) != 0 || s != (netsim.Stats{Dials: 1, Bytes: 12, Packets: 3, Late: 4}) {
			t.Fatalf("%d links, %+v", len(n.Links()), s)
		}
	})
}

func TestWindow(t *testing.T) {
	bubble(t, nil, func(t *testing.T, n *netsim.Net) {
		client, server, _ := pair(t, n)
		text := strings.Repeat("0123456789abcdef", 5000) // 80,000 bytes
		start := time.Now()
		_ = client.SetWriteDeadline(start.Add(3 * time.Second))
		wrote, err := io.WriteString(client, text)
		if wrote != 64<<10 || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("wrote %d, %v", wrote, err)
		}
		wantTook(t, start, 3*time.Second)

		_ = client.SetWriteDeadline(time.Time{})
		done := make(chan error)
		go func() {
			_, err := io.WriteString(client, text[wrote:])
			done <- err
		}()
		synctest.Wait()
		wantText(t, server, text) // reading makes room
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	})
}

func TestDeadlines(t *testing.T) {
	bubble(t, nil, func(t *testing.T, n *netsim.Net) {
		client, server, k := pair(t, n)
		start := time.Now()
		_ = client.SetDeadline(start.Add(time.Second))
		wantErr(t, client, os.ErrDeadlineExceeded)
		wantTook(t, start, time.Second)
		wantErr(t, client, os.ErrDeadlineExceeded) // it stays
		wantWriteErr(t, client, os.ErrDeadlineExceeded)
		send(t, server, "hi")
		wantErr(t, client, os.ErrDeadlineExceeded) // though there is something
		_ = client.SetDeadline(time.Time{})
		wantText(t, client, "hi")
		send(t, client, "ho")
		wantText(t, server, "ho")

		// A deadline that is set, or moved, while a read waits.
		_ = client.SetReadDeadline(time.Now().Add(time.Hour))
		start = time.Now()
		time.AfterFunc(2*time.Second, func() { _ = client.SetReadDeadline(time.Now().Add(3 * time.Second)) })
		_, err := client.Read(make([]byte, 1))
		if timeout, ok := errors.AsType[net.Error](err); !ok || !timeout.Timeout() {
			t.Fatal(err)
		}
		wantTook(t, start, 5*time.Second)

		// It works through a stall as well.
		_ = client.SetReadDeadline(time.Now().Add(time.Second))
		k.Stall(false, true)
		send(t, server, "held")
		wantErr(t, client, os.ErrDeadlineExceeded)
	})
}

func TestLatency(t *testing.T) {
	opts := &netsim.Options{Latency: netsim.Between(100*time.Millisecond, 100*time.Millisecond+1)}
	bubble(t, opts, func(t *testing.T, n *netsim.Net) {
		start := time.Now()
		client, server, _ := pair(t, n)
		wantTook(t, start, 200*time.Millisecond)
		start = time.Now()
		send(t, client, "one")
		wantTook(t, start, 0)
		_ = server.SetReadDeadline(start.Add(30 * time.Millisecond))
		wantErr(t, server, os.ErrDeadlineExceeded) // while it is under way
		wantTook(t, start, 30*time.Millisecond)
		_ = server.SetReadDeadline(time.Time{})
		wantText(t, server, "one")
		wantTook(t, start, 100*time.Millisecond)
		send(t, server, "two")
		_ = server.Close()
		wantText(t, client, "two")
		wantErr(t, client, io.EOF)
		wantTook(t, start, 200*time.Millisecond)
	})
}

// TestLatencySeed sends bytes on their way at random and notes when they arrive.
func TestLatencySeed(t *testing.T) {
	arrivals := func(seed uint64) (at []time.Duration) {
		synctest.Test(t, func(t *testing.T) {
			n := netsim.New(seed, &netsim.Options{Latency: netsim.Between(time.Millisecond, time.Second)})
			client, server, _ := pair(t, n)
			start := time.Now()
			for i := range 100 {
				send(t, client, string(rune('!'+i%90)))
			}
			for i := range 100 {
				wantText(t, server, string(rune('!'+i%90))) // none overtook another
				at = append(at, time.Since(start))
			}
		})
		return at
	}
	one := arrivals(1)
	if !slices.Equal(one, arrivals(1)) {
		t.Error("the same seed gave other latencies")
	}
	if slices.Equal(one, arrivals(2)) {
		t.Error("another seed gave the same latencies")
	}
}
