package server_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/server"
	"holdfast/server/history"
	"holdfast/session/wire"
)

// journal is a logger's end.
type journal struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.Write(p)
}

func (j *journal) count(text string) int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return strings.Count(j.b.String(), text)
}

func (j *journal) logger() *slog.Logger { return slog.New(slog.NewTextHandler(j, nil)) }

func ack(source string, n uint64) *wire.Ack { return &wire.Ack{Source: source, N: n} }

func refused(n uint64, code, message string) *wire.Refused {
	return &wire.Refused{Source: "s-ana", N: n, Code: code, Message: message}
}

func TestAppendAndDuplicate(t *testing.T) {
	bubble(t, nil, func(w *world) {
		ana, bob := w.join("general", "ana"), w.join("general", "bob")
		ana.send(1, "one")
		want(ana, ack("s-ana", 1))
		ana.send(1, "one, in other words")
		want(ana, ack("s-ana", 1), ack("s-ana", 1))
		ana.send(2, "two")
		ana.send(1, "again")
		synctest.Wait()
		for _, c := range []*client{ana, bob} {
			c.wantTexts("one", "two")
		}
		if e := bob.events[0]; e.From != "ana" || e.Source != "s-ana" || e.N != 1 || e.Seq != 1 || e.Kind != "" || !e.At.Equal(time.Now()) {
			w.Errorf("event %+v", e)
		}
		if acks := got[*wire.Ack](ana); *acks[len(acks)-1] != *ack("s-ana", 2) {
			w.Errorf("last ack %+v", acks[len(acks)-1])
		}
		want[*wire.Ack](bob)
	})
}

func TestNothingBeforeItIsDurable(t *testing.T) {
	bubble(t, nil, func(w *world) {
		ana, bob := w.join("general", "ana"), w.join("general", "bob")
		w.store.close()
		for n := range uint64(3) {
			ana.send(n+1, fmt.Sprint("line ", n+1))
		}
		ana.send(2, "again") // not durable yet: silence
		pass(time.Second)
		want[*wire.Ack](ana)
		want[*wire.Retry](ana)
		bob.wantTexts()
		w.store.letThrough(1)
		want(ana, ack("s-ana", 1))
		bob.wantTexts("line 1")
		w.store.open()
		synctest.Wait()
		bob.wantTexts("line 1", "line 2", "line 3")
		if acks := got[*wire.Ack](ana); *acks[len(acks)-1] != *ack("s-ana", 3) {
			w.Errorf("last ack %+v", acks[len(acks)-1])
		}
	})
}

func TestGap(t *testing.T) {
	bubble(t, nil, func(w *world) {
		ana := w.join("general", "ana")
		ana.send(3, "too early")
		want(ana, &wire.Retry{Source: "s-ana", N: 1, Code: wire.RetryGap})
		ana.send(1, "one")
		ana.send(2, "two")
		synctest.Wait()
		ana.send(4, "too early")
		want(ana, &wire.Retry{Source: "s-ana", N: 1, Code: wire.RetryGap}, &wire.Retry{Source: "s-ana", N: 3, Code: wire.RetryGap})
		ana.wantTexts("one", "two")
	})
}

func TestStorageFull(t *testing.T) {
	var log journal
	bubble(t, &server.Options{Logger: log.logger()}, func(w *world) {
		ana := w.join("general", "ana")
		w.store.refuse(history.ErrFull)
		wait := &wire.Retry{Source: "s-ana", N: 1, AfterMS: 1000, Code: wire.RetryStorage}
		for n := range uint64(3) {
			ana.send(n+1, "line")
			synctest.Wait()
		}
		want(ana, wait, wait, wait)
		for range 5 {
			pass(time.Second)
			ana.send(1, "line")
		}
		synctest.Wait()
		if n := log.count("line not stored"); n != 1 {
			w.Errorf("logged %d times", n)
		}
		w.store.refuse(nil)
		ana.send(1, "line 1")
		ana.send(2, "line 2")
		ana.wantTexts("line 1", "line 2")
		ana.send(4, "gap")
		synctest.Wait()
		if last := got[*wire.Retry](ana); *last[len(last)-1] != (wire.Retry{Source: "s-ana", N: 3, Code: wire.RetryGap}) {
			w.Errorf("after the storage came back a gap waits: %s", show(last[len(last)-1:]))
		}
	})
}

func TestRate(t *testing.T) {
	bubble(t, &server.Options{InFlight: 4}, func(w *world) {
		ana := w.join("general", "ana")
		w.store.close()
		for n := range uint64(6) {
			ana.send(n+1, fmt.Sprint(n+1))
			synctest.Wait()
		}
		wait := &wire.Retry{Source: "s-ana", N: 5, AfterMS: 100, Code: wire.RetryRate}
		want(ana, wait, wait)
		w.store.open()
		synctest.Wait()
		ana.send(5, "5")
		ana.wantTexts("1", "2", "3", "4", "5")
	})
}

// A whole window behind a line that has to wait must not look like a peer that
// does not read.
func TestWindowOfRetriesIsOneFrame(t *testing.T) {
	bubble(t, &server.Options{InFlight: 4096}, func(w *world) {
		ana := w.join("general", "ana")
		w.store.refuse(history.ErrFull)
		synctest.Wait()
		ana.link.Stall(false, true)
		for n := range uint64(3000) {
			ana.send(n+1, "line")
		}
		pass(time.Second)
		ana.link.Heal()
		synctest.Wait()
		if n := len(got[*wire.Retry](ana)); n == 0 || n > 3000 {
			w.Errorf("%d retries", n)
		}
		w.store.refuse(nil)
		ana.send(1, "line")
		await[*wire.Ack](ana)
	})
}

func TestBaseAboveMark(t *testing.T) {
	var log journal
	bubble(t, &server.Options{Logger: log.logger()}, func(w *world) {
		ana := w.join("general", "ana", func(h *wire.Hello) { h.Sources[0].Base = 41 })
		if a := ana.welcome.Acks[0]; a.N != 41 {
			w.Errorf("welcome acks %d", a.N)
		}
		if log.count("mark raised") != 1 {
			w.Error("not logged")
		}
		ana.send(42, "on")
		ana.wantTexts("on")
		want(ana, ack("s-ana", 42))
		w.join("general", "ana", func(h *wire.Hello) { h.Sources[0].Base = 42 })
		if log.count("mark raised") != 1 {
			w.Error("logged again")
		}
	})
}

// A base above lines that are on their way must not lose count of them: the room
// could never be closed.
func TestBaseAboveLinesOnTheirWay(t *testing.T) {
	bubble(t, &server.Options{Linger: -1}, func(w *world) {
		ana := w.join("general", "ana")
		w.store.close()
		ana.send(1, "one")
		ana.send(2, "two")
		synctest.Wait()
		again := w.join("general", "ana", func(h *wire.Hello) { h.Sources[0].Base = 10 })
		w.store.open()
		again.wantTexts("one", "two")
		want[*wire.Ack](again)
		again.drop()
		pass(time.Second)
		if n := w.srv.OpenRooms(); n != 0 {
			w.Errorf("%d rooms are open", n)
		}
	})
}

func TestRefused(t *testing.T) {
	for _, c := range []struct{ kind, text, code string }{
		{"", strings.Repeat("x", wire.MaxText+1), wire.RefusedTooLong},
		{"", "bell \a", wire.RefusedControl},
		{"", "escape \u009b31m", wire.RefusedControl},
		{"", " \n\t", wire.RefusedBlank},
		{"", "", wire.RefusedBlank},
		{"shout", "hi", wire.RefusedKind},
		{wire.KindVoid, "hi", wire.RefusedKind},
	} {
		bubble(t, nil, func(w *world) {
			ana, bob := w.join("general", "ana"), w.join("general", "bob")
			ana.write(&wire.Send{Source: "s-ana", N: 1, Kind: c.kind, Text: c.text})
			ana.send(2, "fine")
			synctest.Wait()
			r := got[*wire.Refused](ana)
			if len(r) != 1 || r[0].N != 1 || r[0].Code != c.code || r[0].Message == "" {
				w.Fatalf("%+v: refused %+v", c, r)
			}
			bob.wantTexts(c.code, "fine")
			if e := bob.events[0]; e.Kind != wire.KindVoid || e.N != 1 {
				w.Errorf("event %+v", e)
			}
			if acks := got[*wire.Ack](ana); len(acks) == 0 || acks[len(acks)-1].N != 2 {
				w.Errorf("acks %+v", acks)
			}
			ana.send(1, "fine now")
			want(ana, r[0], r[0])
		})
	}
}

// The client that lost the refusal must be told again, and no ack may cover the
// line before that.
func TestLostRefusal(t *testing.T) {
	bubble(t, nil, func(w *world) {
		ana := w.join("general", "ana")
		ana.send(1, "one")
		synctest.Wait()
		w.store.close()
		ana.link.Stall(false, true)
		ana.send(2, " ")
		ana.send(3, "three")
		ana.send(4, "four")
		synctest.Wait()
		w.store.letThrough(1) // the refusal is durable, and on its way to nowhere
		synctest.Wait()
		again := w.join("general", "ana", func(h *wire.Hello) { h.Sources[0].Base = 1 })
		if n := again.welcome.Acks[0].N; n != 1 {
			w.Errorf("welcome acks %d", n)
		}
		w.store.letThrough(1) // what follows it must not be acknowledged over its head
		want[*wire.Ack](again)
		again.send(2, " ")
		synctest.Wait()
		again.send(3, "three")
		synctest.Wait()
		want(again, refused(2, wire.RefusedBlank, "the line is blank"))
		want(again, ack("s-ana", 3))
		w.store.open()
		want(again, ack("s-ana", 3), ack("s-ana", 4))
		again.drop()

		// So too after the room was closed, when the refusals come from the store.
		pass(2 * time.Minute)
		if w.srv.OpenRooms() != 0 {
			w.Fatal("the room is open")
		}
		third := w.join("general", "ana", func(h *wire.Hello) { h.Sources[0].Base = 1 })
		if n := third.welcome.Acks[0].N; n != 1 {
			w.Errorf("welcome acks %d", n)
		}
		// A client that knows of it goes on behind it, although its base is older.
		third.send(5, "five")
		want(third, ack("s-ana", 5))
		fourth := w.join("general", "ana", func(h *wire.Hello) { h.Sources[0].Base = 2 })
		if n := fourth.welcome.Acks[0].N; n != 5 {
			w.Errorf("welcome acks %d", n)
		}
	})
}

// A refusal that becomes durable behind another that its client has not heard of
// must not hide that one.
func TestTwoLostRefusals(t *testing.T) {
	bubble(t, nil, func(w *world) {
		ana := w.join("general", "ana")
		w.store.close()
		for n := range uint64(4) {
			ana.send(n+1, " ")
		}
		synctest.Wait()
		w.store.letThrough(2)
		synctest.Wait()
		ana.drop()
		again := w.join("general", "ana")
		w.store.open()
		want[*wire.Ack](again)
		for n := range uint64(4) {
			again.send(n+1, " ")
		}
		again.send(5, "five")
		synctest.Wait()
		told := map[uint64]bool{}
		for _, r := range got[*wire.Refused](again) {
			told[r.N] = true
		}
		if len(told) != 4 {
			w.Errorf("told of %v", told)
		}
		if acks := got[*wire.Ack](again); len(acks) == 0 || acks[len(acks)-1].N != 5 {
			w.Errorf("acks %+v", acks)
		}
	})
}

func TestSources(t *testing.T) {
	bubble(t, nil, func(w *world) {
		ana := w.join("general", "ana", func(h *wire.Hello) {
			h.Sources = []wire.Base{{Source: "a"}, {Source: "b"}}
		})
		bob := w.join("general", "bob", func(h *wire.Hello) { h.Sources[0].Source = "a" })
		ana.source, bob.source = "a", "a"
		ana.send(1, "ana a1")
		synctest.Wait()
		ana.source = "b"
		ana.send(1, "ana b1")
		synctest.Wait()
		bob.send(2, "a mark of ana's must not count for bob")
		want(bob, &wire.Retry{Source: "a", N: 1, Code: wire.RetryGap})
		bob.send(1, "bob a1")
		ana.wantTexts("ana a1", "ana b1", "bob a1")
		want(ana, ack("a", 1), ack("b", 1))
		want(bob, ack("a", 1))
		ana.source = "c"
		ana.send(1, "nobody named c")
		ana.wantEnd(wire.Malformed)
		bob.wantTexts("ana a1", "ana b1", "bob a1")
	})
}
