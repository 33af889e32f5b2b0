package netsim

import (
	"sync"
	"syscall"
)

const (
	up   = 0 // from the end that dialled to the listener's
	down = 1
)

// Link is one connection, seen from the network. Up is the direction from the end
// that dialled. Its methods may be called from any goroutine.
type Link struct {
	net      *Net
	number   uint64 // of the dial
	from, to string

	mu     sync.Mutex
	halves [2]half
	parted bool // one of its ends is partitioned
}

func newLink(n *Net, from, to string, number uint64) *Link {
	k := &Link{net: n, number: number, from: from, to: to}
	for i := range k.halves {
		k.halves[i] = half{link: k, way: i, rng: n.rng(number, uint64(i)), latency: n.opts.Latency}
		k.halves[i].c.L = &k.mu
	}
	return k
}

// From returns the name of the client that dialled; empty if it used Net.DialContext.
func (k *Link) From() string { return k.from }

// To returns the address that was dialled, with its port.
func (k *Link) To() string { return k.to }

// Reset breaks the link at once: both ends get ECONNRESET, also through a stall,
// and what was under way is lost.
func (k *Link) Reset() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.breakOff(syscall.ECONNRESET) {
		k.net.tally.resets.Add(1)
	}
}

// breakOff makes both ends fail with err and reports whether the link was whole.
// It is called with k locked.
func (k *Link) breakOff(err error) bool {
	if k.halves[up].err != nil {
		return false
	}
	for i := range k.halves {
		h := &k.halves[i]
		h.err, h.queue, h.size = err, nil, 0
		h.c.Broadcast()
	}
	return true
}

// Stall sets which directions hold back everything: bytes, FIN, and the news that
// an end is gone. Senders go on until Options.Window is full.
func (k *Link) Stall(up, down bool) {
	k.change(func() { k.halves[0].stalled, k.halves[1].stalled = up, down })
}

// Heal ends the stalls, though not a partition. What was held arrives at once, in
// order.
func (k *Link) Heal() { k.Stall(false, false) }

func (k *Link) part(on bool) { k.change(func() { k.parted = on }) }

// change calls f with k locked and wakes everybody.
func (k *Link) change(f func()) {
	k.mu.Lock()
	defer k.mu.Unlock()
	f()
	for i := range k.halves {
		k.halves[i].c.Broadcast()
	}
}

// CutAfter breaks the link, as Reset does, when so many more bytes have been
// delivered in a direction. The reader gets exactly these bytes. Zero means no
// cut in that direction.
func (k *Link) CutAfter(up, down int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.halves[0].cut, k.halves[1].cut = max(up, 0), max(down, 0)
}

// Close sends FIN both ways, as a middlebox does that shuts down: each end reads
// what is under way, then EOF, and its writes fail with EPIPE.
func (k *Link) Close() {
	k.mu.Lock()
	defer k.mu.Unlock()
	for i := range k.halves {
		k.halves[i].finish()
	}
}
