package e2e

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"holdfast/e2e/oracle"
)

// smallDisk mounts a disk in memory.
func smallDisk(t *testing.T, size string) (dir string) {
	t.Helper()
	dir = filepath.Join(diskDir(t), "mnt")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("holdfast", dir, "tmpfs", 0, "size="+size); err != nil {
		lacks(t, "can't mount a tmpfs: %v", err)
	}
	mounted(t, dir)
	return dir
}

// resize changes the size of a disk in memory.
func resize(t *testing.T, dir, size string) {
	t.Helper()
	if err := syscall.Mount("holdfast", dir, "tmpfs", syscall.MS_REMOUNT, "size="+size); err != nil {
		t.Fatal(err)
	}
}

// fill takes all that is free on a disk, for a file that is none of holdfast's.
func fill(t *testing.T, dir string) {
	t.Helper()
	f, err := os.Create(foreign(dir))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for chunk := make([]byte, 4096); err == nil; {
		_, err = f.Write(chunk)
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("fill the disk: %v", err)
	}
}

// empty gives back what fill took.
func empty(t *testing.T, dir string) {
	t.Helper()
	if err := os.Remove(foreign(dir)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
}

func foreign(dir string) string { return filepath.Join(dir, "foreign") }

// alive fails the test if p has ended.
func (p *process) alive() {
	p.t.Helper()
	select {
	case <-p.ended:
		p.t.Fatalf("holdfast %v has ended", p.cmd.Args[1:])
	default:
	}
}

// TestDiskFull fills the server's disk between two looks at what is free, the second time
// so that not even what the server keeps in reserve is there. The server does not stop: it serves what
// it has, lets people in, leaves lines with their clients, and goes on by itself when
// there is room. Without any it can't start, and says so.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	disk := smallDisk(t, "8m")
	w := newWorldOn(t, disk)
	var o oracle.Oracle
	home := t.TempDir()
	ana := start(t, home, "join", "general", "--as", "ana", "--server", w.url())
	reader := w.watch(&o, "reader")
	text := func(i int) string { return fmt.Sprintf("line %d %s", i, strings.Repeat("x", 3000)) }
	n := 0
	say := func(times int) {
		for range times {
			o.Said("ana", text(n))
			ana.say(text(n))
			n++
		}
	}
	say(5)
	until(t, "lines in the log", func() bool { return len(w.log("general")) == 5 })

	const seen = "too little of the disk is free"
	for round := 1; ; round++ { // until the lines come between two looks
		fill(t, disk)
		say(20)
		until(t, "a full disk to be noticed", func() bool {
			return w.server.err.has("gave up the reserve") > 0 || w.server.err.has(seen) == round
		})
		if w.server.err.has("gave up the reserve") > 0 {
			break
		}
		if round == 10 {
			t.Fatal("the server always looks first")
		}
		empty(t, disk)
		until(t, "room for all lines", func() bool { return len(w.log("general")) == n })
	}
	say(5)
	if log := w.log("general"); len(log) < 5 || len(log) == n {
		t.Errorf("%d of %d lines are in the log of a full disk", len(log), n)
	}
	newcomer := start(t, t.TempDir(), "join", "general", "--as", "ben", "--server", w.url())
	newcomer.out.await(t, "ana: line 4 ")
	empty(t, disk)
	newcomer.out.await(t, fmt.Sprintf("ana: line %d ", n-1))

	if err := os.Remove(filepath.Join(disk, "data", "holdfast", "reserve")); err != nil {
		t.Fatal(err)
	}
	fill(t, disk)
	say(20)
	w.server.err.await(t, "a write waits for room")
	log := w.log("general")
	w.server.alive()
	if err := o.Check(log); err != nil || len(log) < 30 {
		t.Errorf("without any room: %d lines, %v", len(log), err)
	}
	reader.leave()
	w.server.kill()
	refused := start(t, disk, "serve", "--listen", "127.0.0.1:0")
	if code := refused.wait(); code != 1 {
		t.Errorf("a server without any room: exit code %d", code)
	}
	refused.err.await(t, "storage full")
	refused.err.await(t, "free some space")

	empty(t, disk)
	w.proxy.SetUpstream(w.serve())
	_ = ana.stdin.Close()
	if code := ana.wait(); code != 0 {
		t.Fatalf("join: exit code %d", code)
	}
	for i := range n {
		o.Acked("ana", text(i))
	}
	if err := o.CheckLive(w.log("general")); err != nil {
		t.Error(err)
	}
	figure("disk faults", "disks of a server that were filled", 2)
}

// TestDiskFullAtStart fills the disk of a server that is stopped. It starts and serves
// what it has, and goes on by itself when there is room.
func TestDiskFullAtStart(t *testing.T) {
	t.Parallel()
	disk := smallDisk(t, "8m")
	w := newWorldOn(t, disk)
	var o oracle.Oracle
	p, _ := pour(t, w, &o, "ana", 100)
	if code := p.wait(); code != 0 {
		t.Fatalf("send: exit code %d", code)
	}
	w.server.signal(syscall.SIGTERM)
	if code := w.server.wait(); code != 0 {
		t.Fatalf("server: exit code %d", code)
	}
	fill(t, disk)
	w.proxy.SetUpstream(w.serve())
	w.server.err.await(t, "full=true")
	if log := w.log("general"); len(log) != 100 {
		t.Errorf("%d lines are served", len(log))
	}
	late, _ := pour(t, w, &o, "ben", 10)
	w.server.err.await(t, "storage full")
	if log := w.log("general"); len(log) != 100 {
		t.Errorf("%d lines are served", len(log))
	}
	empty(t, disk)
	if code := late.wait(); code != 0 {
		t.Fatalf("send: exit code %d", code)
	}
	for i := range 100 {
		o.Acked("ana", poured("ana", i))
	}
	for i := range 10 {
		o.Acked("ben", poured("ben", i))
	}
	if err := o.CheckLive(w.log("general")); err != nil {
		t.Error(err)
	}
	figure("disk faults", "servers started on a full disk", 1)
}

// TestDiskOutgrown has a server fill its disk by itself. It goes on when the disk gets
// larger.
func TestDiskOutgrown(t *testing.T) {
	if !*full {
		t.Skip("takes seconds: only with -full")
	}
	t.Parallel()
	disk := smallDisk(t, "2m")
	w := newWorldOn(t, disk)
	var o oracle.Oracle
	text := func(i int) string { return fmt.Sprintf("line %d %s", i, strings.Repeat("x", 4000)) }
	const lines = 700 // 2.8 MB
	w.log("general")  // a name that is known is let in even when nothing can be written
	p := start(t, t.TempDir(), "send", "--server", w.url(), "--room", "general", "--as", "ana", "--retry-for", "0s")
	for i := range lines {
		o.Said("ana", text(i))
	}
	go func() {
		for i := range lines {
			p.say(text(i))
		}
		_ = p.stdin.Close()
	}()
	w.server.err.await(t, "gave up the reserve") // then it refuses lines, or a write of those it took waits
	log := w.log("general")
	w.server.alive()
	if err := o.Check(log); err != nil || len(log) < 100 || len(log) == lines {
		t.Errorf("%d of %d lines are in the log of a full disk: %v", len(log), lines, err)
	}
	resize(t, disk, "256m")
	if code := p.wait(); code != 0 {
		t.Fatalf("send: exit code %d", code)
	}
	for i := range lines {
		o.Acked("ana", text(i))
	}
	if err := o.CheckLive(w.log("general")); err != nil {
		t.Error(err)
	}
	figure("disk faults", "disks that a server outgrew", 1)
}

// TestDiskClientFull fills the client's disk while the server is out of reach, so that
// lines have to be kept. The client says aloud which line it has no room for, and
// takes none after it; those before it arrive, once, and so do the others when they are
// sent again with room.
func TestDiskClientFull(t *testing.T) {
	t.Parallel()
	disk := smallDisk(t, "1m")
	w := newWorld(t)
	var o oracle.Oracle
	send := func() *process {
		return start(t, t.TempDir(), "send", "--server", w.url(), "--room", "general", "--as", "ana", "--state", filepath.Join(disk, "state"))
	}
	if err := w.proxy.Refuse(true); err != nil {
		t.Fatal(err)
	}
	text := func(i int) string { return fmt.Sprintf("line %d %s", i, strings.Repeat("x", 1000)) }
	const lines = 2000
	feed := func(p *process, from int) {
		for i := from; i <= lines; i++ {
			if _, err := fmt.Fprintln(p.stdin, text(i)); err != nil {
				return // it takes no more
			}
		}
		_ = p.stdin.Close()
	}
	p := send()
	feed(p, 1)
	if code := p.wait(); code != 5 {
		t.Errorf("send on a disk that gets full: exit code %d", code)
	}
	first := notTaken(t, p)
	p.err.await(t, "no space left on device")
	if first < 10 || first > lines {
		t.Fatalf("line %d is the first not taken", first)
	}

	fill(t, disk)
	p = send()
	feed(p, first)
	if code := p.wait(); code != 5 {
		t.Errorf("send on a full disk: exit code %d", code)
	}
	first += notTaken(t, p) - 1 // the file may have had room for some more
	p.err.await(t, "no space left on device")

	empty(t, disk)
	resize(t, disk, "16m")
	if err := w.proxy.Refuse(false); err != nil {
		t.Fatal(err)
	}
	p = send()
	feed(p, first)
	if code := p.wait(); code != 0 {
		t.Fatalf("send with room: exit code %d", code)
	}
	for i := 1; i <= lines; i++ {
		o.Said("ana", text(i))
		o.Acked("ana", text(i))
	}
	if err := o.CheckLive(w.log("general")); err != nil {
		t.Error(err)
	}
	figure("disk faults", "disks of a client that were filled", 1)
}
