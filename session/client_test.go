package session_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"holdfast/session"
	"holdfast/session/wire"
	"holdfast/transport/netsim"
)

// newClient makes ana's client on the host "server" and closes it at the end.
func newClient(t *testing.T, n *netsim.Net, tune func(*session.Options)) *session.Client {
	t.Helper()
	o := &session.Options{Name: "ana", HTTPClient: n.Client("ana")}
	if tune != nil {
		tune(o)
	}
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	c, err := session.NewClient("ws://server", o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func joined(t *testing.T, c *session.Client, rooms ...string) (list []*session.Session) {
	t.Helper()
	for _, room := range rooms {
		s, err := c.Join(room)
		must(t, err)
		list = append(list, s)
	}
	return list
}

// welcomeTo welcomes to a room.
func (p *peer) welcomeTo(room, cursor string, resumed bool) {
	p.t.Helper()
	reason := ""
	if !resumed {
		reason = wire.ReasonFresh
	}
	p.send(&wire.Welcome{
		Room: room, Generation: 1, Cursor: cursor, Resumed: resumed, Reason: reason, HeartbeatMS: 10_000, TimeoutMS: 25_000,
		Limits: wire.Limits{TextBytes: wire.MaxText, InFlight: 256}, Members: []string{"ana"}, Now: wire.Time{Time: time.Now()},
	}, &wire.Live{Room: room})
}

// joins returns the next n joins, by room.
func (p *peer) joins(n int) map[string]*wire.Join {
	p.t.Helper()
	list := map[string]*wire.Join{}
	for range n {
		j := expect[*wire.Join](p)
		list[j.Room] = j
	}
	return list
}

// All rooms go over one connection: the first is its door, the others are joined before
// there is an answer to anything, and each has a cursor and numbers of its own.
func TestManyRoomsOneConnection(t *testing.T) {
	bubble(t, func(t *testing.T, n *netsim.Net) {
		srv := scripted(t, n)
		c := newClient(t, n, nil)
		rooms := joined(t, c, "hall", "lab", "Attic")
		if rooms[2].Room() != "attic" || c.Session("ATTIC") != rooms[2] || c.Session("cellar") != nil {
			t.Error("rooms go by other names")
		}
		if _, err := c.Join("LAB"); !errors.Is(err, session.ErrOption) {
			t.Errorf("joined twice: %v", err)
		}
		if _, err := c.Join("no name"); !errors.Is(err, session.ErrOption) {
			t.Errorf("joined no room: %v", err)
		}
		p := srv.accept()
		if p.req.URL.Path != "/chat/hall/ana" {
			t.Errorf("the door is %s", p.req.URL.Path)
		}
		joins := p.joins(2)
		if got := slices.Sorted(maps.Keys(joins)); !slices.Equal(got, []string{"attic", "lab"}) {
			t.Fatalf("joins %v", got)
		}
		p.welcomeTo("", "h0", false)
		p.welcomeTo("lab", "l0", false)
		p.welcomeTo("attic", "a0", false)
		for i, s := range rooms {
			send(t, s, fmt.Sprint("to room ", i))
		}
		got := map[string]string{}
		for range 3 {
			f := expect[*wire.Send](p)
			if f.N != 1 {
				t.Errorf("%q has number %d in its room", f.Text, f.N)
			}
			got[f.Room] = f.Text
			p.send(&wire.Ack{Room: f.Room, Source: f.Source, N: 1})
		}
		if want := map[string]string{"": "to room 0", "lab": "to room 1", "attic": "to room 2"}; !maps.Equal(got, want) {
			t.Errorf("sent %v", got)
		}
		lab := batch("l0", "l2", 1, 2)
		lab.Room = "lab"
		p.send(lab, batch("h0", "h1", 1))
		var lines []string
		for m := range c.Messages() {
			if lines = append(lines, m.Room+" "+m.Text); len(lines) == 3 {
				must(t, c.Session(m.Room).Commit(m))
				break
			}
		}
		slices.Sort(lines)
		equal(t, "lines", lines, []string{"hall m1", "lab m1", "lab m2"})
		pass(time.Second)
		p.drop()
		p = srv.accept()
		joins = p.joins(2)
		if p.hello.Cursor != "h1" || joins["lab"].Cursor != "l2" || joins["attic"].Cursor != "a0" {
			t.Errorf("comes back at %q, %q, %q", p.hello.Cursor, joins["lab"].Cursor, joins["attic"].Cursor)
		}
	})
}

// What ends one room ends no other, and the connection goes on: a verdict, a moment of
// trouble, a room that is left, also the door.
func TestRoomsFailAlone(t *testing.T) {
	bubble(t, func(t *testing.T, n *netsim.Net) {
		srv := scripted(t, n)
		c := newClient(t, n, nil)
		rooms := joined(t, c, "hall", "lab", "attic")
		hall, lab, attic := rooms[0], follow(rooms[1]), follow(rooms[2])
		p := srv.accept()
		p.joins(2)
		p.welcomeTo("", "h0", false)
		p.welcomeTo("attic", "a0", false)
		p.send(&wire.Bye{Room: "lab", Code: wire.Forbidden.Word, Message: "not you"})
		<-lab.done
		var no *session.RejectedError
		if err := rooms[1].Err(); !errors.As(err, &no) || no.Message != "not you" {
			t.Errorf("the lab ended with %v", err)
		}
		awaitState(t, attic, session.Online)
		began := time.Now()
		p.send(&wire.Bye{Room: "attic", Code: wire.Resync.Word, RetryMS: 3000})
		if s := awaitState(t, attic, session.Waiting); s.RetryIn < 3*time.Second {
			t.Errorf("the attic waits for %v", s.RetryIn)
		}
		if j := expect[*wire.Join](p); j.Room != "attic" || j.Cursor != "a0" || time.Since(began) < 3*time.Second {
			t.Errorf("joined again after %v: %+v", time.Since(began), j)
		}
		p.welcomeTo("attic", "a0", true)
		awaitState(t, attic, session.Online)
		must(t, hall.Close())
		if b := expect[*wire.Bye](p); b.Room != "hall" {
			t.Errorf("left %+v", b)
		}
		send(t, rooms[2], "still here")
		if f := expect[*wire.Send](p); f.Room != "attic" {
			t.Errorf("%+v", f)
		}
		if srv.dials.Load() != 1 {
			t.Errorf("%d dials", srv.dials.Load())
		}
		p.drop() // now the attic is the door
		p = srv.accept()
		if p.req.URL.Path != "/chat/attic/ana" || p.hello.Cursor != "a0" || len(p.hello.Sources) != 1 {
			t.Errorf("%s: %+v", p.req.URL.Path, p.hello)
		}
		p.welcome(nil)
		if err := rooms[2].Close(); !errors.Is(err, session.ErrUnsent) {
			t.Errorf("closed with %v", err)
		}
		for {
			if b, ok := (<-p.in).(*wire.Bye); ok {
				if b.Room != "" {
					t.Errorf("the last room was left with %+v", b)
				}
				break
			}
		}
		p.gone() // nobody needs it any more
		hall2 := joined(t, c, "hall")[0]
		send(t, hall2, "back")
		if p = srv.accept(); p.req.URL.Path != "/chat/hall/ana" {
			t.Errorf("dialled %s", p.req.URL.Path)
		}
	})
}

// A room of which the door is refused is the only one that ends.
func TestDoorIsRefused(t *testing.T) {
	bubble(t, func(t *testing.T, n *netsim.Net) {
		srv := scripted(t, n)
		srv.refuse.Store(403)
		c := newClient(t, n, nil)
		hall := joined(t, c, "hall")[0]
		<-hall.Done()
		srv.refuse.Store(0)
		lab := follow(joined(t, c, "lab")[0])
		p := srv.accept()
		p.welcome(nil)
		p.send(&wire.Live{})
		awaitState(t, lab, session.Online)
	})
}

// What a client leaves unsent, by being closed or killed or by leaving the room, is sent by
// whoever comes next: a session of one room, or another client. The cursor goes along.
func TestClientAndSessionShareState(t *testing.T) {
	bubble(t, func(t *testing.T, n *netsim.Net) {
		srv := scripted(t, n)
		dir := t.TempDir()
		c := newClient(t, n, in(dir))
		rooms := joined(t, c, "hall", "lab")
		p := srv.accept()
		p.joins(1)
		p.welcomeTo("", "h0", false)
		p.welcomeTo("lab", "l0", false)
		pass(time.Second)
		n.SetDown("server", true)
		for _, k := range n.Links() {
			k.Reset()
		}
		send(t, rooms[0], "h1", "h2")
		send(t, rooms[1], "l1")
		if err := rooms[1].Close(); !errors.Is(err, session.ErrUnsent) { // while the client goes on
			t.Errorf("the lab closed with %v", err)
		}
		lab := open(t, n, func(o *session.Options) { o.Dir, o.Room, o.Fresh = dir, "lab", true })
		equal(t, "the lab's", texted(lab), []string{"l1"})
		if err := lab.Close(); !errors.Is(err, session.ErrUnsent) {
			t.Error(err)
		}
		if err := c.Close(); !errors.Is(err, session.ErrUnsent) {
			t.Errorf("the client closed with %v", err)
		}
		hall := open(t, n, func(o *session.Options) { o.Dir, o.Room = dir, "hall" })
		equal(t, "the hall's", texted(hall), []string{"h1", "h2"})
		n.SetDown("server", false)
		p = srv.accept()
		if p.hello.Cursor != "h0" {
			t.Errorf("the hall goes on from %q", p.hello.Cursor)
		}
		if err := hall.Close(); !errors.Is(err, session.ErrUnsent) {
			t.Error(err)
		}
		c = newClient(t, n, in(dir))
		rooms = joined(t, c, "lab", "hall")
		equal(t, "the lab's", texted(rooms[0]), []string{"l1"})
		equal(t, "the hall's", texted(rooms[1]), []string{"h1", "h2"})
		p = srv.accept()
		if j := p.joins(1)["hall"]; p.hello.Cursor != "l0" || j == nil || j.Cursor != "h0" {
			t.Errorf("goes on from %q and %+v", p.hello.Cursor, j)
		}
	})
}

func texted(s *session.Session) (list []string) {
	for _, l := range s.Unsent() {
		list = append(list, l.Text)
	}
	return list
}

// Two clients, or two sessions, of which one wants to be alone.
func TestExclusive(t *testing.T) {
	bubble(t, func(t *testing.T, n *netsim.Net) {
		dir := t.TempDir()
		alone := func(o *session.Options) { o.Dir, o.Exclusive = dir, true }
		o := &session.Options{Room: "general", Name: "ana", Dir: dir, Exclusive: true, HTTPClient: n.Client("ana")}
		first := open(t, n, alone)
		if _, err := session.Open("ws://server", o); !errors.Is(err, session.ErrInUse) {
			t.Errorf("a second session: %v", err)
		}
		must(t, first.Close())
		must(t, open(t, n, alone).Close())
		c := newClient(t, n, alone)
		if _, err := session.NewClient("ws://server", o); !errors.Is(err, session.ErrInUse) {
			t.Errorf("a second client: %v", err)
		}
		must(t, c.Close())
		must(t, newClient(t, n, alone).Close())
	})
}

// A client that is closed says so to all that is done with it.
func TestClosedClient(t *testing.T) {
	bubble(t, func(t *testing.T, n *netsim.Net) {
		c := newClient(t, n, nil)
		s := joined(t, c, "hall")[0]
		must(t, c.Close())
		must(t, c.Close())
		if _, err := c.Join("lab"); !errors.Is(err, session.ErrClosed) {
			t.Errorf("Join: %v", err)
		}
		if _, err := s.Send("x"); !errors.Is(err, session.ErrClosed) {
			t.Errorf("Send: %v", err)
		}
		if err := s.SetAway("x"); !errors.Is(err, session.ErrClosed) {
			t.Errorf("SetAway: %v", err)
		}
		for m := range c.Messages() {
			t.Errorf("%+v", m)
		}
		must(t, s.Close())
	})
}

// Who leaves a room and joins it again over the same connection goes on where they were, and
// what they say is new to the server.
func TestJoinAgain(t *testing.T) {
	bubble(t, func(t *testing.T, n *netsim.Net) {
		serve(t, n, nil)
		bob := openAs(t, n, "bob", func(o *session.Options) { o.Room = "lab" })
		bobs := follow(bob)
		awaitState(t, bobs, session.Online)
		c := newClient(t, n, nil)
		joined(t, c, "hall")
		for i := range 3 {
			lab := joined(t, c, "lab")[0]
			tp := follow(lab)
			must(t, lab.Wait(t.Context(), send(t, lab, fmt.Sprint("a", i))))
			equal(t, "bob's", texts(t, bobs, 1), []string{fmt.Sprint("a", i)})
			send(t, bob, fmt.Sprint("b", i))
			want := []string{fmt.Sprint("a", i), fmt.Sprint("b", i)}
			if i > 0 { // said while nobody was here
				want = append([]string{fmt.Sprint("between ", i-1)}, want...)
			}
			equal(t, "ana's", texts(t, tp, len(want)), want)
			texts(t, bobs, 1)
			pass(time.Second) // or she would come and go unnoticed
			must(t, lab.Close())
			awaitThat(t, bobs, func(p session.Presence) bool { return contains(p.Left, "ana") })
			send(t, bob, fmt.Sprint("between ", i))
			texts(t, bobs, 1)
		}
	})
}

// A verdict that comes before a join was read is about the door alone.
func TestVerdictBeforeJoin(t *testing.T) {
	bubble(t, func(t *testing.T, n *netsim.Net) {
		srv := scripted(t, n)
		c := newClient(t, n, nil)
		rooms := joined(t, c, "hall", "lab")
		p := srv.accept()
		p.welcome(nil)
		p.joins(1)
		p.send(&wire.Bye{Code: wire.Superseded.Word})
		p.close(wire.Superseded.Close, "")
		p = srv.accept() // once more: it might be a ghost
		p.welcome(nil)
		p.joins(1)
		p.send(&wire.Bye{Code: wire.Superseded.Word})
		p.close(wire.Superseded.Close, "")
		<-rooms[0].Done()
		if p = srv.accept(); p.req.URL.Path != "/chat/lab/ana" {
			t.Errorf("came back for %s", p.req.URL.Path)
		}
	})
}

// Drain waits for the acks of all rooms, but not longer than it was told.
func TestDrainAllRooms(t *testing.T) {
	bubble(t, func(t *testing.T, n *netsim.Net) {
		serve(t, n, nil)
		dir := t.TempDir()
		c := newClient(t, n, in(dir))
		for _, s := range joined(t, c, "hall", "lab", "attic") {
			send(t, s, numbered("a", 1, 500)...)
		}
		must(t, c.Drain(t.Context()))
		n.SetDown("server", true)
		c = newClient(t, n, in(dir))
		rooms := joined(t, c, "hall", "lab")
		send(t, rooms[1], "late")
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := c.Drain(ctx); !errors.Is(err, session.ErrUnsent) || ctx.Err() == nil {
			t.Errorf("drained with %v", err)
		}
	})
}
