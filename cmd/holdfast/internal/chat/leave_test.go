package chat_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast/cmd/holdfast/internal/chat"
	"holdfast/session"
)

// TestLeave: each way to leave works at once if nothing waits.
func TestLeave(t *testing.T) {
	for name, keys := range map[string]func(u *user){
		"Ctrl-D":       func(u *user) { u.ctrlD() },
		"Ctrl-C twice": func(u *user) { u.ctrlC(); u.ctrlC() },
		"/quit":        func(u *user) { u.types("/quit") },
		"/quit --now":  func(u *user) { u.types("/quit --now") },
	} {
		t.Run(name, func(t *testing.T) {
			in(t, func(w *world) {
				ana := w.joined("ana")
				ana.types("sent")
				ana.shows("ana: sent")
				keys(ana)
				if err := ana.leaves(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// TestCtrlC: it leaves only when pressed twice in a row at an empty prompt, and says so.
func TestCtrlC(t *testing.T) {
	in(t, func(w *world) {
		ana := w.joined("ana")
		ana.clears()
		ana.clears()
		ana.ctrlC()
		ana.shows("-- once more to leave")
		ana.clears()
		ana.ctrlC()
		ana.shows("-- once more to leave")
		pass(3 * time.Second)
		ana.ctrlC()
		ana.shows("-- once more to leave")
		pass(3 * time.Second)
		ana.types("still here")
		ana.shows("ana: still here")
		ana.ctrlC()
		ana.types("between")
		ana.ctrlC()
		ana.types("and now")
		ana.shows("ana: between", "ana: and now")
		ana.pastes("/version")
		ana.ctrlC() // takes the question back
		ana.ctrlC()
		pass(time.Second)
		ana.types("here")
		ana.shows("ana: here")
		w.cut("ana")
		ana.row("reconnecting")
		ana.types("kept")
		ana.ctrlC()
		ana.shows("-- 1 line not sent yet; once more to leave, and keep what is unsent")
		pass(3 * time.Second)
		ana.ctrlC()
		ana.shows("-- once more to leave")
		ana.ctrlC()
		if err := ana.leaves(); !errors.Is(err, session.ErrUnsent) {
			t.Errorf("left with %v", err)
		}
	})
}

// TestLeaveUnsent: who would leave lines unsent is asked, once for each.
func TestLeaveUnsent(t *testing.T) {
	in(t, func(w *world) {
		const asks = " not sent yet; once more to leave, and keep what is unsent"
		ana := w.joined("ana")
		w.cut("ana")
		ana.row("reconnecting")
		ana.types("one")
		ana.ctrlD()
		ana.shows("-- 1 line" + asks)
		ana.types("two")
		ana.clears() // no more than that
		ana.types("/quit")
		ana.shows("-- 2 lines" + asks)
		began := time.Now()
		ana.ctrlC()
		if err := ana.leaves(); !errors.Is(err, session.ErrUnsent) || time.Since(began) > 100*time.Millisecond {
			t.Errorf("left with %v after %v", err, time.Since(began))
		}
		w.mend()
		ana = w.join("ana", ana.dir, nil)
		ana.shows("ana: one", "ana: two")
	})
}

// TestLeaveOthers: who takes the server along is asked, again if more have come.
func TestLeaveOthers(t *testing.T) {
	in(t, func(w *world) {
		others := 1
		ana := w.join("ana", "", func(o *chat.Options, _ *session.Options) { o.Others = func() int { return others } })
		ana.shows("-- you are ana in general; /help lists commands")
		const ends = "the server ends with this chat, and "
		ana.types("/quit")
		ana.shows("-- " + ends + "1 other user will wait for it; once more to leave")
		others = 2
		w.cut("ana")
		ana.row("reconnecting")
		ana.types("one")
		ana.ctrlD()
		ana.shows("-- 1 line not sent yet; " + ends + "2 other users will wait for it; once more to leave, and keep what is unsent")
		ana.types("two")
		ana.ctrlD()
		ana.shows("-- 2 lines not sent yet; " + ends + "2 other users will wait for it; once more to leave, and keep what is unsent")
		others = 1
		ana.ctrlD()
		if err := ana.leaves(); !errors.Is(err, session.ErrUnsent) {
			t.Errorf("left with %v", err)
		}
	})
}

// TestQuitNow asks nobody and waits for nothing.
func TestQuitNow(t *testing.T) {
	in(t, func(w *world) {
		ana := w.joined("ana")
		w.cut("ana")
		ana.row("reconnecting")
		ana.types("one")
		began := time.Now()
		ana.types("/quit --now")
		if err := ana.leaves(); !errors.Is(err, session.ErrUnsent) || time.Since(began) > time.Second {
			t.Errorf("left with %v after %v", err, time.Since(began))
		}
	})
}

// TestStopped: a signal ends the chat with the context's cause.
func TestStopped(t *testing.T) {
	in(t, func(w *world) {
		ana := w.joined("ana")
		ana.stop()
		if err := ana.leaves(); !errors.Is(err, context.Canceled) {
			t.Errorf("ended with %v", err)
		}
	})
}

// TestRejected: the only room that is refused ends the chat.
func TestRejected(t *testing.T) {
	in(t, func(w *world) {
		w.joined("ana")
		other := w.join("ana", "", nil)
		var rejected *session.RejectedError
		if err := other.leaves(); !errors.As(err, &rejected) {
			t.Errorf("ended with %v", err)
		}
	})
}

// TestMemory: what was typed is there the next time, less what is nobody's business, in
// files for nobody else.
func TestMemory(t *testing.T) {
	in(t, func(w *world) {
		ana := w.joined("ana")
		w.joined("bob")
		for _, line := range []string{"hello", " secret", "/msg bob psst", "/Reply psst", "/ignore Eve", "/msgs"} {
			ana.types(line)
		}
		ana.shows("-- you ignore Eve, and whoever's name looks the same; nobody of that name is here now")
		ana.types("/quit")
		_ = ana.leaves()
		for _, name := range []string{"history", "ignored"} {
			info, err := os.Stat(filepath.Join(ana.dir, name))
			if err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("%s: %v, %v", name, info, err)
			}
		}
		ana = w.join("ana", ana.dir, nil)
		ana.shows("-- you are ana in general; /help lists commands")
		ana.with(func() {
			if want := []string{"hello", "/ignore Eve", "/msgs", "/quit"}; !slices.Equal(ana.history, want) {
				t.Errorf("history %q, want %q", ana.history, want)
			}
		})
		ana.types("/ignore")
		ana.shows("-- you ignore eve")
	})
}

// TestMemoryOfTwo: two chats of one user at once keep what was typed in both, in order,
// also if neither ends well, and the file is tidied when it has grown.
func TestMemoryOfTwo(t *testing.T) {
	in(t, func(w *world) {
		one := w.joined("ana")
		another := func() *user {
			u := w.join("ana", one.dir, func(_ *chat.Options, o *session.Options) { o.Fresh = true })
			u.shows("-- you are ana in general; /help lists commands")
			return u
		}
		two := another()
		one.types("1")
		two.types("2\nlines")
		one.types("/ignore eve")
		two.types("/ignore cem")
		three := another()
		three.recalls("1", "2\nlines", "/ignore eve", "/ignore cem")
		three.types("/ignore")
		three.shows("-- you ignore eve, cem")
		one.types("/unignore cem")
		one.types("/ignore")
		one.shows("-- you see cem again; /history has what was hidden", "-- you ignore eve")
		path := filepath.Join(one.dir, "history")
		many := strings.Repeat("old\n", 2000) + "last\n"
		if err := os.WriteFile(path, []byte(many), 0o600); err != nil {
			t.Fatal(err)
		}
		another().recalls("last")
		if left, err := os.ReadFile(path); err != nil || string(left) != strings.Repeat("old\n", 999)+"last\n" {
			t.Errorf("%d bytes left, %v", len(left), err)
		}
	})
}

// TestNoMemory: a history that can't be read or written keeps nobody from chatting.
func TestNoMemory(t *testing.T) {
	in(t, func(w *world) {
		dir := t.TempDir()
		if err := os.Mkdir(filepath.Join(dir, "history"), 0o700); err != nil {
			t.Fatal(err)
		}
		ana := w.join("ana", dir, nil)
		ana.until("complaint", func() bool {
			return slices.ContainsFunc(ana.printed, func(l string) bool { return strings.HasPrefix(l, "-- what you typed earlier can't be read") })
		})
		ana.types("hello")
		ana.types("there")
		ana.shows("ana: there")
		if err := os.Remove(filepath.Join(dir, "history")); err != nil {
			t.Fatal(err)
		}
		ana.types("kept")
		ana.shows("ana: kept")
		if kept, err := os.ReadFile(filepath.Join(dir, "history")); string(kept) != "kept\n" {
			t.Errorf("kept %q, %v", kept, err)
		}
		ana.types("/quit")
		if err := ana.leaves(); err != nil {
			t.Errorf("left with %v", err)
		}
		told := slices.DeleteFunc(ana.all(), func(l string) bool { return !strings.Contains(l, "can't be kept for the arrow keys") })
		if len(told) != 1 {
			t.Errorf("told %q", told)
		}
	})
}
