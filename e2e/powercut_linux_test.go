package e2e

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"holdfast/e2e/oracle"
	"holdfast/session/wire"
)

var chaosCuts = flag.Int("chaos.cuts", 2, "how many power cuts TestPowerCuts has for the server; TestClientPowerCut has a quarter of that for clients, but one at least")

// ext4 is a disk with a real file system, in a file, whose power can be cut.
type ext4 struct {
	t   *testing.T
	img string
	dir string // where it is mounted
}

func newExt4(t *testing.T) *ext4 {
	t.Helper()
	needTool(t, "mkfs.ext4")
	above := diskDir(t)
	d := &ext4{t: t, img: filepath.Join(above, "img"), dir: filepath.Join(above, "mnt")}
	if err := errors.Join(os.Mkdir(d.dir, 0o700), os.WriteFile(d.img, nil, 0o600), os.Truncate(d.img, 64<<20)); err != nil {
		t.Fatal(err)
	}
	tool(t, "mkfs.ext4", "-q", "-E", "lazy_itable_init=0,lazy_journal_init=0", d.img)
	d.mount()
	mounted(t, d.dir)
	return d
}

// mount also takes a loop device, which goes with the mount.
func (d *ext4) mount() { d.t.Helper(); tool(d.t, "mount", "-o", "loop", d.img, d.dir) }

// cut is a power cut: whatever has not been synced is lost. Processes that run on the
// disk die with it. They are frozen before, or one could be told of a sync that
// succeeded in the moment of the cut.
func (d *ext4) cut(p *process) {
	d.t.Helper()
	freeze(d.t, p)
	d.shutdown()
	p.kill()
	// A child that another test is starting may hold the disk for a moment.
	until(d.t, "the disk is not in use", func() bool { return syscall.Unmount(d.dir, 0) == nil })
	d.mount()
}

// freeze stops p and waits until none of its threads does anything, also not within
// the kernel.
func freeze(t *testing.T, p *process) {
	t.Helper()
	p.signal(syscall.SIGSTOP)
	until(t, "all threads stand still", func() bool {
		stats, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", p.cmd.Process.Pid))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range stats {
			stat, _ := os.ReadFile(name)
			_, state, _ := strings.Cut(string(stat), ") ") // the thread's name comes before
			if !strings.HasPrefix(state, "T") && !strings.HasPrefix(state, "Z") {
				return false
			}
		}
		return true
	})
}

// shutdown ends all writing to the disk, without a last sync of the journal.
func (d *ext4) shutdown() {
	d.t.Helper()
	const fsIocShutdown, noLogFlush = 0x8004587d, 2
	dir, err := os.Open(d.dir)
	if err != nil {
		d.t.Fatal(err)
	}
	defer dir.Close()
	how := uint32(noLogFlush)
	_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, dir.Fd(), fsIocShutdown, uintptr(unsafe.Pointer(&how)))
	if errno != 0 {
		d.t.Fatalf("cut the power: %v", errno)
	}
}

// TestPowerCuts cuts the server's power again and again: under load, and while it
// starts. It must start unaided each time, with all that a sender was told is stored
// and all that a reader was shown, and once.
func TestPowerCuts(t *testing.T) {
	t.Parallel()
	disk := newExt4(t)
	w := newWorldOn(t, disk.dir)
	var o oracle.Oracle
	var senders []*process
	const each = 400
	began := time.Now()
	for c := range *chaosCuts {
		if c > 0 && rand.IntN(4) == 0 {
			w.server.kill()
			p := start(t, w.home, "serve", "--listen", "127.0.0.1:0")
			<-time.After(time.Duration(rand.IntN(40)) * time.Millisecond)
			disk.cut(p)
			figure("power cuts", "of a starting server", 1)
		} else {
			reader := w.watch(&o, fmt.Sprint("reader-", c))
			before := w.proxy.Stats().Up
			p, bytes := pour(t, w, &o, fmt.Sprint("sender-", len(senders)), each)
			senders = append(senders, p)
			enough := before + rand.Int64N(bytes)
			until(t, "traffic", func() bool { return w.proxy.Stats().Up > enough })
			disk.cut(w.server)
			reader.leave()
			figure("power cuts", "of a busy server", 1)
		}
		w.proxy.SetUpstream(w.serve())
	}
	took := time.Since(began)
	for c, p := range senders {
		if code := p.wait(); code != 0 {
			t.Fatalf("sender %d: exit code %d", c, code)
		}
		for i := range each {
			name := fmt.Sprint("sender-", c)
			o.Acked(name, poured(name, i))
		}
	}
	if err := o.CheckLive(w.log("general")); err != nil {
		t.Error(err)
	}
	counts := o.Counts()
	figure("power cuts", "lines acknowledged", counts.Acked)
	figure("power cuts", "lines shown", counts.Saw)
	t.Logf("%d cuts, %.1f a second, %+v", *chaosCuts, float64(*chaosCuts)/took.Seconds(), counts)
}

// watcher is a reader of whom nothing is known but what it was shown until it left.
type watcher struct {
	t    *testing.T
	o    *oracle.Oracle
	name string
	p    *process
}

// watch has a new reader read what comes.
func (w *world) watch(o *oracle.Oracle, name string) *watcher {
	w.t.Helper()
	o.Reader(name, oracle.View{Late: true, Gone: true})
	p := start(w.t, w.reader, "tail", "--server", w.url(), "--room", "general", "--as", name, "--json")
	w.server.err.await(w.t, "user="+name) // joined
	return &watcher{w.t, o, name, p}
}

// leave kills the reader. It must not have been told that lines are missing.
func (r *watcher) leave() {
	r.t.Helper()
	r.p.kill()
	for _, l := range r.p.out.all() {
		var m message
		if err := json.Unmarshal([]byte(l), &m); err != nil || m.Type != "message" {
			r.t.Errorf("%s was shown %q: %v", r.name, l, err)
		}
		r.o.Saw(r.name, m.Seq, m.From, m.Text)
	}
}

// pour has a new sender send lines, as fast as they go, and returns how many bytes
// that takes at least.
func pour(t *testing.T, w *world, o *oracle.Oracle, name string, lines int) (p *process, bytes int64) {
	t.Helper()
	p = start(t, t.TempDir(), "send", "--server", w.url(), "--room", "general", "--as", name, "--retry-for", "0s")
	for i := range lines {
		o.Said(name, poured(name, i))
		p.say(poured(name, i))
		bytes += frameSize(i+1, poured(name, i))
	}
	_ = p.stdin.Close()
	return p, bytes
}

func poured(sender string, i int) string { return fmt.Sprintf("line %d of %s", i, sender) }

// frameSize is how many bytes a client sends for its nth line.
func frameSize(n int, text string) int64 {
	const header = 6
	return header + int64(len(wire.Encode(&wire.Send{Source: strings.Repeat("x", 16), N: uint64(n), Text: text})))
}

// TestClientPowerCut cuts the power of clients that hold lines which the server never
// got, and of clients whose lines are on their way. What was taken, or sent, arrives
// once, in order, when the client is started again.
func TestClientPowerCut(t *testing.T) {
	t.Parallel()
	disk := newExt4(t)
	w := newWorld(t)
	var o oracle.Oracle
	kept := 0
	for c := range max(*chaosCuts/4, 1) {
		name := fmt.Sprint("ana-", c)
		state := filepath.Join(disk.dir, name) // made anew, so that making it is tested too
		join := []string{"join", "general", "--as", name, "--server", w.url(), "--state", state}
		p := start(t, t.TempDir(), join...)
		w.server.err.await(t, "user="+name) // joined
		hole := c%2 == 0
		w.proxy.HoleUp(hole)
		before := w.proxy.Stats()
		var frames []int64 // where each line ends in what the client sends
		sent := int64(0)
		var lines []string
		for i := range 200 {
			lines = append(lines, poured(name, i))
			o.Tried(name, lines[i])
			sent += frameSize(i+1, lines[i])
			frames = append(frames, sent)
		}
		go func() {
			for _, l := range lines {
				if _, err := io.WriteString(p.stdin, l+"\n"); err != nil {
					return // its power was cut
				}
			}
		}()
		enough := frames[0] + rand.Int64N(sent-frames[0])
		until(t, "lines sent", func() bool {
			now := w.proxy.Stats()
			return now.Lost-before.Lost+now.Up-before.Up >= enough
		})
		disk.cut(p)
		last := int64(-1)
		until(t, "all has passed that was sent", func() bool {
			seen := last
			last = w.proxy.Stats().Lost
			return seen == last
		})
		w.proxy.Reset()
		w.proxy.HoleUp(false)
		if hole {
			// A line is on disk before it is sent.
			for taken := 0; taken < len(lines) && frames[taken] <= last-before.Lost; taken++ {
				o.Said(name, lines[taken])
				o.Acked(name, lines[taken]) // by a join that ends with 0, see below
				kept++
			}
			figure("power cuts", "of a client out of reach", 1)
		} else {
			figure("power cuts", "of a client online", 1)
		}
		if _, code := run(t, t.TempDir(), join...); code != 0 {
			t.Fatalf("join after the cut: exit code %d", code)
		}
	}
	log := w.log("general")
	if err := o.CheckLive(log); err != nil {
		t.Error(err)
	}
	if kept == 0 {
		t.Error("no cut met a line that was taken and not sent: nothing is proved")
	}
	figure("power cuts", "lines kept by clients", kept)
	t.Logf("%d lines kept, %d in the log", kept, len(log))
}
