package e2e

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// stranger is a client that knows PROTOCOL.md and nothing of our code: another
// WebSocket library, encoding/json, and the rules as a reader would write them down.
type stranger struct {
	t    *testing.T
	url  string
	name string

	key            ed25519.PrivateKey
	device, source string
	base           int // acknowledged
	outbox         []line
	sent           int // of the outbox, on this connection
	cursor         string
	texts          []string // what the room said, in order

	conn   *websocket.Conn
	said   map[string]any // the last hello
	closed int            // close code of the last connection, 0 for none
	seen   map[string]int
}

type line struct {
	n    int
	text string
	to   string // of a private line
}

// frame is any frame from the server.
type frame struct {
	Type    string
	Cursor  string
	After   string
	Resumed bool
	Reason  string
	Missed  int
	Source  string
	N       int
	Code    string
	Message string
	AfterMS int `json:"after_ms"`
	Gen     int `json:"generation"`
	Acks    []struct {
		Source string
		N      int
	}
	Limits struct {
		InFlight int `json:"in_flight"`
	}
	Members []string
	Nonce   string
	Server  string
	Events  []struct {
		Seq        int
		From, Text string
		Source     string
		N          int
		Kind, To   string
	}
	Away []struct{ Name, Text string }
}

func newStranger(t *testing.T, url, name string) *stranger {
	return &stranger{
		t: t, url: url, name: name, device: name + "-device", source: name + "-source-1",
		key: ed25519.NewKeyFromSeed([]byte(fmt.Sprintf("%-32s", name))), seen: map[string]int{},
	}
}

func (c *stranger) say(text string) {
	c.whisper("", text)
}

func (c *stranger) whisper(to, text string) {
	c.outbox = append(c.outbox, line{c.base + len(c.outbox) + 1, text, to})
}

// connect opens and says hello; it redials while there is no server.
func (c *stranger) connect() frame {
	c.t.Helper()
	d := websocket.Dialer{Subprotocols: []string{"holdfast.v1"}, HandshakeTimeout: 2 * time.Second}
	for end := time.Now().Add(patience); ; {
		conn, _, err := d.Dial(c.url+"/chat/general/"+c.name, nil)
		if err == nil {
			c.conn = conn
			c.sent, c.closed = 0, 0
			c.hello(map[string]any{
				"cursor": c.cursor, "backlog": -1 * b2i(c.cursor == ""),
				"sources": []any{map[string]any{"source": c.source, "base": c.base}},
			})
			if f, err := c.read(); err == nil {
				if f.Type != "welcome" {
					c.t.Fatalf("no welcome but %+v", f)
				}
				c.cursor = f.Cursor
				for _, a := range f.Acks {
					c.acked(a.N)
				}
				return f
			}
		}
		if time.Now().After(end) {
			c.t.Fatalf("%s can't connect: %v", c.name, err)
		}
	}
}

// hello waits for the challenge and answers it.
func (c *stranger) hello(rest map[string]any) {
	c.t.Helper()
	ch, err := c.read()
	if err != nil {
		return // the next read finds out too
	}
	if ch.Type != "challenge" {
		c.t.Fatalf("no challenge but %+v", ch)
	}
	host := strings.TrimPrefix(c.url, "ws://")
	signed := strings.Join([]string{"holdfast.v1 hello", ch.Nonce, ch.Server, host, c.name, c.device}, "\n")
	text := base64.RawURLEncoding.EncodeToString
	rest["type"], rest["device"], rest["host"] = "hello", c.device, host
	rest["key"] = text(c.key.Public().(ed25519.PublicKey))
	rest["signature"] = text(ed25519.Sign(c.key, []byte(signed)))
	c.said = rest
	_ = c.write(rest)
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

func (c *stranger) write(f map[string]any) error {
	msg, err := json.Marshal(f) // sorts keys: the type comes last, or nearly
	if err != nil {
		c.t.Fatal(err)
	}
	return c.conn.WriteMessage(websocket.TextMessage, msg)
}

// read takes one frame and does what the protocol says about it.
func (c *stranger) read() (f frame, err error) {
	_ = c.conn.SetReadDeadline(time.Now().Add(patience))
	kind, msg, err := c.conn.ReadMessage()
	if err != nil {
		if e := (*websocket.CloseError)(nil); errors.As(err, &e) {
			c.closed = e.Code
		}
		_ = c.conn.Close()
		return f, err
	}
	if kind != websocket.TextMessage || json.Unmarshal(msg, &f) != nil || f.Type == "" {
		c.t.Fatalf("not a frame: %q", msg)
	}
	c.seen[f.Type]++
	switch f.Type {
	case "ack":
		c.acked(f.N)
	case "retry":
		c.sent = f.N - c.base - 1
	case "events":
		if f.After != c.cursor {
			c.t.Errorf("%s: events after %q, not %q", c.name, f.After, c.cursor)
		}
		c.cursor = f.Cursor
		for _, e := range f.Events {
			if e.Kind != "void" {
				c.texts = append(c.texts, strings.TrimSpace(e.Kind+" "+e.Text))
			}
		}
	}
	return f, nil
}

func (c *stranger) acked(n int) {
	for c.base < n {
		c.outbox = c.outbox[1:]
		c.base++
		c.sent = max(c.sent-1, 0)
	}
}

// flush sends the outbox and reads until all of it is acknowledged, however often
// the connection is lost. fault is called after each line sent.
func (c *stranger) flush(fault func(sent int)) {
	c.t.Helper()
	total := 0
	for len(c.outbox) > 0 {
		for c.sent < min(len(c.outbox), 20) {
			l := c.outbox[c.sent]
			send := map[string]any{"type": "send", "source": c.source, "n": l.n, "text": l.text}
			if l.to != "" {
				send["kind"], send["to"] = "private", l.to
			}
			if c.write(send) != nil {
				break
			}
			c.sent++
			total++
			fault(total)
		}
		if _, err := c.read(); err != nil {
			if f := c.connect(); !f.Resumed {
				c.t.Errorf("not resumed: %+v", f)
			}
		}
	}
}

// until reads frames until cond holds.
func (c *stranger) until(what string, cond func(f frame) bool) {
	c.t.Helper()
	for end := time.Now().Add(patience); ; {
		f, err := c.read()
		if err == nil && cond(f) {
			return
		}
		if err != nil {
			c.connect()
		}
		if time.Now().After(end) {
			c.t.Fatalf("never happened: %s", what)
		}
	}
}
