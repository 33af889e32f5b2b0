package session_test

import (
	"slices"
	"testing"
	"time"

	"holdfast/session"
	"holdfast/session/wire"
	"holdfast/transport/netsim"
)

func TestDuplicateBatchIsSkipped(t *testing.T) {
	bubble(t, func(t *testing.T, n *netsim.Net) {
		srv := scripted(t, n)
		s := open(t, n, nil)
		tp := follow(s)
		p := srv.accept()
		p.welcome(nil)
		p.send(batch("c0", "c2", 1, 2))
		equal(t, "lines", texts(t, tp, 2), numbered("m", 1, 2))
		p.drop()
		p = srv.accept()
		p.welcome(nil)
		p.send(batch("c2", "c3", 1, 2, 3)) // a server may repeat what has a seq we know
		p.send(&wire.Live{})
		equal(t, "lines", texts(t, tp, 1), []string{"m3"})
		none[session.Message](t, tp)
	})
}

// A batch that follows something else is not shown; the session comes back and asks.
func TestBatchThatDoesNotFollow(t *testing.T) {
	bubble(t, func(t *testing.T, n *netsim.Net) {
		srv := scripted(t, n)
		s := open(t, n, nil)
		tp := follow(s)
		p := srv.accept()
		p.welcome(nil)
		p.send(batch("c0", "c1", 1), batch("c2", "c3", 3))
		if code := p.gone(); code != 4002 {
			t.Errorf("closed with %d, want 4002", code)
		}
		p = srv.accept()
		if p.hello.Cursor != "c1" {
			t.Errorf("comes back at %q, want c1", p.hello.Cursor)
		}
		p.welcome(nil)
		p.send(batch("c1", "c3", 2, 3))
		equal(t, "lines", texts(t, tp, 3), numbered("m", 1, 3))
	})
}

// A consumer that stands still keeps its connection: the lines that were asked for wait in
// memory, the server is asked for no more, and pings, acks and answers pass. When it goes on,
// it gets all, and the server is asked for as many as it has taken.
func TestConsumerStandsStill(t *testing.T) {
	bubble(t, func(t *testing.T, n *netsim.Net) {
		srv := scripted(t, n)
		s := open(t, n, func(o *session.Options) { o.Window = 600 })
		var got []string
		start, done := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(done)
			for m := range s.Messages() {
				if len(got) == 0 {
					<-start
				}
				if got = append(got, m.Text); len(got) == 3000 {
					must(t, s.Commit(m))
					return
				}
			}
		}()
		p := srv.accept()
		p.welcome(nil)
		if p.hello.Window != 600 {
			t.Fatalf("window %d", p.hello.Window)
		}
		cursors := numbered("c", 0, 3000)
		sent := 0
		feed := func(lines int) {
			for ; lines >= 300; lines -= 300 {
				p.send(batchFrom(cursors[sent], cursors[sent+300], sent+1, 300))
				sent += 300
			}
		}
		feed(600)
		send(t, s, "a1")
		line := expect[*wire.Send](p)
		p.send(&wire.Ack{Source: line.Source, N: 1})
		pass(10 * time.Minute)
		if s.Status().Unsent != 0 || srv.dials.Load() != 1 {
			t.Errorf("%+v after %d dials", s.Status(), srv.dials.Load())
		}
		p.quiet(time.Minute)
		close(start)
		for sent < 3000 {
			more := expect[*wire.More](p)
			if more.Lines < 300 {
				t.Fatalf("asks for %d", more.Lines)
			}
			feed(int(more.Lines))
		}
		<-done
		equal(t, "lines", got, numbered("m", 1, 3000))
	})
}

// A server that sends more lines than it was asked for can't fill the memory.
func TestFlood(t *testing.T) {
	bubble(t, func(t *testing.T, n *netsim.Net) {
		srv := scripted(t, n)
		open(t, n, func(o *session.Options) { o.Window = 100 }) // nobody consumes
		p := srv.accept()
		p.welcome(nil)
		cursors := numbered("c", 0, 2000)
		for from := 0; from < 2000 && p.try(batchFrom(cursors[from], cursors[from+100], from+1, 100)); from += 100 {
			pass(time.Second)
		}
		if code := p.gone(); code != 4002 {
			t.Errorf("closed with %d, want 4002", code)
		}
	})
}

func batchFrom(after, cursor string, from, n int) *wire.Events {
	var seqs []uint64
	for i := range n {
		seqs = append(seqs, uint64(from+i))
	}
	return batch(after, cursor, seqs...)
}

func TestLiveAndPresence(t *testing.T) {
	bubble(t, func(t *testing.T, n *netsim.Net) {
		srv := scripted(t, n)
		s := open(t, n, nil)
		tp := follow(s)
		p := srv.accept()
		p.welcome(func(w *wire.Welcome) { w.Members, w.Missed = []string{"ana", "bob"}, 1 })
		p.send(&wire.Presence{Joined: []string{"cleo", "bob"}, Left: []string{"zoe"}}, batch("c0", "c1", 1), &wire.Live{},
			batch("c1", "c2", 2))
		if c := awaitState(t, tp, session.Resuming); c.Missed != 1 {
			t.Errorf("missed %d", c.Missed)
		}
		if m := await[session.Message](t, tp); !m.Replayed || m.Own || m.From != "bob" || m.Seq != 1 || m.Room != "general" {
			t.Errorf("line %+v", m)
		}
		awaitState(t, tp, session.Online)
		here := []string{"ana", "bob", "cleo"}
		if e := await[session.Presence](t, tp); !slices.Equal(e.Here, here) || !slices.Equal(e.Joined, here) || e.Left != nil {
			t.Errorf("presence %+v", e)
		}
		if m := await[session.Message](t, tp); m.Replayed {
			t.Errorf("line %+v is live", m)
		}
		p.send(&wire.Presence{Joined: []string{"dan", "ana"}, Left: []string{"bob", "nobody"}})
		if e := await[session.Presence](t, tp); e.Here != nil || !slices.Equal(e.Joined, []string{"dan"}) || !slices.Equal(e.Left, []string{"bob"}) {
			t.Errorf("presence %+v", e)
		}
		p.send(&wire.Presence{Joined: []string{"dan"}, Left: []string{"bob"}}) // no news
		none[session.Presence](t, tp)
		for _, members := range [][]string{{"ana", "cleo", "dan"}, {"ana", "bob"}} {
			p.drop()
			p = srv.accept()
			p.welcome(func(w *wire.Welcome) { w.Members = members })
			p.send(&wire.Live{}, &wire.Live{})
			e := await[session.Presence](t, tp)
			if !slices.Equal(e.Here, members) {
				t.Errorf("presence %+v", e)
			}
			if members[1] == "cleo" && (e.Joined != nil || e.Left != nil) {
				t.Errorf("nothing changed in the outage, yet %+v", e)
			}
			if members[1] == "bob" && (!slices.Equal(e.Joined, []string{"bob"}) || !slices.Equal(e.Left, []string{"cleo", "dan"})) {
				t.Errorf("presence after the outage %+v", e)
			}
		}
	})
}

func TestGap(t *testing.T) {
	bubble(t, func(t *testing.T, n *netsim.Net) {
		srv := scripted(t, n)
		s := open(t, n, nil)
		tp := follow(s)
		p := srv.accept()
		p.welcome(nil)
		p.send(batch("c0", "c9", 9))
		await[session.Message](t, tp)
		p.drop()
		p = srv.accept()
		p.welcome(func(w *wire.Welcome) {
			w.Resumed, w.Reason, w.Cursor, w.Lost = false, wire.ReasonExpired, "c20", 11
		})
		p.send(batch("c20", "c21", 21))
		if g := await[session.Gap](t, tp); g != (session.Gap{Lost: 11, Reason: wire.ReasonExpired}) {
			t.Errorf("gap %+v", g)
		}
		equal(t, "lines", texts(t, tp, 1), []string{"m21"})
		p.drop()
		p = srv.accept()
		p.welcome(func(w *wire.Welcome) {
			w.Resumed, w.Reason, w.Cursor, w.Lost = false, wire.ReasonDiverged, "d2", -1
		})
		p.send(batch("d2", "d3", 3)) // seqs start anew
		if g := await[session.Gap](t, tp); g.Reason != wire.ReasonDiverged || g.Lost != -1 {
			t.Errorf("gap %+v", g)
		}
		equal(t, "lines", texts(t, tp, 1), []string{"m3"})
	})
}

// The cursor of a room in which nothing was said is kept, too.
func TestEmptyRoomIsResumed(t *testing.T) {
	bubble(t, func(t *testing.T, n *netsim.Net) {
		srv := scripted(t, n)
		dir := t.TempDir()
		s := open(t, n, in(dir))
		tp := follow(s)
		srv.join()
		awaitState(t, tp, session.Online)
		must(t, s.Close())
		open(t, n, in(dir))
		if p := srv.accept(); p.hello.Cursor != "c0" {
			t.Errorf("cursor %q, want c0", p.hello.Cursor)
		}
	})
}

// History that comes again for context must not move the cursor back: the process
// could be killed in the middle of it.
func TestBacklogKeepsTheCursor(t *testing.T) {
	bubble(t, func(t *testing.T, n *netsim.Net) {
		srv := scripted(t, n)
		dir := t.TempDir()
		first := open(t, n, in(dir))
		tp := follow(first)
		p := srv.join()
		p.send(batch("c0", "c4", 1, 2, 3, 4))
		texts(t, tp, 4)
		must(t, first.Close())

		second := open(t, n, func(o *session.Options) { o.Dir, o.Backlog = dir, 3 })
		tp = follow(second)
		p = srv.accept()
		if p.hello.Cursor != "c4" || p.hello.Backlog != 3 {
			t.Errorf("hello %+v", p.hello)
		}
		p.welcome(func(w *wire.Welcome) { w.Cursor = "c1" })
		p.send(batch("c1", "c3", 2, 3))
		for range 2 {
			if m := await[session.Message](t, tp); !m.Seen {
				t.Errorf("%+v was shown", m)
			}
		}
		pass(time.Minute)
		must(t, second.Close())

		third := open(t, n, in(dir))
		tp = follow(third)
		p = srv.accept()
		if p.hello.Cursor != "c4" {
			t.Errorf("the third begins at %q, want c4", p.hello.Cursor)
		}
		p.welcome(nil)
		p.send(batch("c4", "c5", 5))
		if m := await[session.Message](t, tp); m.Seen || m.Text != "m5" {
			t.Errorf("%+v is new", m)
		}
	})
}

// A consumer that stops in the middle of a batch goes on there, in the next session.
func TestStopInTheMiddleOfABatch(t *testing.T) {
	closing := func(s *session.Session, _ session.Message) bool { return s.Close() != nil }
	for name, stop := range map[string]func(*session.Session, session.Message) bool{
		"break": func(s *session.Session, m session.Message) bool { must(t, s.Commit(m)); return true },
		"Close": func(s *session.Session, m session.Message) bool { must(t, s.Commit(m)); return closing(s, m) },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, n *netsim.Net) {
				srv := scripted(t, n)
				dir := t.TempDir()
				var got []string
				for round := range 3 {
					s := open(t, n, in(dir))
					p := srv.accept()
					if want := []string{"", "c0", "c0"}[round]; p.hello.Cursor != want {
						t.Errorf("cursor %q, want %q", p.hello.Cursor, want)
					}
					p.welcome(nil)
					p.send(batch("c0", "c6", 1, 2, 3, 4, 5, 6))
					for m := range s.Messages() {
						if got = append(got, m.Text); len(got)%2 == 0 && stop(s, m) {
							break
						}
					}
					must(t, s.Close())
				}
				equal(t, "lines", got, numbered("m", 1, 6))
			})
		})
	}
}

func TestUnknownFramesAndVoids(t *testing.T) {
	bubble(t, func(t *testing.T, n *netsim.Net) {
		srv := scripted(t, n)
		s := open(t, n, nil)
		tp := follow(s)
		p := srv.accept()
		p.raw([]byte(`{"type":"weather","sun":true}`))
		p.welcome(nil)
		void := batch("c0", "c3", 1, 2, 3)
		void.Events[1].Kind = wire.KindVoid
		void.Events[2].Kind = wire.KindAction
		p.raw([]byte(`{"type":"weather","sun":false}`))
		p.send(&wire.Page{ID: "unasked"}, void, &wire.Live{})
		equal(t, "lines", texts(t, tp, 1), []string{"m1"})
		if m := await[session.Message](t, tp); m.Text != "m3" || m.Kind != wire.KindAction {
			t.Errorf("line %+v", m)
		}
		p.quiet(time.Minute)
	})
}
