// Package probe walks the way to a server step by step, and tells where it ends. It
// goes as a client does, by the same dial, and listens to what net/http says on the way:
// so proxies, certificates and tokens count as they do in a chat. It ends before it says
// who it is: nobody is announced, and no name is claimed.
package probe

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"sync"
	"time"

	"holdfast/session/wire"
	"holdfast/transport"
)

// Options say where to and how. All but Token must be set.
type Options struct {
	Server     string // ws:// or wss://
	Room, User string // of the route; nobody is told of them
	HTTPClient *http.Client
	Header     http.Header
	Token      bool          // Header has one
	Timeout    time.Duration // of the way up to the upgrade, and again of the ping
}

// The steps, in order. Those that this way does not have are left out.
const (
	Name    = "name"    // finding the address
	TCP     = "tcp"     // connecting
	TLS     = "tls"     // whether it is who it should be
	Upgrade = "upgrade" // whether it is a Holdfast server of this protocol
	Token   = "token"   // whether it lets us in
	Ping    = "ping"    // there and back
)

// Step is a step that was taken.
type Step struct {
	Name   string
	Took   time.Duration
	Detail string // what was found, or went wrong; from elsewhere: clean it
	Try    string // what to try if it went wrong
	Err    error  // why it is the last one; nil if all is well
}

// Run takes step after step and gives each to tell, until one fails. It returns the
// error of that one.
func Run(ctx context.Context, o *Options, tell func(Step)) error {
	u, err := url.Parse(o.Server)
	if err != nil {
		return err
	}
	w := &walk{began: time.Now(), secure: u.Scheme == "wss", proxy: proxyOf(o.HTTPClient, u)}
	conn, err := transport.Dial(httptrace.WithClientTrace(ctx, w.trace()), u.JoinPath("chat", o.Room, o.User).String(), &transport.Options{
		Subprotocol: wire.Subprotocol, Header: o.Header, HTTPClient: o.HTTPClient,
		DialTimeout: o.Timeout, Heartbeat: o.Timeout, DeadAfter: o.Timeout, ProbeTimeout: o.Timeout,
	})
	steps, since := w.taken()
	for _, s := range steps {
		tell(s)
	}
	switch {
	case ctx.Err() != nil:
		if conn != nil {
			conn.Close(transport.CloseNormal, "")
		}
		return context.Cause(ctx)
	case err != nil:
		last := w.failure(o, err)
		last.Took, last.Err = time.Since(since), err
		tell(last)
		return err
	}
	tell(Step{Name: Upgrade, Took: time.Since(since), Detail: wire.Subprotocol})
	token := "none shown, none asked for"
	if o.Token {
		token = "shown, and not refused"
	}
	tell(Step{Name: Token, Detail: token})
	last := ping(ctx, conn, o.Timeout)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	tell(last)
	return last.Err
}

// proxyOf is the proxy on the way; empty if there is none.
func proxyOf(c *http.Client, u *url.URL) string {
	t, ok := c.Transport.(*http.Transport)
	if !ok || t.Proxy == nil {
		return ""
	}
	to := *u
	to.Scheme = map[string]string{"ws": "http", "wss": "https"}[u.Scheme]
	proxy, err := t.Proxy(&http.Request{URL: &to})
	if err != nil || proxy == nil {
		return ""
	}
	return proxy.Host
}

// pollRTT is how often ping looks whether the answer is there: the time itself is
// measured where it comes in.
const pollRTT = time.Millisecond

// ping measures the way there and back, and closes conn.
func ping(ctx context.Context, conn *transport.Conn, timeout time.Duration) Step {
	began := time.Now()
	var reader sync.WaitGroup
	defer reader.Wait()
	defer conn.Close(transport.CloseNormal, "")
	reader.Go(func() { // pongs are seen only while somebody reads
		for {
			if _, err := conn.Read(); err != nil {
				return
			}
		}
	})
	conn.Probe()
	look := time.NewTicker(pollRTT)
	defer look.Stop()
	for {
		select {
		case <-look.C:
			if rtt := conn.RTT(); rtt > 0 {
				return Step{Name: Ping, Took: rtt, Detail: "there and back"}
			}
			if time.Since(began) < timeout {
				continue
			}
			err := fmt.Errorf("no answer to a ping within %s", timeout)
			return Step{Name: Ping, Took: time.Since(began), Detail: err.Error(), Err: err, Try: "something on the way lets WebSockets open and then drops them: look at proxies and firewalls"}
		case <-conn.Done():
			err := conn.Err()
			return Step{Name: Ping, Took: time.Since(began), Detail: err.Error(), Err: err, Try: "something on the way closes WebSockets: look at proxies, and at the server's log"}
		case <-ctx.Done():
			return Step{}
		}
	}
}
