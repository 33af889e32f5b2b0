package server_test

import (
	"context"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"
	gorilla "github.com/gorilla/websocket"

	"holdfast/server"
	"holdfast/server/history"
	"holdfast/session/wire"
)

// plainClient is any WebSocket client.
type plainClient struct {
	w  *world
	ws *websocket.Conn

	mu   sync.Mutex
	said string
	code websocket.StatusCode
}

func (w *world) plain(room, user, query string) *plainClient {
	w.Helper()
	c, _, err := w.dial(room, user+query)
	if err != nil {
		w.Fatal("dial:", err)
	}
	p := &plainClient{w: w, ws: c.ws}
	var reader sync.WaitGroup
	reader.Go(p.read)
	w.Cleanup(func() { _ = p.ws.CloseNow(); reader.Wait() })
	synctest.Wait()
	return p
}

func (p *plainClient) read() {
	for {
		_, msg, err := p.ws.Read(context.Background())
		p.mu.Lock()
		p.said += string(msg)
		if err != nil {
			p.code = websocket.CloseStatus(err)
			p.mu.Unlock()
			return
		}
		p.mu.Unlock()
	}
}

func (p *plainClient) say(text string) {
	p.w.Helper()
	if err := p.ws.Write(context.Background(), websocket.MessageText, []byte(text)); err != nil {
		p.w.Fatal(err)
	}
	synctest.Wait()
}

func (p *plainClient) leave() {
	_ = p.ws.Close(websocket.StatusNormalClosure, "")
	synctest.Wait()
}

// want checks what came since the last look.
func (p *plainClient) want(text string) {
	p.w.Helper()
	synctest.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.said != text {
		p.w.Errorf("got %q, want %q", p.said, text)
	}
	p.said = ""
}

func TestPlainChat(t *testing.T) {
	bubble(t, nil, func(w *world) {
		maria := w.plain("general", "maria", "")
		pass(time.Second)
		gustavo := w.plain("general", "Gustavo", "")
		pass(time.Second)
		maria.want("gustavo joined general\n")
		gustavo.say("hello\r\n")
		gustavo.say("")
		gustavo.say(" \t\r\n")
		maria.want("gustavo: hello\n")
		gustavo.want("")
		ana := w.join("general", "ana")
		ana.write(&wire.Send{Source: "s-ana", N: 1, Kind: wire.KindAction, Text: "waves"})
		ana.write(&wire.Send{Source: "s-ana", N: 2, Text: " "})
		ana.send(3, "one\nmaria: forged\ttab")
		pass(time.Second)
		maria.want("* ana waves\nana: one\n    maria: forged\ttab\nana joined general\n")
		ana.wantTexts("hello", "waves", wire.RefusedBlank, "one\nmaria: forged\ttab")
		for text, why := range map[string]string{
			"bell\a":                  "control",
			"bad \xff":                "UTF-8",
			strings.Repeat("x", 4097): "4097 bytes",
			"a\rb":                    "control",
		} {
			maria.say(text)
			maria.mu.Lock()
			if said := maria.said; !strings.HasPrefix(said, "* not sent: ") || !strings.Contains(said, why) || strings.Count(said, "\n") != 1 {
				w.Errorf("told %q of %.20q", said, text)
			}
			maria.said = ""
			maria.mu.Unlock()
		}
		gustavo.leave()
		pass(time.Second)
		maria.want("gustavo left general\n")
		maria.say("still here\n\n")
		ana.wantTexts("hello", "waves", wire.RefusedBlank, "one\nmaria: forged\ttab", "still here")
		again := w.plain("general", "gustavo", "?backlog=2")
		again.want("ana: one\n    maria: forged\ttab\nmaria: still here\n")
		none := w.plain("general", "zoe", "?backlog=0")
		none.want("")
		all := w.plain("general", "all", "?backlog=-1")
		all.want("gustavo: hello\n* ana waves\nana: one\n    maria: forged\ttab\nmaria: still here\n")
		odd := w.plain("general", "odd", "?backlog=-7")
		odd.want("gustavo: hello\n* ana waves\nana: one\n    maria: forged\ttab\nmaria: still here\n")
	})
}

// A newcomer hears only of those who come and go after it, and a crowd that comes
// together is still one announcement.
func TestPlainNewcomer(t *testing.T) {
	bubble(t, nil, func(w *world) {
		ana, bob := w.join("general", "ana"), w.join("general", "bob")
		pass(time.Second)
		w.plain("general", "early", "")
		bob.write(&wire.Bye{})
		pass(50 * time.Millisecond)
		maria := w.plain("general", "maria", "")
		pass(50 * time.Millisecond)
		zoe := w.plain("general", "zoe", "")
		pass(time.Second)
		maria.want("zoe joined general\n")
		zoe.want("")
		want(ana, joined("ana", "bob"), joined("early", "maria", "zoe"), left("bob"))
		w.join("general", "bob")
		pass(time.Second)
		zoe.want("bob joined general\n")
	})
}

func TestPlainNameConflicts(t *testing.T) {
	bubble(t, &server.Options{Linger: 10 * time.Second}, func(w *world) {
		maria := w.plain("general", "maria", "")
		conflict := func(room, user, why string) {
			w.Helper()
			status, body, _ := w.request("GET", "/chat/"+room+"/"+user, "")
			if status != 409 || body != user+" "+why+"\n" {
				w.Errorf("%d %q", status, body)
			}
		}
		conflict("general", "maria", "is already in general")
		ana := w.join("other", "ana")
		conflict("other", "ana", "is already in other")
		conflict("general", "ana", "belongs to someone else: choose another name")
		ana.drop()
		conflict("other", "ana", "belongs to someone else: choose another name")
		w.plain("other", "maria", "").leave()

		pass(time.Second)
		bob := w.join("general", "bob")
		pass(time.Second)
		_ = maria.ws.CloseNow() // lost, so it lingers
		pass(time.Second)
		if status, _, _ := w.request("GET", "/chat/general/maria", "", "Connection", "close"); status != 426 {
			w.Errorf("status %d", status)
		}
		pass(time.Second)
		want[*wire.Presence](bob, &wire.Presence{Joined: []string{"bob"}})
		pass(10 * time.Second)
		want(bob, &wire.Presence{Joined: []string{"bob"}}, &wire.Presence{Left: []string{"maria"}})
	})
}

func TestPlainWhenLinesCantBeStored(t *testing.T) {
	bubble(t, nil, func(w *world) {
		maria := w.plain("general", "maria", "")
		w.store.refuse(history.ErrFull)
		maria.say("lost")
		maria.mu.Lock()
		if !strings.HasPrefix(maria.said, "* not sent: ") {
			w.Errorf("told %q", maria.said)
		}
		maria.said = ""
		maria.mu.Unlock()
		w.store.refuse(nil)
		maria.say("kept")
		ana := w.join("general", "ana")
		ana.wantTexts("kept")

		w.store.close()
		maria.say("on its way")
		var down sync.WaitGroup
		down.Go(func() { _ = w.srv.Shutdown(context.Background()) })
		synctest.Wait()
		maria.say("too late")
		maria.want("* not sent: the server stops or restarts\n")
		w.store.open()
		down.Wait()
		maria.want("* the server stops or restarts\n")
		if maria.code != 4000 {
			w.Errorf("closed with %d", maria.code)
		}
	})
}

// TestPlainLoopback speaks to a real socket with another family's library.
func TestPlainLoopback(t *testing.T) {
	srv := server.New(&server.Options{PresenceDelay: time.Millisecond})
	web := httptest.NewServer(srv)
	defer web.Close()
	defer func() {
		if err := srv.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
	}()
	url := "ws" + strings.TrimPrefix(web.URL, "http") + "/chat/general/"
	dial := func(user string) *gorilla.Conn {
		t.Helper()
		c, _, err := gorilla.DefaultDialer.Dial(url+user, nil)
		if err != nil {
			t.Fatal(err)
		}
		_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
		t.Cleanup(func() { _ = c.Close() })
		return c
	}
	hear := func(c *gorilla.Conn, want string) {
		t.Helper()
		if kind, msg, err := c.ReadMessage(); err != nil || kind != gorilla.TextMessage || string(msg) != want {
			t.Fatalf("%d %q %v, want %q", kind, msg, err, want)
		}
	}
	gustavo := dial("gustavo")
	// An upgrade that is answered is not yet a place in the room; an answer is.
	if err := gustavo.WriteMessage(gorilla.TextMessage, []byte("\a")); err != nil {
		t.Fatal(err)
	}
	hear(gustavo, "* not sent: line holds the control character U+0007\n")
	maria := dial("maria")
	hear(gustavo, "maria joined general\n")
	if err := gustavo.WriteMessage(gorilla.TextMessage, []byte("hello\r\n")); err != nil {
		t.Fatal(err)
	}
	for {
		kind, msg, err := maria.ReadMessage()
		if err != nil || kind != gorilla.TextMessage {
			t.Fatal(kind, err)
		}
		if string(msg) == "gustavo: hello\n" {
			break
		}
		if string(msg) != "gustavo joined general\n" { // both may have come in one announcement
			t.Fatalf("maria heard %q", msg)
		}
	}
	if _, resp, err := gorilla.DefaultDialer.Dial(url+"maria", nil); err == nil || resp.StatusCode != 409 {
		t.Fatal("a second maria:", err)
	}
	late := dial("late?backlog=1")
	hear(late, "gustavo: hello\n")
	_ = maria.WriteMessage(gorilla.CloseMessage, gorilla.FormatCloseMessage(gorilla.CloseNormalClosure, ""))
	for {
		_, msg, err := gustavo.ReadMessage()
		if err != nil {
			t.Fatal(err)
		}
		if string(msg) == "maria left general\n" {
			break
		}
		if string(msg) != "late joined general\n" {
			t.Fatalf("gustavo heard %q", msg)
		}
	}
}
