package e2e

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"holdfast/e2e/oracle"
)

// syncCalls are the system calls that make data durable.
const syncCalls = "fsync,fdatasync"

// tamper changes, from now on, how the kernel answers p's syncs, in the words of
// strace's --inject. Calls are counted by thread.
func tamper(t *testing.T, p *process, how string) {
	t.Helper()
	needTool(t, "strace")
	pid := p.cmd.Process.Pid
	tracer := exec.Command("strace", "-f", "-qqq", "-o", "/dev/null", "-p", fmt.Sprint(pid),
		"-e", "trace="+syncCalls, "-e", "inject="+syncCalls+":"+how)
	var said bytes.Buffer
	tracer.Stderr = &said
	if err := tracer.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		_ = tracer.Wait() // it ends with p, or is told to
		close(ended)
	}()
	t.Cleanup(func() {
		_ = tracer.Process.Signal(syscall.SIGTERM) // lets p go
		<-ended
	})
	until(t, "strace has all threads", func() bool {
		select {
		case <-ended:
			lacks(t, "strace can't trace: %s", said.String())
		default:
		}
		return traced(t, pid)
	})
}

func traced(t *testing.T, pid int) bool {
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
	if err != nil || len(threads) == 0 {
		t.Fatalf("no threads of process %d: %v", pid, err)
	}
	for _, name := range threads {
		status, _ := os.ReadFile(name)
		if bytes.Contains(status, []byte("TracerPid:\t0\n")) {
			return false
		}
	}
	return true
}

// some returns the first of the cases, and all with -full.
func some(cases ...int) []int {
	if *full {
		return cases
	}
	return cases[:1]
}

// TestDiskSyncFails has one sync of the server's fail, the first or a later one. The server
// must not go on, for a sync that is tried again may succeed although the data is
// gone; it says so, and what it had acknowledged or shown is there when it is started
// again, on a disk that works.
func TestDiskSyncFails(t *testing.T) {
	t.Parallel()
	for _, k := range some(2, 1, 7) {
		t.Run(fmt.Sprint("sync ", k), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			var o oracle.Oracle
			reader := w.watch(&o, "reader")
			tamper(t, w.server, fmt.Sprint("error=EIO:when=", k))
			p := start(t, t.TempDir(), "send", "--server", w.url(), "--room", "general", "--as", "ana", "--retry-for", "0s")
			lines := 0
			until(t, "the server's end", func() bool {
				select {
				case <-w.server.ended:
					return true
				default:
					o.Said("ana", poured("ana", lines))
					p.say(poured("ana", lines))
					lines++
					return false
				}
			})
			if code := w.server.wait(); code != 1 {
				t.Errorf("server: exit code %d", code)
			}
			w.server.err.await(t, "holdfast: store failed: write history: sync ")
			w.server.err.await(t, "input/output error")
			reader.leave()
			w.proxy.SetUpstream(w.serve())
			_ = p.stdin.Close()
			if code := p.wait(); code != 0 {
				t.Fatalf("send: exit code %d", code)
			}
			for i := range lines {
				o.Acked("ana", poured("ana", i))
			}
			if err := o.CheckLive(w.log("general")); err != nil {
				t.Error(err)
			}
			figure("disk faults", "syncs of the server that failed", 1)
		})
	}
}

// TestDiskSyncSlow makes every sync of the server's take its time. Nobody is taken for
// dead, neither by the server nor by a client; rooms do not wait for one another's
// turn; and in the end all is stored.
func TestDiskSyncSlow(t *testing.T) {
	t.Parallel()
	for _, ms := range some(100, 20, 500) {
		t.Run(fmt.Sprint(ms, " ms"), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, "--heartbeat", "300ms", "--dead-after", "1500ms")
			var o oracle.Oracle
			reader := w.watch(&o, "reader")
			idle := start(t, t.TempDir(), "join", "elsewhere", "--as", "ben", "--server", w.url())
			w.server.err.await(t, "user=ben")
			tamper(t, w.server, fmt.Sprint("delay_enter=", ms*1000))
			const each = 300
			p, _ := pour(t, w, &o, "ana", each)
			idle.say("hello from another room")
			if code := p.wait(); code != 0 {
				t.Fatalf("send: exit code %d", code)
			}
			for i := range each {
				o.Acked("ana", poured("ana", i))
			}
			if log := w.log("elsewhere"); len(log) != 1 {
				t.Errorf("the other room has %d lines", len(log))
			}
			_ = idle.stdin.Close()
			if code := idle.wait(); code != 0 {
				t.Errorf("join: exit code %d", code)
			}
			reader.leave()
			for who, said := range map[string][]string{
				"server": w.server.err.all(), "sender": p.err.all(), "idler": idle.err.all(), "reader": reader.p.err.all(),
			} {
				for _, l := range said {
					if strings.Contains(l, "trying again") || strings.Contains(l, "reaped") {
						t.Errorf("%s: %s", who, l)
					}
				}
			}
			if err := o.CheckLive(w.log("general")); err != nil {
				t.Error(err)
			}
			figure("disk faults", fmt.Sprintf("lines stored at %d ms a sync", ms), each)
		})
	}
}

// TestDiskClientSyncFails has the client's disk fail while lines are being stored: the
// client says so and ends. It has not sent the line that it names, nor any after it.
// Whether those are on disk nobody can know, unless no sync worked at all.
func TestDiskClientSyncFails(t *testing.T) {
	t.Parallel()
	for when, unsure := range map[string]bool{"1+": false, "2": true} {
		t.Run("sync "+when, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			var o oracle.Oracle
			home := t.TempDir()
			join := []string{"join", "general", "--as", "ana", "--server", w.url()}
			p := start(t, home, join...)
			o.Said("ana", "kept")
			p.say("kept")
			until(t, "a line in the log", func() bool { return len(w.log("general")) == 1 })
			o.Acked("ana", "kept")
			tamper(t, p, "error=EIO:when="+when)
			lines := []string{"kept"}
			until(t, "the client's end", func() bool {
				select {
				case <-p.ended:
					return true
				default:
					l := fmt.Sprint("line ", len(lines)+1)
					o.Tried("ana", l)
					lines = append(lines, l)
					_, _ = io.WriteString(p.stdin, l+"\n") // unless it ended just now
					return false
				}
			})
			if code := p.wait(); code != 1 && code != 5 { // 5: others wait that were taken before
				t.Errorf("join: exit code %d", code)
			}
			first := notTaken(t, p)
			p.err.await(t, "input/output error")
			p.err.await(t, "may not have been taken")
			for _, l := range w.log("general") {
				if i := slices.Index(lines, l.Text); i+1 >= first {
					t.Errorf("line %d was sent, and %d and what follows it not taken", i+1, first)
				}
			}
			for _, l := range lines[1 : first-1] {
				o.Said("ana", l)
				o.Acked("ana", l) // by the next join, which ends with 0
			}

			p = start(t, home, join...)
			o.Said("ana", "after")
			p.say("after")
			_ = p.stdin.Close()
			if code := p.wait(); code != 0 {
				t.Fatalf("join on a disk that works: exit code %d", code)
			}
			o.Acked("ana", "after")
			log := w.log("general")
			if err := o.CheckLive(log); err != nil {
				t.Error(err)
			}
			if len(log) != first && !unsure {
				t.Errorf("the log has a line that was not taken: %v", log)
			}
			figure("disk faults", "syncs of a client that failed", 1)
		})
	}
}

// notTaken returns the first line of stdin that p says it has not taken.
func notTaken(t *testing.T, p *process) (line int) {
	t.Helper()
	for _, l := range p.err.all() {
		if _, err := fmt.Sscanf(l, "holdfast: line %d and what follows it", &line); err == nil {
			return line
		}
	}
	t.Fatal("it does not say which line it has not taken")
	return 0
}
