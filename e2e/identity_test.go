package e2e

import (
	"bytes"
	"encoding/base64"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/gorilla/websocket"
)

// TestNobodyElse: what is said on an open wire, what another server is given, and what lies
// in the server's data lets nobody in under another's name.
func TestNobodyElse(t *testing.T) {
	t.Parallel()
	named := newScene(t)
	own := strings.TrimPrefix(named.url(), "ws://")
	named.flags = []string{"--hostname", own}
	named.proxy.SetUpstream(named.serve())
	w := named.world
	ana := newStranger(t, w.url(), "ana")
	ana.connect()
	ana.say("it is me")
	ana.flush(func(int) {})

	t.Run("replayed", func(t *testing.T) {
		thief := newStranger(t, w.url(), "ana")
		thief.dial(t, w.url())
		if f, err := thief.read(); err != nil || f.Type != "challenge" {
			t.Fatalf("%+v, %v", f, err)
		}
		thief.refused(t, ana.said)
	})
	t.Run("relayed", func(t *testing.T) {
		for name, forge := range map[string]bool{"plainly": false, "with a forged Host": true} {
			t.Run(name, func(t *testing.T) {
				between := relay(t, w.url(), forge, io.Discard)
				victim := newStranger(t, between, "ana")
				victim.dial(t, between)
				victim.hello(map[string]any{"cursor": "", "backlog": 0, "sources": []any{}})
				victim.refused(t, nil)
			})
		}
	})
	t.Run("overheard, or found in the server's data", func(t *testing.T) {
		w, home := newWorld(t), t.TempDir() // a server that was not told its names
		var wire safeBuffer
		p := start(t, home, "send", "--room", "general", "--as", "bob", "--server", relay(t, w.url(), true, &wire), "hello")
		if code := p.wait(); code != 0 {
			t.Fatalf("send: exit code %d", code)
		}
		text, err := os.ReadFile(filepath.Join(home, "state", "holdfast", "identity"))
		if err != nil {
			t.Fatal(err)
		}
		_, coded, _ := strings.Cut(strings.TrimSpace(string(text)), " ")
		secret, err := base64.RawURLEncoding.DecodeString(coded)
		if err != nil || len(secret) != 32 {
			t.Fatalf("identity %q: %v", text, err)
		}
		places := map[string][]byte{"the wire": wire.bytes()}
		if !bytes.Contains(places["the wire"], []byte(`"signature":`)) || bytes.Contains(places["the wire"], []byte(`"former":"`)) {
			t.Errorf("not what was to be heard: %q", places["the wire"])
		}
		err = filepath.WalkDir(filepath.Join(w.home, "data"), func(path string, d os.DirEntry, err error) error {
			if err == nil && !d.IsDir() {
				places[path], err = os.ReadFile(path)
			}
			return err
		})
		if err != nil || len(places) < 3 {
			t.Fatalf("%d places: %v", len(places), err)
		}
		for place, b := range places {
			if bytes.Contains(b, secret) || bytes.Contains(b, []byte(coded)) {
				t.Errorf("the secret is in %s", place)
			}
		}
	})
}

// dial connects and says nothing.
func (c *stranger) dial(t *testing.T, url string) {
	t.Helper()
	d := websocket.Dialer{Subprotocols: []string{"holdfast.v1"}, HandshakeTimeout: patience}
	conn, _, err := d.Dial(url+"/chat/general/"+c.name, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	c.conn = conn
}

// refused says hello, if there is one, and wants to be sent away for good.
func (c *stranger) refused(t *testing.T, hello map[string]any) {
	t.Helper()
	if hello != nil {
		if err := c.write(hello); err != nil {
			t.Fatal(err)
		}
	}
	if f, err := c.read(); err != nil || f.Type != "bye" || f.Code != "forbidden" {
		t.Errorf("answered %+v, %v", f, err)
	}
	if _, err := c.read(); err == nil || c.closed != 4503 {
		t.Errorf("closed with %d", c.closed)
	}
}

// relay is a server that passes on all that it is told to another one, and to listen. It may
// forge the Host header, to be taken for the server that the client dialled.
func relay(t *testing.T, to string, forge bool, listen io.Writer) (url string) {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		up := websocket.Upgrader{Subprotocols: []string{"holdfast.v1"}}
		in, err := up.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer in.Close()
		h := http.Header{}
		if forge {
			h.Set("Host", r.Host)
		}
		d := websocket.Dialer{Subprotocols: []string{"holdfast.v1"}}
		out, _, err := d.Dial(to+r.URL.Path, h)
		if err != nil {
			t.Error(err)
			return
		}
		defer out.Close()
		var both sync.WaitGroup
		both.Go(func() { pass(in, out, listen) })
		pass(out, in, listen)
		both.Wait()
	}))
	t.Cleanup(s.Close)
	return "ws" + strings.TrimPrefix(s.URL, "http")
}

// pass passes messages on, and the close.
func pass(from, to *websocket.Conn, listen io.Writer) {
	for {
		kind, msg, err := from.ReadMessage()
		_, _ = listen.Write(msg)
		if e, ok := err.(*websocket.CloseError); ok {
			_ = to.WriteMessage(websocket.CloseMessage, websocket.FormatCloseMessage(e.Code, e.Text))
		}
		if err != nil || to.WriteMessage(kind, msg) != nil {
			_ = to.Close()
			return
		}
	}
}

// safeBuffer is a buffer that several write to.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write adds p.
func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) bytes() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return bytes.Clone(s.b.Bytes())
}
