package disk_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"holdfast/server/history"
	"holdfast/server/history/historytest"
)

// A crash in the middle of a sink's call loses nothing of what the sink was told.
// The crash keeps what was synced and a random part of what was not.
func TestCrash(t *testing.T) {
	for seed := range uint64(10) {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 1))
			fs := vfs.NewCrashableMem()
			var shown []history.Entry
			for range 3 {
				fs, shown = crashOnce(t, rng, fs, shown)
			}
		})
	}
}

// crashOnce opens the store in fs, checks that it holds all that was shown, and
// goes on until a crash. It returns what the crash left and what was shown by then.
func crashOnce(t *testing.T, rng *rand.Rand, fs *vfs.MemFS, shown []history.Entry) (*vfs.MemFS, []history.Entry) {
	s := openDisk(t, "h", fs)
	var mu sync.Mutex
	var after *vfs.MemFS
	calls, crashAt := 0, 1+rng.IntN(12)
	crashed := make(chan struct{})
	window := make(chan struct{}, 1+rng.IntN(20)) // lines under way
	cfg := vfs.CrashCloneCfg{UnsyncedDataPercent: 25 * rng.IntN(4), RNG: rand.New(rand.NewPCG(rng.Uint64(), 2))}
	log, err := s.Open("general", func(lines []history.Entry) {
		mu.Lock()
		defer mu.Unlock()
		if after != nil {
			return
		}
		for range lines {
			<-window
		}
		shown = append(shown, lines...)
		if calls++; calls == crashAt {
			after = fs.CrashClone(cfg)
			close(crashed)
		}
	})
	noError(t, err)

	read, err := log.Read(0, 1<<20)
	noError(t, err)
	if len(read) < len(shown) || !slices.Equal(read[:len(shown)], shown) {
		t.Fatalf("%d lines were shown before the crash, %d are there after", len(shown), len(read))
	}
	// Lines that nobody was told of may be there too; now they are history.
	mu.Lock()
	shown = read
	mu.Unlock()
	marks := map[string]uint64{}
	for i, line := range read {
		marks[line.Source]++
		if line.Seq != uint64(i+1) || line.N != marks[line.Source] {
			t.Fatalf("line %d of the log is %+v", i+1, line)
		}
		if start, err := log.Start(line.Cursor, 0); err != nil || !start.Resumed {
			t.Fatalf("start at line %d: %+v, %v", i+1, start, err)
		}
	}
	for _, source := range []string{"a", "b", "c"} {
		got, err := log.Source("ana", source)
		noError(t, err)
		equal(t, "mark of "+source, got.Mark, marks[source])
		for n := range marks[source] + 3 {
			said, err := log.Said("ana", onceKey(source, n), time.Now())
			noError(t, err)
			equal(t, fmt.Sprint(source, " ", n, " was said"), said, n%2 == 1 && n <= marks[source])
		}
	}

	text := string(make([]byte, rng.IntN(3000)))
	for {
		select {
		case <-crashed:
			noError(t, s.Close())
			mu.Lock()
			defer mu.Unlock()
			return after, shown
		case window <- struct{}{}:
		}
		source := string(rune('a' + rng.IntN(3)))
		marks[source]++
		line := history.Line{User: "ana", Source: source, N: marks[source], Text: text, At: time.Now()}
		if line.N%2 == 1 {
			line.Once = onceKey(source, line.N)
		}
		noError(t, log.Append(line))
	}
}

func onceKey(source string, n uint64) string { return fmt.Sprint(source, "-", n) }

// Whatever is durable also survives when the crash comes amid flushes and trims.
func TestCrashAmidFlush(t *testing.T) {
	fs := vfs.NewCrashableMem()
	s := openDisk(t, "h", fs)
	p := historytest.Record(t, s, "general")
	text := string(make([]byte, 60<<10))
	for range 3 {
		for range 50 {
			noError(t, p.Append(p.Line("s", text)))
		}
		p.Wait(int(p.Marks["s"]))
		noError(t, s.Trim(t.Context(), history.Retention{Lines: 60}, time.Now()))
	}
	if tables(t, fs) == 0 {
		t.Error("nothing was flushed")
	}
	heard, _ := p.Now()
	left := fs.CrashClone(vfs.CrashCloneCfg{})
	again := historytest.Record(t, openDisk(t, "h", left), "general")
	read, err := again.Read(0, 1000)
	noError(t, err)
	if !slices.Equal(read, heard[90:]) {
		t.Errorf("%d lines are left, want the newest 60", len(read))
	}
}
