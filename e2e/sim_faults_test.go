package e2e

import (
	"time"

	"holdfast/transport/netsim"
)

// kind is something that happens to networks and machines.
type kind struct {
	name   string
	weight int
	do     func(*sim)
}

// kinds is what the schedule draws from. It is filled in init, as faults cause faults.
var kinds []kind

func init() {
	kinds = []kind{
		{"reset", 20, func(s *sim) { s.link((*netsim.Link).Reset) }},
		{"cut after some bytes", 20, (*sim).cut},
		{"stall both ways", 20, func(s *sim) { s.stall(true, true) }},
		{"stall up", 20, func(s *sim) { s.stall(true, false) }},
		{"stall down", 20, func(s *sim) { s.stall(false, true) }},
		{"partition", 20, (*sim).partition},
		{"server unreachable", 15, (*sim).refuse},
		{"all links stall, heal in another order", 4, (*sim).swizzle},
		{"all links reset at once", 5, (*sim).herd},
		{"old connection speaks after its successor", 15, (*sim).zombie},
		{"link stalls while it is made", 10, (*sim).stallNext},
		{"second device of a user", 8, (*sim).secondDevice},
		{"long absence", 3, (*sim).absence},
		{"client killed", 12, func(s *sim) { s.anyone().kill(false) }},
		{"client restored from an older copy", 6, func(s *sim) { s.anyone().kill(true) }},
		{"slow reader", 8, (*sim).slowReader},
		{"flood at a slow reader", 1, (*sim).flood},
		{"user wakes the redial", 8, func(s *sim) { s.anyone().session.Redial() }},
		{"server killed, its disk loses what was not synced", 12, func(s *sim) { s.server.powerCut() }},
		{"server restarted", 8, func(s *sim) { s.server.restart() }},
		{"server restored from an older copy", 3, func(s *sim) { s.server.restore() }},
		{"sync fails", 3, func(s *sim) { s.server.syncFails() }},
		{"disk full", 6, (*sim).diskFull},
		{"slow disk", 6, (*sim).slowDisk},
		{"clock jumps", 6, (*sim).clockJump},
		{"guests come together", 3, (*sim).visitors},
		{"guest breaks rules", 10, (*sim).rudeGuest},
	}
}

// fault lets one of the kinds happen, by weight.
func (s *sim) fault() {
	total := 0
	for _, k := range kinds {
		total += k.weight
	}
	i := s.rng.IntN(total)
	for _, k := range kinds {
		if i -= k.weight; i < 0 {
			s.trace.note("%s", k.name)
			s.met.count("fault: " + k.name)
			k.do(s)
			return
		}
	}
}

// link does something to one link, if there is any.
func (s *sim) link(do func(*netsim.Link)) {
	if links := s.net.Links(); len(links) > 0 {
		do(links[s.rng.IntN(len(links))])
	}
}

// linkOf is a client's newest link, nil if it has none.
func (s *sim) linkOf(c *client) (newest *netsim.Link) {
	for _, k := range s.net.Links() {
		if k.From() == c.host {
			newest = k
		}
	}
	return newest
}

// lasts ends a fault after up to most, or when the run ends.
func (s *sim) lasts(most time.Duration, heal func()) {
	s.heals = append(s.heals, heal)
	time.AfterFunc(time.Duration(s.rng.Int64N(int64(most)))/11*11+5*time.Nanosecond, heal)
}

const outage = 40 * time.Second // at most, as a rule: a dead peer is noticed after 25

func (s *sim) cut() {
	s.link(func(k *netsim.Link) { k.CutAfter(1+s.rng.IntN(3000), 1+s.rng.IntN(3000)) })
}

func (s *sim) stall(up, down bool) {
	s.link(func(k *netsim.Link) {
		k.Stall(up, down)
		s.lasts(outage, k.Heal)
	})
}

func (s *sim) partition() { s.part(outage) }

// part cuts one client off for up to most.
func (s *sim) part(most time.Duration) {
	host := s.anyone().host
	s.net.Partition(host, true)
	s.lasts(most, func() { s.net.Partition(host, false) })
}

// stallNext resets a link, and lets the next one that is dialled stall within the time
// that dial, upgrade and hello take.
func (s *sim) stallNext() {
	s.nextIn.Store(1 + s.rng.Int64N(int64(time.Second)))
	s.link((*netsim.Link).Reset)
}

// dialled is called with each new link.
func (s *sim) dialled(k *netsim.Link) {
	if in := s.nextIn.Swap(0); in > 0 {
		time.AfterFunc(time.Duration(in), func() { k.Stall(true, true) })
		time.AfterFunc(time.Duration(in)*20, k.Heal)
	}
}

// secondDevice has no patience: what it leaves behind is for the next.
func (s *sim) secondDevice() {
	s.anyone().errand(time.Duration(s.rng.Int64N(int64(longErrand))))
}

const longErrand = 20 * time.Second

// absence is long enough for retention to overtake who was away.
func (s *sim) absence() {
	s.part(10 * time.Minute)
	for range 3 {
		s.anyone().burst(30)
	}
}

func (s *sim) refuse() {
	s.net.SetDown("server", true)
	s.lasts(outage, func() { s.net.SetDown("server", false) })
}

func (s *sim) swizzle() {
	for _, k := range s.net.Links() {
		k.Stall(true, true)
		s.lasts(outage, k.Heal)
		s.sleep(time.Duration(s.rng.Int64N(int64(100 * time.Millisecond))))
	}
}

func (s *sim) herd() {
	for _, k := range s.net.Links() {
		k.Reset()
	}
}

// zombie holds back what a client says until that client has connected anew, and lets
// it through in the very moment in which the server turns from the one to the other.
func (s *sim) zombie() {
	c := s.anyone()
	k := s.linkOf(c)
	if k == nil {
		return
	}
	k.Stall(true, true)
	s.zombies.Store(k, nil)
	c.burst(5)
	c.session.Redial() // it doubts the link, gives it up and dials
	s.lasts(outage, k.Heal)
}

// heard is called with what the server logs.
func (s *sim) heard(message string) {
	if message == "takeover" {
		s.zombies.Range(func(k, _ any) bool {
			k.(*netsim.Link).Heal()
			return true
		})
		s.zombies.Clear()
	}
}

func (s *sim) slowReader() {
	c := s.anyone()
	c.gate.close()
	s.lasts(outage, c.gate.open)
}

// flood is more than the buffers between a server and a reader hold.
func (s *sim) flood() {
	s.slowReader()
	c := s.anyone()
	for range 40 {
		c.burst(50)
		s.sleep(100 * time.Millisecond)
	}
}

func (s *sim) diskFull() {
	v := &s.server
	v.full(true)
	s.anyone().burst(5)
	s.lasts(outage, func() { v.full(false) })
}

func (s *sim) slowDisk() {
	v := &s.server
	v.syncTime.Store(int64(slowSync))
	s.lasts(outage, func() { v.syncTime.Store(int64(quickSync)) })
}

func (s *sim) clockJump() {
	s.server.skew.Store(s.rng.Int64N(int64(4*time.Hour)) - int64(2*time.Hour))
}
