package session_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/server"
	"holdfast/server/servertest"
	"holdfast/session"
	"holdfast/transport/netsim"
)

// bubble runs a test under fake time on a network of its own.
func bubble(t *testing.T, test func(t *testing.T, n *netsim.Net)) {
	t.Helper()
	bubbleOn(t, &netsim.Options{Latency: netsim.Between(5*time.Millisecond, 15*time.Millisecond)}, test)
}

// bubbleOn is bubble for another kind of network.
func bubbleOn(t *testing.T, o *netsim.Options, test func(t *testing.T, n *netsim.Net)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		n := netsim.New(1, o)
		t.Cleanup(func() {
			_ = n.Close()
			time.Sleep(time.Second) // net/http lets a dial that was given up run on for a moment
		})
		stuck := time.AfterFunc(12*time.Hour, func() { panic(t.Name() + " does not end") })
		defer stuck.Stop()
		test(t, n)
	})
}

// open starts ana's session on the host "server" and closes it at the end.
func open(t *testing.T, n *netsim.Net, tune func(*session.Options)) *session.Session {
	t.Helper()
	return openAs(t, n, "ana", tune)
}

func openAs(t *testing.T, n *netsim.Net, name string, tune func(*session.Options)) *session.Session {
	t.Helper()
	o := &session.Options{Room: "general", Name: name, HTTPClient: n.Client(name)}
	if tune != nil {
		tune(o)
	}
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	s, err := session.Open("ws://server", o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func in(dir string) func(*session.Options) {
	return func(o *session.Options) { o.Dir = dir }
}

// serve runs the real server on the host "server" until the test ends.
func serve(t *testing.T, n *netsim.Net, o *server.Options) *servertest.Host {
	t.Helper()
	return servertest.NewOn(t, n, "server", o)
}

// listen runs a handler in its place.
func listen(t *testing.T, n *netsim.Net, h http.Handler) {
	t.Helper()
	l, err := n.Listen("server")
	if err != nil {
		t.Fatal(err)
	}
	hs := &http.Server{Handler: h}
	served := make(chan error, 1)
	go func() { served <- hs.Serve(l) }()
	t.Cleanup(func() {
		_ = hs.Close()
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			t.Error("serve:", err)
		}
	})
}

// tape is a quick consumer: it takes all events, for the test to look at.
type tape struct {
	events chan session.Event
	done   chan struct{}
}

func follow(s *session.Session) *tape {
	tp := &tape{make(chan session.Event, 1<<16), make(chan struct{})}
	go func() {
		defer close(tp.done)
		defer close(tp.events)
		for e := range s.Events() {
			tp.events <- e
		}
	}()
	return tp
}

const patience = 2 * time.Hour // of fake time

// await returns the next event of a type, skipping others.
func await[T session.Event](t *testing.T, tp *tape) T {
	t.Helper()
	return awaitThat(t, tp, func(T) bool { return true })
}

func awaitThat[T session.Event](t *testing.T, tp *tape, ok func(T) bool) T {
	t.Helper()
	late := time.After(patience)
	for {
		select {
		case e, more := <-tp.events:
			if !more {
				t.Fatalf("events ended before a %T", *new(T))
			}
			if e, is := e.(T); is && ok(e) {
				return e
			}
		case <-late:
			t.Fatalf("no such %T", *new(T))
		}
	}
}

func awaitState(t *testing.T, tp *tape, want session.State) session.StateChange {
	t.Helper()
	return awaitThat(t, tp, func(c session.StateChange) bool { return c.State == want })
}

// texts returns the texts of the next n lines.
func texts(t *testing.T, tp *tape, n int) (list []string) {
	t.Helper()
	for range n {
		list = append(list, await[session.Message](t, tp).Text)
	}
	return list
}

// none checks that no event of the type comes for a while.
func none[T session.Event](t *testing.T, tp *tape) {
	t.Helper()
	time.Sleep(time.Minute)
	for {
		select {
		case e := <-tp.events:
			if e, is := e.(T); is {
				t.Fatalf("unexpected %+v", e)
			}
		default:
			return
		}
	}
}

// numbered returns "a1", "a2"…
func numbered(prefix string, from, to int) (list []string) {
	for i := from; i <= to; i++ {
		list = append(list, fmt.Sprint(prefix, i))
	}
	return list
}

func equal(t *testing.T, what string, got, want []string) {
	t.Helper()
	if slices.Equal(got, want) {
		return
	}
	i := 0
	for i < min(len(got), len(want)) && got[i] == want[i] {
		i++
	}
	t.Fatalf("%s: got %d, want %d; differ at %d: got %q, want %q", what, len(got), len(want), i,
		got[i:min(len(got), i+5)], want[i:min(len(want), i+5)])
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func send(t *testing.T, s *session.Session, lines ...string) session.ID {
	t.Helper()
	id, err := s.Send(lines...)
	must(t, err)
	return id
}

func drain(t *testing.T, s *session.Session) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	must(t, s.Drain(ctx))
}

// pass lets fake time go by.
func pass(d time.Duration) { time.Sleep(d) }
