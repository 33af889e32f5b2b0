package disk_test

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"pgregory.net/rapid"

	"holdfast/server/history"
	"holdfast/server/history/disk"
)

// Whatever is done to a store, in whatever order, and wherever a crash comes: what
// was told is there, in its place and once; marks fit the lines; nothing is made up. The
// model of a crash needs a disk, so both engines are tested here.
func TestLogProperties(t *testing.T) {
	t.Parallel()
	t.Run("memory", rapid.MakeCheck(func(t *rapid.T) {
		m := newLibrary(t, history.Memory(), nil)
		t.Repeat(m.actions())
		m.verify(t)
	}))
	t.Run("disk", rapid.MakeCheck(func(t *rapid.T) {
		m := newLibrary(t, nil, vfs.NewCrashableMem())
		all := m.actions()
		maps.Copy(all, map[string]func(*rapid.T){
			"reopen": m.reopen, "crash": m.crash, "copy": m.copy, "restore": m.restore, "two pasts": m.part,
		})
		t.Repeat(all)
		m.reopen(t)
		m.verify(t)
	}))
}

// library is a store under test, and what it must hold.
type library struct {
	store   history.Store
	logs    map[string]*shelf
	books   map[string]*book
	claims  map[string]claimed
	readers []*reader
	opening int
	now     time.Time
	said    int // makes every line another

	disk   *vfs.MemFS // nil for memory
	crashy *crashPoint
	older  *snapshot
}

type claimed struct {
	key  byte
	used time.Time
}

// snapshot is a copy of the disk, and what it holds.
type snapshot struct {
	disk   *vfs.MemFS
	books  map[string]*book
	claims map[string]claimed
}

// shelf is an open room, and what its sink was told since it was opened.
type shelf struct {
	history.Log
	mu    sync.Mutex
	told  []history.Entry
	heard chan struct{} // closed and replaced at each call of the sink
	taken int           // of told, those that the book has
}

func newLibrary(t *rapid.T, s history.Store, fs *vfs.MemFS) *library {
	m := &library{
		store: s, logs: map[string]*shelf{}, books: map[string]*book{}, claims: map[string]claimed{},
		now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), disk: fs,
	}
	for _, room := range rooms {
		m.books[room] = newBook()
	}
	if fs != nil {
		m.open(t)
	}
	t.Cleanup(func() { m.store.Close() })
	return m
}

// One name begins with the other, in rooms as in sources.
var (
	rooms   = []string{"general", "gen"}
	sources = []string{"a", "ab", "b"}
)

func (m *library) actions() map[string]func(*rapid.T) {
	return map[string]func(*rapid.T){
		"":           m.look,
		"append":     m.append,
		"settle":     m.settle,
		"read":       m.read,
		"before":     m.before,
		"start":      m.start,
		"trim":       m.trim,
		"claim":      m.claim,
		"close room": m.closeRoom,
		"verify":     m.verify,
		"time": func(t *rapid.T) {
			m.now = m.now.Add(rapid.SampledFrom([]time.Duration{time.Minute, time.Hour, history.MarkTTL / 2, history.MarkTTL + time.Hour}).Draw(t, "passes"))
		},
	}
}

// open opens the store that is on disk.
func (m *library) open(t *rapid.T) {
	m.opening++
	m.crashy = &crashPoint{disk: m.disk}
	var err error
	m.store, err = disk.Open("h", &disk.Options{FS: errorfs.Wrap(m.disk, m.crashy)})
	sure(t, err)
}

// in returns the log of a room, opened if it is not.
func (m *library) in(t *rapid.T, room string) (*shelf, *book) {
	b := m.books[room]
	if s := m.logs[room]; s != nil {
		return s, b
	}
	s := &shelf{heard: make(chan struct{})}
	log, err := m.store.Open(room, s.hear)
	sure(t, err)
	s.Log, m.logs[room] = log, s
	return s, b
}

func (s *shelf) hear(lines []history.Entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.told = append(s.told, lines...)
	close(s.heard)
	s.heard = make(chan struct{})
}

// look has the books learn what the sinks were told by now.
func (m *library) look(t *rapid.T) {
	for room, s := range m.logs {
		s.mu.Lock()
		told := s.told[s.taken:]
		s.taken = len(s.told)
		s.mu.Unlock()
		for _, e := range told {
			m.books[room].learn(t, e, m.opening)
		}
	}
}

func (m *library) append(t *rapid.T) {
	for range rapid.IntRange(1, 6).Draw(t, "lines") {
		room := rapid.SampledFrom(rooms).Draw(t, "room")
		s, b := m.in(t, room)
		source := rapid.SampledFrom(sources).Draw(t, "source")
		m.said++
		line := history.Line{
			User: "ana", Source: source, N: b.next(source), Text: fmt.Sprint("line ", m.said),
			At: m.now.Add(-time.Duration(rapid.IntRange(0, 90).Draw(t, "minutes ago"))*time.Minute + // clocks go back, too
				time.Duration(m.said)*time.Millisecond),
		}
		if rapid.IntRange(0, 5).Draw(t, "refused") == 0 {
			line.Kind, line.Text = history.KindVoid, "too_long"
		} else if rapid.IntRange(0, 5).Draw(t, "private") == 0 {
			line.Kind, line.To, line.Readers = history.KindPrivate, "bob", "ana's key bob's key"
		}
		b.pending = append(b.pending, line)
		if line.Kind != history.KindVoid && rapid.Bool().Draw(t, "once") {
			line.Once = rapid.SampledFrom(sources).Draw(t, "key") // which are not to be mixed up
			b.keys[line.Text] = line.Once
		}
		sure(t, s.Append(line))
	}
}

// settle waits until all that was appended is durable.
func (m *library) settle(t *rapid.T) {
	late := time.After(20 * time.Second)
	for m.look(t); ; m.look(t) {
		var more chan struct{}
		for room, s := range m.logs {
			s.mu.Lock()
			if len(m.books[room].pending) > len(s.told)-s.taken {
				more = s.heard
			}
			s.mu.Unlock()
		}
		if more == nil {
			m.look(t)
			return
		}
		select {
		case <-more:
		case <-late:
			t.Fatal("lines do not become durable")
		}
	}
}

func (m *library) read(t *rapid.T) {
	room := rapid.SampledFrom(rooms).Draw(t, "room")
	s, b := m.in(t, room)
	after, limit := rapid.IntRange(0, len(b.lines)+2).Draw(t, "after"), rapid.IntRange(0, 8).Draw(t, "limit")
	m.look(t)
	got, err := s.Read(uint64(after), limit)
	sure(t, err)
	want := b.kept(after)
	want = want[:min(limit, len(want))]
	if len(got) < len(want) || len(got) > limit || !slices.Equal(got[:len(want)], want) {
		t.Fatalf("read %d after %d: %+v, want %+v", limit, after, got, want)
	}
	m.settle(t)
	for _, e := range got { // those that became durable meanwhile
		b.learn(t, e, m.opening)
	}
	if len(b.lines) > 0 {
		m.readers = append(m.readers, &reader{room, slices.Clip(b.lines), slices.Clip(b.opening)})
	}
}

func (m *library) before(t *rapid.T) {
	m.settle(t)
	s, b := m.in(t, rapid.SampledFrom(rooms).Draw(t, "room"))
	before, limit := rapid.IntRange(0, len(b.lines)+2).Draw(t, "before"), rapid.IntRange(1, 8).Draw(t, "limit")
	want := b.kept(0)
	if before > 0 {
		want = want[:min(max(before-1-b.edge, 0), len(want))]
	}
	more := len(want) > limit
	want = want[max(len(want)-limit, 0):]
	got, gotMore, err := s.Before(uint64(before), limit)
	sure(t, err)
	if !slices.Equal(got, want) || gotMore != more {
		t.Fatalf("%d before %d: %+v %v, want %+v %v", limit, before, got, gotMore, want, more)
	}
}

// start has somebody come back.
func (m *library) start(t *rapid.T) {
	if len(m.readers) == 0 {
		t.Skip("nobody read yet")
	}
	m.settle(t)
	r := rapid.SampledFrom(m.readers).Draw(t, "reader")
	n := rapid.IntRange(1, len(r.lines)).Draw(t, "up to")
	r = &reader{r.room, r.lines[:n], r.opening[:n]}
	m.comeBack(t, r, rapid.IntRange(-1, 5).Draw(t, "backlog"))
	for _, other := range rooms {
		if other == r.room {
			continue
		}
		s, _ := m.in(t, other)
		if got, err := s.Start(r.cursor(), 0); err != nil || got.Resumed {
			t.Fatalf("a cursor of another room: %+v, %v", got, err)
		}
	}
}

func (m *library) comeBack(t *rapid.T, r *reader, backlog int) {
	s, b := m.in(t, r.room)
	got, err := s.Start(r.cursor(), backlog)
	sure(t, err)
	b.checkStart(t, r, backlog, got)
}

func (m *library) trim(t *rapid.T) {
	m.settle(t)
	keep := history.Retention{
		Age:   rapid.SampledFrom([]time.Duration{0, time.Hour, 24 * time.Hour}).Draw(t, "age"),
		Lines: rapid.IntRange(0, 12).Draw(t, "lines"),
	}
	sure(t, m.store.Trim(t.Context(), keep, m.now))
	for _, b := range m.books {
		b.trim(keep, m.now)
	}
}

func (m *library) claim(t *rapid.T) {
	name, key := rapid.SampledFrom([]string{"ana", "bob"}).Draw(t, "name"), byte(rapid.IntRange(1, 2).Draw(t, "key"))
	ttl := rapid.SampledFrom([]time.Duration{0, 2 * time.Hour}).Draw(t, "ttl")
	held, found := m.claims[name]
	stands := found && (ttl == 0 || m.now.Sub(held.used) <= ttl)
	want := history.Holder{}
	if stands {
		want.Key[0] = held.key
	}
	if got, owned, err := m.store.Owner(name, m.now, ttl); err != nil || owned != stands || got != want {
		t.Fatalf("%s belongs to %v, %v, %v; want %v, %v", name, got, owned, err, want, stands)
	}
	may := !stands || held.key == key
	if _, got, err := m.store.Claim(name, history.Holder{Key: [32]byte{key}}, m.now, ttl); err != nil || got != may {
		t.Fatalf("%s claimed by %d: %v, %v; want %v", name, key, got, err, may)
	}
	if may {
		m.claims[name] = claimed{key, m.now}
	}
}

func (m *library) closeRoom(t *rapid.T) {
	m.settle(t)
	room := rapid.SampledFrom(rooms).Draw(t, "room")
	if s := m.logs[room]; s != nil {
		sure(t, s.Close())
		delete(m.logs, room)
	}
}

// verify compares all that can be asked.
func (m *library) verify(t *rapid.T) {
	m.settle(t)
	for _, room := range rooms {
		s, b := m.in(t, room)
		got, err := s.Read(0, 1<<20)
		sure(t, err)
		if !slices.Equal(got, b.kept(0)) {
			t.Fatalf("room %s holds %+v, want %+v", room, got, b.kept(0))
		}
		m.checkMarks(t, s, b)
	}
	for _, r := range m.readers[max(len(m.readers)-5, 0):] {
		m.comeBack(t, r, 0)
	}
}

func (m *library) checkMarks(t *rapid.T, s *shelf, b *book) {
	for _, source := range sources {
		got, err := s.Source("ana", source)
		sure(t, err)
		if want := b.mark(source); !reflect.DeepEqual(got, want) {
			t.Fatalf("source %s: %+v, want %+v", source, got, want)
		}
		said, err := s.Said("ana", source, m.now)
		sure(t, err)
		at, found := b.said[source]
		if want := found && !at.Before(m.now.Add(-history.MarkTTL)); said != want {
			t.Fatalf("key %s was said: %v, want %v", source, said, want)
		}
	}
}

func sure(t *rapid.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
