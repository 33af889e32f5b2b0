package session_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"os"
	"strings"

	"holdfast/server"
	"holdfast/session"
)

func ExampleOpen() {
	srv := server.New(nil) // a server to talk to, on loopback
	host := httptest.NewServer(srv)
	defer host.Close()
	defer srv.Shutdown(context.Background())
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)

	s, err := session.Open(strings.Replace(host.URL, "http", "ws", 1), &session.Options{
		Room: "general", Name: "ana", Dir: dir,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer s.Close()
	if _, err := s.Send("hello from a train"); err != nil { // works in the tunnel
		fmt.Println(err)
		return
	}
	for m := range s.Messages() {
		fmt.Printf("%s: %s\n", m.From, m.Text)
		break
	}
	// Output: ana: hello from a train
}
