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

// Attempt is one attempt to connect. Options.Prepare may change what it sends.
type Attempt struct {
	// Number is what RedialError.Attempt will be if it fails; with [Dial] it is 1.
	Number int

	// URL is whom to dial, ws:// or wss://, at first the target.
	URL string

	// Header is sent with the upgrade request, at first a copy of Options.Header,
	// never nil. A Host in it is the request's. Those that begin with Sec-WebSocket-
	// are not for callers: see Options.Subprotocol.
	Header http.Header
}

// Dial makes one attempt to connect to target, a ws:// or wss:// URL, and returns
// a Conn whose heartbeat is running. ctx and Options.DialTimeout bound the attempt
// only; a httptrace.ClientTrace in ctx is told of its steps. The error is a *[DialError].
func Dial(ctx context.Context, target string, opts *Options) (*Conn, error) {
	o := opts.withDefaults()
	return dial(ctx, &o, &Attempt{Number: 1, URL: target})
}

// dial makes attempt a, which lacks its header yet.
func dial(ctx context.Context, o *Options, a *Attempt) (*Conn, error) {
	if a.Header = o.Header.Clone(); a.Header == nil {
		a.Header = http.Header{}
	}
	ctx = o.Observer.dialStart(ctx, a)
	conn, err := o.attempt(ctx, a)
	o.Observer.dialDone(ctx, a, conn, err)
	return conn, err
}

func (o *Options) attempt(base context.Context, a *Attempt) (*Conn, error) {
	ctx, cancel := context.WithTimeout(base, o.DialTimeout)
	defer cancel()
	if o.Prepare != nil {
		if err := o.Prepare(ctx, a); err != nil {
			return nil, &DialError{Err: fmt.Errorf("prepare: %w", err)}
		}
	}
	if u, err := url.Parse(a.URL); err != nil || u.Host == "" || u.Scheme != "ws" && u.Scheme != "wss" {
		return nil, &DialError{Err: fmt.Errorf("%w %q: want ws://HOST or wss://HOST", errBadURL, a.URL)}
	}
	var raw net.Conn
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(i httptrace.GotConnInfo) { raw = i.Conn },
	})
	client := *cmp.Or(o.HTTPClient, privateClient)
	client.Transport = upgrader{cmp.Or(client.Transport, http.DefaultTransport)}
	seen := new(signs)
	d := &websocket.DialOptions{
		HTTPClient:      &client,
		HTTPHeader:      a.Header,
		Host:            a.Header.Get("Host"),
		CompressionMode: websocket.CompressionDisabled,
	}
	if o.Subprotocol != "" {
		d.Subprotocols = []string{o.Subprotocol}
	}
	// These run with the library's read lock held, where closing would deadlock.
	d.OnPingReceived = func(context.Context, []byte) bool { seen.note(); return true }
	d.OnPongReceived = func(context.Context, []byte) { seen.note() }
	ws, resp, err := websocket.Dial(ctx, a.URL, d)
	if err != nil {
		return nil, dialError(resp, err)
	}
	resp.Body = http.NoBody // the library leaves nil, which net/http never does
	return newConn(base, ws, raw, *o, resp, seen), nil
}

func dialError(resp *http.Response, err error) error {
	e := &DialError{Err: err}
	if resp == nil {
		return e
	}
	e.Status, e.Header = resp.StatusCode, resp.Header
	if resp.Body != nil {
		line, _ := bufio.NewReader(io.LimitReader(resp.Body, 512)).ReadString('\n')
		e.Message = strings.TrimSpace(line)
	}
	e.RetryAfter = retryAfter(resp.Header)
	return e
}

// retryAfter is what an answer asks for, RFC 9110 section 10.2.3, an hour at most.
func retryAfter(h http.Header) time.Duration {
	const most = time.Hour
	v := h.Get("Retry-After")
	if s, err := strconv.Atoi(v); err == nil {
		return time.Duration(min(max(s, 0), int(most/time.Second))) * time.Second
	}
	at, err := http.ParseTime(v)
	if err != nil {
		return 0
	}
	now, err := http.ParseTime(h.Get("Date")) // by the server's own clock, if it tells
	if err != nil {
		now = time.Now()
	}
	return min(max(at.Sub(now), 0), most)
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
