package server_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/coder/websocket"

	"holdfast/server"
	"holdfast/server/history"
	"holdfast/session/wire"
)

// A server in an application that has a mux, and sessions in cookies, of its own. Who is
// logged in chats as nobody else, from any machine; guests read along in the lobby.
func ExampleOptions_authorize() {
	accounts := map[string]string{"cookie-of-ana": "ana"} // the application's sessions
	chat := server.New(&server.Options{
		Authorize: func(r *http.Request, room, name string) (server.Grant, error) {
			cookie, err := r.Cookie("session")
			if err != nil && room == "lobby" {
				return server.Grant{Rights: server.Read}, nil
			}
			if err != nil {
				return server.Grant{}, &server.Refusal{Status: http.StatusUnauthorized, Message: "log in first"}
			}
			account := accounts[cookie.Value]
			if name != "" && name != account { // there is no name when somebody only reads
				return server.Grant{}, &server.Refusal{Message: "you are not " + name}
			}
			return server.Grant{Identity: account}, nil
		},
	})
	defer chat.Shutdown(context.Background())
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "the application's own") })
	mux.Handle("/chat/", chat)
	mux.Handle("/rooms/", chat)
	web := httptest.NewServer(mux)
	defer web.Close()

	for _, c := range []struct{ cookie, path string }{
		{"", "/chat/team/ana"}, {"cookie-of-ana", "/chat/team/bob"}, {"cookie-of-ana", "/chat/team/ana"}, {"", "/chat/lobby/guest"},
	} {
		header := http.Header{}
		if c.cookie != "" {
			header.Set("Cookie", "session="+c.cookie)
		}
		ws, resp, err := websocket.Dial(context.Background(), web.URL+c.path, &websocket.DialOptions{HTTPHeader: header})
		fmt.Println(c.path, resp.StatusCode)
		if err == nil {
			_ = ws.CloseNow()
		}
	}
	// Output:
	// /chat/team/ana 401
	// /chat/team/bob 403
	// /chat/team/ana 101
	// /chat/lobby/guest 101
}

// dial connects a client that knows only text.
func dial(web *httptest.Server, path string) *websocket.Conn {
	ws, _, err := websocket.Dial(context.Background(), web.URL+path, nil)
	if err != nil {
		panic(err)
	}
	return ws
}

// say has such a client say something.
func say(ws *websocket.Conn, text string) {
	if err := ws.Write(context.Background(), websocket.MessageText, []byte(text)); err != nil {
		panic(err)
	}
}

// hear returns what it is told next.
func hear(ws *websocket.Conn) string {
	_, msg, err := ws.Read(context.Background())
	if err != nil {
		return err.Error()
	}
	return strings.TrimSpace(string(msg))
}

// An application that takes no links.
func ExampleOptions_accept() {
	chat := server.New(&server.Options{
		Accept: func(_ context.Context, l server.Line) error {
			if strings.Contains(l.Text, "http://") {
				return errors.New("links are not wanted in " + l.Room)
			}
			return nil
		},
	})
	defer chat.Shutdown(context.Background())
	web := httptest.NewServer(chat)
	defer web.Close()

	ana := dial(web, "/chat/general/ana")
	defer ana.CloseNow()
	say(ana, "see http://example.org")
	fmt.Println(hear(ana))
	// Output: * not sent: links are not wanted in general
}

// An observer that writes down what happens, and a bot that greets.
func ExampleObserver() {
	var chat *server.Server
	told := make(chan string)
	chat = server.New(&server.Options{
		Linger: -1, // who has lost the connection has left
		Observer: &server.Observer{
			Joined: func(room, name string) {
				told <- name + " joined " + room
				_, _ = chat.Say(context.Background(), room, "porter", "welcome, "+name, nil)
			},
			Line: func(l server.Line) { told <- l.From + " says " + l.Text },
			Left: func(room, name string) { told <- name + " left " + room },
		},
	})
	web := httptest.NewServer(chat)
	defer web.Close()

	ana := dial(web, "/chat/general/ana")
	fmt.Println(<-told)
	fmt.Println(<-told)
	_ = ana.CloseNow()
	fmt.Println(<-told)
	_ = chat.Shutdown(context.Background())
	// Output:
	// ana joined general
	// porter says welcome, ana
	// ana left general
}

// What an application can do in the rooms without a connection.
func ExampleServer_Say() {
	ctx := context.Background()
	chat := server.New(nil)
	defer chat.Shutdown(ctx)
	web := httptest.NewServer(chat)
	defer web.Close()
	ana := dial(web, "/chat/builds/ana")
	defer ana.CloseNow()

	once := &server.SayOptions{Once: "build-42"} // said once, however often the build is reported
	for range 2 {
		_, err := chat.Say(ctx, "builds", "ci", "build 42 is green", once)
		fmt.Println("said:", err)
	}
	fmt.Println(hear(ana))

	lines, end, err := chat.History(ctx, "builds", 0, 10)
	fmt.Println(len(lines), lines[0].From, lines[0].Text, end, err)
	fmt.Println(chat.Rooms(), chat.Members("builds"))

	fmt.Println(chat.Disconnect("builds", "ana", "the builds are closed"))
	fmt.Println(hear(ana))
	fmt.Println(chat.Members("builds"))
	// Output:
	// said: <nil>
	// said: the line was said before, and is stored
	// ci: build 42 is green
	// 1 ci build 42 is green true <nil>
	// [builds] [{ana  true}]
	// 1
	// * the builds are closed
	// []
}

// moderated is a store that refuses what it does not like and adds lines of its own. See
// history.Store, "What a wrapped store may do".
type moderated struct{ history.Store }

func (m moderated) Open(room string, sink func([]history.Entry)) (history.Log, error) {
	log, err := m.Store.Open(room, sink)
	if err != nil {
		return nil, err
	}
	mark, err := log.Source("helper", "helper-1") // what it has said in this room so far
	if err != nil {
		return nil, errors.Join(err, log.Close())
	}
	return &moderatedLog{log, mark.Mark}, nil
}

type moderatedLog struct {
	history.Log
	mark uint64
}

// Append is called by one goroutine at a time.
func (l *moderatedLog) Append(line history.Line) error {
	if strings.Contains(line.Text, "spam") { // the number counts, the text does not
		line.Kind, line.Text = history.KindVoid, wire.RefusedRejected
		line.To, line.Readers, line.Once = "", "", ""
	}
	if err := l.Log.Append(line); err != nil || line.Text != "!help" {
		return err
	}
	answer := history.Line{User: "helper", Source: "helper-1", N: l.mark + 1, Text: "there is no help", At: line.At}
	if l.Log.Append(answer) == nil { // if there is no room for it there is no answer
		l.mark++
	}
	return nil
}

// A store that is wrapped to refuse lines and to inject some.
func Example_wrappedStore() {
	store := history.Memory()
	defer store.Close()
	chat := server.New(&server.Options{Store: moderated{store}})
	defer chat.Shutdown(context.Background())
	web := httptest.NewServer(chat)
	defer web.Close()

	ana := dial(web, "/chat/general/ana")
	defer ana.CloseNow()
	say(ana, "buy spam")
	fmt.Println(hear(ana))
	say(ana, "!help")
	fmt.Println(hear(ana))
	lines, _, _ := chat.History(context.Background(), "general", 0, 0)
	for _, l := range lines {
		fmt.Println(l.Seq, l.From, l.Text)
	}
	// Output:
	// * not sent: the application behind the server rejected the line
	// helper: there is no help
	// 2 ana !help
	// 3 helper there is no help
}
