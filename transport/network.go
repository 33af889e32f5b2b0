package transport

import (
	"maps"
	"net"
	"net/netip"
	"sync"
	"time"
)

// network is the addresses of this machine. When they change, the way to the server
// has: a connection from an address that is gone will hear nothing any more, and a
// dial that failed may not fail now.
type network map[netip.Addr]bool

// known is what a look found, for all Conns of the process.
var known struct {
	sync.Mutex
	at  time.Time
	now network
}

// lookAround returns the addresses as they were within the last second; none if the
// system does not tell. The result must not be changed.
func lookAround() network {
	known.Lock()
	defer known.Unlock()
	if now := time.Now(); known.at.IsZero() || now.Sub(known.at).Abs() >= sleepCheck {
		known.at, known.now = now, network{}
		addrs, _ := net.InterfaceAddrs()
		for _, a := range addrs {
			if p, err := netip.ParsePrefix(a.String()); err == nil {
				known.now[p.Addr().Unmap()] = true
			}
		}
	}
	return known.now
}

// changed reports whether the addresses are others than in before.
func (before network) changed() bool {
	now := lookAround()
	return len(now) > 0 && !maps.Equal(before, now)
}

// ownAddr is the address of this machine that a connection goes out from; invalid if it
// can't be told.
func ownAddr(c net.Conn) netip.Addr {
	if c == nil {
		return netip.Addr{}
	}
	tcp, ok := c.LocalAddr().(*net.TCPAddr)
	if !ok {
		return netip.Addr{}
	}
	if own := tcp.AddrPort().Addr().Unmap().WithZone(""); lookAround()[own] {
		return own
	}
	return netip.Addr{}
}
