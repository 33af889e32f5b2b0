package transport_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast/transport"
	"holdfast/transport/netsim"
)

// TestResponse wants both ends' headers to be read by the other.
func TestResponse(t *testing.T) {
	bubble(t, nil, func(t *testing.T, n *netsim.Net) {
		conns := make(chan *transport.Conn, 1)
		serve(t, listen(t, n), func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Set-Cookie", "node=7")
			c, err := transport.Accept(w, r, nil)
			if err != nil {
				t.Error(err)
			}
			conns <- c
		})
		client := dial(t, "ws://server", with(n, nil))
		resp := client.Response()
		if resp.StatusCode != http.StatusSwitchingProtocols || resp.Header.Get("Set-Cookie") != "node=7" {
			t.Fatal(resp)
		}
		if body, err := io.ReadAll(resp.Body); len(body) != 0 || err != nil {
			t.Fatal(body, err)
		}
		server := <-conns
		if server.Response() != nil {
			t.Fatal("an accepted Conn has an answer")
		}
		read(client)
		server.Close(transport.CloseNormal, "")
	})
}

// record notes what an Observer is told.
type record struct {
	t      *testing.T
	lines  []string
	traced int // dials seen by the httptrace in DialStart's context
}

func (r *record) observer() *transport.Observer {
	return &transport.Observer{
		DialStart: func(ctx context.Context, a *transport.Attempt) context.Context {
			r.lines = append(r.lines, fmt.Sprintf("dial %d %s", a.Number, a.URL))
			trace := &httptrace.ClientTrace{GetConn: func(string) { r.traced++ }}
			return httptrace.WithClientTrace(context.WithValue(ctx, key{}, a.Number), trace)
		},
		DialDone: func(ctx context.Context, a *transport.Attempt, conn *transport.Conn, err error) {
			if ctx.Err() != nil || ctx.Value(key{}) != a.Number || (conn == nil) != (err != nil) {
				r.t.Error(ctx, a, conn, err)
			}
			r.lines = append(r.lines, fmt.Sprintf("done %d %s %v", a.Number, a.URL, err))
		},
		Closed: func(conn *transport.Conn, lived time.Duration) {
			if conn.Context().Err() == nil {
				r.t.Error("told of the end before it was one")
			}
			r.lines = append(r.lines, fmt.Sprintf("closed after %v: %v", lived, conn.Err()))
		},
	}
}

// TestObserver dials nobody, then a server whose Conns live for a while.
func TestObserver(t *testing.T) {
	bubble(t, nil, func(t *testing.T, n *netsim.Net) {
		r := &record{t: t}
		d := dialling(n, seconds(1)...)
		d.Observer = r.observer()
		d.Prepare = func(ctx context.Context, a *transport.Attempt) error {
			if ctx.Value(key{}) != a.Number {
				t.Error("not DialStart's context")
			}
			a.URL += "/room"
			return nil
		}
		var conns <-chan *transport.Conn
		for conn, err := range transport.Conns(t.Context(), "ws://server", &d.Options) {
			if err != nil {
				conns = accepting(t, listen(t, n), nil)
				continue
			}
			server := <-conns
			if conn.Context().Value(key{}) != 2 {
				t.Error("the Conn's context has lost its values")
			}
			time.AfterFunc(5*time.Second, func() { server.Close(4001, "") })
			ended := read(server)
			_, _ = conn.Read()
			<-ended
			break
		}
		want := []string{
			"dial 1 ws://server", "done 1 ws://server/room transport: dial: ",
			"dial 2 ws://server", "done 2 ws://server/room <nil>", "closed after 5s: transport: closed by peer with 4001",
		}
		if !slices.EqualFunc(r.lines, want, strings.HasPrefix) || len(r.lines) != len(want) || r.traced != 2 {
			t.Fatalf("got %q and %d traces, want %q", r.lines, r.traced, want)
		}
	})
}

// TestObserverOfAccepted is told of Conns that die in each way, once each, and before
// Close returns.
func TestObserverOfAccepted(t *testing.T) {
	for want, end := range map[string]func(peer *raw, c *transport.Conn){
		"closed after 0s: transport: closed": func(_ *raw, c *transport.Conn) {
			c.Close(transport.CloseNormal, "")
			c.Close(transport.CloseNormal, "")
		},
		"closed after 25s: transport: peer dead": func(_ *raw, c *transport.Conn) { pass(time.Minute) },
		"closed after 0s: transport: connection lost": func(peer *raw, c *transport.Conn) {
			_ = peer.Close()
			_, _ = c.Read()
		},
	} {
		t.Run(want, func(t *testing.T) {
			r := &record{t: t}
			bubble(t, nil, func(t *testing.T, n *netsim.Net) {
				peer, c := rawClient(t, n, &transport.Options{Observer: r.observer()})
				end(peer, c)
				c.Close(transport.CloseNormal, "")
				if len(r.lines) != 1 || !strings.HasPrefix(r.lines[0], want) {
					t.Errorf("got %q", r.lines)
				}
			})
		})
	}
}

// TestObserverOfSome has funcs missing.
func TestObserverOfSome(t *testing.T) {
	bubble(t, nil, func(t *testing.T, n *netsim.Net) {
		client, server, _ := connect(t, n, &transport.Options{Observer: &transport.Observer{}})
		read(client)
		server.Close(transport.CloseNormal, "")
	})
}
