package netsim

import (
	"net"
	"os"
	"sync"
	"syscall"
)

// Listen makes a host reachable at addr, such as "server" or "server2:8080";
// without a port, 80 is meant. The name is free again when the listener is closed.
func (n *Net) Listen(addr string) (net.Listener, error) {
	addr = withPort(addr)
	n.mu.Lock()
	defer n.mu.Unlock()
	var err error
	switch {
	case n.closed:
		err = net.ErrClosed
	case n.hosts[addr] != nil:
		err = os.NewSyscallError("bind", syscall.EADDRINUSE)
	}
	if err != nil {
		return nil, &net.OpError{Op: "listen", Net: "tcp", Addr: named(addr), Err: err}
	}
	l := &listener{net: n, name: addr, addr: &net.TCPAddr{IP: n.ip(addr), Port: portOf(addr)}}
	l.c.L = &l.mu
	n.hosts[addr] = l
	return l, nil
}

// listener queues the server ends of new links until they are accepted. As with a
// kernel's backlog, the dialler does not wait for that.
type listener struct {
	net  *Net
	name string
	addr net.Addr

	mu     sync.Mutex
	c      sync.Cond
	queue  []*conn
	closed bool
}

// push reports whether the listener is still open.
func (l *listener) push(server *conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return false
	}
	l.queue = append(l.queue, server)
	l.c.Signal()
	return true
}

func (l *listener) Accept() (net.Conn, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.queue) == 0 && !l.closed {
		l.c.Wait()
	}
	if l.closed {
		return nil, &net.OpError{Op: "accept", Net: "tcp", Addr: l.addr, Err: net.ErrClosed}
	}
	server := l.queue[0]
	l.queue = l.queue[1:]
	return server, nil
}

// Close resets the links that nobody accepted.
func (l *listener) Close() error {
	l.mu.Lock()
	queue, closed := l.queue, l.closed
	l.queue, l.closed = nil, true
	l.c.Broadcast()
	l.mu.Unlock()
	if closed {
		return &net.OpError{Op: "close", Net: "tcp", Addr: l.addr, Err: net.ErrClosed}
	}
	l.net.unlisten(l)
	for _, server := range queue {
		server.link.Reset()
		_ = server.Close()
	}
	return nil
}

func (l *listener) Addr() net.Addr { return l.addr }

func (n *Net) unlisten(l *listener) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.hosts, l.name)
}
