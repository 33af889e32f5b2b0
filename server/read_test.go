package server_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/server"
	"holdfast/server/history"
	"holdfast/session/wire"
)

// get asks for path and returns the status and what was said.
func (w *world) get(path string) (status int, body string) {
	w.Helper()
	resp, err := w.net.Client("reader").Get("http://server" + path)
	if err != nil {
		w.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		w.Fatal(err)
	}
	if resp.StatusCode == http.StatusOK && resp.Header.Get("Content-Type") != "application/json" {
		w.Errorf("%s is %s", path, resp.Header.Get("Content-Type"))
	}
	return resp.StatusCode, strings.TrimSpace(string(b))
}

func (w *world) wantAnswer(path string, status int, body string) {
	w.Helper()
	if s, b := w.get(path); s != status || b != body {
		w.Errorf("%s: %d %s\nwant %d %s", path, s, b, status, body)
	}
}

// What can be read without joining, and that nobody hears of it.
func TestReadWithoutJoining(t *testing.T) {
	bubble(t, nil, func(w *world) {
		w.wantAnswer("/rooms", 200, `{"rooms":[]}`)
		w.wantAnswer("/rooms/general", 404, "there is no room general: nobody is in it, and nothing was ever said")
		w.wantAnswer("/rooms/general/lines", 404, "there is no room general: nobody is in it, and nothing was ever said")
		w.wantAnswer("/rooms/general/lines?before=5", 404, "there is no room general: nobody is in it, and nothing was ever said")
		ana, bob := w.join("general", "ana"), w.join("general", "bob")
		w.join("attic", "cem")
		w.wantAnswer("/rooms/attic/lines", 200, `{"lines":[],"end":true}`)
		at := time.Now().UTC().Format("2006-01-02T15:04:05.999Z")
		ana.send(1, "one")
		ana.private(2, "bob", "psst")
		ana.write(&wire.Send{Source: "s-ana", N: 3, Kind: wire.KindAction, Text: "waves"})
		ana.send(4, " ") // refused
		ana.send(5, "five")
		bob.write(&wire.Away{Text: "at lunch"})
		synctest.Wait()
		frames := len(got[*wire.Presence](ana))
		w.wantAnswer("/rooms", 200, `{"rooms":[{"room":"attic","members":1},{"room":"general","members":2}]}`)
		w.wantAnswer("/rooms/GENERAL", 200, `{"room":"general","members":[{"name":"ana"},{"name":"bob","away":"at lunch"}]}`)
		one := fmt.Sprintf(`{"seq":1,"at":%q,"from":"ana","text":"one"}`, at)
		waves := fmt.Sprintf(`{"seq":3,"at":%q,"from":"ana","kind":"action","text":"waves"}`, at)
		five := fmt.Sprintf(`{"seq":5,"at":%q,"from":"ana","text":"five"}`, at)
		w.wantAnswer("/rooms/general/lines", 200, `{"lines":[`+one+`,`+waves+`,`+five+`],"end":true}`)
		w.wantAnswer("/rooms/general/lines?limit=1", 200, `{"lines":[`+five+`],"end":false}`)
		w.wantAnswer("/rooms/general/lines?limit=1&before=5", 200, `{"lines":[`+waves+`],"end":false}`)
		w.wantAnswer("/rooms/general/lines?limit=1&before=3", 200, `{"lines":[`+one+`],"end":true}`)
		w.wantAnswer("/rooms/general/lines?before=1", 200, `{"lines":[],"end":true}`)
		for _, query := range []string{"limit=0", "limit=201", "limit=x", "before=-1", "before=9007199254740992"} {
			if status, body := w.get("/rooms/general/lines?" + query); status != 400 || !strings.Contains(body, "must be a number from") {
				t.Errorf("%s: %d %s", query, status, body)
			}
		}
		if status, body := w.get("/rooms/general/lines?limit=%zz"); status != 400 || !strings.HasPrefix(body, "query: ") {
			t.Errorf("bad query: %d %s", status, body)
		}
		if status, body := w.get("/rooms/a%20b"); status != 400 || !strings.HasPrefix(body, "room: ") {
			t.Errorf("bad name: %d %s", status, body)
		}
		if status, _ := w.get("/rooms/general/members"); status != 404 {
			t.Errorf("unknown path: %d", status)
		}
		if n := len(got[*wire.Presence](ana)); n != frames {
			t.Errorf("reading was announced")
		}
		bob.drop()
		ana.drop()
		pass(2 * time.Minute) // nobody is there, but something was said
		w.wantAnswer("/rooms/general", 200, `{"room":"general","members":[]}`)
		w.wantAnswer("/rooms/general/lines?limit=1", 200, `{"lines":[`+five+`],"end":false}`)
	})
}

// TestUsers: a user counts once, in however many rooms.
func TestUsers(t *testing.T) {
	bubble(t, nil, func(w *world) {
		want := func(n int) {
			t.Helper()
			if got := w.srv.Users(); got != n {
				t.Errorf("%d users, want %d", got, n)
			}
		}
		want(0)
		ana := w.join("general", "ana")
		w.join("random", "ana")
		w.join("general", "bob")
		want(2)
		w.get("/rooms/third")
		ana.drop()
		want(2)
	})
}

func TestHiddenRooms(t *testing.T) {
	bubble(t, &server.Options{HideRooms: true}, func(w *world) {
		w.join("attic", "ana")
		w.wantAnswer("/rooms", 403, "this server does not list its rooms: ask for one by name")
		w.wantAnswer("/rooms/attic", 200, `{"room":"attic","members":[{"name":"ana"}]}`)
	})
}

// Who asks and does not read the answer holds nothing: the server can stop at once.
func TestAnswerIsNotRead(t *testing.T) {
	store := history.Memory()
	defer store.Close()
	told := make(chan struct{}, 1000)
	log, err := store.Open("general", func(lines []history.Entry) {
		for range lines {
			told <- struct{}{}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 100 {
		if err := log.Append(history.Line{User: "ana", Source: "s", N: uint64(i + 1), Text: strings.Repeat("<", wire.MaxText)}); err != nil {
			t.Fatal(err)
		}
		<-told
	}
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	srv := server.New(&server.Options{Store: store})
	web := httptest.NewServer(srv)
	defer web.CloseClientConnections()
	for range 4 {
		c, err := net.Dial("tcp", web.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		request := "GET /rooms/general/lines HTTP/1.1\r\nHost: x\r\n\r\n"
		if _, err := io.WriteString(c, strings.Repeat(request, 100)); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Read(make([]byte, 1)); err != nil { // it answers; more than the network can hold
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	for srv.OpenRooms() > 0 && ctx.Err() == nil {
		runtime.Gosched()
	}
	if err := srv.Shutdown(ctx); err != nil {
		t.Error(err)
	}
}
