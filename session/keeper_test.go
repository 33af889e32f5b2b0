package session_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"holdfast/server"
	"holdfast/session"
	"holdfast/session/wire"
	"holdfast/transport/netsim"
)

// copyOf is what a power cut now would leave of a state directory, as far as the
// file system is concerned.
func copyOf(t *testing.T, dir string) string {
	t.Helper()
	to := t.TempDir()
	must(t, os.CopyFS(to, os.DirFS(dir)))
	return to
}

// Of lines that many goroutines send at once, each goroutine's keep their order, and
// all are on disk when their Send has returned.
func TestGroupCommit(t *testing.T) {
	bubble(t, func(t *testing.T, n *netsim.Net) {
		dir := t.TempDir()
		s := open(t, n, in(dir)) // there is no server
		const senders, each = 16, 25
		var wg sync.WaitGroup
		for g := range senders {
			wg.Go(func() {
				for i := range each {
					send(t, s, fmt.Sprintf("%d %d", g, i), fmt.Sprintf("%d %d more", g, i))
				}
			})
		}
		wg.Wait()
		lines := session.Outbox(t, copyOf(t, dir))
		if len(lines) != 2*senders*each || len(s.Unsent()) != len(lines) {
			t.Fatalf("%d lines on disk, %d in memory", len(lines), len(s.Unsent()))
		}
		next := make([]int, senders)
		for i, l := range lines {
			var source string
			var number, g, k int
			if _, err := fmt.Sscan(l, &source, &number, &g, &k); err != nil {
				t.Fatal(l, err)
			}
			if number != i+1 || k != next[g]/2 || strings.HasSuffix(l, "more") != (next[g]%2 == 1) {
				t.Fatalf("line %d is %q; of sender %d, %d lines came before", i, l, g, next[g])
			}
			next[g]++
		}
	})
}

func TestOutboxFull(t *testing.T) {
	bubble(t, func(t *testing.T, n *netsim.Net) {
		srv := scripted(t, n)
		dir := t.TempDir()
		s := open(t, n, func(o *session.Options) { o.Dir, o.MaxLines, o.MaxBytes = dir, 4, 100 })
		id := send(t, s, "a1", "a2", "a3")
		for _, batch := range [][]string{{"b1", "b2"}, {strings.Repeat("x", 95)}, numbered("b", 1, 5)} {
			if _, err := s.Send(batch...); !errors.Is(err, session.ErrOutboxFull) {
				t.Errorf("%d lines: %v", len(batch), err)
			}
		}
		if got := session.Outbox(t, copyOf(t, dir)); len(got) != 3 {
			t.Errorf("on disk: %v", got)
		}
		if _, err := s.SendWait(t.Context(), numbered("b", 1, 5)...); !errors.Is(err, session.ErrOutboxFull) {
			t.Errorf("SendWait of what never fits: %v", err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := s.SendWait(ctx, "b1", "b2"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("SendWait: %v", err)
		}
		p := srv.join()
		p.takes(id.Source, 1, 3)
		time.AfterFunc(time.Minute, func() { p.try(&wire.Ack{Source: id.Source, N: 1}) })
		start := time.Now()
		next, err := s.SendWait(t.Context(), "b1", "b2")
		if err != nil || next.N != 4 || time.Since(start) < time.Minute {
			t.Errorf("SendWait: %v, %v, after %v", next, err, time.Since(start))
		}
		p.takes(id.Source, 4, 5)
		time.AfterFunc(time.Minute, func() { _ = s.Close() })
		if _, err := s.SendWait(t.Context(), "c1"); !errors.Is(err, session.ErrClosed) {
			t.Errorf("SendWait in a session that is closed: %v", err)
		}
	})
}

func TestUnfitLines(t *testing.T) {
	bubble(t, func(t *testing.T, n *netsim.Net) {
		s := open(t, n, nil)
		for _, bad := range []string{"", " \n", "a\x1b[2J", "\xff", strings.Repeat("x", 4097)} {
			var unfit *session.TextError
			if _, err := s.Send("fit", bad); !errors.As(err, &unfit) {
				t.Errorf("%.9q: %v", bad, err)
			}
		}
		if id, err := s.Send(); err != nil || id != (session.ID{}) || len(s.Unsent()) > 0 {
			t.Errorf("%v, %v, %v", id, err, s.Unsent())
		}
	})
}

// A disk that fails ends the session: nobody knows what is on it.
func TestDiskFails(t *testing.T) {
	bubble(t, func(t *testing.T, n *netsim.Net) {
		serve(t, n, nil)
		s := open(t, n, nil)
		tp := follow(s)
		awaitState(t, tp, session.Online)
		must(t, session.Break(s))
		_, err := s.Send("a1")
		if err == nil || !strings.Contains(err.Error(), "write state file") {
			t.Errorf("Send: %v", err)
		}
		c := awaitState(t, tp, session.Closed)
		<-s.Done()
		if s.Err() == nil || !errors.Is(c.Err, s.Err()) || errors.Is(s.Err(), session.ErrClosed) {
			t.Errorf("Err: %v", s.Err())
		}
		if _, err := s.Send("a2"); !errors.Is(err, s.Err()) {
			t.Errorf("Send after that: %v", err)
		}
		if err := s.Close(); err == nil {
			t.Error("Close says nothing of it")
		}
	})
}

func TestOptionsAreChecked(t *testing.T) {
	good := session.Options{Room: "r", Name: "n", Dir: t.TempDir()}
	for name, spoil := range map[string]func(*session.Options){
		"room": func(o *session.Options) { o.Room = "a b" }, "name": func(o *session.Options) { o.Name = "" },
		"backlog": func(o *session.Options) { o.Backlog = -2 }, "client": func(o *session.Options) { o.Client = strings.Repeat("x", 65) },
		"lines": func(o *session.Options) { o.MaxLines = -1 }, "ack": func(o *session.Options) { o.AckTimeout = -1 },
	} {
		o := good
		spoil(&o)
		if _, err := session.Open("ws://server", &o); !errors.Is(err, session.ErrOption) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := session.Open("http://server", &good); !errors.Is(err, session.ErrOption) {
		t.Errorf("URL: %v", err)
	}
	file := filepath.Join(good.Dir, "file")
	must(t, os.WriteFile(file, nil, 0o600))
	good.Dir = filepath.Join(file, "state")
	if _, err := session.Open("ws://server", &good); err == nil || errors.Is(err, session.ErrOption) || !strings.Contains(err.Error(), "state directory") {
		t.Errorf("directory that can't be: %v", err)
	}
}

// Two sessions of one name have a slot each, and are each other's "you elsewhere".
func TestTwoSessionsAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T, n *netsim.Net) {
		serve(t, n, &server.Options{})
		dir := t.TempDir()
		one, two := open(t, n, in(dir)), open(t, n, in(dir))
		ones, twos := follow(one), follow(two)
		awaitState(t, ones, session.Online)
		awaitState(t, twos, session.Online)
		send(t, one, "from one")
		for tp, own := range map[*tape]bool{ones: true, twos: false} {
			if m := await[session.Message](t, tp); m.Own != own || m.From != "ana" {
				t.Errorf("%+v, want own %v", m, own)
			}
		}
		if got := len(session.Files(t, dir)); got != 2 {
			t.Errorf("%d slots", got)
		}
		must(t, one.Close())
		must(t, two.Close())
	})
}

// A copy of a directory with unsent lines is what a crash leaves: the same lines go
// out under the same numbers, and are stored once.
func TestCrashedCopySendsOnce(t *testing.T) {
	bubble(t, func(t *testing.T, n *netsim.Net) {
		serve(t, n, nil)
		bobs := follow(openAs(t, n, "bob", nil))
		awaitState(t, bobs, session.Online)
		dir := t.TempDir()
		s := open(t, n, in(dir))
		tp := follow(s)
		awaitState(t, tp, session.Online)
		id := send(t, s, numbered("a", 1, 50)...)
		crashed := copyOf(t, dir) // taken at once: hardly an ack is written down yet
		equal(t, "lines", texts(t, bobs, 50), numbered("a", 1, 50))
		drain(t, s)
		again := open(t, n, in(crashed))
		if left := again.Unsent(); len(left) != 50 || left[0].ID != id {
			t.Fatalf("%d unsent", len(left))
		}
		send(t, again, "new")
		drain(t, again)
		if got := texts(t, bobs, 1); !slices.Equal(got, []string{"new"}) {
			t.Errorf("bob sees %v", got)
		}
	})
}
