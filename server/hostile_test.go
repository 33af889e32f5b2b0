package server_test

import (
	"bufio"
	"context"
	"encoding/binary"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/server"
	"holdfast/session/wire"
)

// rawClient writes WebSocket frames by hand.
type rawClient struct {
	w    *world
	conn net.Conn
	in   *bufio.Reader

	challenge *wire.Challenge
	hello     string // that fits it
}

// rawDial opens a connection; headers are lines of the request.
func (w *world) rawDial(room, user string, headers ...string) *rawClient {
	w.Helper()
	conn, err := w.net.DialContext(context.Background(), "tcp", "server")
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() { _ = conn.Close() })
	c := &rawClient{w: w, conn: conn, in: bufio.NewReader(conn)}
	c.put([]byte("GET /chat/" + room + "/" + user + " HTTP/1.1\r\nHost: server\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: " + wire.Subprotocol + "\r\n" + strings.Join(append(headers, "\r\n"), "\r\n")))
	resp, err := http.ReadResponse(c.in, nil)
	if err != nil || resp.StatusCode != 101 {
		w.Fatal(resp, err)
	}
	msg := c.next()
	f, err := wire.Decode(msg, wire.MaxToClient)
	if err != nil {
		w.Fatalf("first came %q: %v", msg, err)
	}
	c.challenge = f.(*wire.Challenge)
	c.hello = string(wire.Encode(sign(hello(user), c.challenge, user)))
	return c
}

func (c *rawClient) put(p []byte) {
	c.w.Helper()
	if _, err := c.conn.Write(p); err != nil {
		c.w.Fatal(err)
	}
}

// frame returns a frame with a mask of zeros. first holds FIN, the reserved bits
// and the opcode.
func frame(first byte, payload string) []byte {
	b := []byte{first}
	switch n := len(payload); {
	case n < 126:
		b = append(b, 0x80|byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, 0x80|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 0x80|127), uint64(n))
	}
	return append(append(b, 0, 0, 0, 0), payload...)
}

const (
	fin, text, binaryOp = 0x80, 1, 2
	closeOp, pingOp     = 8, 9
)

// next returns the payload of the next frame.
func (c *rawClient) next() []byte {
	_, payload, err := c.frame()
	if err != nil {
		c.w.Fatal(err)
	}
	return payload
}

func (c *rawClient) frame() (first byte, payload []byte, err error) {
	var head [2]byte
	if _, err := readFull(c.in, head[:]); err != nil {
		return 0, nil, err
	}
	n := int(head[1])
	if n == 126 {
		var ext [2]byte
		_, _ = readFull(c.in, ext[:])
		n = int(binary.BigEndian.Uint16(ext[:]))
	}
	payload = make([]byte, n)
	_, err = readFull(c.in, payload)
	return head[0], payload, err
}

// code reads until the end and returns the code of the close frame, 0 if none came.
func (c *rawClient) code() (code int) {
	for {
		first, payload, err := c.frame()
		if err != nil {
			return code
		}
		if first == fin|closeOp && len(payload) >= 2 {
			code = int(binary.BigEndian.Uint16(payload))
		}
	}
}

func readFull(r *bufio.Reader, p []byte) (n int, err error) {
	for n < len(p) && err == nil {
		var k int
		k, err = r.Read(p[n:])
		n += k
	}
	return n, err
}

func TestHostileFrames(t *testing.T) {
	for name, c := range map[string]struct {
		sent []byte
		code int // 0: cut without a word
		took time.Duration
	}{
		"garbage text":         {frame(fin|text, "}{"), 4501, 0},
		"bad UTF-8":            {frame(fin|text, "{\"type\":\"\xff\"}"), 4501, 0},
		"binary":               {frame(fin|binaryOp, "{}"), 1003, 0},
		"too long":             {frame(fin|text, strings.Repeat("x", wire.MaxToServer+1)), 1009, 0},
		"as long as can be":    {frame(fin|text, strings.Repeat("x", wire.MaxToServer)), 4501, 0},
		"reserved bit":         {frame(fin|0x40|text, "{}"), 1002, 0},
		"opcode 3":             {frame(fin|3, ""), 1002, 0},
		"continuation first":   {frame(fin, "x"), 1002, 0},
		"text inside text":     {append(frame(text, "{"), frame(fin|text, "}")...), 1002, 0},
		"long ping":            {frame(fin|pingOp, strings.Repeat("x", 126)), 1002, 0},
		"fragmented ping":      {frame(pingOp, ""), 1002, 0},
		"close of 1 byte":      {frame(fin|closeOp, "x"), 1002, 0},
		"close 999":            {frame(fin|closeOp, "\x03\xe7"), 1002, 0},
		"claims 2^62 bytes":    {[]byte{fin | text, 0xff, 0x40, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, 0, 10 * time.Second},
		"half a message":       {append(frame(text, "{"), frame(0, "")...), 0, 10 * time.Second},
		"bye, good":            {frame(fin|text, `{"type":"bye"}`), 1000, 0},
		"unknown, then silent": {frame(fin|text, `{"type":"news"}`), 0, 25 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, nil, func(w *world) {
				bob := w.join("general", "bob")
				c2 := w.rawDial("general", "evil")
				c2.put(frame(fin|text, c2.hello))
				synctest.Wait()
				start := time.Now()
				c2.put(c.sent)
				code := c2.code()
				took := time.Since(start)
				if code != c.code || took < c.took || took > c.took+2*time.Second {
					w.Errorf("ended with %d after %v, want %d after %v", code, took, c.code, c.took)
				}
				bob.send(1, "still here")
				bob.wantTexts("still here")
				want(bob, ack("s-bob", 1))
			})
		})
	}
}

func TestFragmentsAndPings(t *testing.T) {
	bubble(t, nil, func(w *world) {
		bob := w.join("general", "bob")
		c := w.rawDial("general", "odd")
		msg := c.hello
		c.put(frame(text, msg[:1]))
		for i := 1; i < len(msg); i++ { // a byte a frame, with pings between
			c.put(append(frame(0, msg[i:i+1]), frame(fin|pingOp, "?")...))
		}
		c.put(frame(fin, ""))
		for range 5000 {
			c.put(frame(fin|pingOp, "flood"))
			if c.in.Buffered() > 0 {
				_, _ = c.in.Discard(c.in.Buffered())
			}
			_ = c.conn.SetReadDeadline(time.Now().Add(time.Nanosecond))
			_, _ = c.in.Peek(1)
		}
		pass(time.Second)
		bob.send(1, "still here")
		bob.wantTexts("still here")
		want(bob, joined("bob", "odd"))
		for range 20000 { // empty fragments without an end
			if _, err := c.conn.Write(frame(0, "")); err != nil {
				break
			}
		}
		pass(30 * time.Second)
		if n := len(w.net.Links()); n > 2 {
			w.Errorf("%d links", n)
		}
	})
}

// Whoever asks for pages and does not read them is cut, before they fill memory.
func TestPageFlood(t *testing.T) {
	bubble(t, nil, func(w *world) {
		evil := w.join("general", "evil")
		evil.talk(1, 20, long)
		evil.link.Stall(false, true)
		for range 2*server.MaxQueued + 10 { // the writer may have taken one queueful already
			evil.write(&wire.History{ID: "x", Limit: 3})
		}
		synctest.Wait()
		evil.link.Heal()
		evil.wantEnd(wire.TooSlow)
		bob := w.join("general", "bob")
		bob.send(1, "still here")
		want(bob, ack("s-bob", 1))
	})
}

// Lines on their way of someone who sends garbage are not lost.
func TestGarbageAfterLines(t *testing.T) {
	bubble(t, nil, func(w *world) {
		w.store.close()
		ana := w.join("general", "ana")
		ana.send(1, "one")
		ana.raw([]byte("garbage"))
		ana.wantEnd(wire.Malformed)
		w.store.open()
		pass(time.Second) // or else the ack may come after the welcome
		again := w.join("general", "ana")
		again.wantTexts("one")
		if n := again.welcome.Acks[0].N; n != 1 {
			w.Errorf("welcome acks %d", n)
		}
	})
}
