package transport

import (
	"bufio"
	"cmp"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/coder/websocket"
)

// Dial makes one attempt to connect to target, a ws:// or wss:// URL, and returns
// a Conn whose heartbeat is running. ctx and Options.DialTimeout bound the attempt
// only. The error is a *DialError.
func Dial(ctx context.Context, target string, opts *Options) (*Conn, error) {
	o := opts.withDefaults()
	if u, err := url.Parse(target); err != nil || u.Host == "" || u.Scheme != "ws" && u.Scheme != "wss" {
		return nil, &DialError{Err: fmt.Errorf("%w %q: want ws://HOST or wss://HOST", errBadURL, target)}
	}
	ctx, cancel := context.WithTimeout(ctx, o.DialTimeout)
	defer cancel()
	var raw net.Conn
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(i httptrace.GotConnInfo) { raw = i.Conn },
	})
	client := *cmp.Or(o.HTTPClient, privateClient)
	client.Transport = upgrader{cmp.Or(client.Transport, http.DefaultTransport)}
	seen := new(signs)
	d := &websocket.DialOptions{
		HTTPClient:      &client,
		HTTPHeader:      o.Header,
		CompressionMode: websocket.CompressionDisabled,
	}
	if o.Subprotocol != "" {
		d.Subprotocols = []string{o.Subprotocol}
	}
	// These run with the library's read lock held, where closing would deadlock.
	d.OnPingReceived = func(context.Context, []byte) bool { seen.note(); return true }
	d.OnPongReceived = func(context.Context, []byte) { seen.note() }
	ws, resp, err := websocket.Dial(ctx, target, d)
	if err != nil {
		return nil, dialError(resp, err)
	}
	return newConn(ws, raw, o, true, seen), nil
}

func dialError(resp *http.Response, err error) error {
	e := &DialError{Err: err}
	if resp == nil {
		return e
	}
	e.Status = resp.StatusCode
	if resp.Body != nil {
		line, _ := bufio.NewReader(io.LimitReader(resp.Body, 512)).ReadString('\n')
		e.Message = strings.TrimSpace(line)
	}
	if s, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && s > 0 {
		e.RetryAfter = time.Duration(min(s, 3600)) * time.Second
	}
	return e
}

// upgrader hands the library a stream of ours.
type upgrader struct{ http.RoundTripper }

// RoundTrip replaces the stream that is the body of the answer.
func (u upgrader) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := u.RoundTripper.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	if rwc, ok := resp.Body.(io.ReadWriteCloser); ok && resp.StatusCode == http.StatusSwitchingProtocols {
		resp.Body = stream{rwc}
	}
	return resp, nil
}

type stream struct{ io.ReadWriteCloser }

func (s stream) Read(p []byte) (int, error) {
	n, err := s.ReadWriteCloser.Read(p)
	return n, noEOF(err)
}

// NewClient returns the client that Options.HTTPClient means by zero, with certificates
// checked as conf says; nil means as the system does. It is net/http's default but for
// redirects: one that turns up comes from a login page in between, not from the server.
func NewClient(conf *tls.Config) *http.Client {
	return &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			Proxy:             http.ProxyFromEnvironment,
			DisableKeepAlives: true, // a refused attempt must not keep a socket
			TLSClientConfig:   conf,

			// What net/http has begun goes on in the background when the attempt's
			// time is over. These end it.
			DialContext:         (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
			TLSHandshakeTimeout: 10 * time.Second,
		},
	}
}

var privateClient = NewClient(nil)
