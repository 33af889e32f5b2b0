package netsim

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"syscall"
	"time"
)

// Client returns an HTTP client with a transport of its own that dials through n
// and keeps no connection for later. The name is what Link.From and Partition
// know it by; clients of one name share an IP address. It resolves no names: the host of
// a URL is the address that was given to Listen.
func (n *Net) Client(name string) *http.Client {
	return &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			return n.dial(ctx, name, network, addr)
		},
	}}
}

// DialContext connects to the listener of addr; without a port, 80 is meant. It
// takes one latency each way, fails with ECONNREFUSED if nobody listens or the
// host is down, and waits while a partition lies between, for ever unless ctx ends.
func (n *Net) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	return n.dial(ctx, "", network, addr)
}

func (n *Net) dial(ctx context.Context, from, network, addr string) (net.Conn, error) {
	c, err := n.connect(ctx, from, withPort(addr))
	if err != nil {
		return nil, &net.OpError{Op: "dial", Net: network, Addr: named(addr), Err: err}
	}
	return c, nil
}

func (n *Net) connect(ctx context.Context, from, to string) (net.Conn, error) {
	k, client, server := n.newLink(from, to)
	rng := n.rng(k.number, 2)
	var l *listener
	if err := n.travel(ctx, k, rng, func() { l = n.enter(k) }); err != nil {
		return nil, err
	}
	arrived := l != nil && n.present(l, k, server)
	if err := n.travel(ctx, k, rng, func() {}); err != nil {
		if arrived {
			_ = client.Close()
		}
		return nil, err
	}
	if !arrived {
		n.tally.refused.Add(1)
		return nil, os.NewSyscallError("connect", syscall.ECONNREFUSED)
	}
	n.tally.dials.Add(1)
	return client, nil
}

// newLink makes a link and its two ends, known to nobody yet.
func (n *Net) newLink(from, to string) (k *Link, client, server *conn) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.dialled++
	k = newLink(n, from, to, n.dialled)
	local := &net.TCPAddr{IP: n.ip(from), Port: 32768 + int(n.dialled%32768)}
	remote := &net.TCPAddr{IP: n.ip(to), Port: portOf(to)}
	client = &conn{link: k, in: &k.halves[down], out: &k.halves[up], local: local, remote: remote}
	server = &conn{link: k, in: &k.halves[up], out: &k.halves[down], local: remote, remote: local}
	return k, client, server
}

// travel waits while half of a dial is under way. At the moment when it gets
// through it calls arrive, with n locked.
func (n *Net) travel(ctx context.Context, k *Link, rng *rand.Rand, arrive func()) error {
	if n.opts.Latency != nil {
		timer := time.NewTimer(n.opts.Latency(rng))
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	for ctx.Err() == nil {
		through, changed, err := n.tryArrive(k, arrive)
		if through || err != nil {
			return err
		}
		select {
		case <-changed:
		case <-ctx.Done():
		}
	}
	return ctx.Err()
}

// tryArrive calls arrive unless a partition is in the way; changed closes when it
// may be worth another try.
func (n *Net) tryArrive(k *Link, arrive func()) (through bool, changed <-chan struct{}, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return false, nil, net.ErrClosed
	}
	if n.isParted(k) {
		return false, n.changed, nil
	}
	arrive()
	return true, nil, nil
}

// enter puts k among the links and returns the listener it goes to; nil if there
// is none. It is called with n locked.
func (n *Net) enter(k *Link) *listener {
	l := n.hosts[k.to]
	if l != nil && n.down[k.to] {
		l = nil
	}
	if l != nil {
		n.links = append(n.links, k)
	}
	return l
}

// present hands the server's end of k to l and reports whether l took it.
func (n *Net) present(l *listener, k *Link, server *conn) bool {
	if n.opts.OnLink != nil {
		n.opts.OnLink(k)
	}
	if l.push(server) {
		return true
	}
	n.forget(k)
	return false
}

// named is an address that was never resolved.
type named string

func (named) Network() string  { return "tcp" }
func (a named) String() string { return string(a) }

// portOf returns the port of an address that has one.
func portOf(addr string) int {
	_, port, _ := net.SplitHostPort(addr)
	number := 0
	_, _ = fmt.Sscan(port, &number)
	return number
}
