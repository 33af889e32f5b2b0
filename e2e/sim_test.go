package e2e

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"holdfast/e2e/netsim"
	"holdfast/e2e/oracle"
	"holdfast/server"
	"holdfast/server/history"
	"holdfast/session"
)

var (
	simSeeds = flag.Int("sim.seeds", 4, "how many seeds TestSim runs")
	simSeed  = flag.Uint64("sim.seed", 0, "the only seed that TestSim runs; 0 means many")
	simHours = flag.Float64("sim.hours", 0.1, "simulated hours of each seed")
)

// TestSim runs real sessions against the real server on a simulated network and disk,
// in fake time, with faults by seed, and asks the oracle.
func TestSim(t *testing.T) {
	first, n := uint64(1), uint64(*simSeeds)
	if *simSeed != 0 {
		first, n = *simSeed, 1
	}
	for seed := first; seed < first+n; seed++ {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				s := newSim(t, seed, dir)
				s.run(time.Duration(*simHours * float64(time.Hour)))
			})
			if t.Failed() {
				t.Logf("again: go test ./e2e -run TestSim -sim.seed %d -sim.hours %v", seed, *simHours)
			}
		})
	}
}

// sim is one simulated world.
type sim struct {
	t      *testing.T
	rng    *rand.Rand // the schedule's own
	net    *netsim.Net
	oracle oracle.Oracle
	wg     sync.WaitGroup // readers

	disk  *vfs.MemFS
	store history.Store
	chat  *server.Server
	http  *http.Server

	clients []*session.Session
	said    []int
	faults  map[string]int
	dir     string
}

func newSim(t *testing.T, seed uint64, dir string) *sim {
	s := &sim{
		t: t, dir: dir, rng: rand.New(rand.NewPCG(seed, 1)), disk: vfs.NewCrashableMem(), faults: map[string]int{},
		net: netsim.New(seed, &netsim.Options{Latency: netsim.Between(time.Millisecond, 80*time.Millisecond)}),
	}
	s.serve()
	for _, name := range []string{"ana", "ben", "cem", "dia", "eva"} {
		s.join(name)
	}
	return s
}

// serve starts a server on what the disk holds.
func (s *sim) serve() {
	store, err := history.OpenDisk("data", &history.DiskOptions{FS: s.disk, MinFree: -1})
	if err != nil {
		s.t.Fatal(err)
	}
	s.store = store
	s.chat = server.New(&server.Options{Store: store})
	l, err := s.net.Listen("server")
	if err != nil {
		s.t.Fatal(err)
	}
	s.http = &http.Server{Handler: s.chat}
	go func(h *http.Server, l net.Listener) { _ = h.Serve(l) }(s.http, l)
}

// join starts a client and its reader.
func (s *sim) join(name string) {
	c, err := session.Open("ws://server", &session.Options{
		Room: "general", Name: name, Dir: s.dir + "/" + name, Backlog: -1, HTTPClient: s.net.Client(name),
	})
	if err != nil {
		s.t.Fatal(err)
	}
	s.clients = append(s.clients, c)
	s.said = append(s.said, 0)
	s.oracle.Reader(name, oracle.View{})
	s.wg.Go(func() {
		for e := range c.Events() {
			switch e := e.(type) {
			case session.Message:
				s.oracle.Saw(name, e.Seq, e.From, e.Text)
			case session.Gap:
				s.oracle.Gap(name, int(e.Lost))
			case session.Receipt:
				if e.Err != nil {
					s.t.Errorf("%s: line refused: %v", name, e.Err)
				}
				s.oracle.Acked(name, fmt.Sprintf("%s %d", name, e.ID.N))
			}
		}
	})
}

// say has a client say a burst of lines.
func (s *sim) say(i int) {
	c := s.clients[i]
	for range 1 + s.rng.IntN(8) {
		s.said[i]++
		line := fmt.Sprintf("%s %d", c.Name(), s.said[i])
		s.oracle.Said(c.Name(), line)
		if _, err := c.Send(line); err != nil {
			s.t.Errorf("send: %v", err)
		}
	}
}

// run lets clients chat and faults happen for d, then gives all a minute to settle.
func (s *sim) run(d time.Duration) {
	for end := time.Now().Add(d); time.Now().Before(end); {
		time.Sleep(time.Duration(s.rng.Int64N(int64(4*time.Second)))/7*7 + 3*time.Nanosecond)
		s.say(s.rng.IntN(len(s.clients)))
		if s.rng.IntN(4) == 0 {
			s.fault()
		}
	}
	for _, k := range s.net.Links() {
		k.Heal()
	}
	time.Sleep(time.Minute)
	for _, c := range s.clients {
		if err := c.Close(); err != nil {
			s.t.Error(err)
		}
	}
	s.wg.Wait()
	s.stop(time.Minute)
	log := s.log()
	if err := s.store.Close(); err != nil {
		s.t.Error(err)
	}
	if err := s.oracle.CheckLive(log); err != nil {
		s.t.Error(err)
	}
	if c := s.oracle.Counts(); c.Acked == 0 || c.Saw < c.Acked*len(s.clients) {
		s.t.Errorf("nothing is proved: %+v", c)
	}
	_ = s.net.Close()
	s.t.Logf("%d lines, faults %v", len(log), s.faults)
}

// log reads the room's log from the store of a server that has stopped.
func (s *sim) log() (log []oracle.Entry) {
	l, err := s.store.Open("general", func([]history.Entry) {})
	if err != nil {
		s.t.Fatal(err)
	}
	entries, err := l.Read(0, 1<<20)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, e := range entries {
		log = append(log, oracle.Entry{Seq: e.Seq, From: e.User, Text: e.Text})
	}
	if err := l.Close(); err != nil {
		s.t.Error(err)
	}
	return log
}

// stop drains the server.
func (s *sim) stop(limit time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	if err := s.chat.Shutdown(ctx); err != nil {
		s.t.Error(err)
	}
	if err := s.http.Close(); err != nil {
		s.t.Error(err)
	}
}

// crash cuts the server's power: what was not synced may be lost, in part or whole.
// Whatever reached a client before was synced by then, so the links go first.
func (s *sim) crash() {
	s.net.SetDown("server", true)
	for _, k := range s.net.Links() {
		k.Reset()
	}
	left := s.disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: s.rng.IntN(101), RNG: s.rng})
	s.stop(time.Minute) // of no more consequence: it writes to a disk that is gone
	if err := s.store.Close(); err != nil {
		s.t.Error(err)
	}
	s.disk = left
	s.serve()
	s.net.SetDown("server", false)
}

// fault does one thing that happens to networks and machines. Times end in odd
// nanoseconds, so that no two timers are due at once.
func (s *sim) fault() {
	a := time.Duration(s.rng.Int64N(int64(40*time.Second)))/11*11 + 5*time.Nanosecond
	links := s.net.Links()
	if len(links) == 0 {
		return
	}
	k := links[s.rng.IntN(len(links))]
	who := s.clients[s.rng.IntN(len(s.clients))].Name()
	heal := func(f func()) { time.AfterFunc(a, f) }
	kinds := []struct {
		name string
		do   func()
	}{
		{"reset", k.Reset},
		{"cut", func() { k.CutAfter(1+s.rng.IntN(3000), 1+s.rng.IntN(3000)) }},
		{"stall both", func() { k.Stall(true, true); heal(k.Heal) }},
		{"stall up", func() { k.Stall(true, false); heal(k.Heal) }},
		{"stall down", func() { k.Stall(false, true); heal(k.Heal) }},
		{"partition", func() { s.net.Partition(who, true); heal(func() { s.net.Partition(who, false) }) }},
		{"refuse", func() { s.net.SetDown("server", true); heal(func() { s.net.SetDown("server", false) }) }},
		{"power cut", s.crash},
		{"restart", func() { s.stop(time.Minute); s.restart() }},
	}
	f := kinds[s.rng.IntN(len(kinds))]
	s.faults[f.name]++
	f.do()
}

// restart starts the drained server's successor.
func (s *sim) restart() {
	if err := s.store.Close(); err != nil {
		s.t.Error(err)
	}
	s.serve()
}
