package main

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/session"
	"holdfast/session/wire"
)

// TestPatience: time counts while the server is out of reach, and while it takes no
// lines, each time from the beginning.
func TestPatience(t *testing.T) {
	down := session.StateChange{State: session.Waiting, Attempt: 1, Err: errors.New("pulled the plug")}
	up := session.StateChange{State: session.Online}
	full, roomy := session.Held{Code: wire.RetryStorage}, session.Held{}
	for _, c := range []struct {
		name string
		do   func(p *patience)
		want string // empty: it has not ended a minute later
	}{
		{"never up", func(*patience) {}, "server unreachable for 10s"},
		{"never up, and why", func(p *patience) { p.see(down, session.Dialing) }, "server unreachable for 10s: pulled the plug"},
		{"up", func(p *patience) { p.see(up, session.Dialing) }, ""},
		{"lost", func(p *patience) { p.see(up, session.Dialing); p.see(down, session.Online) }, "server unreachable for 10s: pulled the plug"},
		{"full", func(p *patience) { p.see(up, session.Dialing); p.held(full) }, "waited 10s: the server can't store lines"},
		{"full and roomy", func(p *patience) { p.see(up, session.Dialing); p.held(full); p.held(roomy) }, ""},
		{"full and lost", func(p *patience) {
			p.see(up, session.Dialing)
			p.held(full)
			p.held(roomy) // as the session says when the connection ends
			p.see(down, session.Online)
		}, "server unreachable for 10s: pulled the plug"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, p := newPatience(t.Context(), 10*time.Second)
				defer p.stop()
				c.do(p)
				limit := time.NewTimer(time.Minute)
				defer limit.Stop()
				select {
				case <-ctx.Done():
				case <-limit.C:
				}
				if err := context.Cause(ctx); c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
					t.Errorf("got %v, want %q", err, c.want)
				}
			})
		})
	}
}
