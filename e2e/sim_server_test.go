package e2e

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"holdfast/e2e/oracle"
	chat "holdfast/server"
	"holdfast/server/history"
	"holdfast/server/history/disk"
)

// room is where the simulated clients meet.
const room = "general"

// server is the simulated machine of the real server.
type server struct {
	sim  *sim
	keep history.Retention
	skew atomic.Int64 // how wrong its clock is

	mem      *vfs.MemFS   // its disk
	syncFail atomic.Bool  // the disk does not sync
	syncTime atomic.Int64 // the longest that a sync takes
	rng      *rand.Rand   // how long it takes

	store *tap
	chat  *chat.Server
	http  *http.Server

	mu    sync.Mutex
	truth []oracle.Entry // all that ever became durable; the store may have trimmed it

	backup *backup
}

// backup is an older copy of the server's disk.
type backup struct {
	mem   *vfs.MemFS
	lines int // of truth
}

func (v *server) start(s *sim, seed uint64) {
	v.sim, v.mem, v.rng = s, vfs.NewCrashableMem(), rand.New(rand.NewPCG(seed, 2))
	v.syncTime.Store(int64(quickSync))
	if seed%3 == 0 {
		v.keep.Lines = 60
	}
	v.serve()
}

// serve starts a server on what the disk holds.
func (v *server) serve() {
	t := v.sim.t
	fs := errorfs.Wrap(v.mem, errorfs.InjectorFunc(v.sync))
	log := slog.New(v.sim.met.handler("server: ", v.sim.heard))
	store, err := disk.Open("data", &disk.Options{FS: fs, Logger: log})
	if err != nil {
		t.Fatal(err)
	}
	v.store = &tap{Store: store, server: v}
	v.check()
	v.chat = chat.New(&chat.Options{Store: v.store, Keep: v.keep, Logger: log})
	l, err := v.sim.net.Listen("server")
	if err != nil {
		t.Fatal(err)
	}
	v.http = &http.Server{Handler: v.chat}
	go func(h *http.Server, l net.Listener) { _ = h.Serve(l) }(v.http, l)
}

// The longest that a sync takes, on most days and on bad ones. It must take some
// time: a power cut finds little to destroy when it can't come in between.
const (
	quickSync = 30 * time.Millisecond
	slowSync  = 4 * time.Second
)

// sync is what happens when the server's disk is to sync.
func (v *server) sync(op errorfs.Op) error {
	switch op.Kind {
	case errorfs.OpFileSync, errorfs.OpFileSyncData, errorfs.OpFileSyncTo:
	default:
		return nil
	}
	if v.syncFail.Load() {
		return errors.New("simulated: the disk does not sync")
	}
	if strings.HasSuffix(op.Path, ".log") { // of which nobody holds a lock meanwhile
		v.mu.Lock()
		d := time.Duration(v.rng.Int64N(v.syncTime.Load()))
		v.mu.Unlock()
		v.sim.sleep(d)
	}
	return nil
}

// check compares the disk with what became durable before: nothing of that may be
// gone or another. What was synced and then cut off from being told is new here.
func (v *server) check() {
	t := v.sim.t
	log, err := v.store.Store.Open(room, func([]history.Entry) {})
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	bySeq := map[uint64]oracle.Entry{}
	var head uint64
	for _, e := range v.truth {
		bySeq[e.Seq], head = e, e.Seq
	}
	var last uint64
	for {
		entries, err := log.Read(last, 4096)
		if err != nil {
			t.Fatal(err)
		}
		if len(entries) == 0 {
			break
		}
		for _, e := range plainEntries(entries) {
			if known, ok := bySeq[e.Seq]; e.Seq > head {
				v.truth = append(v.truth, e)
			} else if !ok || known != e {
				t.Errorf("the disk has %q at %d, where %q was told", e.Text, e.Seq, known.Text)
			}
		}
		last = entries[len(entries)-1].Seq
	}
	if last < head {
		t.Errorf("the disk ends at %d, and lines were told up to %d", last, head)
	}
}

// plainEntries leaves out what only keeps a place.
func plainEntries(entries []history.Entry) (log []oracle.Entry) {
	for _, e := range entries {
		if e.Kind != history.KindVoid {
			log = append(log, oracle.Entry{Seq: e.Seq, From: e.User, Text: e.Text, To: e.To})
		}
	}
	return log
}

// log is all that ever became durable.
func (v *server) log() []oracle.Entry {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.truth
}

// tap is the store as the oracle and a wrong clock see it.
type tap struct {
	history.Store
	server *server
	dead   atomic.Bool // its disk was taken away: what comes out of it never happened
}

func (p *tap) Open(name string, sink func([]history.Entry)) (history.Log, error) {
	v := p.server
	log, err := p.Store.Open(name, func(entries []history.Entry) {
		v.mu.Lock()
		if !p.dead.Load() && name == room {
			v.truth = append(v.truth, plainEntries(entries)...)
		}
		v.mu.Unlock()
		sink(entries)
	})
	return tapLog{log, v}, err
}

func (p *tap) Claim(name string, by history.Holder, now time.Time, ttl time.Duration) (history.Holder, bool, error) {
	return p.Store.Claim(name, by, p.server.wrong(now), ttl)
}

func (p *tap) Owner(name string, now time.Time, ttl time.Duration) (history.Holder, bool, error) {
	return p.Store.Owner(name, p.server.wrong(now), ttl)
}

func (p *tap) Trim(ctx context.Context, keep history.Retention, now time.Time) error {
	return p.Store.Trim(ctx, keep, p.server.wrong(now))
}

type tapLog struct {
	history.Log
	server *server
}

func (l tapLog) Append(line history.Line) error {
	line.At = l.server.wrong(line.At)
	return l.Log.Append(line)
}

func (v *server) wrong(t time.Time) time.Time { return t.Add(time.Duration(v.skew.Load())) }

// die takes the disk away from the server that runs and ends it, without a word to
// anybody.
func (v *server) die() {
	s := v.sim
	s.net.SetDown("server", true)
	s.herd()
	v.mu.Lock() // whatever was told until now was synced until now
	v.store.dead.Store(true)
	left := v.mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: s.rng.IntN(101), RNG: s.rng})
	v.mu.Unlock()
	v.stop()
	v.mem = left
}

// stop ends server and store; after a failure of the store with its error.
func (v *server) stop() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	failed := v.store.Err()
	err := cmp.Or(v.chat.Shutdown(ctx), v.http.Close(), v.store.Close())
	if err != nil && failed == nil && !v.syncFail.Load() {
		v.sim.t.Error(err)
	}
}

// revive starts the server again on its disk.
func (v *server) revive() {
	v.syncFail.Store(false)
	v.syncTime.Store(int64(quickSync))
	v.full(false)
	v.serve()
	v.sim.net.SetDown("server", false)
}

// full says how much room there is on the disk.
func (v *server) full(yes bool) {
	u := vfs.DiskUsage{AvailBytes: 1 << 30, TotalBytes: 1 << 30}
	if yes {
		u.AvailBytes = 1 << 20
	}
	v.mem.TestingSetDiskUsage(u)
}

// restart drains the server and starts its successor.
func (v *server) restart() {
	v.stop()
	v.revive()
}

// powerCut loses what was not synced, in part or whole.
func (v *server) powerCut() {
	v.die()
	v.revive()
}

// syncFails makes the disk fail until the server has ended itself, as it must.
func (v *server) syncFails() {
	v.syncFail.Store(true)
	v.sim.anyone().burst(2)
	limit := time.NewTimer(10 * time.Second) // nothing may come through, and so nothing be written
	defer limit.Stop()
	select {
	case <-v.chat.Failed():
		v.sim.met.count("server ended itself")
	case <-limit.C:
	}
	v.powerCut()
}

// keepCopy makes a backup, if all is quiet enough to know what is in it. Before all
// names are claimed in it, private lines would be refused after it was put back.
func (v *server) keepCopy() {
	if !v.sim.acquainted() {
		return
	}
	v.sim.still()
	v.backup = &backup{v.mem.CrashClone(vfs.CrashCloneCfg{}), len(v.truth)}
}

// restore puts the backup in the place of the disk.
func (v *server) restore() {
	s := v.sim
	if v.backup == nil {
		v.keepCopy()
		return
	}
	for _, c := range s.clients {
		c.gate.open()
	}
	v.die()
	s.still() // nobody is in the middle of being shown something
	if err := s.oracle.Restored(v.truth, v.backup.lines); err != nil {
		s.t.Error(err)
	}
	v.truth = v.truth[:v.backup.lines:v.backup.lines]
	v.mem, v.backup = v.backup.mem, nil
	v.revive()
}

// end stops the server for good.
func (v *server) end() {
	v.stop()
	store, err := disk.Open("data", &disk.Options{FS: v.mem})
	if err != nil {
		v.sim.t.Fatal(err)
	}
	v.store = &tap{Store: store, server: v}
	v.check()
	if err := store.Close(); err != nil {
		v.sim.t.Error(err)
	}
}
