package netsim

import (
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Options shape a Net. Nil and the zero value give a perfect network: no latency, no faults.
type Options struct {
	// Latency draws the time that a segment takes one way, or half a dial. It is
	// called under a mutex: it must not wait. Segments of one direction never overtake each
	// other. Zero means no latency.
	Latency func(*rand.Rand) time.Duration

	// Window is how many bytes may be under way in one direction of a link: more wait in
	// Write. So with a latency it is a limit on the rate, too. Zero means 64 KiB.
	Window int

	// OnLink is called with each new link before a byte has moved on it, by the
	// goroutine that dials: the place to cut a handshake. Zero means nothing to do.
	OnLink func(*Link)
}

// Between returns a latency that is even in [lo, hi); hi must be above lo.
func Between(lo, hi time.Duration) func(*rand.Rand) time.Duration {
	return func(r *rand.Rand) time.Duration { return lo + time.Duration(r.Int64N(int64(hi-lo))) }
}

// Stats counts what happened since New: proof that a fault was reached.
type Stats struct {
	Dials   int64 // dials that made a link
	Refused int64 // dials that were refused
	Resets  int64 // links broken by Reset or Net.Close
	Cuts    int64 // links that came to their CutAfter
	Bytes   int64 // bytes read by their receivers, all links and both directions together
	Packets int64 // writes that were put under way, FINs not counted
	Late    int64 // of these, read when the end that wrote them had closed
}

// Net is a network. Make it with New, inside the bubble. Its methods may be
// called from any goroutine. The only locks that are held together are that of a
// Net and, inside, that of one of its links.
type Net struct {
	seed  uint64
	opts  Options
	tally struct{ dials, refused, resets, cuts, bytes, packets, late atomic.Int64 }

	mu      sync.Mutex
	changed chan struct{} // closed and replaced when a partition ends or the net closes
	hosts   map[string]*listener
	down    map[string]bool
	parted  map[string]bool   // addresses and client names
	ips     map[string]net.IP // of clients and hosts
	links   []*Link           // alive, in the order of dialling
	dialled uint64
	closed  bool
}

// New makes a network without hosts. The seed decides all latencies.
func New(seed uint64, opts *Options) *Net {
	n := &Net{
		seed:    seed,
		changed: make(chan struct{}),
		hosts:   make(map[string]*listener),
		down:    make(map[string]bool),
		parted:  make(map[string]bool),
		ips:     make(map[string]net.IP),
	}
	if opts != nil {
		n.opts = *opts
	}
	if n.opts.Window == 0 {
		n.opts.Window = 64 << 10
	}
	return n
}

// rng is the random source of one use in the dial of that number.
func (n *Net) rng(number, use uint64) *rand.Rand {
	return rand.New(rand.NewPCG(n.seed, number<<2|use))
}

// withPort adds the port of HTTP to an address that has none.
func withPort(addr string) string {
	if _, _, err := net.SplitHostPort(addr); err != nil {
		return net.JoinHostPort(addr, "80")
	}
	return addr
}

// ip returns the address of the client or host name: each has its own. It is
// called with n locked.
func (n *Net) ip(name string) net.IP {
	if n.ips[name] == nil {
		i := len(n.ips) + 1
		n.ips[name] = net.IPv4(10, byte(i>>16), byte(i>>8), byte(i))
	}
	return n.ips[name]
}

func (n *Net) forget(k *Link) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.links = slices.DeleteFunc(n.links, func(other *Link) bool { return other == k })
}

// Links returns the links that not both ends have closed yet, zombies included,
// in the order of dialling.
func (n *Net) Links() []*Link {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.links)
}

// Stats returns the counters as they are now.
func (n *Net) Stats() Stats {
	return Stats{
		Dials: n.tally.dials.Load(), Refused: n.tally.refused.Load(),
		Resets: n.tally.resets.Load(), Cuts: n.tally.cuts.Load(),
		Bytes: n.tally.bytes.Load(), Packets: n.tally.packets.Load(), Late: n.tally.late.Load(),
	}
}

// SetDown makes dials to addr be refused, or not. Links that exist go on.
func (n *Net) SetDown(addr string, down bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.down[withPort(addr)] = down
}

// Partition cuts who, a client's name or a host's address, off from everybody, or
// lets it back. Links are stalled both ways and dials wait; after the partition
// all goes on where it was, unless its ends gave up meanwhile.
func (n *Net) Partition(who string, on bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.parted[who], n.parted[withPort(who)] = on, on
	if !on {
		n.wake()
	}
	for _, k := range n.links {
		k.part(n.isParted(k))
	}
}

// isParted is called with n locked.
func (n *Net) isParted(k *Link) bool { return n.parted[k.from] || n.parted[k.to] }

// wake lets dials look again. It is called with n locked.
func (n *Net) wake() {
	close(n.changed)
	n.changed = make(chan struct{})
}

// Close closes all listeners, resets all links and fails all dials.
func (n *Net) Close() error {
	n.mu.Lock()
	n.closed = true
	n.wake()
	links := slices.Clone(n.links)
	var hosts []*listener
	for _, l := range n.hosts {
		hosts = append(hosts, l)
	}
	n.mu.Unlock()
	for _, l := range hosts {
		_ = l.Close()
	}
	for _, k := range links {
		k.Reset()
	}
	return nil
}
