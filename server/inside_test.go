package server_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/server"
	"holdfast/server/history"
	"holdfast/session/wire"
)

// TestSay: the application says something as a user who is not there, and knows when it is
// on disk.
func TestSay(t *testing.T) {
	bubble(t, nil, func(w *world) {
		ctx := context.Background()
		ana := w.join("general", "ana")
		w.store.close()
		var said server.Line
		var err error
		var saying sync.WaitGroup
		done := false
		saying.Go(func() {
			said, err = w.srv.Say(ctx, "General", "Bot", "hello", &server.SayOptions{Action: true})
			done = true
		})
		synctest.Wait()
		if done {
			t.Error("said before it is on disk")
		}
		w.store.open()
		saying.Wait()
		want := server.Line{Room: "general", Seq: 1, At: said.At, From: "bot", Kind: wire.KindAction, Text: "hello"}
		if err != nil || said != want || time.Since(said.At) > time.Second {
			t.Errorf("said %+v, %v", said, err)
		}
		ana.wantTexts("hello")
		for i := range 3 {
			if said, err := w.srv.Say(ctx, "general", "bot", fmt.Sprint(i), nil); err != nil || said.Seq != uint64(i)+2 {
				t.Errorf("%+v, %v", said, err)
			}
		}
		ana.wantTexts("hello", "0", "1", "2")
		if members := w.srv.Members("general"); len(members) != 1 {
			t.Errorf("members: %v", members)
		}
	})
}

// TestSayNot: why the application's lines are not said.
func TestSayNot(t *testing.T) {
	bubble(t, nil, func(w *world) {
		ctx, cancel := context.WithCancel(context.Background())
		for _, c := range []struct{ room, from, text, once, want string }{
			{"no room", "bot", "x", "", "room: name"},
			{"general", "no bot", "x", "", "from: name"},
			{"general", "bot", "x", "no key", "once:"},
			{"general", "bot", " ", "", "line is blank"},
		} {
			_, err := w.srv.Say(ctx, c.room, c.from, c.text, &server.SayOptions{Once: c.once})
			if err == nil || !strings.HasPrefix(err.Error(), c.want) {
				t.Errorf("%+v: %v", c, err)
			}
		}
		if _, err := w.srv.Say(ctx, "general", "bot", "\x01", nil); code(err) != wire.RefusedControl {
			t.Errorf("a control character: %v", err)
		}
		w.store.refuse(history.ErrFull)
		if _, err := w.srv.Say(ctx, "general", "bot", "x", nil); !errors.Is(err, history.ErrFull) {
			t.Errorf("the disk is full: %v", err)
		}
		w.store.refuse(nil)
		w.store.close()
		time.AfterFunc(time.Second, cancel)
		if _, err := w.srv.Say(ctx, "general", "bot", "late", nil); !errors.Is(err, context.Canceled) {
			t.Errorf("nobody waits: %v", err)
		}
		w.store.open()
		synctest.Wait()
		if lines, _, err := w.srv.History(context.Background(), "general", 0, 0); err != nil || len(lines) != 1 {
			t.Errorf("stored: %v, %v", lines, err)
		}
		if err := w.srv.Shutdown(context.Background()); err != nil {
			t.Fatal(err)
		}
		if _, err := w.srv.Say(context.Background(), "general", "bot", "x", nil); !errors.Is(err, server.ErrDraining) {
			t.Errorf("after the end: %v", err)
		}
		if _, _, err := w.srv.History(context.Background(), "general", 0, 0); !errors.Is(err, server.ErrDraining) {
			t.Errorf("history after the end: %v", err)
		}
	})
}

// code is that of a refusal, "" if err is none.
func code(err error) string {
	if no, ok := errors.AsType[*wire.RefusedError](err); ok {
		return no.Code
	}
	return ""
}

// TestSayWhenTheStoreFails: who waits is not left waiting.
func TestSayWhenTheStoreFails(t *testing.T) {
	bubble(t, nil, func(w *world) {
		w.store.close()
		time.AfterFunc(time.Second, w.store.fail)
		if _, err := w.srv.Say(context.Background(), "general", "bot", "x", nil); !errors.Is(err, errBroken) {
			t.Errorf("the disk broke: %v", err)
		}
		<-w.srv.Failed()
	})
}

// TestSayDuringShutdown: what was taken is waited for, as long as Shutdown waits.
func TestSayDuringShutdown(t *testing.T) {
	bubble(t, nil, func(w *world) {
		w.store.close()
		time.AfterFunc(2*time.Second, w.store.open)
		var saying sync.WaitGroup
		saying.Go(func() {
			if _, err := w.srv.Say(context.Background(), "general", "bot", "x", nil); err != nil {
				t.Error(err)
			}
		})
		synctest.Wait()
		if err := w.srv.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
		saying.Wait()
	})
}

// TestSayOnce: of many calls with one key one says it, whoever makes them.
func TestSayOnce(t *testing.T) {
	bubble(t, nil, func(w *world) {
		ana, bot := w.join("general", "ana"), w.join("general", "bot")
		once := &server.SayOptions{Once: "k"}
		var mu sync.Mutex
		results := map[string]int{}
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				_, err := w.srv.Say(context.Background(), "general", "bot", "x", once)
				mu.Lock()
				defer mu.Unlock()
				results[code(err)]++
			})
		}
		all.Wait()
		if results[""] != 1 || results[wire.RefusedDuplicate] != 19 {
			t.Errorf("results: %v", results)
		}
		bot.write(&wire.Send{Source: bot.source, N: 1, Text: "x", Once: "k"})
		if no := await[*wire.Refused](bot); no.Code != wire.RefusedDuplicate {
			t.Errorf("%+v", no)
		}
		if _, err := w.srv.Say(context.Background(), "general", "other", "y", once); err != nil {
			t.Error(err) // each user has keys of their own
		}
		ana.wantTexts("x", wire.RefusedDuplicate, "y")
	})
}

// TestDisconnect: a part in a room ends at once, and others go on.
func TestDisconnect(t *testing.T) {
	bubble(t, nil, func(w *world) {
		bob := w.join("general", "bob")
		ana := w.many("lobby", "ana")
		ana.enter("general")
		next[*wire.Welcome](ana)
		pass(time.Second)
		if n := w.srv.Disconnect("General", "Ana", "enough"); n != 1 {
			t.Errorf("%d connections", n)
		}
		if bye := next[*wire.Bye](ana); bye.Room != "general" || bye.Code != wire.Forbidden.Word || bye.Message != "enough" {
			t.Errorf("ana is told %+v", bye)
		}
		pass(time.Second)
		want(bob, joined("ana", "bob"), left("ana"))
		ana.send(1, "here I am still")
		next[*wire.Ack](ana)
		if got := fmt.Sprint(w.srv.Rooms(), w.srv.Members("lobby"), w.srv.Members("general")); got != "[general lobby] [{ana  true}] [{bob  true}]" {
			t.Errorf("who is where: %s", got)
		}

		ana.enter("general")
		next[*wire.Welcome](ana)
		cem := w.join("general", "ana", machine("cem"), func(h *wire.Hello) { h.Key = keyOf("ana") })
		if n := w.srv.Disconnect("", "ana", ""); n != 2 {
			t.Errorf("%d connections", n)
		}
		if bye := next[*wire.Bye](ana); bye.Room != "" || bye.Code != wire.Forbidden.Word {
			t.Errorf("ana is told %+v", bye)
		}
		cem.wantEnd(wire.Forbidden)
		_ = ana.ws.CloseNow()
		synctest.Wait()
		if got := fmt.Sprint(w.srv.Rooms()); got != "[general]" {
			t.Errorf("who is where: %s", got)
		}
		if n := w.srv.Disconnect("", "ana", "") + w.srv.Disconnect("general", "no name!", "") + w.srv.Disconnect("no room!", "bob", ""); n != 0 {
			t.Errorf("%d connections of nobody's", n)
		}
	})
}

// TestDisconnectAnyState: also who lingers, who chats in plain mode, who has not said hello
// and who does not read.
func TestDisconnectAnyState(t *testing.T) {
	bubble(t, nil, func(w *world) {
		bob := w.join("general", "bob")
		w.join("general", "ana").drop()
		cem := w.plain("general", "cem", "")
		dora := w.connect("general", "dora")
		w.join("general", "eve")
		pass(time.Second)
		w.net.Partition("eve", true)
		for _, name := range []string{"ana", "cem", "dora", "eve"} {
			w.srv.Disconnect("general", name, "go")
		}
		if got := fmt.Sprint(w.srv.Members("general")); got != "[{bob  true}]" {
			t.Errorf("members: %s", got)
		}
		_ = dora.ws.Write(context.Background(), 1, wire.Encode(sign(hello("dora"), dora.challenge, "dora")))
		dora.wantEnd(wire.Forbidden)
		pass(time.Minute)
		w.net.Partition("eve", false)
		cem.want("eve joined general\n* go\n")
		want(bob, joined("ana", "bob", "cem", "eve"), left("ana", "cem", "eve"))
	})
}

func TestHistory(t *testing.T) {
	bubble(t, nil, func(w *world) {
		ctx := context.Background()
		ana := w.join("general", "ana")
		w.join("general", "bob")
		ana.write(&wire.Send{Source: ana.source, N: 1, Kind: wire.KindPrivate, To: "bob", Text: "psst"})
		ana.send(2, "\x01")
		await[*wire.Ack](ana)
		for i := range 500 {
			if _, err := w.srv.Say(ctx, "general", "bot", fmt.Sprint(i), nil); err != nil {
				t.Fatal(err)
			}
		}
		all, end, err := w.srv.History(ctx, "General", 0, 1000)
		if err != nil || !end || len(all) != 500 || all[0].Text != "0" || all[499].Text != "499" {
			t.Errorf("all: %d, %v, %v", len(all), end, err)
		}
		some, end, err := w.srv.History(ctx, "general", all[300].Seq, 250)
		if err != nil || end || len(some) != 250 || some[249] != all[299] || some[0] != all[50] {
			t.Errorf("some: %d, %v, %v", len(some), end, err)
		}
		if few, end, err := w.srv.History(ctx, "general", 0, 0); err != nil || end || len(few) != wire.MaxPage {
			t.Errorf("few: %d, %v, %v", len(few), end, err)
		}
		if none, end, err := w.srv.History(ctx, "nowhere", 0, 0); err != nil || !end || none != nil {
			t.Errorf("none: %v, %v, %v", none, end, err)
		}
		if _, _, err := w.srv.History(ctx, "no room", 0, 0); err == nil {
			t.Error("a name that is none")
		}
		gone, cancel := context.WithCancel(ctx)
		cancel()
		if _, _, err := w.srv.History(gone, "general", 0, 0); !errors.Is(err, context.Canceled) {
			t.Errorf("who asked has gone: %v", err)
		}
	})
}
