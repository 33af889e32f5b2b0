package faultproxy

import (
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// Proxy is a relay that can be told to misbehave. Make it with New and Close it.
// Its methods may be called from any goroutine. Faults add up, except that a
// hole swallows what a stall would have held.
type Proxy struct {
	addr    string
	port    io.Closer // keeps the port from others while Refuse is on
	door    chan door // one slot: whoever took the value may change it
	accepts sync.WaitGroup
	links   sync.WaitGroup
	state   *state
}

// door is the way in.
type door struct {
	listener net.Listener // nil while refusing
	closed   bool         // for good
}

// New starts a proxy on a free loopback port that relays to upstream, a
// host:port that need not be listening yet.
func New(upstream string) (*Proxy, error) {
	addr, port, err := holdPort()
	if err != nil {
		return nil, fmt.Errorf("hold port: %w", err)
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		_ = port.Close()
		return nil, fmt.Errorf("listen: %w", err)
	}
	p := &Proxy{addr: l.Addr().String(), port: port, door: make(chan door, 1), state: newState(upstream)}
	p.door <- door{listener: l}
	p.accepts.Go(func() { p.serve(l) })
	return p, nil
}

// Addr returns the host:port that clients dial. It stays the same until Close.
func (p *Proxy) Addr() string { return p.addr }

// Close stops listening, resets every connection and returns when the last
// goroutine of the proxy has ended.
func (p *Proxy) Close() error {
	d := <-p.door
	var err error
	if d.listener != nil {
		err = d.listener.Close()
	}
	p.door <- door{closed: true}
	p.accepts.Wait()
	p.Reset() // nothing enters any more, so these are all
	p.links.Wait()
	_ = p.port.Close()
	return err
}

// serve accepts until l is closed.
func (p *Proxy) serve(l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		k := p.state.enter()
		p.links.Go(func() { k.run(conn.(*net.TCPConn)) })
	}
}

// SetUpstream makes new connections go to addr: a restarted server has another
// port. Connections that exist keep their server. A client whose server does not
// answer gets ECONNRESET, from its dial or from its first read; see Refuse.
func (p *Proxy) SetUpstream(addr string) {
	p.state.set(func(f *faults) { f.upstream = addr })
}

// Reset ends every connection with a true RST to both ends: their next read or
// write fails with ECONNRESET, and what was under way is lost. When it returns
// the proxy's sockets are closed.
func (p *Proxy) Reset() {
	links := p.state.live()
	for _, k := range links {
		k.kill()
	}
	for _, k := range links {
		<-k.gone
	}
}

// Hole turns a black hole on or off in both directions. Everything that enters
// it is lost, ends of streams included, and new connections are accepted but
// never reach the server. See the package comment for what happens after.
func (p *Proxy) Hole(on bool) {
	p.state.set(func(f *faults) { f.dig(up, on); f.dig(down, on) })
}

// HoleUp is Hole for what clients send only. A client hears its server, but
// whatever it does, closing included, the server never learns.
func (p *Proxy) HoleUp(on bool) { p.state.set(func(f *faults) { f.dig(up, on) }) }

// HoleDown is Hole for what the server sends only. New connections do reach the
// server, whose answers are lost.
func (p *Proxy) HoleDown(on bool) { p.state.set(func(f *faults) { f.dig(down, on) }) }

// Refuse makes new connections fail with ECONNREFUSED, or lets them in again on
// the same port. Connections that exist go on. The port is closed for real, not
// accepted and reset. On Linux the proxy keeps it bound meanwhile; elsewhere
// somebody else may take it, and turning Refuse off then fails.
func (p *Proxy) Refuse(on bool) error {
	d := <-p.door
	defer func() { p.door <- d }()
	if d.closed {
		return net.ErrClosed
	}
	if on && d.listener != nil {
		err := d.listener.Close()
		d.listener = nil
		return err
	}
	if !on && d.listener == nil {
		l, err := net.Listen("tcp", p.addr)
		if err != nil {
			return fmt.Errorf("listen again: %w", err)
		}
		d.listener = l
		p.accepts.Go(func() { p.serve(l) })
	}
	return nil
}

// Stall holds back all bytes and ends of streams, both ways, until heal is
// called; then they are delivered in order. About 2 MiB a direction are held,
// beyond that senders block as they would on TCP. Stalls nest: traffic flows
// when all are healed. heal may be called more than once.
func (p *Proxy) Stall() (heal func()) {
	p.state.set(func(f *faults) { f.stalls++ })
	return sync.OnceFunc(func() { p.state.set(func(f *faults) { f.stalls-- }) })
}

// SetDelay makes what is read from now on arrive d later, each way, without
// making it slower: bytes follow each other as they were sent. Zero means at once.
func (p *Proxy) SetDelay(d time.Duration) {
	p.state.set(func(f *faults) { f.delay = d })
}

// CutAfter gives every connection, existing or new, n more bytes in each
// direction; the first direction to have carried n resets the connection, both
// ends. Linux lets the receiver read the n bytes before it sees ECONNRESET. Zero
// or less takes the limit away.
func (p *Proxy) CutAfter(n int64) {
	p.state.set(func(f *faults) { f.cut = max(n, 0); f.cutRound++ })
}

// Slice makes the proxy write at most n bytes at a time, so that readers mostly
// see pieces of that size. Zero means as they come.
func (p *Proxy) Slice(n int) {
	p.state.set(func(f *faults) { f.slice = n })
}

// Stats returns the counters as they are now.
func (p *Proxy) Stats() Stats { return p.state.snapshot() }
