package faultproxy_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"holdfast/e2e/faultproxy"
)

const (
	soon  = 5 * time.Second       // for what must happen; never waited out in a good run
	quiet = 30 * time.Millisecond // for what must not happen
)

// rig is a proxy before a listener that plays the server.
type rig struct {
	*faultproxy.Proxy
	t      *testing.T
	server *net.TCPListener
}

func newRig(t *testing.T) *rig {
	t.Helper()
	server := listen(t)
	p, err := faultproxy.New(server.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error("close:", err)
		}
		if open := p.Stats().Open; open != 0 {
			t.Errorf("%d connections open after Close", open)
		}
		checkNoGoroutine(t)
	})
	return &rig{Proxy: p, t: t, server: server}
}

func listen(t *testing.T) *net.TCPListener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l.(*net.TCPListener)
}

// checkNoGoroutine gives goroutines that have just been waited for a moment to
// leave the stack dump.
func checkNoGoroutine(t *testing.T) {
	t.Helper()
	buf := make([]byte, 1<<20)
	for end := time.Now().Add(soon); ; runtime.Gosched() {
		stacks := string(buf[:runtime.Stack(buf, true)])
		if !strings.Contains(stacks, "faultproxy.(*") {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("goroutines left:\n%s", stacks)
		}
	}
}

func (r *rig) dial() *net.TCPConn {
	r.t.Helper()
	c, err := net.DialTimeout("tcp", r.Addr(), soon)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = c.Close() })
	return c.(*net.TCPConn)
}

// accept returns the next connection that reached l within wait, or nil.
func (r *rig) accept(l *net.TCPListener, wait time.Duration) *net.TCPConn {
	r.t.Helper()
	_ = l.SetDeadline(time.Now().Add(wait))
	c, err := l.AcceptTCP()
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return nil
	}
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = c.Close() })
	return c
}

// pair makes a connection through the proxy and returns both ends.
func (r *rig) pair() (client, server *net.TCPConn) {
	r.t.Helper()
	client = r.dial()
	if server = r.accept(r.server, soon); server == nil {
		r.t.Fatal("the connection did not reach the server")
	}
	return client, server
}

func send(t *testing.T, c net.Conn, text string) {
	t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal("write:", err)
	}
}

func wantText(t *testing.T, c net.Conn, text string) {
	t.Helper()
	_ = c.SetReadDeadline(time.Now().Add(soon))
	got := make([]byte, len(text))
	if n, err := io.ReadFull(c, got); err != nil || string(got) != text {
		t.Fatalf("read %q, %v; want %q", got[:n], err, text)
	}
}

func wantErr(t *testing.T, c net.Conn, want error) {
	t.Helper()
	_ = c.SetReadDeadline(time.Now().Add(soon))
	if n, err := c.Read(make([]byte, 64)); n != 0 || !errors.Is(err, want) {
		t.Fatalf("read %d bytes, %v; want %v", n, err, want)
	}
}

// wantSilence checks that nothing comes, neither bytes nor an end.
func wantSilence(t *testing.T, c net.Conn) {
	t.Helper()
	_ = c.SetReadDeadline(time.Now().Add(quiet))
	buf := make([]byte, 64)
	if n, err := c.Read(buf); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("read %q, %v; want silence", buf[:n], err)
	}
}

// await spins until the counters are as wanted.
func (r *rig) await(what string, ok func(faultproxy.Stats) bool) {
	r.t.Helper()
	for end := time.Now().Add(soon); !ok(r.Stats()); runtime.Gosched() {
		if time.Now().After(end) {
			r.t.Fatalf("never saw %s: %+v", what, r.Stats())
		}
	}
}

func TestRelay(t *testing.T) {
	r := newRig(t)
	client, server := r.pair()
	send(t, client, "ping")
	wantText(t, server, "ping")
	send(t, server, "pong!")
	wantText(t, client, "pong!")

	// A half-closed stream still carries the other way.
	_ = client.CloseWrite()
	wantErr(t, server, io.EOF)
	send(t, server, "rest")
	wantText(t, client, "rest")
	_ = server.Close()
	wantErr(t, client, io.EOF)

	r.await("the end", func(s faultproxy.Stats) bool { return s.Open == 0 })
	if s := r.Stats(); s.Conns != 1 || s.Resets != 0 || s.Up != 4 || s.Down != 9 || s.Lost != 0 {
		t.Fatalf("%+v", s)
	}
}

func TestRelayMuch(t *testing.T) {
	r := newRig(t)
	client, server := r.pair()
	want := bytes.Repeat([]byte("0123456789abcdef"), 1<<18)
	wrote := make(chan error, 1)
	go func() {
		_, err := client.Write(want)
		_ = client.CloseWrite()
		wrote <- err
	}()
	_ = server.SetReadDeadline(time.Now().Add(soon))
	got, err := io.ReadAll(server)
	if err != nil || !bytes.Equal(got, want) {
		t.Fatalf("read %d bytes of %d, %v", len(got), len(want), err)
	}
	if err := <-wrote; err != nil {
		t.Fatal(err)
	}
}

func TestReset(t *testing.T) {
	r := newRig(t)
	client, server := r.pair()
	client2, server2 := r.pair()
	r.Reset()
	if s := r.Stats(); s.Open != 0 || s.Resets != 2 {
		t.Fatalf("%+v", s)
	}
	for _, c := range []net.Conn{client, server, client2, server2} {
		wantErr(t, c, syscall.ECONNRESET)
	}
	client, server = r.pair()
	send(t, client, "again")
	wantText(t, server, "again")
}

func TestResetIsPassedOn(t *testing.T) {
	r := newRig(t)
	client, server := r.pair()
	_ = server.SetLinger(0)
	_ = server.Close()
	wantErr(t, client, syscall.ECONNRESET)
	r.await("the reset", func(s faultproxy.Stats) bool { return s.Resets == 1 && s.Open == 0 })
}

func TestUpstream(t *testing.T) {
	r := newRig(t)
	oldClient, oldServer := r.pair()

	_ = r.server.Close()
	orphan, err := net.DialTimeout("tcp", r.Addr(), soon) // nobody listens behind the proxy
	if err == nil {
		wantErr(t, orphan, syscall.ECONNRESET)
		_ = orphan.Close()
	} else if !errors.Is(err, syscall.ECONNRESET) { // the reset may be quicker than the dial
		t.Fatal(err)
	}

	moved := listen(t)
	r.SetUpstream(moved.Addr().String())
	client := r.dial()
	server := r.accept(moved, soon)
	if server == nil {
		t.Fatal("the connection did not reach the new upstream")
	}
	send(t, client, "new")
	wantText(t, server, "new")
	send(t, oldClient, "old")
	wantText(t, oldServer, "old")
}

func TestClose(t *testing.T) {
	r := newRig(t)
	client, server := r.pair()
	heal := r.Stall()
	send(t, client, "held")
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	wantErr(t, client, syscall.ECONNRESET)
	wantErr(t, server, syscall.ECONNRESET)
	if _, err := net.DialTimeout("tcp", r.Addr(), soon); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Fatal("dial after Close:", err)
	}
	heal()
	r.Reset()
	if err := r.Refuse(false); !errors.Is(err, net.ErrClosed) {
		t.Fatal("Refuse after Close:", err)
	}
}
