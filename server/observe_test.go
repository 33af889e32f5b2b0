package server_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/server"
	"holdfast/session/wire"
)

// diary is what an observer was told.
type diary struct {
	mu    sync.Mutex
	notes []string
}

func (d *diary) note(format string, args ...any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.notes = append(d.notes, fmt.Sprintf(format, args...))
}

func (d *diary) observer() *server.Observer {
	return &server.Observer{
		Joined:  func(room, name string) { d.note("%s joined %s", name, room) },
		Left:    func(room, name string) { d.note("%s left %s", name, room) },
		Line:    func(l server.Line) { d.note("%s %d %s: %s%s", l.Room, l.Seq, l.From, l.Kind, l.Text) },
		Lagging: func(room, name string, behind uint64) { d.note("%s lags in %s by %d", name, room, behind) },
		Reaped:  func(room, name string) { d.note("%s was reaped in %s", name, room) },
		Missed:  func(events int) { d.note("%d missed", events) },
	}
}

func (d *diary) want(t *testing.T, notes ...string) {
	t.Helper()
	synctest.Wait()
	d.mu.Lock()
	defer d.mu.Unlock()
	if got := strings.Join(d.notes, "\n"); got != strings.Join(notes, "\n") {
		t.Errorf("told\n%s\nwant\n%s", got, strings.Join(notes, "\n"))
	}
	d.notes = nil
}

// TestObserver: it is told what everybody may know, in order.
func TestObserver(t *testing.T) {
	d := &diary{}
	bubble(t, &server.Options{Observer: d.observer(), Linger: time.Minute}, func(w *world) {
		ana, bob := w.join("general", "ana"), w.join("general", "bob")
		d.want(t, "ana joined general", "bob joined general")
		ana.send(1, "hello")
		ana.write(&wire.Send{Source: ana.source, N: 2, Kind: wire.KindAction, Text: "waves"})
		ana.write(&wire.Send{Source: ana.source, N: 3, Kind: wire.KindPrivate, To: "bob", Text: "psst"})
		ana.send(4, "\x01")
		d.want(t, "general 1 ana: hello", "general 2 ana: actionwaves")
		bob.write(&wire.Bye{})
		d.want(t, "bob left general")

		w.net.Partition("ana", true)
		pass(30 * time.Second)
		d.want(t, "ana was reaped in general")
		w.net.Partition("ana", false)
		w.join("general", "ana")
		d.want(t) // she has never left
		w.plain("general", "cem", "").leave()
		d.want(t, "cem joined general", "cem left general")
		w.net.Partition("ana", true)
		pass(2 * time.Minute)
		d.want(t, "ana was reaped in general", "ana left general")
	})
}

// TestObserverOfPlainMode: a connection in plain mode is reaped, too.
func TestObserverOfPlainMode(t *testing.T) {
	d := &diary{}
	bubble(t, &server.Options{Observer: d.observer(), Linger: -1}, func(w *world) {
		w.plain("general", "cem", "")
		w.net.Partition("cem", true)
		pass(time.Minute)
		d.want(t, "cem joined general", "cem was reaped in general", "cem left general")
	})
}

// TestObserverAfterRestart: whoever is expected back has joined, and leaves if nobody comes.
func TestObserverAfterRestart(t *testing.T) {
	d := &diary{}
	synctest.Test(t, func(t *testing.T) {
		store := remember(time.Now(), map[string][]string{"general": {"ana"}, "empty": {"dora"}})
		run(t, &server.Options{Observer: d.observer()}, store, func(w *world) {
			if got := fmt.Sprint(w.srv.Members("general"), w.srv.Members("nowhere")); got != "[{ana  false}] []" {
				t.Errorf("members: %s", got)
			}
			d.want(t)
			w.join("general", "bob")
			d.want(t, "ana joined general", "bob joined general")
			if n := w.srv.Disconnect("empty", "dora", ""); n != 0 || w.srv.Members("empty") != nil {
				t.Errorf("%d connections of dora's, members %v", n, w.srv.Members("empty"))
			}
			pass(2 * time.Minute)
			d.want(t, "ana left general")
			w.wantNoted(store, map[string][]string{"general": {"bob"}})
		})
	})
}

// TestLagging: it is told once that a reader is far behind, and again when it was level
// in between; not of who has yet to catch up.
func TestLagging(t *testing.T) {
	d := &diary{}
	o := &server.Observer{Lagging: d.observer().Lagging}
	bubble(t, &server.Options{Observer: o}, func(w *world) {
		say := func(lines int) {
			for range lines {
				if _, err := w.srv.Say(context.Background(), "general", "bot", "x", nil); err != nil {
					t.Fatal(err)
				}
			}
			synctest.Wait()
		}
		say(2000)
		ana := w.join("general", "ana", func(h *wire.Hello) { h.Window = 10 })
		say(10)
		d.want(t)
		ana.write(&wire.More{Lines: 2000})
		synctest.Wait()
		say(server.TailLines)
		d.want(t)
		say(1100)
		d.want(t, "ana lags in general by 1025")
		ana.write(&wire.More{Lines: 2124})
		synctest.Wait()
		say(server.TailLines + 1)
		d.want(t, "ana lags in general by 1025")
	})
}

// TestSlowObserver: nobody waits for it. What it does not take in time it is told to have
// missed, where that was.
func TestSlowObserver(t *testing.T) {
	d := &diary{}
	var slow chan struct{}
	o := &server.Observer{
		Line:   func(l server.Line) { <-slow; d.note("%d", l.Seq) },
		Missed: d.observer().Missed,
	}
	bubble(t, &server.Options{Observer: o}, func(w *world) {
		slow = make(chan struct{})
		say := func(lines int) {
			for range lines {
				if _, err := w.srv.Say(context.Background(), "general", "bot", "x", nil); err != nil {
					t.Fatal(err)
				}
			}
		}
		say(1)
		synctest.Wait()
		say(server.MaxWatched + 5)
		close(slow)
		synctest.Wait()
		say(1)
		synctest.Wait()
		d.mu.Lock()
		defer d.mu.Unlock()
		last := d.notes[len(d.notes)-3:]
		if got := fmt.Sprint(len(d.notes), last); got != fmt.Sprintf("%d [%d 5 missed %d]", server.MaxWatched+3, server.MaxWatched+1, server.MaxWatched+7) {
			t.Errorf("told %s", got)
		}
	})
}

// TestObserverActs: an observer may call the server, also while it shuts down.
func TestObserverActs(t *testing.T) {
	d := &diary{}
	var srv *server.Server
	o := &server.Observer{
		Joined: func(room, name string) {
			_, err := srv.Say(context.Background(), room, "porter", "welcome, "+name, nil)
			d.note("said: %v", err)
		},
		Line: func(l server.Line) {
			if l.Text == "go away" {
				d.note("%d", srv.Disconnect(l.Room, "bob", "ana says so"))
			}
		},
	}
	bubble(t, &server.Options{Observer: o, Linger: -1}, func(w *world) {
		srv = w.srv
		ana := w.join("general", "ana")
		ana.wantTexts("welcome, ana")
		bob := w.join("general", "bob")
		bob.wantTexts("welcome, ana", "welcome, bob")
		ana.send(1, "go away")
		if bye := bob.wantEnd(wire.Forbidden); bye.Message != "ana says so" {
			t.Errorf("bob is told %q", bye.Message)
		}
		d.want(t, "said: <nil>", "said: <nil>", "1")
	})
}
