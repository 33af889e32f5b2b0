package faultproxy

import (
	"sync"
	"time"
)

// Stats counts what a proxy did since New.
type Stats struct {
	Conns  int   // connections accepted
	Open   int   // of these, not yet ended
	Resets int   // connections that ended in a reset, whoever began it
	Up     int64 // bytes written to servers
	Down   int64 // bytes written to clients
	Writes int64 // writes that it took
	Lost   int64 // bytes that fell into a hole
}

// direction is the way that bytes go.
type direction int

const (
	up   direction = iota // client to server
	down                  // server to client
)

func (d direction) back() direction { return 1 - d }

// faults is what the test asked for. Links work on copies.
type faults struct {
	upstream string
	hole     [2]bool
	digs     [2]int // how many holes there were; a link compares it with the number at its birth
	stalls   int
	delay    time.Duration
	cut      int64
	cutRound int // counts calls of CutAfter; each gives every link a new allowance
	slice    int
}

func (f *faults) dig(d direction, on bool) {
	f.hole[d] = on
	if on {
		f.digs[d]++
	}
}

// state is the data that the test and the links share.
type state struct {
	mu      sync.Mutex
	faults  faults
	changed chan struct{} // closed and replaced whenever faults change
	stats   Stats
	links   map[*link]struct{}
}

func newState(upstream string) *state {
	return &state{
		faults:  faults{upstream: upstream},
		changed: make(chan struct{}),
		links:   make(map[*link]struct{}),
	}
}

func (s *state) set(change func(*faults)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.faults)
	close(s.changed)
	s.changed = make(chan struct{})
}

// look returns the faults of now and a channel that closes when they change.
func (s *state) look() (faults, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.faults, s.changed
}

func (s *state) count(add func(*Stats)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	add(&s.stats)
}

func (s *state) snapshot() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stats
}

// enter makes a link that lives from now on.
func (s *state) enter() *link {
	s.mu.Lock()
	defer s.mu.Unlock()
	killed := make(chan struct{})
	k := &link{
		state:  s,
		born:   s.faults,
		killed: killed,
		kill:   sync.OnceFunc(func() { close(killed) }),
		gone:   make(chan struct{}),
	}
	s.links[k] = struct{}{}
	s.stats.Conns++
	s.stats.Open++
	return k
}

func (s *state) leave(k *link) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.links, k)
	s.stats.Open--
}

func (s *state) live() []*link {
	s.mu.Lock()
	defer s.mu.Unlock()
	links := make([]*link, 0, len(s.links))
	for k := range s.links {
		links = append(links, k)
	}
	return links
}
