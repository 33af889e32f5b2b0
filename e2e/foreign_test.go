package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// TestStrangerResumes holds PROTOCOL.md to its word: over resets and kill -9 of the
// server a stranger gets what it missed, once and in order, and its lines are
// stored once.
func TestStrangerResumes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := newStranger(t, w.url(), "ana"), newStranger(t, w.url(), "bob")
	if f := a.connect(); f.Resumed || f.Reason != "fresh" || f.Gen != 1 || f.Limits.InFlight == 0 {
		t.Errorf("welcome %+v", f)
	}
	b.connect()
	var want []string
	for part := range 4 { // bob is lost each time with some lines read and some not
		for i := range 50 {
			text := fmt.Sprintf("line %d.%d <&> \"quoted\" ü", part, i)
			a.say(text)
			want = append(want, text)
		}
		a.flush(func(sent int) {
			switch {
			case sent == 30:
				w.proxy.Reset()
			case sent == 40 && part%2 == 1:
				w.crash()
			}
		})
		read := len(b.texts) + 20
		b.until("bob reads on", func(frame) bool { return len(b.texts) >= read })
		w.proxy.Reset()
	}
	_, _ = b.read() // learns that the link is lost
	b.connect()
	b.until("bob to be level", func(f frame) bool { return f.Type == "live" && len(b.texts) >= len(want) })
	if strings.Join(b.texts, "\n") != strings.Join(want, "\n") {
		t.Errorf("bob got %d lines: %q", len(b.texts), b.texts)
	}
	if b.seen["live"] == 0 || a.seen["ack"] == 0 {
		t.Errorf("frames seen: ana %v, bob %v", a.seen, b.seen)
	}
}

// TestStrangerWhispers: private lines arrive once, in order and at two strangers only,
// over resets and kill -9 of the server.
func TestStrangerWhispers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b, e := newStranger(t, w.url(), "ana"), newStranger(t, w.url(), "bob"), newStranger(t, w.url(), "eve")
	for _, c := range []*stranger{a, b, e} {
		c.connect()
	}
	var all, open []string
	for i := range 90 { // some stretches are longer than a cursor may stay behind
		text := fmt.Sprint("line ", i)
		if i%85 != 0 {
			a.whisper("bob", text)
			all = append(all, "private "+text)
			continue
		}
		a.say(text)
		all, open = append(all, text), append(open, text)
	}
	a.flush(func(sent int) {
		switch sent {
		case 20:
			w.proxy.Reset()
		case 40:
			w.crash()
		}
	})
	for c, want := range map[*stranger][]string{a: all, b: all, e: open} {
		if len(c.texts) < len(want) {
			c.until(c.name+" has all", func(frame) bool { return len(c.texts) >= len(want) })
		}
		if strings.Join(c.texts, "\n") != strings.Join(want, "\n") {
			t.Errorf("%s got %d lines: %q", c.name, len(c.texts), c.texts)
		}
	}
	a.whisper("nobody", "psst")
	_ = a.write(map[string]any{"type": "send", "source": a.source, "n": a.outbox[0].n, "kind": "private", "to": "nobody", "text": "psst"})
	a.until("a refusal", func(f frame) bool { return f.Type == "refused" && f.N == a.outbox[0].n && f.Code == "unknown_user" })
	_ = b.write(map[string]any{"type": "away", "text": "at lunch"})
	e.until("bob is away", func(f frame) bool { return len(f.Away) == 1 && f.Away[0].Name == "bob" && f.Away[0].Text == "at lunch" })
}

// TestStrangerBreaksRules sends duplicates and gaps by hand.
func TestStrangerBreaksRules(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := newStranger(t, w.url(), "ana")
	a.connect()
	send := func(n int, text string) {
		_ = a.write(map[string]any{"type": "send", "source": a.source, "n": n, "text": text})
	}
	for i := range 5 {
		a.say(fmt.Sprint("line ", i+1))
	}
	a.flush(func(int) {})
	send(5, "another text for line 5")
	a.until("a duplicate is acknowledged", func(f frame) bool { return f.Type == "ack" && f.N == 5 })
	send(8, "from the future")
	a.until("a gap is answered by retry", func(f frame) bool { return f.Type == "retry" && f.N == 6 && f.Code == "gap" })
	a.say("line 6")
	send(6, "line 6")
	a.until("an ack", func(f frame) bool { return f.Type == "ack" && f.N == 6 })
	log := w.log("general")
	if len(log) != 6 || log[4].Text != "line 5" || log[5].Text != "line 6" {
		t.Errorf("log %+v", log)
	}
	_ = a.conn.WriteMessage(websocket.TextMessage, []byte(`{"type":"send","type":"send"}`))
	for a.conn.SetReadDeadline(time.Now().Add(patience)) == nil {
		if _, err := a.read(); err != nil {
			break
		}
	}
	if a.closed != 4501 {
		t.Errorf("malformed frame closed with %d", a.closed)
	}
}

// TestStrangerTakeover opens a second connection for the same device: the older one is
// closed with 4500.
func TestStrangerTakeover(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	old, young := newStranger(t, w.url(), "ana"), newStranger(t, w.url(), "ana")
	old.connect()
	if f := young.connect(); f.Gen != 2 {
		t.Errorf("generation %d", f.Gen)
	}
	var bye frame
	for {
		f, err := old.read()
		if err != nil {
			break
		}
		if f.Type == "bye" {
			bye = f
		}
	}
	if old.closed != 4500 || bye.Code != "superseded" {
		t.Errorf("closed with %d after bye %q", old.closed, bye.Code)
	}
	young.say("still here")
	young.flush(func(int) {})
	thief := newStranger(t, w.url(), "ana")
	thief.key = newStranger(t, w.url(), "thief").key
	d := websocket.Dialer{Subprotocols: []string{"holdfast.v1"}}
	conn, _, err := d.Dial(thief.url+"/chat/general/ana", nil)
	if err != nil {
		t.Fatal(err)
	}
	thief.conn = conn
	thief.hello(map[string]any{"cursor": "", "backlog": 0, "sources": []any{}})
	if f, err := thief.read(); err != nil || f.Type != "bye" || f.Code != "name_taken" || !strings.Contains(f.Message, "free again") {
		t.Errorf("a thief got %+v, %v", f, err)
	}
	if _, err := thief.read(); err == nil || thief.closed != 4502 {
		t.Errorf("a thief was closed with %d", thief.closed)
	}
}

// TestStrangerIsReaped goes silent: it is dead at --dead-after, and left after --linger.
func TestStrangerIsReaped(t *testing.T) {
	w := newWorld(t, "--heartbeat", "200ms", "--dead-after", "600ms", "--linger", "500ms")
	a, b := newStranger(t, w.url(), "ana"), newStranger(t, w.url(), "bob")
	a.connect()
	a.until("ana to be level", func(f frame) bool { return f.Type == "live" })
	silent := time.Now() // not after: the last sign of life is sent on the way
	b.connect()
	left := make(chan time.Duration, 1)
	go func() { // ana reads, and so answers pings; bob's socket stays open, and nobody is there
		defer close(left)
		for {
			_, msg, err := a.conn.ReadMessage()
			if err != nil {
				t.Error(err)
				return
			}
			if strings.Contains(string(msg), `"left":["bob"]`) {
				left <- time.Since(silent)
				return
			}
		}
	}()
	w.server.err.await(t, "msg=reaped room=general user=bob")
	if d := time.Since(silent); d < 600*time.Millisecond || d > 5*time.Second {
		t.Errorf("reaped after %v", d)
	}
	if d := <-left; d < 1100*time.Millisecond {
		t.Errorf("left after %v", d)
	}
}

// TestTextOnly is the plain mode, as the article's own client uses it.
func TestTextOnly(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	dial := func(room, user string) (*websocket.Conn, *http.Response, error) {
		return websocket.DefaultDialer.Dial(w.url()+"/chat/"+room+"/"+user, nil)
	}
	must := func(user string) *websocket.Conn {
		t.Helper()
		c, _, err := dial("general", user)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		return c
	}
	expect := func(c *websocket.Conn, want ...string) {
		t.Helper()
		for _, line := range want {
			_ = c.SetReadDeadline(time.Now().Add(patience))
			if _, msg, err := c.ReadMessage(); err != nil || string(msg) != line+"\n" {
				t.Fatalf("got %q, %v; want %q", msg, err, line)
			}
		}
	}
	say := func(c *websocket.Conn, text string) {
		t.Helper()
		if err := c.WriteMessage(websocket.TextMessage, []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	gustavo := must("gustavo")
	maria := must("maria")
	expect(gustavo, "maria joined general")
	say(gustavo, "")
	say(gustavo, "   \r\n")
	say(gustavo, "hello\r\n")
	expect(maria, "gustavo: hello")
	say(maria, "hi\nbob: I am not bob")
	expect(gustavo, "maria: hi\n    bob: I am not bob") // and no echo of hello
	if _, resp, err := dial("general", "Gustavo"); err == nil || resp.StatusCode != http.StatusConflict {
		t.Errorf("a taken name: %v, %v", resp, err)
	}
	if _, resp, err := dial("general", "no%20name"); err == nil || resp.StatusCode != http.StatusBadRequest {
		t.Errorf("a bad name: %v, %v", resp, err)
	}
	_ = maria.WriteMessage(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseNormalClosure, ""))
	expect(gustavo, "maria left general")
	w.crash()
	late := must("late")
	expect(late, "gustavo: hello", "maria: hi\n    bob: I am not bob")
}
