package e2e

import (
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"holdfast/server/history"
	"holdfast/server/history/disk"
	"holdfast/transport"
)

// The tests here are for planted bugs that no other test catches.

// TestBackoffForDays: however long a server is away, its clients neither hammer it nor
// forget it.
func TestBackoffForDays(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		schedule := transport.FullJitter()
		began, attempts := time.Now(), 0
		for time.Since(began) < 48*time.Hour {
			d := schedule.NextBackOff()
			if d < 0 || d > 15*time.Second {
				t.Fatalf("after %v: wait %v", time.Since(began), d)
			}
			time.Sleep(d)
			attempts++
		}
		if mean := 48 * time.Hour / time.Duration(attempts); mean < 7*time.Second || mean > 8*time.Second {
			t.Errorf("%d attempts in two days, every %v", attempts, mean)
		}
	})
}

// TestClaimOutlivesPowerCut: a name that was claimed is still its owner's when the
// server's disk has lost all that was not synced.
func TestClaimOutlivesPowerCut(t *testing.T) {
	t.Parallel()
	drive := vfs.NewCrashableMem()
	claim := func(key byte) bool {
		store, err := disk.Open("data", &disk.Options{FS: drive, MinFree: -1})
		if err != nil {
			t.Fatal(err)
		}
		_, ok, err := store.Claim("ana", history.Holder{Key: [32]byte{key}}, time.Now(), time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		left := drive.CrashClone(vfs.CrashCloneCfg{})
		if err := store.Close(); err != nil {
			t.Error(err)
		}
		drive = left
		return ok
	}
	if !claim(1) {
		t.Error("a free name can't be claimed")
	}
	if claim(2) {
		t.Error("a power cut has given the name to somebody else")
	}
}

// TestSendsShareASlot: commands that begin afresh each time leave nothing behind but one
// file, with neither lines nor a cursor in it.
func TestSendsShareASlot(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	home := t.TempDir()
	for range 3 {
		_, code := run(t, home, "send", "--server", w.url(), "--room", "general", "--as", "ana", "hello")
		if code != 0 {
			t.Fatalf("send: exit code %d", code)
		}
		if _, code = run(t, home, "tail", "--server", w.url(), "--room", "general", "--as", "ana", "--history", "all", "--until-live"); code != 0 {
			t.Fatalf("tail: exit code %d", code)
		}
	}
	if files := slots(t, home); len(files) != 1 {
		t.Errorf("%d files: %q", len(files), files)
	}
	if unsent, cursor := leftBehind(t, home); len(unsent) > 0 || cursor {
		t.Errorf("left behind: %q, a cursor %v", unsent, cursor)
	}
}

// TestRestartIsNoNews: to those who are in a room, a server that was killed or stopped
// and is there again is a lost link. Nobody is told to have left, or to have joined.
func TestRestartIsNoNews(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	join := func(name string) *process {
		return start(t, t.TempDir(), "join", "general", "--as", name, "--server", w.url())
	}
	ana := join("ana")
	ana.say("here")
	until(t, "ana in the room", func() bool { return len(w.log("general")) == 1 })
	bob := join("bob")
	ana.out.await(t, "bob joined general")
	for text, restart := range map[string]func(){
		"after kill -9": w.crash,
		"after SIGTERM": func() {
			w.server.signal(syscall.SIGTERM)
			w.server.wait()
			w.proxy.SetUpstream(w.serve())
		},
	} {
		bob.say("before it") // who is here is on disk no later than this
		until(t, "the line before", func() bool { return strings.HasSuffix(last(ana), "before it") })
		restart()
		bob.say(text)
		ana.out.await(t, "bob: "+text)
	}
	news := slices.DeleteFunc(append(ana.out.all(), bob.out.all()...), func(l string) bool {
		who, what, _ := strings.Cut(l, " ")
		return who != "ana" && who != "bob" || !strings.HasPrefix(what, "joined") && !strings.HasPrefix(what, "left")
	})
	if len(news) != 1 {
		t.Errorf("told: %q", news)
	}
}

// last is the last line that a process has written.
func last(p *process) string {
	lines := p.out.all()
	if len(lines) == 0 {
		return ""
	}
	return lines[len(lines)-1]
}
