package transport

import (
	"context"
	"math/rand/v2"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// heartbeat decides whether the peer is alive. It is one timer whose call, tick,
// looks at when a frame last came in; nothing is rearmed per frame.
type heartbeat struct {
	conn    *Conn
	dialled bool // ping on a clock, not only into silence
	seen    *signs
	rtt     atomic.Int64
	timing  atomic.Pointer[timing]
	doubt   atomic.Pointer[doubt] // the probe in progress; nil if none
	probe   atomic.Bool           // its ping has yet to go out

	turn    chan struct{} // held by a tick, and for good by stop
	timer   *time.Timer
	pings   sync.WaitGroup
	stopped sync.Once

	// What follows belongs to whoever holds turn.
	nextPing time.Duration
	due      time.Duration // when this tick should come
	woke     time.Duration // when a tick last came much too late; zero if never
	from     netip.Addr    // where a dialled Conn goes out from; invalid if unknown, or known to be gone
	clocks   clocks
}

type timing struct{ interval, deadAfter time.Duration }

// doubt is a probe in progress.
type doubt struct {
	asked time.Duration // since epoch
	count int64         // signs of life until then
}

// signs are the peer's signs of life: frames, and pieces of large ones.
type signs struct{ last, count atomic.Int64 }

// note is called by the library with its read lock held. It must never wait.
func (s *signs) note() {
	s.last.Store(int64(sinceEpoch()))
	s.count.Add(1) // clocks are coarse: two signs, or a probe and its answer, may share an instant
}

// at is when the last one came, since epoch.
func (s *signs) at() time.Duration { return time.Duration(s.last.Load()) }

// epoch makes instants comparable as numbers on the monotonic clock.
var epoch = time.Now()

func sinceEpoch() time.Duration { return time.Since(epoch) }

const (
	sleepCheck = time.Second     // how often a dialled Conn compares the clocks
	sleepJump  = 2 * time.Second // how far wall and monotonic clock may part between two looks
	lateTick   = time.Second     // a timer that is so late was not the peer's fault
)

func (h *heartbeat) start(c *Conn, dialled bool, seen *signs) {
	h.conn, h.dialled, h.seen = c, dialled, seen
	h.turn = make(chan struct{}, 1)
	h.timing.Store(&timing{c.opts.Heartbeat, c.opts.DeadAfter})
	h.seen.note()
	h.clocks = newClocks()
	h.nextPing = sinceEpoch() + firstPhase(c.opts.Heartbeat)
	if dialled {
		h.from = ownAddr(c.raw)
	}
	h.turn <- struct{}{}
	h.timer = time.AfterFunc(h.wait(), h.tick)
	<-h.turn
}

// stop returns when no tick and no ping runs any more. The Conn must be dead.
func (h *heartbeat) stop() {
	h.stopped.Do(func() {
		h.turn <- struct{}{} // after a tick that runs; never given back
		h.timer.Stop()
	})
	h.pings.Wait()
}

// tick is the timer's call.
func (h *heartbeat) tick() {
	select {
	case h.turn <- struct{}{}:
		defer func() { <-h.turn }()
	case <-h.conn.done:
		return
	}
	if h.conn.Err() != nil {
		return
	}
	if h.dialled && h.clocks.slept() {
		h.conn.opts.Logger.Debug("woke from sleep")
		h.conn.Probe()
	}
	if h.from.IsValid() && !lookAround()[h.from] {
		h.conn.opts.Logger.Debug("address is gone", "address", h.from)
		h.from = netip.Addr{} // once is enough
		h.conn.Probe()
	}
	t, d := h.timing.Load(), h.doubt.Load()
	answered := d != nil && h.seen.count.Load() != d.count
	heard, now := h.seen.at(), sinceEpoch()
	if now-h.due > lateTick { // this process stood still: what came meanwhile is yet to be read
		h.woke = now
		h.probe.Store(true)
	}
	switch {
	case now >= h.deadline(t), d != nil && !answered && now-d.asked >= h.conn.opts.ProbeTimeout:
		h.conn.fail(ErrPeerDead)
		return
	case answered:
		h.doubt.Store(nil)
	}
	if h.nextPing-now > jittered(t.interval, 1.1) { // SetHeartbeat shortened it
		h.nextPing = now + firstPhase(t.interval)
	}
	clock := now >= h.nextPing && (h.dialled || now-heard >= t.interval)
	if clock {
		h.nextPing = now + jittered(t.interval, 0.9+rand.Float64()/5)
	}
	if h.probe.Swap(false) || clock {
		h.ping(t.deadAfter)
	}
	h.timer.Reset(h.wait())
	if h.probe.Load() || h.timing.Load() != t { // asked for meanwhile: do not undo that Reset
		h.timer.Reset(0)
	}
}

func jittered(d time.Duration, factor float64) time.Duration {
	return time.Duration(factor * float64(d))
}

// firstPhase is random, which keeps the pings of a herd apart for good.
func firstPhase(interval time.Duration) time.Duration {
	return jittered(interval, 0.5+rand.Float64()/2)
}

// deadline is when silence means death.
func (h *heartbeat) deadline(t *timing) time.Duration {
	at := h.seen.at() + t.deadAfter
	if h.woke > 0 {
		at = max(at, h.woke+h.conn.opts.ProbeTimeout)
	}
	return at
}

// wait is how long nothing can be due. It notes when that is.
func (h *heartbeat) wait() time.Duration {
	heard, t := h.seen.at(), h.timing.Load()
	due := h.deadline(t)
	if h.dialled {
		due = min(due, h.nextPing, sinceEpoch()+sleepCheck)
	} else {
		due = min(due, max(heard+t.interval, h.nextPing))
	}
	if d := h.doubt.Load(); d != nil {
		due = min(due, d.asked+h.conn.opts.ProbeTimeout)
	}
	h.due = due
	return due - sinceEpoch()
}

// ping sends one ping and, until the pong or patience ends, waits for the answer.
// The verdict is tick's: any frame will do as an answer.
func (h *heartbeat) ping(patience time.Duration) {
	h.pings.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		sent := time.Now()
		if h.conn.ws.Ping(ctx) == nil {
			h.rtt.Store(int64(time.Since(sent)))
		}
	})
}

// clocks notices that the machine was suspended: the wall clock then went on while
// the monotonic one, by which Go's timers run, stood.
type clocks struct {
	wall time.Time     // without its monotonic part
	mono time.Duration // since epoch
}

func newClocks() clocks {
	now := time.Now()
	return clocks{now.Round(0), now.Sub(epoch)}
}

// slept reports whether that happened since the last look. A wall clock that is
// set forward looks the same and costs a probe.
func (c *clocks) slept() bool {
	last, now := *c, newClocks()
	*c = now
	return now.wall.Sub(last.wall)-(now.mono-last.mono) > sleepJump
}

// SetHeartbeat changes the time between pings and how much silence means death,
// for a client that learns its server's values. Zero keeps a value as it is.
func (c *Conn) SetHeartbeat(interval, deadAfter time.Duration) {
	for {
		old := c.beat.timing.Load()
		t := *old
		if interval > 0 {
			t.interval = interval
		}
		if deadAfter > 0 {
			t.deadAfter = deadAfter
		}
		if c.beat.timing.CompareAndSwap(old, &t) {
			c.beat.timer.Reset(0)
			return
		}
	}
}

// Probe pings at once and gives the peer Options.ProbeTimeout to be heard, for
// when there is a reason to doubt: no ack, a changed network, a user who asks.
// While a probe is in progress another one changes nothing.
func (c *Conn) Probe() {
	d := &doubt{asked: sinceEpoch(), count: c.beat.seen.count.Load()}
	if c.beat.doubt.CompareAndSwap(nil, d) {
		c.beat.probe.Store(true)
		c.beat.timer.Reset(0)
	}
}

// RTT is the time that the last answered ping took, zero before the first.
func (c *Conn) RTT() time.Duration { return time.Duration(c.beat.rtt.Load()) }

// Heard is when something last came in.
func (c *Conn) Heard() time.Time {
	// Counted back from now: the wall clock of an instant counted from epoch would
	// lack all the time that the machine has slept.
	return time.Now().Add(c.beat.seen.at() - sinceEpoch())
}
