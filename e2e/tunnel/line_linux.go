package tunnel

import (
	"container/heap"
	"math/rand/v2"
	"os"
	"sync"
	"time"
)

// Faults are what a direction does to packets. The zero value passes all on at once,
// in order. Fractions are of packets, from 0 to 1.
type Faults struct {
	Hole        bool // nothing passes, and nobody is told
	Unreachable bool // nothing passes, and the sender is told so by ICMP

	Largest int // larger packets vanish, headers counted; zero passes all

	Loss    float64
	Double  float64 // come twice
	Corrupt float64 // have a bit flipped
	Late    float64 // are overtaken: they come 20 ms later than those behind them

	Delay  time.Duration
	Jitter time.Duration // more delay, between nothing and this; nobody is overtaken for it

	Rate  int // bytes a second; zero has no limit
	Queue int // bytes that may wait for their turn if there is a Rate; more is dropped
}

// Counts says what happened to packets.
type Counts struct {
	Packets, Bytes int // that came in

	Holed, Unreachable, TooLarge, Lost, Overflown int // did not get out

	Doubled, Corrupted, Overtaken int // did

	Undelivered int // met an interface that was off

	Slowest time.Duration // that a packet took, from end to end
}

// Line is one direction of a wire. Its methods may be called from any goroutine.
type Line struct {
	from, to *os.File
	changed  chan struct{} // there may be something to write sooner

	mu     sync.Mutex
	rng    *rand.Rand
	faults Faults
	counts Counts
	queue  queue
	latest time.Time // when the last packet is due of those that keep their order
	free   time.Time // when what waits for its turn has had it
	newest int       // number of the youngest packet that was written
}

// late is by how much a packet must be held back to be overtaken in a busy stream.
const late = 20 * time.Millisecond

func newLine(from, to *os.File, seed uint64) *Line {
	return &Line{
		from: from, to: to, changed: make(chan struct{}, 1),
		rng: rand.New(rand.NewPCG(seed, 0)),
	}
}

// Set replaces the faults. Packets under way are not touched.
func (l *Line) Set(f Faults) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.faults = f
}

// Counts returns the counters as they are now.
func (l *Line) Counts() Counts {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.counts
}

// read takes packets in until the wire is cut.
func (l *Line) read() {
	p := make([]byte, 64<<10)
	for {
		n, err := l.from.Read(p)
		if err != nil {
			return
		}
		if n <= ipHeader || p[0]>>4 != 4 { // the kernel's own chatter in IPv6
			continue
		}
		if answer := l.take(append([]byte(nil), p[:n]...), time.Now()); answer != nil {
			_, _ = l.from.Write(answer)
		}
		select {
		case l.changed <- struct{}{}:
		default:
		}
	}
}

// take decides what happens to a packet. It returns what its sender is told at once.
func (l *Line) take(p []byte, now time.Time) (answer []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f, c := &l.faults, &l.counts
	c.Packets++
	c.Bytes += len(p)
	switch {
	case f.Hole:
		c.Holed++
	case f.Unreachable:
		c.Unreachable++
		return unreachable(p)
	case f.Largest > 0 && len(p) > f.Largest:
		c.TooLarge++
	case l.hits(f.Loss):
		c.Lost++
	default:
		out, ok := l.turn(len(p), now)
		if !ok {
			c.Overflown++
			return nil
		}
		l.pass(packet{came: now, due: out, number: c.Packets, bytes: p})
	}
	return nil
}

// turn is when the last byte of a packet of so many has passed at the line's rate;
// ok is false if too many wait before it.
func (l *Line) turn(size int, now time.Time) (out time.Time, ok bool) {
	f := &l.faults
	if f.Rate == 0 {
		return now, true
	}
	takes := func(bytes int) time.Duration { return time.Duration(bytes) * time.Second / time.Duration(f.Rate) }
	if l.free.Before(now) {
		l.free = now
	}
	if l.free.Sub(now) > takes(f.Queue) {
		return now, false
	}
	l.free = l.free.Add(takes(size))
	return l.free, true
}

// pass puts a packet, which is due when its bytes are through, into the queue, or two.
func (l *Line) pass(p packet) {
	f, c := &l.faults, &l.counts
	p.due = p.due.Add(f.Delay)
	if f.Jitter > 0 {
		p.due = p.due.Add(time.Duration(l.rng.Int64N(int64(f.Jitter))))
	}
	if p.due.Before(l.latest) {
		p.due = l.latest
	}
	if l.hits(f.Corrupt) {
		c.Corrupted++
		p.bytes[ipHeader+l.rng.IntN(len(p.bytes)-ipHeader)] ^= 1 << l.rng.IntN(8)
	}
	if l.hits(f.Late) {
		p.due = p.due.Add(late)
	} else {
		l.latest = p.due
	}
	heap.Push(&l.queue, p)
	if l.hits(f.Double) {
		c.Doubled++
		heap.Push(&l.queue, p)
	}
}

func (l *Line) hits(fraction float64) bool { return fraction > 0 && l.rng.Float64() < fraction }

// write gives packets out when they are due, until the wire is cut.
func (l *Line) write(done <-chan struct{}) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		p, wait := l.next(time.Now())
		if p != nil {
			if _, err := l.to.Write(p); err != nil {
				l.mu.Lock()
				l.counts.Undelivered++
				l.mu.Unlock()
			}
			continue
		}
		timer.Reset(wait)
		select {
		case <-timer.C:
		case <-l.changed:
		case <-done:
			return
		}
	}
}

// next takes the packet that is due now, or else tells how long nothing is.
func (l *Line) next(now time.Time) (p []byte, wait time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.queue) == 0 {
		return nil, time.Hour
	}
	if wait := l.queue[0].due.Sub(now); wait > 0 {
		return nil, wait
	}
	first := heap.Pop(&l.queue).(packet)
	if first.number < l.newest {
		l.counts.Overtaken++
	}
	l.newest = max(l.newest, first.number)
	l.counts.Slowest = max(l.counts.Slowest, now.Sub(first.came))
	return first.bytes, 0
}

// packet is on its way.
type packet struct {
	came, due time.Time
	number    int // in the order of coming in
	bytes     []byte
}

// queue is a heap: the next packet that is due comes first.
type queue []packet

func (q queue) Len() int { return len(q) }

func (q queue) Less(i, j int) bool {
	if q[i].due.Equal(q[j].due) {
		return q[i].number < q[j].number
	}
	return q[i].due.Before(q[j].due)
}

func (q queue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *queue) Push(p any)   { *q = append(*q, p.(packet)) }

func (q *queue) Pop() any {
	old := *q
	last := old[len(old)-1]
	old[len(old)-1] = packet{}
	*q = old[:len(old)-1]
	return last
}
