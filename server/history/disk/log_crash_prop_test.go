package disk_test

import (
	"maps"
	"math/rand/v2"
	"sync"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"pgregory.net/rapid"
)

// crashPoint is where the power goes: before one of the writes to the disk it takes a
// picture of what would be left.
type crashPoint struct {
	disk *vfs.MemFS

	mu    sync.Mutex
	left  int // writes before the crash; none is planned if it is not positive
	cfg   vfs.CrashCloneCfg
	note  func()
	after *vfs.MemFS
}

// plan has the power go at the nth write from now, and note called at that moment.
func (c *crashPoint) plan(n int, cfg vfs.CrashCloneCfg, note func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.left, c.cfg, c.note = n, cfg, note
}

// MaybeError implements errorfs.Injector. It never makes an error.
func (c *crashPoint) MaybeError(op errorfs.Op) error {
	if op.Kind.ReadOrWrite() != errorfs.OpIsWrite {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.left--; c.left == 0 && c.after == nil {
		c.strike()
	}
	return nil
}

func (c *crashPoint) String() string { return "crash point" }

func (c *crashPoint) strike() {
	c.note()
	c.after = c.disk.CrashClone(c.cfg)
}

// now has the power go, if it has not gone, and returns what is left on the disk.
func (c *crashPoint) now() *vfs.MemFS {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.after == nil {
		c.strike()
	}
	return c.after
}

// everything is what a copy of the disk holds.
func everything() vfs.CrashCloneCfg {
	return vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rand.New(rand.NewPCG(1, 1))}
}

// crash appends lines, has the power go at some write to the disk meanwhile or after,
// and opens what is left.
func (m *library) crash(t *rapid.T) {
	m.settle(t)
	for _, room := range rooms {
		m.in(t, room)
	}
	durable := map[string]int{} // how many lines of a room somebody was told of by the time of the crash
	first := map[string]int{}
	for room, s := range m.logs {
		first[room] = len(m.books[room].lines) - s.taken
	}
	m.crashy.plan(rapid.IntRange(0, 10).Draw(t, "writes"), vfs.CrashCloneCfg{
		UnsyncedDataPercent: rapid.SampledFrom([]int{0, 30, 70, 100}).Draw(t, "percent kept"),
		RNG:                 rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1)),
	}, func() {
		for room, s := range m.logs {
			s.mu.Lock()
			durable[room] = first[room] + len(s.told)
			s.mu.Unlock()
		}
	})
	for range rapid.IntRange(0, 3).Draw(t, "appends") {
		m.append(t)
	}
	before := copies(m.books)
	if rapid.Bool().Draw(t, "settle") {
		m.settle(t)
	}
	trimmed := rapid.Bool().Draw(t, "trim")
	if trimmed {
		m.trim(t)
	}
	left := m.crashy.now()
	sure(t, m.store.Close())
	after := m.books
	m.disk, m.books = left, before
	clear(m.logs)
	m.open(t)
	for _, room := range rooms {
		if trimmed {
			m.takeTrim(t, room, after[room])
		}
		m.takeRest(t, room, durable[room])
	}
	m.verify(t)
}

// takeTrim finds out whether a trim came before the crash: a room has been trimmed, or
// it has not; and so have the marks.
func (m *library) takeTrim(t *rapid.T, room string, after *book) {
	s, b := m.in(t, room)
	start, err := s.Start("", -1)
	sure(t, err)
	if edge := int(start.Seq); edge != b.edge {
		if edge != after.edge {
			t.Fatalf("room %s begins after %d; want %d or %d", room, edge, b.edge, after.edge)
		}
		for _, e := range after.lines[:edge] { // they were durable before the trim
			b.learn(t, e, m.opening-1)
		}
		b.edge = edge
	}
	for _, source := range sources {
		got, err := s.Source("ana", source)
		sure(t, err)
		if got.Mark == 0 && after.sources[source] == nil {
			delete(b.sources, source)
		}
	}
}

// takeRest learns which of the lines that were on their way are there. Those that
// somebody was told of must be.
func (m *library) takeRest(t *rapid.T, room string, must int) {
	s, b := m.in(t, room)
	lines, err := s.Read(uint64(b.edge), 1<<20)
	sure(t, err)
	for _, e := range lines {
		b.learn(t, e, m.opening-1)
	}
	if len(b.lines) < must {
		t.Fatalf("room %s holds %d lines, and %d were told of", room, len(b.lines), must)
	}
	b.pending = nil // lost; whoever said them says them again
}

// reopen closes and opens the store: all that was appended must be there.
func (m *library) reopen(t *rapid.T) {
	sure(t, m.store.Close())
	m.look(t)
	for room, b := range m.books {
		if len(b.pending) > 0 {
			t.Fatalf("room %s was closed with %d lines not durable", room, len(b.pending))
		}
	}
	clear(m.logs)
	m.open(t)
	m.verify(t)
}

// copy copies the directory.
func (m *library) copy(t *rapid.T) {
	m.settle(t)
	m.older = &snapshot{m.disk.CrashClone(everything()), copies(m.books), maps.Clone(m.claims)}
}

// restore puts the copy in the place of what is there.
func (m *library) restore(t *rapid.T) {
	if m.older == nil {
		t.Skip("there is no copy")
	}
	sure(t, m.store.Close())
	clear(m.logs)
	m.disk = m.older.disk.CrashClone(everything())
	m.books, m.claims = copies(m.older.books), maps.Clone(m.older.claims)
	m.open(t)
	m.verify(t)
}

// part has readers see lines that a copy, which is then put back, does not have.
func (m *library) part(t *rapid.T) {
	m.copy(t)
	m.append(t)
	m.read(t)
	m.restore(t)
	m.append(t)
	m.verify(t)
}

func copies(books map[string]*book) map[string]*book {
	c := map[string]*book{}
	for room, b := range books {
		c[room] = b.copied()
	}
	return c
}
