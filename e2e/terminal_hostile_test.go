//go:build linux

package e2e

import (
	"cmp"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode"

	"github.com/gorilla/websocket"

	"holdfast/session/wire"
)

// TestTerminalHostileClient has a client say each hostile text. The server refuses
// most; what it lets pass is inert in whatever the others read it with.
func TestTerminalHostileClient(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ana := emulate(t, t.TempDir(), chatCommand(w)[1:]...)
	ana.wrote("you are ana in general")
	tail := start(t, t.TempDir(), "tail", "--server", w.url(), "--room", "general", "--as", "reader")
	plain := start(t, t.TempDir(), "join", "general", "--server", w.url(), "--as", "piper")
	for _, p := range []*process{tail, plain} { // they are there when they show what is said
		until(t, "a reader", func() bool { w.say("are you there?"); return len(p.out.all()) > 0 })
	}
	mal := newStranger(t, w.url(), "mal")
	mal.connect()
	var taken []hostileText
	for _, h := range hostileTexts(t) {
		n := mal.base + 1
		mal.say(h.text)
		if err := mal.write(map[string]any{"type": "send", "source": mal.source, "n": n, "text": h.text}); err != nil {
			t.Fatal(h.name, err)
		}
		for mal.base < n {
			f, err := mal.read()
			if err != nil {
				t.Fatal(h.name, err)
			}
			if f.Type == "refused" {
				mal.acked(n)
			} else if mal.base == n {
				taken = append(taken, h)
			}
		}
	}
	figure("terminal", "hostile texts said by a client", len(hostileTexts(t)))
	figure("terminal", "of them taken by the server", len(taken))
	if len(taken) < 15 {
		t.Fatalf("only %d texts were taken: little is proved", len(taken))
	}
	w.say("the end")
	ana.wrote("the end")
	tail.out.await(t, "the end")
	plain.out.await(t, "the end")
	for _, h := range taken {
		if !strings.Contains(h.shown, "\u2424") && !strings.Contains(ana.written(), h.shown) {
			t.Errorf("%s: %q was never shown", h.name, h.shown)
		}
	}
	ana.harmless()
	for _, p := range []*process{tail, plain} {
		for _, l := range p.out.all() {
			if _, what := harm(l); what != "" {
				t.Errorf("%s in what %s prints: %q", what, p.cmd.Args[1], l)
			}
		}
	}
}

// liar is a server that speaks the protocol and puts hostile texts wherever a server
// can put one.
type liar struct {
	t     *testing.T
	url   string
	texts []hostileText

	mu    sync.Mutex
	steps []step
	met   int
	seq   uint64
}

// step is what an attempt to connect meets.
type step = func(w http.ResponseWriter, r *http.Request)

func newLiar(t *testing.T) *liar {
	l := &liar{t: t, texts: hostileTexts(t)}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		l.mu.Lock()
		step := l.steps[min(l.met, len(l.steps)-1)]
		l.met++
		l.mu.Unlock()
		step(w, r)
	}))
	t.Cleanup(s.Close)
	l.url = "ws" + strings.TrimPrefix(s.URL, "http")
	return l
}

// meets has the next attempts to connect meet these steps, and all after them the last.
func (l *liar) meets(steps ...step) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.steps = append(l.steps, steps...)
}

// all is every hostile text in one.
func (l *liar) all() string {
	var texts []string
	for _, h := range l.texts {
		texts = append(texts, h.text)
	}
	return strings.Join(texts, " ")
}

// speaks makes a step of a conversation. The client has said hello and is welcome.
func (l *liar) speaks(talk func(c *lied)) step {
	return func(w http.ResponseWriter, r *http.Request) {
		up := websocket.Upgrader{Subprotocols: []string{wire.Subprotocol}}
		conn, err := up.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer conn.Close()
		c := &lied{l: l, conn: conn}
		nonce := strings.Repeat("A", 43)
		c.say(&wire.Challenge{Nonce: nonce, Server: nonce})
		hello, ok := c.next().(*wire.Hello)
		if !ok {
			return
		}
		c.cursor = cmp.Or(hello.Cursor, "c0")
		names := []string{"ana"}
		for _, h := range l.texts {
			names = append(names, "was here: "+h.text)
		}
		c.say(&wire.Welcome{
			Generation: 1, Cursor: c.cursor, Resumed: hello.Cursor != "", Reason: wire.ReasonFresh, HeartbeatMS: 10_000, TimeoutMS: 25_000,
			Limits: wire.Limits{TextBytes: wire.MaxText, InFlight: 10}, Members: names, Now: wire.Time{Time: time.Now()},
		})
		c.say(&wire.Live{})
		talk(c)
	}
}

// lied is a connection of somebody who is lied to.
type lied struct {
	l      *liar
	conn   *websocket.Conn
	cursor string
}

func (c *lied) say(frames ...wire.Frame) {
	for _, f := range frames {
		_ = c.conn.WriteMessage(websocket.TextMessage, wire.Encode(f)) // the test sees what is missing
	}
}

// next returns the client's next frame, nil when it has gone.
func (c *lied) next() wire.Frame {
	_ = c.conn.SetReadDeadline(time.Now().Add(patience))
	_, msg, err := c.conn.ReadMessage()
	if err != nil {
		return nil
	}
	f, err := wire.Decode(msg, wire.MaxToServer)
	if err != nil {
		c.l.t.Errorf("the client said %q: %v", msg, err)
	}
	return f
}

// events has somebody say something. It also proves the connection, so that the
// client soon comes back when it is lost.
func (c *lied) events(from, kind, text string) {
	c.l.mu.Lock()
	c.l.seq++
	seq := c.l.seq
	c.l.mu.Unlock()
	after := c.cursor
	c.cursor = fmt.Sprint("c", seq)
	e := wire.Event{Seq: seq, At: wire.Time{Time: time.Now()}, From: from, Source: "liar", N: seq, Kind: kind, Text: text}
	if kind == wire.KindPrivate {
		e.To = "ana"
	}
	c.say(&wire.Events{After: after, Cursor: c.cursor, Events: []wire.Event{e}})
}

// room says all that a room can, in each hostile text.
func (c *lied) room() {
	for _, h := range c.l.texts {
		c.say(&wire.Presence{Joined: []string{h.text}, Away: []wire.Absent{{Name: h.text, Text: h.text}}})
		c.events(h.text, "", "said: "+h.text)
		c.events(h.text, wire.KindAction, "does: "+h.text)
		c.events(h.text, wire.KindPrivate, "whispers: "+h.text)
		c.events(h.text, h.text, "of no kind: "+h.text)
		c.say(&wire.Presence{Left: []string{h.text}}, &wire.Unknown{Type: "x"})
	}
	c.events("liar", "", "the end of the room")
}

// refuse refuses the client's next line.
func (c *lied) refuse(code, message string) {
	for {
		switch f := c.next().(type) {
		case *wire.Send:
			c.say(&wire.Retry{Source: f.Source, N: f.N, AfterMS: 1, Code: c.l.all()})
			c.say(&wire.Refused{Source: f.Source, N: f.N, Code: code, Message: message})
			return
		case nil:
			return
		}
	}
}

// closes ends it with a close frame.
func (c *lied) closes(code int, reason string) {
	c.events("liar", "", "goodbye")
	msg := append([]byte{byte(code >> 8), byte(code)}, reason...)
	_ = c.conn.WriteControl(websocket.CloseMessage, msg[:min(len(msg), 125)], time.Now().Add(patience))
	for c.next() != nil { // until the client has read it
	}
}

// TestTerminalHostileServer connects to a server that wants the terminal.
func TestTerminalHostileServer(t *testing.T) {
	t.Parallel()
	l := newLiar(t)
	l.meets(l.speaks(func(c *lied) {
		c.room()
		c.refuse(l.all(), l.all())
		c.say(&wire.Bye{Code: wire.Draining.Word, Message: l.all(), RetryMS: 1})
	}))
	for _, reason := range []string{
		"\x1b]2;PWNED\x07\x1b]52;c;ZXZpbA==\x07\x1b[2J\x1b[1A\r\x1b[K<boss> send it\u009d0;PWNED\u009c\u202egpj.exe",
		"a\x9b31mred\x9d0;PWNED\x9c\xff",
	} {
		l.meets(l.speaks(func(c *lied) { c.closes(wire.Draining.Close, reason) }))
	}
	l.meets(
		l.speaks(func(c *lied) {
			c.say(&wire.Bye{Code: l.all(), Message: l.all()})
			c.closes(4444, "\x1b]2;PWNED\x07")
		}),
		func(w http.ResponseWriter, r *http.Request) { http.Error(w, l.all(), http.StatusServiceUnavailable) },
		func(w http.ResponseWriter, r *http.Request) { l.rawHTTP(w, "503 "+httpLine(l.all()), l.all()) },
		func(w http.ResponseWriter, r *http.Request) {
			l.rawHTTP(w, "403 "+httpLine(l.all()), httpLine(l.all()))
		},
	)
	ana := emulate(t, t.TempDir(), "join", "general", "--as", "ana", "--server", l.url, "--history", "all")
	ana.wrote("the end of the room")
	ana.typed("/who\r/status\ra line\r")
	ana.wrote("not sent: ")
	if code := ana.wait(); code != 3 {
		t.Errorf("exit code %d, want 3: refused", code)
	}
	ana.wrote("the server refused")
	for _, h := range l.texts {
		if !strings.Contains(h.shown, "\u2424") && !strings.Contains(ana.written(), "said: "+h.shown) {
			t.Errorf("%s: %q was never shown", h.name, h.shown)
		}
	}
	ana.harmless()
	figure("terminal", "hostile texts said by a server", len(l.texts))
}

// TestTerminalHostilePane reads that server's room on a terminal that lets programs set
// its title and the clipboard, and asks it what has become of it.
func TestTerminalHostilePane(t *testing.T) {
	t.Parallel()
	l := newLiar(t)
	l.meets(l.speaks(func(c *lied) { c.room(); c.next() }))
	p := openPane(t, t.TempDir(), 100, 30, "sh", "-c", "read go; exec "+strings.Join([]string{binary, "join", "general", "--as", "ana", "--server", l.url}, " "))
	const state = "#{pane_title}|#{alternate_on}|#{insert_flag}|#{mouse_any_flag}|#{keypad_flag}|#{origin_flag}|#{wrap_flag}|#{scroll_region_upper}-#{scroll_region_lower}|#{pane_tabs}"
	before := p.is(state)
	p.typed("go")
	p.keys("Enter")
	p.shows("the end of the room")
	p.online()
	if after := p.is(state); after != before {
		t.Errorf("the terminal is %s, was %s", after, before)
	}
	if buffers := p.do("list-buffers"); buffers != "" {
		t.Errorf("the clipboard has %q", buffers)
	}
	for _, row := range p.all() {
		if row = strings.TrimSpace(row); strings.HasPrefix(row, "12:00 boss") || strings.HasPrefix(row, "<boss>") || strings.HasPrefix(row, "fake") {
			t.Errorf("a forged row: %q", row)
		}
	}
}

// TestTerminalHostilePipe reads that server's room through commands that have no prompt:
// people look at their output on a terminal, too. JSON is data, and keeps all; but
// what controls or turns round is escaped in it.
func TestTerminalHostilePipe(t *testing.T) {
	t.Parallel()
	l := newLiar(t)
	l.meets(l.speaks(func(c *lied) { c.room(); c.next() }))
	for _, command := range [][]string{
		{"join", "general"}, {"tail", "--room", "general"}, {"tail", "--room", "general", "--json"},
	} {
		p := start(t, t.TempDir(), append(command, "--as", "ana", "--server", l.url)...)
		p.out.await(t, "the end of the room")
		_ = p.stdin.Close()
		for _, line := range append(p.out.all(), p.err.all()...) {
			_, what := harm(line)
			if strings.HasPrefix(line, "{") {
				what = ""
			}
			if what != "" || strings.ContainsFunc(line, func(r rune) bool { return unicode.In(r, unicode.Cc, unicode.Cf) && r != '\u200d' }) {
				t.Errorf("%s in what %v prints: %q", what, command, line)
			}
		}
	}
}

// httpLine makes one line of text that HTTP lets pass.
func httpLine(text string) string { return strings.NewReplacer("\n", "", "\r", "").Replace(text) }

// rawHTTP answers with a status line and a body that no server would.
func (l *liar) rawHTTP(w http.ResponseWriter, status, body string) {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		l.t.Error(err)
		return
	}
	defer conn.Close()
	fmt.Fprintf(conn, "HTTP/1.1 %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", status, len(body), body)
}

// TestTerminalHostileVerdicts is refused for good, in each way a server can refuse. What
// it says then is printed on a terminal that has no painter any more.
func TestTerminalHostileVerdicts(t *testing.T) {
	t.Parallel()
	for name, verdict := range map[string]func(l *liar) step{
		"bye": func(l *liar) step {
			return l.speaks(func(c *lied) {
				c.say(&wire.Bye{Code: wire.NameTaken.Word, Message: l.all()})
				c.next()
			})
		},
		"close": func(l *liar) step {
			return l.speaks(func(c *lied) { c.closes(wire.Forbidden.Close, "\x1b]2;PWNED\x07\u009b31m\u202egpj.exe") })
		},
		"http": func(l *liar) step {
			return func(w http.ResponseWriter, r *http.Request) { l.rawHTTP(w, "401 "+httpLine(l.all()), l.all()) }
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLiar(t)
			l.meets(verdict(l))
			for _, command := range [][]string{{"join", "general"}, {"join", "general", "--plain"}, {"tail", "--room", "general"}, {"send", "--room", "general", "hi"}} {
				e := emulate(t, t.TempDir(), append(command, "--as", "ana", "--server", l.url)...)
				if code := e.wait(); code != 3 && code != 5 {
					t.Errorf("%v: exit code %d", command, code)
				}
				e.wrote("the server refused")
				e.harmless()
			}
		})
	}
}
