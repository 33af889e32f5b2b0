package session_test

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"

	"holdfast/session/wire"
	"holdfast/transport/netsim"
)

// script is a server that does what the test says, good or bad.
type script struct {
	t      *testing.T
	refuse atomic.Int64 // with this status
	speak  string       // the subprotocol; "-" for none
	dials  atomic.Int64
	peers  chan *peer
}

// peer is one connection of a script.
type peer struct {
	t     *testing.T
	ws    *websocket.Conn
	req   *http.Request
	in    chan wire.Frame // what the client said
	ended chan struct{}
	err   error // why it ended; set before ended is closed
	hello *wire.Hello

	challenge *wire.Challenge
}

func scripted(t *testing.T, n *netsim.Net) *script {
	t.Helper()
	s := &script{t: t, speak: wire.Subprotocol, peers: make(chan *peer, 1<<12)}
	listen(t, n, s)
	return s
}

func (s *script) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.dials.Add(1)
	if status := int(s.refuse.Load()); status != 0 {
		http.Error(w, "go away", status)
		return
	}
	ws, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{s.speak}})
	if err != nil {
		return
	}
	ws.SetReadLimit(wire.MaxToClient)
	p := &peer{t: s.t, ws: ws, req: r, in: make(chan wire.Frame, 1<<14), ended: make(chan struct{})}
	nonce := base64.RawURLEncoding.EncodeToString(binary.BigEndian.AppendUint64(make([]byte, 24), uint64(s.dials.Load())))
	p.challenge = &wire.Challenge{Nonce: nonce, Server: nonce}
	s.peers <- p
	defer close(p.ended)
	for {
		_, msg, err := ws.Read(context.Background())
		if err != nil {
			p.err = err
			return
		}
		f, err := wire.Decode(msg, wire.MaxToServer)
		if err != nil {
			s.t.Errorf("the client sent %q: %v", msg, err)
			continue
		}
		p.in <- f
	}
}

// connect waits for the next connection.
func (s *script) connect() *peer {
	s.t.Helper()
	select {
	case p := <-s.peers:
		return p
	case <-time.After(patience):
		s.t.Fatal("no connection")
		return nil
	}
}

// accept waits for the next connection and its hello.
func (s *script) accept() *peer {
	s.t.Helper()
	p := s.connect()
	p.send(p.challenge)
	p.hello = expect[*wire.Hello](p)
	return p
}

// join accepts the next connection and makes it level with the room.
func (s *script) join() *peer {
	s.t.Helper()
	p := s.accept()
	p.welcome(nil)
	p.send(&wire.Live{})
	return p
}

func (p *peer) welcome(tune func(*wire.Welcome)) {
	p.t.Helper()
	w := &wire.Welcome{
		Generation: 1, Cursor: p.hello.Cursor, Resumed: true, HeartbeatMS: 10_000, TimeoutMS: 25_000,
		Limits: wire.Limits{TextBytes: wire.MaxText, InFlight: 256}, Members: []string{"ana"},
		Now: wire.Time{Time: time.Now()},
	}
	if w.Cursor == "" {
		w.Cursor, w.Resumed, w.Reason = "c0", false, wire.ReasonFresh
	}
	if tune != nil {
		tune(w)
	}
	p.send(w)
}

func (p *peer) send(frames ...wire.Frame) {
	p.t.Helper()
	for _, f := range frames {
		p.raw(wire.Encode(f))
	}
}

func (p *peer) raw(msg []byte) {
	p.t.Helper()
	if err := p.ws.Write(context.Background(), websocket.MessageText, msg); err != nil {
		p.t.Fatal("the script can't write:", err)
	}
}

// try is send to a client that may be gone.
func (p *peer) try(f wire.Frame) bool {
	return p.ws.Write(context.Background(), websocket.MessageText, wire.Encode(f)) == nil
}

// batch is an events frame with a line of bob's for each position.
func batch(after, cursor string, seqs ...uint64) *wire.Events {
	f := &wire.Events{After: after, Cursor: cursor}
	for _, q := range seqs {
		f.Events = append(f.Events, wire.Event{
			Seq: q, At: wire.Time{Time: time.Now()}, From: "bob", Source: "bobs", N: q, Text: numbered("m", int(q), int(q))[0],
		})
	}
	return f
}

// expect returns the client's next frame, which must be of the type.
func expect[T wire.Frame](p *peer) (f T) {
	p.t.Helper()
	select {
	case got := <-p.in:
		f, ok := got.(T)
		if !ok {
			p.t.Fatalf("the client said %+v, want a %T", got, f)
		}
		return f
	case <-p.ended:
		p.t.Fatalf("connection ended: %v", p.err)
	case <-time.After(patience):
		p.t.Fatalf("no %T", f)
	}
	return f
}

// takes checks that the client's next frames are these lines.
func (p *peer) takes(source string, from, to int) {
	p.t.Helper()
	for n := from; n <= to; n++ {
		if f := expect[*wire.Send](p); f.Source != source || f.N != uint64(n) {
			p.t.Fatalf("the client sent %s %d, want %s %d", f.Source, f.N, source, n)
		}
	}
}

// quiet checks that the client says nothing for d.
func (p *peer) quiet(d time.Duration) {
	p.t.Helper()
	select {
	case f := <-p.in:
		p.t.Fatalf("the client said %+v", f)
	case <-p.ended:
		p.t.Fatal("connection ended:", p.err)
	case <-time.After(d):
	}
}

// gone waits for the connection's end and returns the client's close code, -1 if
// there was none.
func (p *peer) gone() websocket.StatusCode {
	p.t.Helper()
	select {
	case <-p.ended:
		return websocket.CloseStatus(p.err)
	case <-time.After(patience):
		p.t.Fatal("the connection does not end")
		return 0
	}
}

// close ends the connection with a code, drop without a word.
func (p *peer) close(code int, reason string) { _ = p.ws.Close(websocket.StatusCode(code), reason) }
func (p *peer) drop()                         { _ = p.ws.CloseNow() }
