package servertest_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"holdfast/server"
	"holdfast/server/history"
	"holdfast/server/servertest"
	"holdfast/transport/netsim"
)

// users numbers users: their links have names of their own.
var users atomic.Int64

// join dials from name, as a user without a protocol whom nobody knows yet.
func join(t *testing.T, h *servertest.Host, name string) (*websocket.Conn, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	user := fmt.Sprint("user", users.Add(1))
	c, _, err := websocket.Dial(ctx, h.URL+"/chat/general/"+user, &websocket.DialOptions{HTTPClient: h.Client(name)})
	if err == nil {
		t.Cleanup(func() { _ = c.CloseNow() })
	}
	return c, err
}

func dial(t *testing.T, h *servertest.Host, name string) *websocket.Conn {
	t.Helper()
	c, err := join(t, h, name)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// hear reads until a message has the text, or else returns why there is none.
func hear(t *testing.T, c *websocket.Conn, text string) error {
	t.Helper()
	for {
		_, msg, err := c.Read(t.Context())
		if err != nil || strings.Contains(string(msg), text) {
			return err
		}
	}
}

// alive reports whether c gets an answer to a ping within some seconds.
func alive(t *testing.T, c *websocket.Conn) bool {
	t.Helper()
	go func() {
		for {
			if _, _, err := c.Read(context.Background()); err != nil {
				return
			}
		}
	}()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	return c.Ping(ctx) == nil
}

// Each fault hits the one it names, and is over when it is said to be.
func TestFaults(t *testing.T) {
	for _, c := range []struct {
		name        string
		do          func(h *servertest.Host)
		dials, back bool // during it, and whether the old connection works after Heal
	}{
		{"reset", func(h *servertest.Host) { h.Reset("ana") }, true, false},
		{"stall", func(h *servertest.Host) { h.Stall("ana") }, true, true},
		{"partition", func(h *servertest.Host) { h.Partition("ana") }, false, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := servertest.New(t, nil)
				old, bob := dial(t, h, "ana"), dial(t, h, "bob")
				c.do(h)
				if again, err := join(t, h, "ana"); (err == nil) != c.dials {
					t.Errorf("a dial meanwhile: %v", err)
				} else if err == nil {
					_ = again.CloseNow()
				}
				if !alive(t, bob) {
					t.Error("it hit somebody else")
				}
				h.Heal("ana")
				if alive(t, old) != c.back {
					t.Errorf("the old connection works: %v", !c.back)
				}
				if _, err := join(t, h, "ana"); err != nil {
					t.Errorf("a dial afterwards: %v", err)
				}
			})
		})
	}
}

// A server that went away, in whichever way, is another one afterwards, on the same store.
func TestServerGoesAndComes(t *testing.T) {
	for name, end := range map[string]func(*servertest.Host){"crash": (*servertest.Host).Crash, "drain": (*servertest.Host).Drain} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := servertest.New(t, nil)
				first, ana := h.Server(), dial(t, h, "ana")
				if err := ana.Write(t.Context(), websocket.MessageText, []byte("kept")); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Second)
				began := time.Now()
				end(h)
				end(h) // is over already
				if err := hear(t, ana, "never said"); (websocket.CloseStatus(err) > 0) != (name == "drain") {
					t.Errorf("the client was told %v", err)
				}
				if took := time.Since(began); name == "crash" && took > time.Second {
					t.Errorf("a crash that takes %v", took)
				}
				if _, err := join(t, h, "ana"); err == nil {
					t.Error("a dial gets through to no server")
				}
				h.Start()
				h.Start()
				if h.Server() == first {
					t.Error("it is the same server")
				}
				if err := hear(t, dial(t, h, "bob"), "kept"); err != nil {
					t.Error("the line is lost:", err)
				}
			})
		})
	}
}

// Two servers share a network, one of them with a store of its owner's.
func TestTwoHosts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := netsim.New(1, nil)
		t.Cleanup(func() { _ = n.Close(); time.Sleep(time.Second) })
		store := history.Memory()
		here := servertest.NewOn(t, n, "here", nil)
		there := servertest.NewOn(t, n, "there:8080", &server.Options{Store: store})
		a, b := dial(t, here, "ana"), dial(t, there, "ana")
		there.Reset("ana")
		if !alive(t, a) || alive(t, b) {
			t.Error("a reset at one host is one at the other")
		}
		there.Crash()
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
}

// Without a bubble it is the same, only in real time.
func TestRealTime(t *testing.T) {
	t.Parallel() // the cleanup takes a second
	h := servertest.New(t, nil)
	c := dial(t, h, "ana")
	h.Reset("ana")
	if err := hear(t, c, "never said"); err == nil {
		t.Error("the link was not reset")
	}
}
