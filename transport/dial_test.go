package transport_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"

	"holdfast/transport"
	"holdfast/transport/netsim"
)

func dialError(t *testing.T, err error) *transport.DialError {
	t.Helper()
	var e *transport.DialError
	if !errors.As(err, &e) || e.Err == nil {
		t.Fatalf("%T: %v", err, err)
	}
	return e
}

func TestBadURL(t *testing.T) {
	for _, target := range []string{
		"", "server", "server:80", "http://server", "https://server", "ws://", "ws:server", "://", "ws://a b", "wss:///x", "ftp://server", "ws://server:port",
	} {
		_, err := transport.Dial(t.Context(), target, nil)
		if e := dialError(t, err); e.Status != 0 || transport.Retryable(err) {
			t.Errorf("%q: %v", target, err)
		}
	}
}

// TestRefusal checks what becomes of the server's answer.
func TestRefusal(t *testing.T) {
	type answer struct {
		status       int
		header, body string // header is Retry-After, "@" and the server's Date
	}
	const noon, half = "Wed, 21 Oct 2015 12:00:00 GMT", "Wed, 21 Oct 2015 12:30:00 GMT"
	ahead := time.Date(2000, 1, 1, 0, 10, 0, 0, time.UTC).Format(http.TimeFormat) // bubbles begin in 2000
	for a, want := range map[answer]transport.DialError{
		{404, "", ""}: {Status: 404},
		{409, "", "name is already in room\nmore"}:  {Status: 409, Message: "name is already in room"},
		{503, "7", "full"}:                          {Status: 503, Message: "full", RetryAfter: 7 * time.Second},
		{429, "86400", ""}:                          {Status: 429, RetryAfter: time.Hour},
		{429, "9223372036854775807", ""}:            {Status: 429, RetryAfter: time.Hour},
		{429, "10000000000", ""}:                    {Status: 429, RetryAfter: time.Hour},
		{429, "99999999999999999999", ""}:           {Status: 429},
		{429, "-5", ""}:                             {Status: 429},
		{429, "soon", ""}:                           {Status: 429},
		{503, half + "@" + noon, ""}:                {Status: 503, RetryAfter: 30 * time.Minute},
		{503, noon + "@" + half, ""}:                {Status: 503},
		{503, ahead, ""}:                            {Status: 503, RetryAfter: 10 * time.Minute},
		{503, ahead + "@yesterday", ""}:             {Status: 503, RetryAfter: 10 * time.Minute},
		{503, half, ""}:                             {Status: 503, RetryAfter: time.Hour},
		{200, "", "<html>log in\n"}:                 {Status: 200, Message: "<html>log in"},
		{302, "", ""}:                               {Status: 302},
		{500, "", strings.Repeat("x", 4000) + "\n"}: {Status: 500, Message: strings.Repeat("x", 512)},
	} {
		t.Run(fmt.Sprint(a.status, a.header), func(t *testing.T) {
			bubble(t, nil, func(t *testing.T, n *netsim.Net) {
				asked := 0
				serve(t, listen(t, n), func(w http.ResponseWriter, r *http.Request) {
					asked++
					if after, date, _ := strings.Cut(a.header, "@"); after != "" {
						w.Header().Set("Retry-After", after)
						w.Header()["Date"] = nil
						if date != "" {
							w.Header().Set("Date", date)
						}
					}
					w.Header().Set("Location", "/elsewhere")
					w.WriteHeader(a.status)
					_, _ = io.WriteString(w, a.body)
				})
				dialler := func(ctx context.Context, network, addr string) (net.Conn, error) {
					return n.DialContext(ctx, network, addr)
				}
				_, err := transport.Dial(t.Context(), "ws://server", &transport.Options{HTTPClient: transport.PrivateClient(dialler)})
				e := dialError(t, err)
				if e.Status != want.Status || e.Message != want.Message || e.RetryAfter != want.RetryAfter {
					t.Fatalf("got %d, %q, %v; want %+v", e.Status, e.Message, e.RetryAfter, want)
				}
				if asked != 1 {
					t.Fatalf("asked %d times", asked)
				}
				if got := e.Header.Get("Location"); got != "/elsewhere" {
					t.Fatalf("the answer's header: %q", got)
				}
			})
		})
	}
}

func TestUpgradeRequest(t *testing.T) {
	bubble(t, nil, func(t *testing.T, n *netsim.Net) {
		opts := &transport.Options{Subprotocol: "holdfast.v1", Header: http.Header{"Authorization": {"Bearer x"}}}
		conns := make(chan *transport.Conn, 1)
		serve(t, listen(t, n), func(w http.ResponseWriter, r *http.Request) {
			if r.URL.String() != "/chat/general/ana?backlog=5" || r.Header.Get("Authorization") != "Bearer x" {
				t.Error(r.URL, r.Header)
			}
			c, err := transport.Accept(w, r, opts)
			if err != nil {
				t.Error(err)
			}
			conns <- c
		})
		client := dial(t, "ws://server/chat/general/ana?backlog=5", with(n, opts))
		server := <-conns
		if client.Subprotocol() != "holdfast.v1" || server.Subprotocol() != "holdfast.v1" {
			t.Fatalf("%q and %q", client.Subprotocol(), server.Subprotocol())
		}
		if len(opts.Header) != 1 {
			t.Fatal("the caller's header was written to:", opts.Header)
		}
		read(client)
		server.Close(transport.CloseNormal, "")
	})
}

// TestAcceptRefuses wants an answer for what is no upgrade, or from a page of
// another origin.
func TestAcceptRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		header http.Header
		status int
	}{
		"plain":   {nil, http.StatusUpgradeRequired},
		"origin":  {http.Header{"Origin": {"https://evil.example"}}, http.StatusForbidden},
		"allowed": {http.Header{"Origin": {"https://good.example"}}, http.StatusNotImplemented}, // the recorder can't be hijacked
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodGet, "http://server/", nil)
			if c.header != nil {
				r.Header = c.header
				for k, v := range map[string]string{
					"Connection": "Upgrade", "Upgrade": "websocket",
					"Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
				} {
					r.Header.Set(k, v)
				}
			}
			w := httptest.NewRecorder()
			_, err := transport.Accept(struct{ http.ResponseWriter }{w}, r, &transport.Options{Origins: []string{"good.example"}})
			if err == nil || c.status != http.StatusNotImplemented && w.Code != c.status {
				t.Fatal(w.Code, err)
			}
		})
	}
}

// TestDialTimeout has a server that accepts and says nothing.
func TestDialTimeout(t *testing.T) {
	for _, scheme := range []string{"ws", "wss"} {
		t.Run(scheme, func(t *testing.T) {
			bubble(t, nil, func(t *testing.T, n *netsim.Net) {
				l := listen(t, n)
				defer l.Close()
				accepted := make(chan net.Conn, 1)
				go func() {
					if c, err := l.Accept(); err == nil {
						accepted <- c
					}
				}()
				client := transport.PrivateClient(func(ctx context.Context, network, addr string) (net.Conn, error) {
					return n.DialContext(ctx, network, "server")
				})
				start := time.Now()
				_, err := transport.Dial(t.Context(), scheme+"://server", &transport.Options{HTTPClient: client, DialTimeout: 4 * time.Second})
				after(t, start, 4*time.Second)
				if dialError(t, err).Status != 0 || !errors.Is(err, context.DeadlineExceeded) || !transport.Retryable(err) {
					t.Fatal(err)
				}
				// What net/http goes on with must end by itself.
				server := <-accepted
				_, _ = io.Copy(io.Discard, server)
				_ = server.Close()
				if time.Since(start) > 11*time.Second {
					t.Fatalf("the socket lived for %v", time.Since(start))
				}
			})
		})
	}
}

func TestDialNowhere(t *testing.T) {
	bubble(t, nil, func(t *testing.T, n *netsim.Net) {
		start := time.Now()
		_, err := transport.Dial(t.Context(), "ws://server", with(n, nil))
		if !errors.Is(err, syscall.ECONNREFUSED) || !transport.Retryable(err) {
			t.Fatal(err)
		}
		after(t, start, 0)
		n.Partition("server", true)
		_, err = transport.Dial(t.Context(), "ws://server", with(n, nil))
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
		after(t, start, 10*time.Second)
	})
}

// TestSilenceAfterUpgrade has a server that upgrades and says nothing more.
func TestSilenceAfterUpgrade(t *testing.T) {
	bubble(t, nil, func(t *testing.T, n *netsim.Net) {
		start := time.Now()
		_, c := rawServer(t, n, nil)
		if _, err := c.Read(); !errors.Is(err, transport.ErrPeerDead) {
			t.Fatal(err)
		}
		after(t, start, deadAfter)
	})
}

// TestWrongUpgrade has a server that switches to something else.
func TestWrongUpgrade(t *testing.T) {
	bubble(t, nil, func(t *testing.T, n *netsim.Net) {
		serve(t, listen(t, n), func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Connection", "Upgrade")
			w.Header().Set("Upgrade", "telnet")
			w.WriteHeader(http.StatusSwitchingProtocols)
		})
		_, err := transport.Dial(t.Context(), "ws://server", with(n, nil))
		if e := dialError(t, err); e.Status != http.StatusSwitchingProtocols || !transport.Retryable(err) {
			t.Fatal(err)
		}
	})
}

// TestTLS runs over a real socket: the close of a TLS connection has waits of its
// own.
func TestTLS(t *testing.T) {
	opts := &transport.Options{CloseTimeout: time.Second}
	conns := make(chan *transport.Conn, 2)
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c, err := transport.Accept(w, r, opts); err == nil {
			conns <- c
		}
	}))
	defer server.Close()
	opts.HTTPClient = server.Client()
	defer server.Client().CloseIdleConnections()
	client := dial(t, "wss://"+server.Listener.Addr().String(), opts)
	c := <-conns
	ended := read(client)
	write(t, c, strings.Repeat("x", 60<<10))
	c.Close(4001, "over TLS")
	<-ended
	wantClosed(t, client.Err(), 4001, "over TLS")

	deaf := dial(t, "wss://"+server.Listener.Addr().String(), opts)
	c = <-conns
	begun := make(chan struct{})
	go func() {
		write(t, c, strings.Repeat("x", 60<<10))
		close(begun)
		for c.Write(make([]byte, 60<<10)) == nil { // until deaf's buffers are full
		}
	}()
	<-begun
	start := time.Now()
	c.Close(transport.CloseNormal, "")
	if took := time.Since(start); took > 4*time.Second {
		t.Fatalf("closing a stuck TLS connection took %v", took)
	}
	deaf.Close(transport.CloseNormal, "")
}
