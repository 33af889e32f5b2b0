package server_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"holdfast/server"
	"holdfast/session/wire"
)

// roster is who is there by what the server has told c so far.
func (c *client) roster() []string {
	here := map[string]bool{}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, f := range c.seen {
		switch f := f.(type) {
		case *wire.Welcome:
			for _, user := range f.Members {
				here[user] = true
			}
		case *wire.Presence:
			for _, user := range f.Joined {
				here[user] = true
			}
			for _, user := range f.Left {
				delete(here, user)
			}
		}
	}
	var users []string
	for user := range here {
		users = append(users, user)
	}
	slices.Sort(users)
	return users
}

func joined(users ...string) *wire.Presence { return &wire.Presence{Joined: users} }
func left(users ...string) *wire.Presence   { return &wire.Presence{Left: users} }

func TestTakeover(t *testing.T) {
	bubble(t, nil, func(w *world) {
		bob := w.join("general", "bob")
		old := w.join("general", "ana")
		pass(time.Second)
		w.store.close()
		old.send(1, "one")
		synctest.Wait()
		old.link.Stall(false, true) // it hears nothing of what follows
		again := w.join("general", "ana")
		if g := again.welcome.Generation; g != old.welcome.Generation+1 {
			w.Errorf("generation %d after %d", g, old.welcome.Generation)
		}
		if n := again.welcome.Acks[0].N; n != 0 {
			w.Errorf("welcome acks %d, which is not durable", n)
		}
		old.send(2, "late words of the old one")
		synctest.Wait()
		w.store.open()
		want(again, ack("s-ana", 1))
		bob.wantTexts("one")
		old.link.Heal()
		old.wantEnd(wire.Superseded)
		pass(5 * time.Minute)
		want(old, []*wire.Ack{}...)
		again.send(2, "two")
		want(again, ack("s-ana", 1), ack("s-ana", 2))
		bob.wantTexts("one", "two")
		again.wantTexts("one", "two")
		want(bob, joined("ana", "bob"))
		again.write(&wire.Bye{})
		pass(time.Second)
		want(bob, joined("ana", "bob"), left("ana"))
	})
}

func TestHelloTwiceInTenMilliseconds(t *testing.T) {
	bubble(t, nil, func(w *world) {
		a, b := w.connect("general", "ana"), w.connect("general", "ana")
		a.write(hello("ana"))
		pass(10 * time.Millisecond)
		b.write(hello("ana"))
		a.wantEnd(wire.Superseded)
		b.welcome = await[*wire.Welcome](b)
		b.send(1, "one")
		want(b, ack("s-ana", 1))

		// And a crowd at once: one survives, and works.
		var crowd []*client
		for range 20 {
			c := w.connect("general", "ana")
			c.write(hello("ana"))
			crowd = append(crowd, c)
		}
		pass(2 * time.Second)
		alive := 0
		for _, c := range crowd {
			c.mu.Lock()
			ended := c.bye != nil
			c.mu.Unlock()
			if ended {
				c.wantEnd(wire.Superseded)
				continue
			}
			alive++
			c.send(2, "two")
			want(c, ack("s-ana", 2))
		}
		if alive != 1 {
			w.Errorf("%d of one device are attached", alive)
		}
		b.wantEnd(wire.Superseded)
	})
}

func TestTakeoverOfAStuckOne(t *testing.T) {
	bubble(t, nil, func(w *world) {
		writer, old := w.join("general", "writer"), w.join("general", "ana")
		synctest.Wait()
		old.link.Stall(false, true)
		writer.talk(1, 300, long) // its writer is in the middle of a frame
		start := time.Now()
		again := w.join("general", "ana")
		again.wantRun(1, 300)
		if took := time.Since(start); took > time.Second {
			w.Errorf("took %v", took)
		}
		old.send(1, "zombie") // its reader still runs, and hears it
		pass(time.Minute)
		old.link.Heal()
		pass(time.Minute)
		again.wantRun(1, 300)
		again.send(1, "on")
		want(again, ack("s-ana", 1))
	})
}

func TestSilentPeerIsReapedAndLingers(t *testing.T) {
	for _, back := range []bool{true, false} {
		bubble(t, nil, func(w *world) {
			bob := w.join("general", "bob")
			ana := w.join("general", "ana")
			synctest.Wait()
			heard := time.Now()
			pass(time.Second)
			w.net.Partition("ana", true)
			for len(ana.frames) > 0 {
				<-ana.frames
			}
			// The ping at the heartbeat goes nowhere; the last frame was hello.
			time.Sleep(time.Until(heard.Add(25*time.Second - time.Millisecond)))
			synctest.Wait()
			bob.send(1, "is she there?")
			if n := w.join("general", "bob2").count("ana"); n != 1 {
				w.Errorf("ana is listed %d times", n)
			}
			pass(2 * time.Millisecond)
			w.net.Partition("ana", false)
			pass(time.Second)
			if _, ok := <-ana.frames; ok { // its end, unless more was under way
				for range ana.frames {
				}
			}
			pass(55 * time.Second)
			want(bob, joined("ana", "bob"), joined("bob2"))
			if back {
				w.join("general", "ana")
				pass(5 * time.Minute)
				want(bob, joined("ana", "bob"), joined("bob2"))
				return
			}
			pass(5 * time.Second)
			want(bob, joined("ana", "bob"), joined("bob2"), left("ana"))
		})
	}
}

func (c *client) count(user string) (n int) {
	for _, m := range c.roster() {
		if m == user {
			n++
		}
	}
	return n
}

// TestReapedExactly looks at the moment of the reaping itself.
func TestReapedExactly(t *testing.T) {
	bubble(t, &server.Options{Linger: -1, PresenceDelay: time.Microsecond}, func(w *world) {
		bob, ana := w.join("general", "bob"), w.join("general", "ana")
		pass(time.Second)
		start := time.Now()
		ana.send(1, "last words")
		synctest.Wait()
		w.net.Partition("ana", true)
		for len(bob.roster()) == 2 {
			pass(10 * time.Millisecond)
		}
		if took := time.Since(start); took < 25*time.Second || took > 25*time.Second+50*time.Millisecond {
			w.Errorf("reaped after %v", took)
		}
		w.net.Partition("ana", false)
	})
}

func TestLeavingAtOnce(t *testing.T) {
	for name, leave := range map[string]func(c *client){
		"bye":     func(c *client) { c.write(&wire.Bye{}) },
		"1000":    func(c *client) { _ = c.ws.Close(websocket.StatusNormalClosure, "") },
		"no code": func(c *client) { _ = c.ws.Close(websocket.StatusNoStatusRcvd, "") },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, nil, func(w *world) {
				bob, ana := w.join("general", "bob"), w.join("general", "ana")
				second := w.join("general", "ana", func(h *wire.Hello) { h.Device = "phone" })
				pass(time.Second)
				leave(ana)
				pass(time.Second)
				want(bob, joined("ana", "bob")) // the phone is still there
				leave(second)
				pass(time.Second)
				want(bob, joined("ana", "bob"), left("ana"))
			})
		})
	}
	t.Run("1001 lingers", func(t *testing.T) {
		bubble(t, nil, func(w *world) {
			bob, ana := w.join("general", "bob"), w.join("general", "ana")
			pass(time.Second)
			_ = ana.ws.Close(websocket.StatusGoingAway, "")
			pass(59 * time.Second)
			want(bob, joined("ana", "bob"))
			pass(3 * time.Second)
			want(bob, joined("ana", "bob"), left("ana"))
		})
	})
}

func TestPresenceIsCoalesced(t *testing.T) {
	bubble(t, nil, func(w *world) {
		bob := w.join("general", "bob")
		pass(time.Second)
		var crowd []*client
		for i := range 100 {
			crowd = append(crowd, w.join("general", fmt.Sprint("user", i)))
		}
		pass(time.Second)
		if n := len(got[*wire.Presence](bob)); n != 2 || len(bob.roster()) != 101 {
			w.Errorf("%d frames, %d members", n, len(bob.roster()))
		}
		crowd[0].write(&wire.Bye{}) // a flap within the delay
		pass(100 * time.Millisecond)
		w.join("general", "user0")
		pass(time.Second)
		if n := len(got[*wire.Presence](bob)); n != 2 {
			w.Errorf("a flap made %d frames", n-2)
		}
	})
}

// Whoever is welcomed in the middle of a flap must learn how it ended.
func TestWelcomeDuringAFlap(t *testing.T) {
	bubble(t, nil, func(w *world) {
		ana := w.join("general", "ana")
		pass(time.Second)
		yan := w.join("general", "yan")
		pass(50 * time.Millisecond)
		bob := w.join("general", "bob") // is told of yan
		yan.write(&wire.Bye{})
		pass(time.Second)
		if r := fmt.Sprint(bob.roster()); r != "[ana bob]" {
			w.Errorf("bob sees %s", r)
		}
		ana.write(&wire.Bye{})
		pass(50 * time.Millisecond)
		carl := w.join("general", "carl") // is not told of ana
		ana = w.join("general", "ana")
		pass(time.Second)
		for _, c := range []*client{ana, bob, carl} {
			if r := fmt.Sprint(c.roster()); r != "[ana bob carl]" {
				w.Errorf("%s sees %s", c.source, r)
			}
		}
	})
}

func TestManyMembers(t *testing.T) {
	const crowd = server.NamesPerFrame + 50
	bubble(t, &server.Options{Linger: time.Hour}, func(w *world) {
		early := w.join("general", "early")
		pass(time.Second)
		var closing sync.WaitGroup
		for i := range crowd { // lost at once, they stay members
			c, _, err := w.dial("general", fmt.Sprint("a-rather-long-user-name-", i))
			if err != nil {
				w.Fatal(err)
			}
			closing.Go(func() { _ = c.ws.CloseNow() })
		}
		closing.Wait()
		pass(time.Second)
		if n, p := len(early.roster()), len(got[*wire.Presence](early)); n != crowd+1 || p != 3 {
			w.Errorf("%d members in %d frames", n, p)
		}
		late := w.join("general", "late")
		await[*wire.Live](late)
		late.mu.Lock()
		before := slices.IndexFunc(late.seen, func(f wire.Frame) bool { _, ok := f.(*wire.Live); return ok })
		late.mu.Unlock()
		if n := len(late.roster()); n != crowd+2 || len(late.welcome.Members) != server.NamesInWelcome || before != 2 {
			w.Errorf("%d members, %d of them in welcome, live is frame %d", n, len(late.welcome.Members), before)
		}
	})
}
