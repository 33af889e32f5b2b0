package disk_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/server/history"
	"holdfast/server/history/disk"
	"holdfast/server/history/historytest"
)

// reserve is the file in which the store keeps room.
const reserve = "h/reserve"

// looked lets the store see how full the disk is: it looks when there is something
// to write, no more than once a second.
func looked() {
	time.Sleep(2 * time.Second)
	synctest.Wait()
}

// refused appends a line that the store has no room for, of a source of its own.
func refused(t *testing.T, p *historytest.Tape) {
	t.Helper()
	if err := p.Append(history.Line{User: "ana", Source: "refused", N: 1}); !errors.Is(err, history.ErrFull) {
		t.Errorf("Append on a full disk: %v", err)
	}
}

// A disk that fills up between two looks: the store gives its reserve up and ends
// what it has begun, takes no more, serves what it has, and goes on when there is
// room, with a reserve again.
func TestReserve(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		drive := newSmallDisk(64<<20, syscall.ENOSPC)
		s := openDisk(t, "h", drive)
		equal(t, "reserve", drive.holds(reserve), 8<<20)
		p := historytest.Record(t, s, "general")
		p.SayN(1)
		drive.fill()
		p.SayN(1)
		equal(t, "reserve on a full disk", drive.holds(reserve), 0)
		refused(t, p)
		looked()
		refused(t, p)
		equal(t, "lines that can be read", len(p.Texts(0)), 2)
		if _, ok, err := s.Claim("new", history.Holder{Key: [32]byte{1}}, time.Now(), 0); !ok || err != nil {
			t.Errorf("claim on a full disk: %v, %v", ok, err)
		}

		drive.set(func() { drive.foreign -= 4 << 20 })
		looked()
		refused(t, p)
		looked()
		equal(t, "reserve when there is room for no more", drive.holds(reserve), 0)
		drive.clear()
		refused(t, p)
		looked()
		p.SayN(1)
		equal(t, "reserve when there is room", drive.holds(reserve), 8<<20)
		noError(t, s.Close())
	})
}

// Where all that the store gives up is taken by others, or is no help against the
// limit that was hit, writing waits. Nobody else does.
func TestNoRoomAtAll(t *testing.T) {
	for _, c := range []struct {
		errno   syscall.Errno
		minFree int64
	}{
		{syscall.ENOSPC, 0},
		{syscall.EDQUOT, 0},
		{syscall.EFBIG, 0},
		{syscall.ENOSPC, -1}, // nobody looks how much is free
	} {
		t.Run(fmt.Sprint(c.errno, c.minFree), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				drive := newSmallDisk(64<<20, c.errno)
				s, err := disk.Open("h", &disk.Options{FS: drive, MinFree: c.minFree})
				noError(t, err)
				t.Cleanup(func() { s.Close() })
				p := historytest.Record(t, s, "general")
				p.SayN(2)
				claim := func(name string, key byte) (bool, error) {
					_, ok, err := s.Claim(name, history.Holder{Key: [32]byte{key}}, time.Now(), time.Hour)
					return ok, err
				}
				_, err = claim("ana", 1)
				noError(t, err)

				drive.fillGreedily()
				noError(t, p.Append(p.Line("s", "waits")))
				synctest.Wait()
				for range 3 {
					looked()
					refused(t, p)
				}
				equal(t, "lines that can be read", len(p.Texts(0)), 2)
				equal(t, "lines after a cursor", p.From("", 0).Seq, 2)
				if ok, err := claim("ana", 1); !ok || err != nil {
					t.Errorf("the owner of a name: %v, %v", ok, err)
				}
				if ok, err := claim("ana", 2); ok || err != nil {
					t.Errorf("another with the same name: %v, %v", ok, err)
				}
				if ok, err := claim("new", 2); ok || !errors.Is(err, history.ErrFull) {
					t.Errorf("a new name: %v, %v", ok, err)
				}
				if err := s.Trim(t.Context(), history.Retention{Lines: 1}, time.Now()); !errors.Is(err, history.ErrFull) {
					t.Errorf("Trim: %v", err)
				}

				drive.clear()
				looked()
				p.Wait(3)
				p.SayN(1)
				noError(t, s.Close())
				p = historytest.Record(t, openDisk(t, "h", drive), "general")
				equal(t, "lines in the end", strings.Join(p.Texts(0), ","), "line 0,line 1,waits,line 0")
			})
		})
	}
}

// A store that is closed does not wait for room, and says so; all that it told of
// is there.
func TestCloseWithoutRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		drive := newSmallDisk(64<<20, syscall.ENOSPC)
		s := openDisk(t, "h", drive)
		p := historytest.Record(t, s, "general")
		p.SayN(2)
		drive.fillGreedily()
		noError(t, p.Append(p.Line("s", "never told")))
		synctest.Wait()
		began := time.Now()
		if err := s.Close(); !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("Close: %v", err)
		}
		if took := time.Since(began); took > time.Second {
			t.Errorf("Close took %v", took)
		}
		drive.clear()
		equal(t, "lines after", len(historytest.Record(t, openDisk(t, "h", drive), "general").Texts(0)), 2)
	})
}

// A store whose disk filled up while it was closed opens, and serves what it has.
func TestOpenOnFullDisk(t *testing.T) {
	drive := newSmallDisk(64<<20, syscall.ENOSPC)
	s := openDisk(t, "h", drive)
	want := historytest.Record(t, s, "general").SayN(1000)
	for range 3 { // what it gave up stays free for the next time
		noError(t, s.Close())
		drive.set(func() {
			if drive.foreign == 0 {
				drive.foreign = drive.free()
			}
		})
		s = openDisk(t, "h", drive)
		p := historytest.Record(t, s, "general")
		refused(t, p)
		got, err := p.Read(0, 2000)
		noError(t, err)
		equal(t, "lines", slices.Equal(got, want), true)
	}
	noError(t, s.Close())
	drive.fill()
	_, err := disk.Open("h", &disk.Options{FS: drive})
	if !errors.Is(err, history.ErrFull) || !strings.Contains(err.Error(), "free some space") {
		t.Errorf("open without room: %v", err)
	}
	drive.clear()
	p := historytest.Record(t, openDisk(t, "h", drive), "general")
	p.SayN(1)
	equal(t, "head", p.From("", 0).Seq, 1001)
}

// A sync that fails for want of room has lost what it was to keep.
func TestSyncWithoutRoom(t *testing.T) {
	drive := newSmallDisk(64<<20, syscall.ENOSPC)
	s := openDisk(t, "h", drive)
	p := historytest.Record(t, s, "general")
	p.SayN(1)
	drive.set(func() { drive.syncErr = syscall.ENOSPC })
	noError(t, p.Append(p.Line("s", "lost")))
	<-s.Failed()
	if err := s.Close(); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("Close: %v", err)
	}
	heard, _ := p.Now()
	equal(t, "lines heard", len(heard), 1)
}

// Where no room can be set aside, what is free must do.
func TestNoReserve(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		drive := newSmallDisk(64<<20, syscall.ENOSPC)
		drive.noFixed = syscall.EOPNOTSUPP
		p := historytest.Record(t, openDisk(t, "h", drive), "general")
		p.SayN(1)
		equal(t, "reserve", drive.holds(reserve), 0)
		drive.set(func() { drive.foreign = drive.free() - 9<<20 })
		looked()
		p.SayN(1)
		drive.set(func() { drive.foreign += 2 << 20 })
		looked()
		p.SayN(1) // sees it
		refused(t, p)
		drive.fillGreedily()
		drive.clear()
		looked()
		refused(t, p)
		synctest.Wait()
		p.SayN(1)
	})
}

// A disk that is too small for what a store usually keeps.
func TestTinyDisk(t *testing.T) {
	drive := newSmallDisk(1<<20, syscall.ENOSPC)
	p := historytest.Record(t, openDisk(t, "h", drive), "general")
	equal(t, "reserve", drive.holds(reserve), 128<<10)
	p.SayN(100)
}

// Others come and go. Whatever was appended comes out once, in order, and is on the
// disk in the end, through flushes and compactions that find no room, too.
func TestComingAndGoing(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				rng := rand.New(rand.NewPCG(seed, 1))
				drive := newSmallDisk(200<<20, syscall.ENOSPC)
				s := openDisk(t, "h", drive)
				p := historytest.Record(t, s, "general")
				text := strings.Repeat("x", 100<<10)
				var want []string
				times := map[string]int{}
				for range 400 {
					switch n := rng.IntN(40); {
					case n == 0:
						drive.fill()
						times["filled"]++
					case n == 1:
						drive.fillGreedily()
						times["filled greedily"]++
					case n < 12:
						drive.clear()
						looked()
					}
					if rng.IntN(8) == 0 {
						synctest.Wait() // the committer is level, so that a full disk is seen
					}
					line := history.Line{User: "ana", Source: "s", N: uint64(len(want) + 1), Text: fmt.Sprint(len(want), text[:rng.IntN(len(text))])}
					switch err := p.Append(line); {
					case errors.Is(err, history.ErrFull):
						times["refused"]++
					case err != nil:
						t.Fatal(err)
					default:
						want = append(want, line.Text)
					}
				}
				drive.clear()
				looked()
				noError(t, s.Close())
				p = historytest.Record(t, openDisk(t, "h", drive), "general")
				equal(t, "what is on the disk is what was appended", slices.Equal(p.Texts(0), want), true)
				equal(t, "tables", tables(t, drive) > 0, true)
				for _, what := range []string{"filled", "filled greedily", "refused"} {
					if times[what] == 0 {
						t.Errorf("never %s", what)
					}
				}
			})
		})
	}
}
