package server_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"holdfast/server"
	"holdfast/session/wire"
)

// private says something to one user of the room.
func (c *client) private(n uint64, to, text string) {
	c.w.Helper()
	c.write(&wire.Send{Source: c.source, N: n, Kind: wire.KindPrivate, To: to, Text: text})
}

// A private line is shown to the two it is between, on all their devices, in its
// place among the others; now, on return and in pages. Nobody else learns of it.
func TestPrivate(t *testing.T) {
	bubble(t, nil, func(w *world) {
		ana, bob, eve := w.join("general", "ana"), w.join("general", "bob"), w.join("general", "eve")
		phone := w.join("general", "bob", func(h *wire.Hello) { h.Device, h.Sources = "phone", []wire.Base{{Source: "s-phone"}} })
		text, _, err := w.dial("general", "tim")
		if err != nil {
			t.Fatal(err)
		}
		ana.send(1, "hello")
		ana.private(2, "BOB", "psst")
		ana.send(3, "well then")
		for await[*wire.Ack](ana).N < 3 {
		}
		all := []string{"hello", "psst", "well then"}
		open := []string{"hello", "well then"}
		for _, c := range []*client{ana, bob, phone} {
			c.wantTexts(all...)
			if e := c.events[1]; e.Kind != wire.KindPrivate || e.From != "ana" || e.To != "bob" {
				t.Errorf("a private line is %+v", e)
			}
		}
		eve.wantTexts(open...)
		for _, want := range []string{"hello\n", "well then\n"} {
			if _, msg, err := text.ws.Read(context.Background()); err != nil || string(msg) != "ana: "+want {
				t.Errorf("in plain mode: %q, %v", msg, err)
			}
		}
		bob.drop()
		eve.drop()
		w.join("general", "bob").wantTexts(all...)
		eve = w.join("general", "eve")
		eve.wantTexts(open...)
		for c, texts := range map[*client][]string{ana: all, eve: open} {
			c.write(&wire.History{ID: "h", Limit: 200})
			page := await[*wire.Page](c)
			if len(page.Events) != len(texts) || !page.End {
				t.Errorf("page of %s: %+v", c.source, page)
			}
		}
	})
}

// A backlog is counted in lines that are shown: what is private to others, or refused,
// takes nobody's place.
func TestBacklogOfWhatIsShown(t *testing.T) {
	bubble(t, nil, func(w *world) {
		ana := w.join("general", "ana")
		w.join("general", "bob")
		ana.send(1, "one")
		ana.send(2, "two")
		for n := uint64(3); n < 50; n++ {
			ana.private(n, "bob", "psst")
		}
		ana.send(50, "bad\x07")
		ana.send(51, "three")
		for await[*wire.Ack](ana).N < 51 {
		}
		const void = wire.RefusedControl // the place of the refused line, which clients skip
		backlog := func(n int) func(*wire.Hello) { return func(h *wire.Hello) { h.Backlog = n } }
		w.join("general", "eve", backlog(2)).wantTexts("two", void, "three")
		w.join("general", "dia", backlog(5)).wantTexts("one", "two", void, "three")
		w.join("general", "fay", backlog(server.ExactBacklog+1)).wantTexts("one", "two", void, "three")
		w.join("general", "bob", func(h *wire.Hello) { h.Device, h.Backlog = "phone", 2 }).wantTexts("psst", void, "three")
		w.plain("general", "tim", "?backlog=2").want("ana: two\nana: three\n")
	})
}

// What was hidden from a client does not break its chain of cursors, nor count as lost
// when it comes back, and a page never is empty while there are lines it may see.
func TestHiddenLines(t *testing.T) {
	bubble(t, nil, func(w *world) {
		w.whispers = true
		ana, eve := w.join("general", "ana"), w.join("general", "eve")
		w.join("general", "bob")
		ana.send(1, "first")
		n := uint64(1)
		whisper := func(times int) {
			for range times {
				n++
				ana.private(n, "bob", fmt.Sprint("secret ", n))
			}
			pass(time.Second)
		}
		whisper(10)
		cursor := eve.cursor
		whisper(2 * server.MaxHidden)
		if eve.cursor == cursor {
			t.Error("the cursor of who may not read them stays behind for ever")
		}
		eve.drop()
		whisper(10)
		ana.send(n+1, "last")
		eve = w.join("general", "eve", func(h *wire.Hello) { h.Cursor, h.Backlog = eve.cursor, 0 })
		eve.wantTexts("last")
		if !eve.welcome.Resumed || eve.welcome.Lost != 0 {
			t.Errorf("welcomed with %+v", eve.welcome)
		}
		last := eve.events[0].Seq
		eve.write(&wire.History{ID: "h", Before: last, Limit: 5})
		if page := await[*wire.Page](eve); len(page.Events) != 1 || page.Events[0].Text != "first" || !page.End {
			t.Errorf("the page before it is %+v", page)
		}
	})
}

// A name is not enough to read what was said to whoever had it before.
func TestPrivateIsForKeys(t *testing.T) {
	bubble(t, &server.Options{NameTTL: time.Hour}, func(w *world) {
		ana := w.join("general", "ana")
		w.join("general", "bob").drop()
		ana.private(1, "bob", "psst")
		ana.send(2, "hello")
		pass(3 * time.Hour)
		other := w.join("general", "bob", func(h *wire.Hello) { h.Key = keyOf("another bob") })
		other.wantTexts("hello")
	})
}

// One key may have several names: each sees what is said to it.
func TestPrivateIsForNames(t *testing.T) {
	bubble(t, nil, func(w *world) {
		ana := w.join("general", "ana")
		ben := w.join("general", "ben", func(h *wire.Hello) { h.Key = keyOf("bob") })
		bob := w.join("general", "bob")
		ana.private(1, "bob", "psst")
		bob.wantTexts("psst")
		bob.private(1, "ana", "what?")
		ben.private(1, "ana", "hey")
		ben.wantTexts("hey")
		bob.wantTexts("psst", "what?")
	})
}

// While nobody can say whose a name is, a private line is put off, not dropped.
func TestPrivateIsPutOff(t *testing.T) {
	bubble(t, nil, func(w *world) {
		ana := w.join("general", "ana")
		w.store.nameless.Store(true)
		ana.private(1, "ana", "psst")
		want(ana, &wire.Retry{Source: "s-ana", N: 1, AfterMS: 1000, Code: wire.RetryStorage})
		w.store.nameless.Store(false)
		ana.private(1, "ana", "psst")
		ana.wantTexts("psst")
	})
}

// A welcome says what of a source is taken, and from then on nothing of it is taken from
// older connections: so a client knows which of its lines it can still discard.
func TestTaken(t *testing.T) {
	bubble(t, nil, func(w *world) {
		ana := w.join("general", "ana")
		ana.private(1, "nobody", "psst") // acks stop before it
		ana.send(2, "stored")
		await[*wire.Refused](ana)
		w.store.close()
		ana.send(3, "on its way to the disk")
		pass(time.Second)
		fresh := w.join("general", "ana", func(h *wire.Hello) { h.Device = "another" })
		if acks, taken := fmt.Sprint(fresh.welcome.Acks), fmt.Sprint(fresh.welcome.Taken); acks != "[{ s-ana 0}]" || taken != "[{ s-ana 3}]" {
			t.Errorf("acks %s, taken %s", acks, taken)
		}
		w.store.open()
		ana.send(4, "late")
		fresh.wantTexts("stored", "on its way to the disk")
	})
}

func TestPrivateToNobody(t *testing.T) {
	bubble(t, &server.Options{NameTTL: time.Hour}, func(w *world) {
		ana := w.join("general", "ana")
		if _, _, err := w.dial("general", "tim"); err != nil { // a text-only client has its name but for now
			t.Fatal(err)
		}
		w.join("general", "bob").drop()
		pass(2 * time.Hour)
		refused := func(n uint64, code string) *wire.Refused {
			return &wire.Refused{Source: "s-ana", N: n, Code: code, Message: server.RefusalText(code)}
		}
		ana.private(1, "nobody", "psst")
		ana.private(2, "tim", "psst")
		ana.private(3, "no name", "psst")
		ana.private(4, "", "psst")
		ana.private(5, "bob", "psst") // its time is up
		ana.private(6, "ana", " ")
		ana.private(7, "ana", "note to self")
		refusals := []*wire.Refused{
			refused(1, "unknown_user"), refused(2, "unknown_user"), refused(3, "unknown_user"), refused(4, "unknown_user"),
			refused(5, "unknown_user"), refused(6, "blank"),
		}
		want(ana, refusals...)
		ana.wantTexts("blank", "note to self") // whom she could not reach is not in the log for anyone
		w.join("general", "bob")
		ana.private(5, "bob", "psst") // again: told again, whatever bob's name is worth now
		want(ana, append(refusals, refusals[4])...)
	})
}

// Away is told to all who are there and to who comes, and ends with the membership.
func TestAway(t *testing.T) {
	bubble(t, nil, func(w *world) {
		ana, bob := w.join("general", "ana"), w.join("general", "bob")
		pass(time.Second)
		absent := func(text string) *wire.Presence {
			return &wire.Presence{Away: []wire.Absent{{Name: "bob", Text: text}}}
		}
		presence := func(c *client) (list []*wire.Presence) {
			for _, f := range got[*wire.Presence](c) {
				if len(f.Away) > 0 {
					list = append(list, f)
				}
			}
			return list
		}
		check := func(c *client, want ...*wire.Presence) {
			t.Helper()
			pass(time.Second)
			if got := presence(c); show(got) != show(want) {
				t.Errorf("told %s, want %s", show(got), show(want))
			}
		}
		bob.write(&wire.Away{Text: "at lunch"})
		check(ana, absent("at lunch"))
		for range 100 { // nobody is to pay for who can't decide
			bob.write(&wire.Away{})
			bob.write(&wire.Away{Text: "still"})
		}
		check(ana, absent("at lunch"), absent("still"))
		check(w.join("general", "cem"), absent("still"))
		bob.write(&wire.Away{})
		dan := w.join("general", "dan") // welcomed before the others are told
		check(dan, absent("still"), absent(""))
		bob.write(&wire.Away{Text: "gone"})
		bob.drop()
		check(w.join("general", "eve"), absent("gone")) // bob lingers
		pass(2 * time.Minute)
		check(w.join("general", "fay"))
		check(w.join("general", "bob"))
	})
}
