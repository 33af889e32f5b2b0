package history_test

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
func refused(t *testing.T, p *tape) {
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
		disk := newSmallDisk(64<<20, syscall.ENOSPC)
		s := openDisk(t, "h", disk)
		equal(t, "reserve", disk.holds(reserve), 8<<20)
		p := record(t, s, "general")
		p.sayN(1)
		disk.fill()
		p.sayN(1)
		equal(t, "reserve on a full disk", disk.holds(reserve), 0)
		refused(t, p)
		looked()
		refused(t, p)
		equal(t, "lines that can be read", len(p.texts(0)), 2)
		if _, ok, err := s.Claim("new", history.Holder{Key: [32]byte{1}}, time.Now(), 0); !ok || err != nil {
			t.Errorf("claim on a full disk: %v, %v", ok, err)
		}

		disk.set(func() { disk.foreign -= 4 << 20 })
		looked()
		refused(t, p)
		looked()
		equal(t, "reserve when there is room for no more", disk.holds(reserve), 0)
		disk.clear()
		refused(t, p)
		looked()
		p.sayN(1)
		equal(t, "reserve when there is room", disk.holds(reserve), 8<<20)
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
				disk := newSmallDisk(64<<20, c.errno)
				s, err := history.OpenDisk("h", &history.DiskOptions{FS: disk, MinFree: c.minFree})
				noError(t, err)
				closeLater(t, s)
				p := record(t, s, "general")
				p.sayN(2)
				claim := func(name string, key byte) (bool, error) {
					_, ok, err := s.Claim(name, history.Holder{Key: [32]byte{key}}, time.Now(), time.Hour)
					return ok, err
				}
				_, err = claim("ana", 1)
				noError(t, err)

				disk.fillGreedily()
				noError(t, p.Append(p.line("s", "waits")))
				synctest.Wait()
				for range 3 {
					looked()
					refused(t, p)
				}
				equal(t, "lines that can be read", len(p.texts(0)), 2)
				equal(t, "lines after a cursor", p.start("", 0).Seq, 2)
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

				disk.clear()
				looked()
				p.wait(3)
				p.sayN(1)
				noError(t, s.Close())
				p = record(t, openDisk(t, "h", disk), "general")
				equal(t, "lines in the end", strings.Join(p.texts(0), ","), "line 0,line 1,waits,line 0")
			})
		})
	}
}

// A store that is closed does not wait for room, and says so; all that it told of
// is there.
func TestCloseWithoutRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := newSmallDisk(64<<20, syscall.ENOSPC)
		s := openDisk(t, "h", disk)
		p := record(t, s, "general")
		p.sayN(2)
		disk.fillGreedily()
		noError(t, p.Append(p.line("s", "never told")))
		synctest.Wait()
		began := time.Now()
		if err := s.Close(); !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("Close: %v", err)
		}
		if took := time.Since(began); took > time.Second {
			t.Errorf("Close took %v", took)
		}
		disk.clear()
		equal(t, "lines after", len(record(t, openDisk(t, "h", disk), "general").texts(0)), 2)
	})
}

// A store whose disk filled up while it was closed opens, and serves what it has.
func TestOpenOnFullDisk(t *testing.T) {
	disk := newSmallDisk(64<<20, syscall.ENOSPC)
	s := openDisk(t, "h", disk)
	want := record(t, s, "general").sayN(1000)
	for range 3 { // what it gave up stays free for the next time
		noError(t, s.Close())
		disk.set(func() {
			if disk.foreign == 0 {
				disk.foreign = disk.free()
			}
		})
		s = openDisk(t, "h", disk)
		p := record(t, s, "general")
		refused(t, p)
		got, err := p.Read(0, 2000)
		noError(t, err)
		equal(t, "lines", slices.Equal(got, want), true)
	}
	noError(t, s.Close())
	disk.fill()
	_, err := history.OpenDisk("h", &history.DiskOptions{FS: disk})
	if !errors.Is(err, history.ErrFull) || !strings.Contains(err.Error(), "free some space") {
		t.Errorf("open without room: %v", err)
	}
	disk.clear()
	p := record(t, openDisk(t, "h", disk), "general")
	p.sayN(1)
	equal(t, "head", p.start("", 0).Seq, 1001)
}

// A sync that fails for want of room has lost what it was to keep.
func TestSyncWithoutRoom(t *testing.T) {
	disk := newSmallDisk(64<<20, syscall.ENOSPC)
	s := openDisk(t, "h", disk)
	p := record(t, s, "general")
	p.sayN(1)
	disk.set(func() { disk.syncErr = syscall.ENOSPC })
	noError(t, p.Append(p.line("s", "lost")))
	<-s.Failed()
	if err := s.Close(); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("Close: %v", err)
	}
	equal(t, "lines heard", len(p.lines), 1)
}

// Where no room can be set aside, what is free must do.
func TestNoReserve(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := newSmallDisk(64<<20, syscall.ENOSPC)
		disk.noFixed = syscall.EOPNOTSUPP
		p := record(t, openDisk(t, "h", disk), "general")
		p.sayN(1)
		equal(t, "reserve", disk.holds(reserve), 0)
		disk.set(func() { disk.foreign = disk.free() - 9<<20 })
		looked()
		p.sayN(1)
		disk.set(func() { disk.foreign += 2 << 20 })
		looked()
		p.sayN(1) // sees it
		refused(t, p)
		disk.fillGreedily()
		disk.clear()
		looked()
		refused(t, p)
		synctest.Wait()
		p.sayN(1)
	})
}

// A disk that is too small for what a store usually keeps.
func TestTinyDisk(t *testing.T) {
	disk := newSmallDisk(1<<20, syscall.ENOSPC)
	p := record(t, openDisk(t, "h", disk), "general")
	equal(t, "reserve", disk.holds(reserve), 128<<10)
	p.sayN(100)
}

// Others come and go. Whatever was appended comes out once, in order, and is on the
// disk in the end, through flushes and compactions that find no room, too.
func TestComingAndGoing(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				rng := rand.New(rand.NewPCG(seed, 1))
				disk := newSmallDisk(200<<20, syscall.ENOSPC)
				s := openDisk(t, "h", disk)
				p := record(t, s, "general")
				text := strings.Repeat("x", 100<<10)
				var want []string
				times := map[string]int{}
				for range 400 {
					switch n := rng.IntN(40); {
					case n == 0:
						disk.fill()
						times["filled"]++
					case n == 1:
						disk.fillGreedily()
						times["filled greedily"]++
					case n < 12:
						disk.clear()
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
				disk.clear()
				looked()
				noError(t, s.Close())
				p = record(t, openDisk(t, "h", disk), "general")
				equal(t, "what is on the disk is what was appended", slices.Equal(p.texts(0), want), true)
				equal(t, "tables", tables(t, disk) > 0, true)
				for _, what := range []string{"filled", "filled greedily", "refused"} {
					if times[what] == 0 {
						t.Errorf("never %s", what)
					}
				}
			})
		})
	}
}
