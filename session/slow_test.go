package session_test

import (
	"fmt"
	"testing"
	"time"

	"holdfast/server/servertest"
	"holdfast/session"
	"holdfast/transport/netsim"
)

// A consumer that takes 50 ms for each line of a long catch-up keeps one connection throughout, and
// what it asks for in its body is as quick as ever: History, and a line that it waits for.
func TestSlowCatchUp(t *testing.T) {
	const (
		lines   = 10_000
		latency = 40 * time.Millisecond // one way
		small   = 20 * time.Millisecond
	)
	network := &netsim.Options{Latency: netsim.Between(latency, latency+1), Window: 1 << 20}
	bubbleOn(t, network, func(t *testing.T, n *netsim.Net) {
		servertest.NewOn(t, n, "server", nil)
		bob := openAs(t, n, "bob", nil)
		send(t, bob, numbered("b", 1, lines)...)
		drain(t, bob)

		ana := open(t, n, func(o *session.Options) { o.Backlog = -1 })
		quick := func(what string, f func() error) {
			t.Helper()
			began := time.Now()
			if err := f(); err != nil || time.Since(began) > 2*latency+small {
				t.Fatalf("%s took %v, %v", what, time.Since(began), err)
			}
		}
		dials, got := int64(0), 0
		for m := range ana.Messages() {
			if m.From != "bob" {
				continue
			}
			if got++; m.Text != fmt.Sprint("b", got) {
				t.Fatalf("line %d is %q", got, m.Text)
			}
			if got == 1 {
				dials = n.Stats().Dials
			}
			if more := n.Stats().Dials - dials; more != 0 {
				t.Fatalf("%d more connections at line %d", more, got)
			}
			if got == lines {
				break
			}
			pass(50 * time.Millisecond)
			if got%173 == 0 {
				quick("History", func() error {
					_, _, err := ana.History(t.Context(), m.Seq, 10)
					return err
				})
				quick("a line", func() error {
					id, err := ana.Send(fmt.Sprint("at ", got))
					if err != nil {
						return err
					}
					return ana.Wait(t.Context(), id)
				})
			}
		}
	})
}
