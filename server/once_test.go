package server_test

import (
	"testing"
	"testing/synctest"
	"time"

	"holdfast/server"
	"holdfast/server/history"
	"holdfast/session/wire"
)

// once says a line that is to be there once.
func (c *client) once(n uint64, key, text string) {
	c.w.Helper()
	c.write(&wire.Send{Source: c.source, N: n, Once: key, Text: text})
}

// second is a hello of another process of the user's, which knows nothing of the first.
func second(h *wire.Hello) { h.Device, h.Sources = "second", []wire.Base{{Source: "s-2"}} }

func duplicate(source string, n uint64) *wire.Refused {
	return &wire.Refused{Source: source, N: n, Code: wire.RefusedDuplicate, Message: server.RefusalText(wire.RefusedDuplicate)}
}

// A line with a key is stored once, whatever source says it; only the user and the room
// are one's own.
func TestOnce(t *testing.T) {
	bubble(t, &server.Options{Linger: time.Second}, func(w *world) {
		ana, bob := w.join("general", "ana"), w.join("general", "bob")
		ana.once(1, "k", "one")
		ana.once(1, "k", "one") // the same line again, not another
		ana.once(2, "k", "one")
		ana.once(3, "k2", "two")
		synctest.Wait()
		bob.once(1, "k", "bob's")
		bob.wantTexts("one", wire.RefusedDuplicate, "two", "bob's")
		want(ana, duplicate("s-ana", 2))
		if acks := got[*wire.Ack](ana); acks[len(acks)-1].N != 3 {
			t.Errorf("acks %s", show(acks))
		}
		ana.once(2, "k", "one") // told again
		want(ana, duplicate("s-ana", 2), duplicate("s-ana", 2))

		again := w.join("general", "ana", second)
		again.source = "s-2"
		again.once(1, "k2", "two")
		again.once(2, "k3", "three")
		want(again, duplicate("s-2", 1))
		w.join("attic", "ana").once(1, "k", "elsewhere")
		w.join("attic", "cem").wantTexts("elsewhere")
		ana.drop()
		bob.drop()
		again.drop()
		pass(time.Minute)
		ana = w.join("general", "ana", func(h *wire.Hello) { h.Sources[0].Base = 3 }) // the room was closed
		ana.once(4, "k3", "three")
		want(ana, duplicate("s-ana", 4))
	})
}

// A line that was refused was not said.
func TestOnceAfterRefusal(t *testing.T) {
	bubble(t, nil, func(w *world) {
		ana := w.join("general", "ana")
		ana.once(1, "k", " ")
		ana.write(&wire.Send{Source: "s-ana", N: 2, Once: "k", Kind: wire.KindPrivate, To: "nobody", Text: "psst"})
		ana.once(3, "k", "well then")
		ana.write(&wire.Send{Source: "s-ana", N: 4, Once: "p", Kind: wire.KindPrivate, To: "ana", Text: "note"})
		ana.write(&wire.Send{Source: "s-ana", N: 5, Once: "p", Kind: wire.KindPrivate, To: "ana", Text: "note"})
		ana.wantTexts("blank", "well then", "note", wire.RefusedDuplicate)
		if e := ana.events[3]; e.To != "" || e.Kind != wire.KindVoid {
			t.Errorf("a duplicate is shown as %+v", e)
		}
	})
}

// Two processes say the same at once: while the first one's line is on its way to the
// disk the second one is told nothing, and then that it is there.
func TestOnceInFlight(t *testing.T) {
	bubble(t, nil, func(w *world) {
		ana, again := w.join("general", "ana"), w.join("general", "ana", second)
		again.source = "s-2"
		w.store.close()
		ana.once(1, "k", "one")
		synctest.Wait()
		again.once(1, "k", "one")
		want[*wire.Refused](again)
		w.store.letThrough(1)
		want(ana, ack("s-ana", 1))
		want[*wire.Refused](again)
		w.store.open()
		want(again, duplicate("s-2", 1))
		ana.wantTexts("one", wire.RefusedDuplicate)
	})
}

// The line becomes durable just between the look into the store and the room's turn.
func TestOnceBetweenLooks(t *testing.T) {
	for _, when := range []string{"taken before", "taken after", "put off, then taken"} {
		bubble(t, nil, func(w *world) {
			ana, again := w.join("general", "ana"), w.join("general", "ana", second)
			again.source = "s-2"
			if when == "taken before" {
				w.store.close()
				ana.once(1, "k", "one")
				synctest.Wait()
			}
			asked := make(chan struct{})
			ask := func(c chan struct{}) { w.store.mu.Lock(); w.store.asked = c; w.store.mu.Unlock() }
			ask(asked)
			again.once(1, "k", "one") // has looked, and found nothing
			synctest.Wait()
			ask(nil)
			switch when {
			case "taken before":
				w.store.open()
			case "put off, then taken":
				w.store.refuse(history.ErrFull)
				ana.once(1, "k", "one")
				synctest.Wait()
				w.store.refuse(nil)
				fallthrough
			default:
				ana.once(1, "k", "one")
			}
			want(ana, ack("s-ana", 1))
			close(asked)
			want(again, duplicate("s-2", 1))
			again.wantTexts("one", wire.RefusedDuplicate)
		})
	}
}

// While nobody can say whether a line was said, it is put off.
func TestOnceIsPutOff(t *testing.T) {
	bubble(t, nil, func(w *world) {
		ana := w.join("general", "ana")
		w.store.nameless.Store(true)
		ana.once(1, "k", "one")
		want(ana, &wire.Retry{Source: "s-ana", N: 1, AfterMS: 1000, Code: wire.RetryStorage})
		w.store.nameless.Store(false)
		w.store.refuse(history.ErrFull)
		ana.once(1, "k", "one") // nor is one said that could not be stored
		synctest.Wait()
		w.store.refuse(nil)
		ana.once(1, "k", "one")
		ana.wantTexts("one")
		want[*wire.Refused](ana)
	})
}

// After 90 days it is another line.
func TestOnceExpires(t *testing.T) {
	bubble(t, &server.Options{Heartbeat: 100 * 24 * time.Hour, DeadAfter: 300 * 24 * time.Hour, NameTTL: time.Hour}, func(w *world) {
		ana := w.join("general", "ana")
		ana.once(1, "k", "one")
		synctest.Wait()
		pass(history.MarkTTL - time.Minute)
		ana.once(2, "k", "one")
		pass(2 * time.Minute)
		ana.once(3, "k", "one, years ago")
		ana.wantTexts("one", wire.RefusedDuplicate, "one, years ago")
	})
}
