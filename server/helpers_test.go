package server_test

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"holdfast/server"
	"holdfast/server/history"
	"holdfast/session/wire"
	"holdfast/transport/netsim"
)

// world is a server on a network of its own, in a bubble.
type world struct {
	*testing.T
	net   *netsim.Net
	srv   *server.Server
	web   *http.Server
	store *gate

	whispers bool // so many private lines that frames without events are to come
}

// bubble runs f against a server with a store in memory. That it returns proves
// that Shutdown left no goroutine and no room.
func bubble(t *testing.T, opts *server.Options, f func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { run(t, opts, history.Memory(), f) })
}

// run is bubble's inside, over any store, which it closes.
func run(t *testing.T, opts *server.Options, store history.Store, f func(w *world)) {
	t.Helper()
	w := &world{T: t, net: netsim.New(1, nil), store: newGate(store)}
	o := server.Options{}
	if opts != nil {
		o = *opts
	}
	o.Store = w.store
	w.srv = server.New(&o)
	w.web = &http.Server{Handler: w.srv}
	l, err := w.net.Listen("server")
	if err != nil {
		t.Fatal(err)
	}
	var web sync.WaitGroup
	web.Go(func() { _ = w.web.Serve(l) })
	defer func() {
		w.store.open()
		ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
		defer cancel()
		if err := w.srv.Shutdown(ctx); err != nil {
			t.Error("shutdown:", err)
		}
		if n := w.store.rooms(); n != 0 {
			t.Errorf("%d rooms are still open in the store", n)
		}
		if n := w.srv.OpenRooms(); n != 0 {
			t.Errorf("%d rooms are still open in the hub", n)
		}
		_ = w.web.Close()
		_ = w.net.Close()
		web.Wait()
		if err := store.Close(); err != nil {
			t.Error("close store:", err)
		}
		pass(time.Minute)
	}()
	f(w)
}

// pass lets time go by, and everybody come to rest.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// client is a raw client of the protocol. Its reader checks the chain of cursors.
type client struct {
	w       *world
	ws      *websocket.Conn
	link    *netsim.Link
	user    string
	source  string
	frames  chan wire.Frame // closed when the connection has ended
	welcome *wire.Welcome

	challenge *wire.Challenge // what hello has to sign; set before it is in frames

	mu    sync.Mutex
	view                  // of the door
	views map[string]view // of other rooms
	seen  []wire.Frame    // all but events
	code  websocket.StatusCode
	bye   *wire.Bye
}

// view is what a client has been shown of a room, since it was welcomed there.
type view struct {
	cursor string
	events []wire.Event
}

// dial opens a connection that has said nothing yet. protocols may be empty for
// plain mode.
func (w *world) dial(room, user string, protocols ...string) (*client, *http.Response, error) {
	known := map[*netsim.Link]bool{}
	for _, k := range w.net.Links() {
		known[k] = true
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	ws, resp, err := websocket.Dial(ctx, "ws://server/chat/"+room+"/"+user, &websocket.DialOptions{
		HTTPClient: w.net.Client(user), Subprotocols: protocols,
	})
	if err != nil {
		return nil, resp, err
	}
	ws.SetReadLimit(1 << 20)
	c := &client{w: w, ws: ws, user: strings.ToLower(user), source: "s-" + user, frames: make(chan wire.Frame, 1<<14), views: map[string]view{}}
	for _, k := range w.net.Links() {
		if !known[k] && k.From() == user {
			c.link = k
		}
	}
	return c, resp, nil
}

func (w *world) connect(room, user string) *client {
	w.Helper()
	c, _, err := w.dial(room, user, wire.Subprotocol)
	if err != nil {
		w.Fatal("dial:", err)
	}
	var reader sync.WaitGroup
	reader.Go(c.read)
	w.Cleanup(func() { _ = c.ws.CloseNow(); reader.Wait() })
	await[*wire.Challenge](c)
	return c
}

// keys are those that tests use, by public key as it stands on the wire.
var keys sync.Map

// keyOf returns the public key of the pair that name uses.
func keyOf(name string) string {
	seed := sha256.Sum256([]byte(name))
	pair := ed25519.NewKeyFromSeed(seed[:])
	public := base64.RawURLEncoding.EncodeToString(pair.Public().(ed25519.PublicKey))
	keys.Store(public, pair)
	return public
}

// sign signs h with the pair of its key.
func sign(h *wire.Hello, c *wire.Challenge, user string) *wire.Hello {
	pair, _ := keys.Load(h.Key)
	h.Sign(pair.(ed25519.PrivateKey), c, user)
	return h
}

// hello is what user says who is here for the first time.
func hello(user string) *wire.Hello {
	return &wire.Hello{
		Device: "d-" + user, Key: keyOf(user), Host: "server", Backlog: -1,
		Sources: []wire.Base{{Source: "s-" + user}},
	}
}

// join connects and is welcomed.
func (w *world) join(room, user string, change ...func(*wire.Hello)) *client {
	w.Helper()
	h := hello(user)
	for _, f := range change {
		f(h)
	}
	return w.joinWith(room, user, h)
}

func (w *world) joinWith(room, user string, h *wire.Hello) *client {
	w.Helper()
	c := w.connect(room, user)
	c.write(h)
	c.welcome = await[*wire.Welcome](c)
	return c
}

func (c *client) read() {
	defer close(c.frames)
	for {
		_, msg, err := c.ws.Read(context.Background())
		if err != nil {
			c.mu.Lock()
			c.code = websocket.CloseStatus(err)
			c.mu.Unlock()
			return
		}
		f, err := wire.Decode(msg, wire.MaxToClient)
		if err != nil {
			c.w.Errorf("the server sent %.80q: %v", msg, err)
			continue
		}
		c.note(f, len(msg))
		c.frames <- f
	}
}

func (c *client) note(f wire.Frame, size int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if challenge, ok := f.(*wire.Challenge); ok {
		c.challenge = challenge
		return
	}
	e, ok := f.(*wire.Events)
	if !ok {
		c.seen = append(c.seen, f)
	}
	switch f := f.(type) {
	case *wire.Welcome:
		c.show(f.Room, view{cursor: f.Cursor})
	case *wire.Bye:
		c.bye = f
	case *wire.Events:
		v := c.shown(f.Room)
		if e.After != v.cursor {
			c.w.Errorf("events after %q, but the cursor is %q", e.After, v.cursor)
		}
		if len(e.Events) == 0 && !c.w.whispers || len(e.Events) > 1 && size > server.FrameBytes+wire.EventsOverhead {
			c.w.Errorf("a frame of %d events has %d bytes", len(e.Events), size)
		}
		for _, ev := range e.Events {
			if n := len(v.events); n > 0 && ev.Seq <= v.events[n-1].Seq {
				c.w.Errorf("seq %d after %d", ev.Seq, v.events[n-1].Seq)
			}
			v.events = append(v.events, ev)
		}
		v.cursor = e.Cursor
		c.show(f.Room, v)
	}
}

// shown returns what c has been shown of a room, show sets it; under mu.
func (c *client) shown(room string) view {
	if room == "" {
		return c.view
	}
	return c.views[room]
}

func (c *client) show(room string, v view) {
	if room == "" {
		c.view = v
	} else {
		c.views[room] = v
	}
}

// write sends f, a hello signed if it is not.
func (c *client) write(f wire.Frame) {
	c.w.Helper()
	if h, ok := f.(*wire.Hello); ok && h.Signature == "" {
		sign(h, c.challenge, c.user)
	}
	c.raw(wire.Encode(f))
}

func (c *client) raw(msg []byte) {
	c.w.Helper()
	if err := c.ws.Write(context.Background(), websocket.MessageText, msg); err != nil {
		c.w.Fatal("write:", err)
	}
}

func (c *client) send(n uint64, text string) {
	c.w.Helper()
	c.write(&wire.Send{Source: c.source, N: n, Text: text})
}

// await returns the next frame of type T, passing over others.
func await[T wire.Frame](c *client) (f T) {
	c.w.Helper()
	patience := time.After(time.Minute)
	for {
		select {
		case next, ok := <-c.frames:
			if !ok {
				c.w.Fatalf("the connection ended with %d, %+v; want a %T", c.code, c.bye, f)
			}
			if f, ok = next.(T); ok {
				return f
			}
		case <-patience:
			c.w.Fatalf("no %T came", f)
		}
	}
}

// wantEnd waits for the end of the connection and checks its code and its bye.
func (c *client) wantEnd(code wire.Code) *wire.Bye {
	c.w.Helper()
	patience := time.After(5 * time.Minute)
	for {
		select {
		case _, ok := <-c.frames:
			if ok {
				continue
			}
			if int(c.code) != code.Close || c.bye == nil || c.bye.Code != code.Word {
				c.w.Errorf("ended with %d and bye %+v; want %+v", c.code, c.bye, code)
				return &wire.Bye{}
			}
			return c.bye
		case <-patience:
			c.w.Fatalf("the connection has not ended; want %+v", code)
		}
	}
}

// drop ends the connection without a word.
func (c *client) drop() { _ = c.ws.CloseNow(); synctest.Wait() }

// texts returns the lines of the door seen so far.
func (c *client) texts() []string { return c.textsIn("") }

func (c *client) textsIn(room string) (texts []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, e := range c.shown(room).events {
		texts = append(texts, e.Text)
	}
	return texts
}

// got returns the frames of type T seen so far.
func got[T wire.Frame](c *client) (fs []T) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, f := range c.seen {
		if f, ok := f.(T); ok {
			fs = append(fs, f)
		}
	}
	return fs
}

// wantTexts lets everybody come to rest and checks which lines came.
func (c *client) wantTexts(want ...string) {
	c.w.Helper()
	synctest.Wait()
	if texts := c.texts(); strings.Join(texts, "|") != strings.Join(want, "|") {
		c.w.Errorf("%s has %q, want %q", c.source, texts, want)
	}
}

// want lets everybody come to rest and checks the frames of type T since the start.
func want[T wire.Frame](c *client, what ...T) {
	c.w.Helper()
	synctest.Wait()
	if fs := got[T](c); len(fs)+len(what) > 0 && !reflect.DeepEqual(fs, what) {
		c.w.Errorf("%s got %s, want %s", c.source, show(fs), show(what))
	}
}

func show[T wire.Frame](fs []T) string {
	var b strings.Builder
	for _, f := range fs {
		b.Write(wire.Encode(f))
		b.WriteByte(' ')
	}
	return b.String()
}
