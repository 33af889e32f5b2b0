package server_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/server"
	"holdfast/session/wire"
)

func TestHelloLate(t *testing.T) {
	bubble(t, nil, func(w *world) {
		c := w.connect("general", "ana")
		start := time.Now()
		c.wantEnd(wire.HelloLate)
		if took := time.Since(start); took < 10*time.Second || took > 11*time.Second {
			w.Errorf("took %v", took)
		}
		pass(time.Second)
		if n := w.srv.OpenRooms(); n != 0 {
			w.Errorf("%d rooms are open", n)
		}
	})
}

func TestBadHello(t *testing.T) {
	good := string(wire.Encode(sign(hello("ana"), &wire.Challenge{}, "ana")))
	for name, msg := range map[string]string{
		"garbage":     "garbage",
		"empty":       "",
		"array":       "[]",
		"not hello":   `{"type":"send","source":"s","n":1,"text":"hi"}`,
		"bye":         `{"type":"bye"}`,
		"unknown":     `{"type":"hullo"}`,
		"short key":   strings.Replace(good, keyOf("ana"), "AAAA", 1),
		"bad device":  strings.Replace(good, "d-ana", "d ana", 1),
		"no device":   strings.Replace(good, "d-ana", "", 1),
		"twice a key": strings.Replace(good, `"device"`, `"device":"x","device"`, 1),
		"not UTF-8":   strings.Replace(good, "d-ana", "d\xff", 1),
		"low backlog": strings.Replace(good, `"backlog":-1`, `"backlog":-2`, 1),
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, nil, func(w *world) {
				c := w.connect("general", "ana")
				c.raw([]byte(msg))
				if bye := c.wantEnd(wire.Malformed); bye.Message == "" {
					w.Error("bye without a word why")
				}
			})
		})
	}
	t.Run("second hello", func(t *testing.T) {
		bubble(t, nil, func(w *world) {
			c := w.join("general", "ana")
			c.write(hello("ana"))
			c.wantEnd(wire.Malformed)
		})
	})
}

func TestNameTaken(t *testing.T) {
	bubble(t, &server.Options{
		NameTTL: 24 * time.Hour, Linger: time.Second, Heartbeat: time.Hour, DeadAfter: 3 * time.Hour,
	}, func(w *world) {
		ana := w.join("general", "ana")
		thief := func() *client {
			c := w.connect("other", "ana")
			h := hello("ana")
			h.Device, h.Key = "d-thief", keyOf("thief")
			c.write(h)
			return c
		}
		bye := thief().wantEnd(wire.NameTaken)
		if !strings.Contains(bye.Message, "ana") || !strings.Contains(bye.Message, "24h") {
			w.Errorf("bye says %q", bye.Message)
		}
		second := w.join("general", "ana", func(h *wire.Hello) { h.Device = "d-phone" })
		second.send(1, "from the phone")
		second.wantTexts("from the phone")
		ana.wantTexts("from the phone")

		pass(72 * time.Hour) // connected all the time, so the claim is renewed
		thief().wantEnd(wire.NameTaken)
		ana.drop()
		second.drop()
		pass(23 * time.Hour)
		thief().wantEnd(wire.NameTaken)
		pass(2 * time.Hour)
		await[*wire.Welcome](thief())
	})
}

// A claim that is shorter than the usual time between renewals is kept, too.
func TestClaimOfMinutesIsRenewed(t *testing.T) {
	bubble(t, &server.Options{NameTTL: 2 * time.Minute}, func(w *world) {
		w.join("general", "ana")
		w.join("other", "ana")
		plain := w.plain("general", "guest", "")
		w.store.mu.Lock()
		before := w.store.claims
		w.store.mu.Unlock()
		pass(10 * time.Minute)
		w.store.mu.Lock()
		renewed := w.store.claims - before
		w.store.mu.Unlock()
		if renewed < 10 || renewed > 21 {
			w.Errorf("%d claims in ten minutes, for one name in two rooms", renewed)
		}
		c := w.connect("general", "ana")
		h := hello("ana")
		h.Key = keyOf("thief")
		c.write(h)
		c.wantEnd(wire.NameTaken)
		plain.leave()
	})
}

func TestNameInUseInPlainMode(t *testing.T) {
	bubble(t, nil, func(w *world) {
		plain := w.plain("general", "maria", "")
		c := w.connect("general", "maria")
		c.write(hello("maria"))
		if bye := c.wantEnd(wire.NameTaken); bye.Message != "maria is already in general" {
			w.Errorf("bye says %q", bye.Message)
		}
		plain.leave()
		pass(time.Second)
		w.join("general", "maria")
	})
}

func TestWelcome(t *testing.T) {
	bubble(t, &server.Options{Heartbeat: 7 * time.Second, DeadAfter: 20 * time.Second, InFlight: 9}, func(w *world) {
		w.join("general", "bob")
		pass(time.Second)
		ana := w.join("General", "Ana", func(h *wire.Hello) {
			h.Sources = []wire.Base{{Source: "old"}, {Source: "new", Base: 3}}
		})
		wl := ana.welcome
		if wl.Resumed || wl.Reason != wire.ReasonFresh || wl.Cursor == "" || wl.Missed != 0 || wl.Lost != 0 || wl.Generation != 1 ||
			wl.HeartbeatMS != 7000 || wl.TimeoutMS != 20000 || wl.Limits != (wire.Limits{TextBytes: wire.MaxText, InFlight: 9, Rooms: 4096}) ||
			!wl.Now.Equal(time.Now().Truncate(time.Millisecond)) {
			w.Errorf("welcome is %s", wire.Encode(wl))
		}
		if strings.Join(wl.Members, " ") != "ana bob" || len(wl.Acks) != 2 || wl.Acks[0] != (wire.Ack{Source: "old"}) || wl.Acks[1] != (wire.Ack{Source: "new", N: 3}) {
			w.Errorf("welcome is %s", wire.Encode(wl))
		}
		synctest.Wait()
		if n := len(got[*wire.Live](ana)); n != 1 {
			w.Errorf("%d live frames", n)
		}
	})
}
