package server_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/server"
	"holdfast/session/wire"
)

// gatekeeper is an application that can be told who may come in.
type gatekeeper struct {
	mu     sync.Mutex
	grants map[string]server.Grant // by room/name
	no     map[string]error        // likewise
	asked  []string
	last   *http.Request
}

func (g *gatekeeper) authorize(r *http.Request, room, name string) (server.Grant, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.asked = append(g.asked, room+"/"+name)
	g.last = r
	return g.grants[room+"/"+name], g.no[room+"/"+name]
}

func (g *gatekeeper) grant(who string, grant server.Grant) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.grants == nil {
		g.grants = map[string]server.Grant{}
	}
	g.grants[who] = grant
}

func (g *gatekeeper) refuse(who string, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.no == nil {
		g.no = map[string]error{}
	}
	g.no[who] = err
}

// machine is a client of its own of one user: another device with another key.
func machine(name string) func(*wire.Hello) {
	return func(h *wire.Hello) {
		h.Device, h.Key, h.Sources = "d-"+name, keyOf(name), []wire.Base{{Source: "s-" + name}}
	}
}

// TestIdentity: whom the application knows comes in from two machines with two keys, and
// finds private lines on both; nobody else has the name.
func TestIdentity(t *testing.T) {
	app := &gatekeeper{}
	bubble(t, &server.Options{Authorize: app.authorize}, func(w *world) {
		app.grant("general/ana", server.Grant{Identity: "account 7"})
		laptop := w.join("general", "ana", machine("laptop"))
		phone := w.join("general", "ana", machine("phone"), func(h *wire.Hello) {
			h.Host, h.Signature = "elsewhere", "none"
		})
		bob := w.join("general", "bob")
		bob.write(&wire.Send{Source: bob.source, N: 1, Kind: wire.KindPrivate, To: "ana", Text: "only you"})
		laptop.wantTexts("only you")
		phone.wantTexts("only you")

		app.grant("general/ana", server.Grant{Identity: "account 8"})
		w.refused("general", "ana", machine("laptop"))
		app.grant("general/ana", server.Grant{})
		w.refused("general", "ana", machine("laptop"))
		app.grant("general/bob", server.Grant{Identity: "account 9"}) // a key has it
		w.refused("general", "bob", machine("bob"))
		if _, resp, err := w.dial("general", "bob"); err == nil || resp.StatusCode != http.StatusConflict {
			t.Errorf("bob in plain mode: %v", err)
		}
	})
}

// refused wants a hello not to be that of the owner of the name.
func (w *world) refused(room, user string, change func(*wire.Hello)) {
	w.Helper()
	c := w.connect(room, user)
	h := hello(user)
	change(h)
	c.write(h)
	c.wantEnd(wire.NameTaken)
}

// TestIdentityInPlainMode: the application's users have their names without our protocol,
// also while they are not connected.
func TestIdentityInPlainMode(t *testing.T) {
	app := &gatekeeper{}
	bubble(t, &server.Options{Authorize: app.authorize, Linger: -1, NameTTL: time.Hour}, func(w *world) {
		app.grant("general/ana", server.Grant{Identity: "account 7"})
		for range 2 {
			w.plain("general", "ana", "").leave()
		}
		app.grant("general/ana", server.Grant{})
		w.refused("general", "ana", machine("ana"))
		if _, resp, err := w.dial("general", "ana"); err == nil || resp.StatusCode != http.StatusConflict {
			t.Errorf("another ana in plain mode: %v", err)
		}

		app.grant("general/ana", server.Grant{Identity: "account 7"})
		w.plain("general", "ana", "")
		pass(3 * time.Hour) // a name in use is not free
		app.grant("lobby/ana", server.Grant{Identity: "account 8"})
		w.refused("lobby", "ana", machine("ana"))
	})
}

func TestRefusals(t *testing.T) {
	app := &gatekeeper{}
	bubble(t, &server.Options{Authorize: app.authorize}, func(w *world) {
		for _, c := range []struct {
			err    error
			status int
			after  string // what Retry-After says, "?" for something
			body   string
		}{
			{&server.Refusal{Status: 401, Message: "log in first"}, 401, "", "log in first"},
			{&server.Refusal{}, 403, "", "Forbidden"},
			{&server.Refusal{Status: 200, Message: "no"}, 403, "", "no"},
			{&server.Refusal{Status: 429, RetryAfter: 1500 * time.Millisecond}, 429, "2", "Too Many Requests"},
			{errors.New("a secret of the database's"), 503, "?", "the server can't tell just now who may come in"},
		} {
			for _, who := range []string{"general/ana", "general/", "/"} {
				app.refuse(who, c.err)
			}
			for _, path := range []string{"/chat/General/Ana", "/rooms", "/rooms/general", "/rooms/general/lines"} {
				resp, err := w.net.Client("ana").Get("http://server" + path)
				if err != nil {
					t.Fatal(err)
				}
				body, _ := io.ReadAll(resp.Body)
				_ = resp.Body.Close()
				after := resp.Header.Get("Retry-After")
				if resp.StatusCode != c.status || string(body) != c.body+"\n" || after != c.after && (c.after != "?" || after == "") {
					t.Errorf("%s, %v: %d %q, come back after %q", path, c.err, resp.StatusCode, body, after)
				}
			}
		}
		if w.srv.OpenRooms() != 0 {
			t.Error("a room was opened for who may not come in")
		}
	})
}

// many is a connection in many rooms, which reads when it is told to.
type many struct{ *client }

func (w *world) many(room, user string) many {
	w.Helper()
	c, _, err := w.dial(room, user, wire.Subprotocol)
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() { _ = c.ws.CloseNow() })
	m := many{c}
	c.challenge = next[*wire.Challenge](m)
	c.write(hello(user))
	next[*wire.Welcome](m)
	return m
}

// next reads up to the next frame of type T.
func next[T wire.Frame](m many) (f T) {
	m.w.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for {
		_, msg, err := m.ws.Read(ctx)
		if err != nil {
			m.w.Fatalf("no %T came: %v", f, err)
		}
		got, err := wire.Decode(msg, wire.MaxToClient)
		if err != nil {
			m.w.Fatal(err)
		}
		if f, ok := got.(T); ok {
			return f
		}
	}
}

func (m many) enter(room string) {
	m.w.Helper()
	m.write(&wire.Join{Room: room, Device: "d-" + m.user, Sources: []wire.Base{{Source: "in-" + room}}})
}

// TestRefusedJoin: one room more is asked about, with the request of the upgrade; a refusal
// ends that room alone.
func TestRefusedJoin(t *testing.T) {
	app := &gatekeeper{}
	bubble(t, &server.Options{Authorize: app.authorize}, func(w *world) {
		app.refuse("cellar/ana", &server.Refusal{Message: "not for you"})
		app.refuse("attic/ana", &server.Refusal{Status: 503, Message: "ask later", RetryAfter: 3 * time.Second})
		ana := w.many("general", "ana")
		ana.enter("cellar")
		if bye := next[*wire.Bye](ana); bye.Room != "cellar" || bye.Code != wire.Forbidden.Word || bye.Message != "not for you" {
			t.Errorf("cellar: %+v", bye)
		}
		ana.enter("attic")
		if bye := next[*wire.Bye](ana); bye.Room != "attic" || bye.Code != wire.Internal.Word || bye.Message != "ask later" || bye.RetryMS != 3000 {
			t.Errorf("attic: %+v", bye)
		}
		app.grant("porch/ana", server.Grant{Rights: server.Read})
		ana.enter("porch")
		if welcome := next[*wire.Welcome](ana); welcome.Room != "porch" {
			t.Errorf("welcome to %+v", welcome)
		}
		ana.write(&wire.Send{Room: "porch", Source: "in-porch", N: 1, Text: "hello"})
		if no := next[*wire.Refused](ana); no.Room != "porch" || no.Code != wire.RefusedReadOnly {
			t.Errorf("in a room to read: %+v", no)
		}
		ana.send(1, "here I may")
		next[*wire.Ack](ana)

		app.mu.Lock()
		r := app.last
		app.mu.Unlock()
		if b, err := io.ReadAll(r.Body); r.URL.Path != "/chat/general/ana" || len(b) > 0 || err != nil {
			t.Errorf("%s was asked about, with %q, %v", r.URL, b, err)
		}
		if err := r.Context().Err(); err != nil {
			t.Errorf("the connection lives, and its context has ended: %v", err)
		}
		ana.drop()
		pass(time.Minute)
		if r.Context().Err() == nil {
			t.Error("the connection is dead, and its context has not ended")
		}
	})
}

func TestReadOnly(t *testing.T) {
	app := &gatekeeper{}
	bubble(t, &server.Options{Authorize: app.authorize}, func(w *world) {
		app.grant("general/ana", server.Grant{Rights: server.Read})
		app.grant("general/cem", server.Grant{Rights: server.Read})
		ana, bob := w.join("general", "ana"), w.join("general", "bob")
		cem := w.plain("general", "cem", "")
		pass(time.Second)
		cem.want("")
		ana.write(&wire.Away{Text: "what I say all the same"})
		ana.send(1, "hello")
		want(ana, &wire.Refused{Source: ana.source, N: 1, Code: wire.RefusedReadOnly, Message: server.RefusalText(wire.RefusedReadOnly)})
		cem.say("hello")
		cem.want("* not sent: " + server.RefusalText(wire.RefusedReadOnly) + "\n")
		bob.send(1, "I may")
		synctest.Wait()
		cem.want("bob: I may\n")
		pass(time.Second)
		for _, p := range got[*wire.Presence](bob) {
			if len(p.Away) > 0 {
				t.Errorf("bob is told %+v", p.Away)
			}
		}
		if texts := ana.texts(); texts[len(texts)-1] != "I may" {
			t.Errorf("ana has %q", texts)
		}
	})
}

func TestWriteOnly(t *testing.T) {
	app := &gatekeeper{}
	bubble(t, &server.Options{Authorize: app.authorize}, func(w *world) {
		bob := w.join("general", "bob")
		bob.send(1, "before")
		bob.wantTexts("before")
		for _, who := range []string{"general/bot", "general/bot2", "general/"} {
			app.grant(who, server.Grant{Rights: server.Write})
		}
		bot := w.join("general", "bot", func(h *wire.Hello) { h.Cursor = bob.cursor; h.Backlog = 10 })
		plain := w.plain("general", "bot2", "")
		if len(bot.welcome.Members) != 1 || bot.welcome.Missed != 0 {
			t.Errorf("the bot is told %+v", bot.welcome)
		}
		bot.send(1, "I count sheep")
		synctest.Wait()
		plain.say("so do I")
		bob.send(2, "after")
		bot.write(&wire.History{ID: "h", Limit: 10})
		pass(time.Minute)
		want(bot, &wire.Ack{Source: bot.source, N: 1})
		want(bot, &wire.Page{ID: "h", Events: []wire.Event{}, End: true})
		want[*wire.Presence](bot)
		bot.wantTexts()
		plain.want("")
		bob.wantTexts("before", "I count sheep", "so do I", "after")
		w.wantAnswer("/rooms/general/lines", 403, "reading here is not allowed")
	})
}

// Who may moderate removes others, from that room alone and without linger; from nobody else
// it is heard, and nobody removes by a name that is not there.
func TestModerate(t *testing.T) {
	app := &gatekeeper{}
	bubble(t, &server.Options{Authorize: app.authorize}, func(w *world) {
		app.grant("general/ana", server.Grant{Rights: server.Read | server.Write | server.Moderate})
		ana, bob, eve := w.join("general", "ana"), w.join("general", "bob"), w.join("general", "eve")
		other := w.join("other", "eve")
		if !ana.welcome.Moderate || bob.welcome.Moderate {
			t.Error("the welcome does not tell who may moderate")
		}
		bob.write(&wire.Remove{Name: "eve", Text: "because"})
		ana.write(&wire.Remove{Name: "nobody"})
		pass(time.Second)
		eve.send(1, "still here") // bob may not
		await[*wire.Ack](eve)
		ana.write(&wire.Remove{Name: "eve", Text: "no ads here"})
		if bye := eve.wantEnd(wire.Forbidden); bye.Message != "no ads here" {
			t.Errorf("was told %q", bye.Message)
		}
		for left := ""; left != "eve"; {
			if p := await[*wire.Presence](bob); len(p.Left) > 0 {
				left = p.Left[0]
			}
		}
		other.send(1, "still here")
		await[*wire.Ack](other)
	})
}
