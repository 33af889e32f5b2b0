package transport_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/transport"
	"holdfast/transport/netsim"
)

type key struct{}

// TestContext wants it to end with the Conn, for the Conn's reason, whenever it was
// asked for first.
func TestContext(t *testing.T) {
	for name, early := range map[string]bool{"asked before": true, "asked after": false} {
		t.Run(name, func(t *testing.T) {
			eachSide(t, nil, func(t *testing.T, peer *raw, c *transport.Conn) {
				peer.listens(false)
				if early {
					ctx := c.Context()
					synctest.Wait()
					if ctx.Err() != nil || ctx != c.Context() {
						t.Fatal(ctx.Err())
					}
					called := make(chan struct{})
					context.AfterFunc(ctx, func() { close(called) })
					defer func() { <-called }()
				}
				pass(deadAfter)
				ctx := c.Context()
				if ctx.Err() != context.Canceled || !errors.Is(context.Cause(ctx), transport.ErrPeerDead) {
					t.Fatal(ctx.Err(), context.Cause(ctx))
				}
			})
		})
	}
}

// TestContextMeetsClose asks for it at the very instant of the end.
func TestContextMeetsClose(t *testing.T) {
	for range 200 {
		bubble(t, nil, func(t *testing.T, n *netsim.Net) {
			_, c := rawClient(t, n, nil)
			var all sync.WaitGroup
			all.Go(func() { c.Close(transport.CloseNormal, "") })
			for range 2 {
				all.Go(func() {
					<-c.Context().Done()
					if !errors.Is(context.Cause(c.Context()), transport.ErrClosed) {
						t.Error(context.Cause(c.Context()))
					}
				})
			}
			all.Wait()
		})
	}
}

// TestContextOutlivesDial: the context that was dialled with lends its values only.
func TestContextOutlivesDial(t *testing.T) {
	bubble(t, nil, func(t *testing.T, n *netsim.Net) {
		conns := accepting(t, listen(t, n), nil)
		ctx, cancel := context.WithTimeout(context.WithValue(t.Context(), key{}, "mine"), time.Second)
		c, err := transport.Dial(ctx, "ws://server", with(n, nil))
		if err != nil {
			t.Fatal(err)
		}
		cancel()
		pass(11 * time.Second) // longer than Options.DialTimeout
		if got := c.Context(); got.Err() != nil || got.Value(key{}) != "mine" {
			t.Fatal(got.Err(), got.Value(key{}))
		}
		if _, limited := c.Context().Deadline(); limited {
			t.Fatal("the dial's deadline is the Conn's")
		}
		if (<-conns).Context().Value(key{}) != nil {
			t.Fatal("an accepted Conn has values")
		}
		c.Close(transport.CloseNormal, "")
	})
}
