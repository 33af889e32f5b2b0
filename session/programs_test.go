package session_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/server/servertest"
	"holdfast/session"
	"holdfast/transport/netsim"
)

// A unit test as somebody writes it who imports the packages: no helper of ours is in it.
func TestAsImportersWriteIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		host := servertest.New(t, nil)
		s, err := session.Open(host.URL, &session.Options{
			Room: "general", Name: "ana", Dir: t.TempDir(), HTTPClient: host.Client("ana"),
		})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()

		host.Drain() // the server goes away for an hour
		id, err := s.Send("hello")
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour) // takes no time
		if len(s.Unsent()) != 1 {
			t.Error("the line has arrived at no server")
		}
		host.Start()
		if err := s.Wait(t.Context(), id); err != nil {
			t.Error(err)
		}

		host.Partition("ana") // a tunnel
		if id, err = s.Send("still here"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Minute)
		host.Heal("ana")
		if err := s.Wait(t.Context(), id); err != nil {
			t.Error(err)
		}
	})
}

// said returns all that is on the server's disk in a room. The reader's identity is in dir.
func said(t *testing.T, h *servertest.Host, room, dir string) (list []string) {
	t.Helper()
	o := &session.Options{Room: room, Name: "reader", Dir: dir, Fresh: true, HTTPClient: h.Client("reader")}
	s, err := session.Open(h.URL, o)
	must(t, err)
	defer s.Close()
	level(t, []*session.Session{s})
	before, end := uint64(0), false
	for !end {
		var page []session.Message
		page, end, err = s.History(t.Context(), before, 200)
		must(t, err)
		for _, m := range slices.Backward(page) {
			before = m.Seq
			list = append(list, m.Text)
		}
	}
	slices.Reverse(list)
	return list
}

// failures are the ways in which a body ends without being done with its line. The answer may
// have been given or not.
var failures = []struct {
	name string
	how  func(s *session.Session) (stop bool)
}{
	{"error return", func(*session.Session) bool { return true }},
	{"panic", func(*session.Session) bool { panic("the body") }},
	{"Close", func(s *session.Session) bool { _ = s.Close(); return false }},
	{"Close and return", func(s *session.Session) bool { _ = s.Close(); return true }},
	{"panic after Close", func(s *session.Session) bool { _ = s.Close(); panic("the body") }},
}

// A bot that fails by every error, before and after it has answered, on a bad link and with a
// server that is restarted, answers each line once.
func TestBotAnswersOnce(t *testing.T) {
	const questions = 120
	bubble(t, func(t *testing.T, n *netsim.Net) {
		host := servertest.NewOn(t, n, "server", nil)
		dir := t.TempDir()
		runs := 0
		bot := func() (done bool) {
			defer func() { _ = recover() }()
			s := open(t, n, func(o *session.Options) {
				o.Room, o.Name, o.Dir, o.ManualCommit, o.Exclusive, o.Backlog = "general", "bot", dir, true, true, -1
			})
			defer s.Close()
			fail := failures[runs%len(failures)]
			early := runs/len(failures)%2 == 0
			runs++
			for m := range s.Messages() {
				q, ok := strings.CutPrefix(m.Text, "q")
				if !ok || m.Seen {
					continue
				}
				breaks := m.Seq%3 == uint64(runs%3)
				if breaks && early && fail.how(s) {
					return false
				}
				if _, err := s.Reply(m, "a"+q); err != nil && !errors.Is(err, session.ErrClosed) {
					t.Error(err)
				}
				if q == fmt.Sprint(questions) {
					drain(t, s)
					return true
				}
				if breaks && !early && fail.how(s) {
					return false
				}
			}
			return false
		}
		ana := open(t, n, func(o *session.Options) { o.MaxLines = questions })
		send(t, ana, numbered("q", 1, questions)...)
		for done := false; !done; {
			done = bot()
			switch runs % 7 {
			case 1:
				host.Reset("ana")
			case 3:
				host.Crash()
				host.Start()
			case 5:
				host.Drain()
				host.Start()
			}
			if runs > 20*questions {
				t.Fatal("the bot does not get on")
			}
		}
		drain(t, ana)
		var answers []string
		for _, l := range said(t, host, "general", dir) {
			if l[0] == 'a' {
				answers = append(answers, l)
			}
		}
		equal(t, "answers", answers, numbered("a", 1, questions))
		if runs < 2*len(failures) {
			t.Errorf("the bot failed only %d times", runs)
		}
	})
}

// A bridge that is stopped again and again, between two servers that crash, brings each line
// over once and in order.
func TestBridgeBringsEachLineOnce(t *testing.T) {
	const lines = 60
	bubble(t, func(t *testing.T, n *netsim.Net) {
		here, there := servertest.NewOn(t, n, "here", nil), servertest.NewOn(t, n, "there", nil)
		dir := t.TempDir()
		sess := func(h *servertest.Host, room, name, dir string) *session.Session {
			s, err := session.Open(h.URL, &session.Options{
				Room: room, Name: name, Dir: dir, Backlog: -1, ManualCommit: true, HTTPClient: h.Client(name),
			})
			must(t, err)
			return s
		}
		ana := sess(here, "general", "ana", t.TempDir())
		defer ana.Close()
		send(t, ana, numbered("l", 1, lines)...)
		want := make([]string, 0, lines)
		for _, l := range numbered("l", 1, lines) {
			want = append(want, "ana: "+l)
		}
		runs := 0
		for ; len(said(t, there, "copy", dir)) < lines && runs < 500; runs++ {
			from, to := sess(here, "general", "bridge", dir), sess(there, "copy", "bridge", dir)
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond+time.Duration(runs%37)*3*time.Millisecond)
			if err := bridge(ctx, from, to); err == nil {
				t.Error("it ended without an error")
			}
			cancel()
			_ = from.Close()
			_ = to.Close()
			switch runs % 5 {
			case 1:
				there.Crash()
				there.Start()
			case 3:
				here.Crash()
				here.Start()
			}
		}
		pass(time.Minute)
		equal(t, "the copy", said(t, there, "copy", dir), want)
		if runs < 5 {
			t.Errorf("the bridge ran only %d times", runs)
		}
		t.Log(runs, "runs")
	})
}
