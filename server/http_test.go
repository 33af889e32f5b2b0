package server_test

import (
	"context"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/session/wire"
)

// request answers with the status, the body and the headers. It asks for an upgrade
// unless a header says "Connection: close".
func (w *world) request(method, path, body string, headers ...string) (int, string, http.Header) {
	w.Helper()
	var r io.Reader
	if body != "" {
		r = strings.NewReader(body)
	}
	req, err := http.NewRequest(method, "http://server"+path, r)
	if err != nil {
		w.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	if req.Header.Get("Connection") == "" {
		req.Header.Set("Connection", "Upgrade")
		req.Header.Set("Upgrade", "websocket")
		req.Header.Set("Sec-WebSocket-Version", "13")
		req.Header.Set("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
	}
	resp, err := w.net.Client("curl").Do(req)
	if err != nil {
		w.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusSwitchingProtocols {
		return resp.StatusCode, "", resp.Header
	}
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		w.Fatal(err)
	}
	return resp.StatusCode, string(text), resp.Header
}

func TestVerdicts(t *testing.T) {
	proto := []string{"Sec-WebSocket-Protocol", wire.Subprotocol}
	for _, c := range []struct {
		name, method, path, body string
		headers                  []string
		status                   int
	}{
		{"good", "GET", "/chat/general/maria", "", proto, 101},
		{"upper case is folded", "GET", "/chat/General/Maria", "", proto, 101},
		{"second protocol fits", "GET", "/chat/general/maria", "", []string{"Sec-WebSocket-Protocol", "other, " + wire.Subprotocol}, 101},
		{"32 characters", "GET", "/chat/general/" + strings.Repeat("a", 32), "", proto, 101},
		{"slash in room", "GET", "/chat/a%2Fb/maria", "", proto, 400},
		{"dots", "GET", "/chat/%2e%2e/maria", "", proto, 400},
		{"dots as user", "GET", "/chat/general/%2e%2e", "", proto, 400},
		{"NUL", "GET", "/chat/a%00b/maria", "", proto, 400},
		{"not UTF-8", "GET", "/chat/general/%ff", "", proto, 400},
		{"line break", "GET", "/chat/general/a%0d%0ab", "", proto, 400},
		{"space", "GET", "/chat/general/a%20b", "", proto, 400},
		{"33 characters", "GET", "/chat/general/" + strings.Repeat("a", 33), "", proto, 400},
		{"long room", "GET", "/chat/" + strings.Repeat("a", 300) + "/maria", "", proto, 400},
		{"dash first", "GET", "/chat/-a/maria", "", proto, 400},
		{"Cyrillic", "GET", "/chat/general/%D0%B0lice", "", proto, 400},
		{"body", "GET", "/chat/general/maria", "hello", proto, 400},
		{"body in plain mode", "GET", "/chat/general/maria", "hello", nil, 400},
		{"no user", "GET", "/chat/general/", "", proto, 404},
		{"no room", "GET", "/chat//maria", "", []string{"Connection", "close"}, 404},
		{"extra segment", "GET", "/chat/general/maria/x", "", proto, 404},
		{"other path", "GET", "/", "", proto, 404},
		{"POST", "POST", "/chat/general/maria", "", proto, 405},
		{"HEAD", "HEAD", "/chat/general/maria", "", proto, 405},
		{"unknown protocol", "GET", "/chat/general/maria", "", []string{"Sec-WebSocket-Protocol", "holdfast.v9, mqtt"}, 426},
		{"no upgrade", "GET", "/chat/general/maria", "", []string{"Connection", "close"}, 426},
		{"no upgrade, with protocol", "GET", "/chat/general/maria", "", append([]string{"Connection", "close"}, proto...), 426},
		{"foreign origin", "GET", "/chat/general/maria", "", append([]string{"Origin", "https://evil.example"}, proto...), 403},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, nil, func(w *world) {
				if c.path == "/chat//maria" { // the mux would redirect, and the client follow
					w.web.Handler = noRedirects(w.web.Handler)
				}
				status, body, header := w.request(c.method, c.path, c.body, c.headers...)
				if status != c.status {
					w.Fatalf("status %d, want %d: %q", status, c.status, body)
				}
				if lines := strings.Count(body, "\n"); status != 101 && c.method != "HEAD" && (lines != 1 || len(body) < 10) {
					w.Errorf("the body is not one line: %q", body)
				}
				if status == 426 && header.Get("Upgrade") != "websocket" {
					w.Errorf("426 without Upgrade: %v", header)
				}
				pass(time.Minute) // whoever was let in and said nothing is gone by now
				if n := w.srv.OpenRooms(); n != 0 && c.status != 101 {
					w.Errorf("%d rooms are open", n)
				}
			})
		})
	}
}

// noRedirects turns a redirect to a cleaned path into 404.
func noRedirects(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "//") {
			http.NotFound(w, r)
			return
		}
		h.ServeHTTP(w, r)
	})
}

func TestDrainingIs503(t *testing.T) {
	bubble(t, nil, func(w *world) {
		c := w.join("general", "ana")
		w.store.close()
		c.send(1, "on its way")
		synctest.Wait()
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if err := w.srv.Shutdown(ctx); err == nil {
			w.Error("Shutdown did not wait for the line")
		}
		status, body, header := w.request("GET", "/chat/general/bob", "", "Sec-WebSocket-Protocol", wire.Subprotocol)
		wait, err := strconv.Atoi(header.Get("Retry-After"))
		if status != 503 || err != nil || wait < 2 || wait > 8 || strings.Count(body, "\n") != 1 {
			w.Errorf("%d %q, Retry-After %q", status, body, header.Get("Retry-After"))
		}
	})
}

func TestStoreTroubleIs500(t *testing.T) {
	bubble(t, nil, func(w *world) {
		if _, err := w.store.Store.Open("taken", nil); err != nil {
			w.Fatal(err)
		}
		status, body, _ := w.request("GET", "/chat/taken/bob", "", "Sec-WebSocket-Protocol", wire.Subprotocol)
		if status != 500 || body != wire.Internal.Text+"\n" {
			w.Errorf("%d %q", status, body)
		}
		w.store.refuse(errBroken)
		status, body, _ = w.request("GET", "/chat/general/bob", "", "Sec-WebSocket-Protocol", wire.Subprotocol)
		if status != 500 || body != wire.Internal.Text+"\n" {
			w.Errorf("%d %q", status, body)
		}
		w.store.refuse(nil)
		w.join("general", "bob") // a room that could not be opened can be opened later
	})
}
