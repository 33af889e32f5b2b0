package server_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/server"
	"holdfast/session/wire"
)

// join is what a client says who wants to be in one more room.
func (c *client) join(room string, change ...func(*wire.Join)) {
	c.w.Helper()
	f := &wire.Join{Room: room, Device: "d-" + c.user, Backlog: -1, Sources: []wire.Base{{Source: c.source}}}
	for _, edit := range change {
		edit(f)
	}
	c.write(f)
}

func (c *client) sendIn(room string, n uint64, text string) {
	c.w.Helper()
	c.write(&wire.Send{Room: room, Source: c.source, N: n, Text: text})
}

// wantIn lets everybody come to rest and checks which lines of a room came.
func (c *client) wantIn(room string, want ...string) {
	c.w.Helper()
	synctest.Wait()
	if texts := c.textsIn(room); !slices.Equal(texts, want) {
		c.w.Errorf("%s has %q of %s, want %q", c.user, texts, room, want)
	}
}

// welcomes returns the rooms that c was welcomed to, in order.
func (c *client) welcomes() (rooms []string) {
	for _, w := range got[*wire.Welcome](c) {
		rooms = append(rooms, w.Room)
	}
	return rooms
}

// wantByes lets everybody come to rest and checks the byes so far: "room code".
func (c *client) wantByes(want ...string) {
	c.w.Helper()
	synctest.Wait()
	var byes []string
	for _, b := range got[*wire.Bye](c) {
		byes = append(byes, b.Room+" "+b.Code)
	}
	if !slices.Equal(byes, want) {
		c.w.Errorf("%s was told %q, want %q", c.user, byes, want)
	}
}

// All that there is in a room works in each of many, and says which one it is about.
// What is about the door does not.
func TestManyRooms(t *testing.T) {
	bubble(t, nil, func(w *world) {
		ana := w.join("general", "ana")
		ana.join("attic") // without waiting for anything
		ana.join("cellar")
		ana.sendIn("attic", 1, "up here")
		ana.sendIn("cellar", 1, "down here")
		ana.sendIn("", 1, "hello")
		ana.sendIn("general", 2, "by its name")
		bob := w.join("attic", "bob")
		ana.wantIn("attic", "up here")
		ana.wantIn("cellar", "down here")
		ana.wantTexts("hello", "by its name")
		bob.wantTexts("up here")
		if rooms := ana.welcomes(); !slices.Equal(rooms, []string{"", "attic", "cellar"}) {
			t.Errorf("welcomed to %q", rooms)
		}
		acks := map[wire.Ack]bool{}
		for _, a := range got[*wire.Ack](ana) {
			acks[*a] = true
		}
		for _, a := range []wire.Ack{{Source: "s-ana", N: 2}, {Room: "attic", Source: "s-ana", N: 1}, {Room: "cellar", Source: "s-ana", N: 1}} {
			if !acks[a] {
				t.Errorf("no ack %+v among %v", a, acks)
			}
		}
		if lives := got[*wire.Live](ana); len(lives) != 3 {
			t.Errorf("live %s", show(lives))
		}
		bob.send(1, "hi")
		bob.write(&wire.Away{Text: "at lunch"})
		pass(time.Second)
		ana.wantIn("attic", "up here", "hi")
		if told := show(got[*wire.Presence](ana)); !strings.Contains(told, `{"type":"presence","room":"attic","away":[{"name":"bob","text":"at lunch"}]}`) {
			t.Errorf("told %s", told)
		}
		ana.write(&wire.Away{Room: "attic", Text: "so am I"})
		pass(time.Second)
		if told := show(got[*wire.Presence](bob)); !strings.Contains(told, `{"type":"presence","away":[{"name":"ana","text":"so am I"}]}`) {
			t.Errorf("bob was told %s", told)
		}
		ana.sendIn("cellar", 2, " ")
		ana.sendIn("cellar", 7, "gap")
		ana.write(&wire.History{Room: "attic", ID: "h", Limit: 1})
		synctest.Wait()
		want(ana, &wire.Refused{Room: "cellar", Source: "s-ana", N: 2, Code: "blank", Message: server.RefusalText("blank")})
		want(ana, &wire.Retry{Room: "cellar", Source: "s-ana", N: 3, Code: wire.RetryGap})
		if pages := got[*wire.Page](ana); len(pages) != 1 || pages[0].Room != "attic" || pages[0].Events[0].Text != "hi" {
			t.Errorf("pages %s", show(pages))
		}
		ana.sendIn("nowhere", 1, "to nobody") // not known to be wrong
		ana.wantByes()
		if n := w.srv.Users(); n != 2 {
			t.Errorf("%d users", n)
		}
	})
}

// What ends one room's part leaves the others alone, even if it is the door.
func TestRoomEndsAlone(t *testing.T) {
	bubble(t, nil, func(w *world) {
		ana := w.join("general", "ana")
		ana.join("attic")
		synctest.Wait()
		attic := w.join("attic", "ana") // the same device, elsewhere
		ana.wantByes("attic superseded")
		if g := attic.welcome.Generation; g != 2 {
			t.Errorf("generation %d", g)
		}
		ana.sendIn("attic", 1, "no more")
		ana.send(1, "still here")
		ana.wantTexts("still here")
		attic.wantTexts()
		ana.join("attic") // whose other connection never said join
		if bye := attic.wantEnd(wire.Superseded); bye.Room != "" {
			t.Errorf("told %+v", bye)
		}
		ana.sendIn("attic", 1, "again")
		ana.wantIn("attic", "again")
		w.join("general", "ana")
		ana.wantByes("attic superseded", "general superseded")
		ana.sendIn("attic", 2, "without a door")
		ana.wantIn("attic", "again", "without a door")
		ana.join("general", func(f *wire.Join) { f.Sources[0].Base = 1 })
		ana.send(2, "in by the door again")
		ana.wantTexts("still here", "in by the door again")
		if rooms := ana.welcomes(); !slices.Equal(rooms, []string{"", "attic", "attic", ""}) {
			t.Errorf("welcomed to %q", rooms)
		}
	})
}

// Who joins a room again on one connection takes over without a word, whatever the
// device, and is no news.
func TestJoinAgain(t *testing.T) {
	bubble(t, nil, func(w *world) {
		bob := w.join("attic", "bob")
		pass(time.Second)
		ana := w.join("general", "ana")
		ana.join("attic")
		pass(time.Second)
		for i := range uint64(5) {
			ana.sendIn("attic", i+1, fmt.Sprint("line ", i))
			ana.join("attic", func(f *wire.Join) {
				f.Sources[0].Base = i
				f.Device = fmt.Sprint("d", i/2)
			})
		}
		ana.sendIn("attic", 6, "last")
		bob.wantTexts("line 0", "line 1", "line 2", "line 3", "line 4", "last")
		ana.wantIn("attic", bob.texts()...)
		ana.wantByes()
		welcomes := got[*wire.Welcome](ana)
		if g := welcomes[len(welcomes)-1].Generation; g != 6 {
			t.Errorf("generation %d", g)
		}
		pass(2 * time.Minute)
		want(bob, joined("bob"), joined("ana"))
		ana.write(&wire.Bye{Room: "attic"})
		pass(time.Second)
		want(bob, joined("bob"), joined("ana"), left("ana"))
	})
}

// Who leaves a room is gone from it at once. A connection that has left all may come
// into another one, for a while.
func TestLeaveRoom(t *testing.T) {
	bubble(t, nil, func(w *world) {
		bob := w.join("attic", "bob")
		pass(time.Second)
		ana := w.join("general", "ana")
		ana.join("attic")
		pass(time.Second)
		ana.write(&wire.Bye{Room: "attic"})
		pass(time.Second)
		want(bob, joined("bob"), joined("ana"), left("ana"))
		ana.write(&wire.Bye{Room: "attic"})
		ana.write(&wire.Bye{Room: "general"})
		pass(9 * time.Second)
		ana.join("cellar")
		ana.sendIn("cellar", 1, "here")
		pass(20 * time.Second)
		ana.wantIn("cellar", "here")
		if n := w.srv.OpenRooms(); n != 2 {
			t.Errorf("%d rooms are open", n)
		}
		ana.write(&wire.Bye{Room: "cellar"})
		start := time.Now()
		ana.wantEnd(wire.HelloLate)
		if took := time.Since(start); took < 10*time.Second || took > 11*time.Second {
			t.Errorf("took %v", took)
		}
		all := w.join("general", "ana")
		all.join("attic")
		pass(time.Second)
		all.write(&wire.Bye{})
		pass(time.Second)
		want(bob, joined("bob"), joined("ana"), left("ana"), joined("ana"), left("ana"))
	})
}

// A room that can't be joined is no reason to end the others.
func TestJoinFails(t *testing.T) {
	bubble(t, &server.Options{MaxRooms: 3}, func(w *world) {
		w.plain("attic", "eve", "")
		eve := w.join("general", "eve")
		eve.join("attic")
		eve.wantByes("attic name_taken")
		w.store.refuse(errBroken)
		eve.join("cellar")
		eve.wantByes("attic name_taken", "cellar internal")
		w.store.refuse(nil)
		eve.join("cellar")
		eve.join("garden")
		eve.join("yard")
		eve.join("garden") // which it is in
		eve.wantByes("attic name_taken", "cellar internal", "yard too_many")
		w.store.refuse(errBroken)
		eve.join("garden") // so the older part is given up
		synctest.Wait()
		w.store.refuse(nil)
		eve.sendIn("garden", 1, "to nobody")
		eve.join("yard")
		eve.wantByes("attic name_taken", "cellar internal", "yard too_many", "garden internal")
		eve.sendIn("yard", 1, "here")
		eve.wantIn("yard", "here")
		eve.wantIn("garden")
		eve.send(1, "hello")
		eve.wantTexts("hello")
	})
}

// A connection that is lost is lost in all its rooms: the user lingers everywhere.
func TestLostWithManyRooms(t *testing.T) {
	bubble(t, nil, func(w *world) {
		ana := w.join("general", "ana")
		for i := range 20 {
			ana.join(fmt.Sprint("room", i))
		}
		bob := w.join("room7", "bob")
		pass(time.Second)
		ana.drop()
		pass(50 * time.Second)
		want(bob, joined("ana", "bob"))
		if n := w.srv.OpenRooms(); n != 21 {
			t.Errorf("%d rooms are open", n)
		}
		pass(11 * time.Second)
		want(bob, joined("ana", "bob"), left("ana"))
		if n := w.srv.OpenRooms(); n != 1 {
			t.Errorf("%d rooms are open", n)
		}
	})
}

// Shutdown says all acks of all rooms, and one bye.
func TestShutdownWithManyRooms(t *testing.T) {
	bubble(t, nil, func(w *world) {
		ana := w.join("general", "ana")
		for i := range 20 {
			ana.join(fmt.Sprint("room", i))
		}
		synctest.Wait()
		w.store.close()
		for i := range 20 {
			ana.sendIn(fmt.Sprint("room", i), 1, "last")
		}
		synctest.Wait()
		wait := w.shutdown(context.Background())
		w.store.open()
		if err := wait(); err != nil {
			t.Error(err)
		}
		ana.wantEnd(wire.Draining)
		ana.wantByes(" draining")
		if acks := got[*wire.Ack](ana); len(acks) != 20 {
			t.Errorf("%d acks", len(acks))
		}
	})
}
