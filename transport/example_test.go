package transport_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v4"

	"holdfast/transport"
)

// greeter says hello and closes.
func greeter(w http.ResponseWriter, r *http.Request) {
	conn, err := transport.Accept(w, r, nil)
	if err != nil {
		return // the answer has been written
	}
	_ = conn.Write([]byte("hello"))
	conn.Close(transport.CloseGoingAway, "that was all")
}

func ExampleDial() {
	server := httptest.NewServer(http.HandlerFunc(greeter))
	defer server.Close()

	conn, err := transport.Dial(context.Background(), strings.Replace(server.URL, "http", "ws", 1), nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer conn.Close(transport.CloseNormal, "")
	for {
		msg, err := conn.Read()
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("%s\n", msg)
	}
	// Output:
	// hello
	// transport: closed by peer with 1001: "that was all"
}

func ExampleConns() {
	server := httptest.NewServer(http.HandlerFunc(greeter))
	defer server.Close()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()

	opts := &transport.Options{ // zero would be fine, too
		Backoff: func() backoff.BackOff { return backoff.NewConstantBackOff(100 * time.Millisecond) },
	}
	for conn, err := range transport.Conns(ctx, strings.Replace(server.URL, "http", "ws", 1), opts) {
		var lost *transport.RedialError
		if errors.As(err, &lost) {
			fmt.Println("attempt", lost.Attempt, "lost:", lost.Err)
			fmt.Println("again in", lost.RetryIn)
			if lost.Attempt == 2 {
				cancel() // ends the loop
			}
			continue
		}
		msg, _ := conn.Read()
		fmt.Printf("%s\n", msg)
		_, _ = conn.Read() // until it is dead
	}
	// Output:
	// hello
	// attempt 1 lost: transport: closed by peer with 1001: "that was all"
	// again in 100ms
	// hello
	// attempt 2 lost: transport: closed by peer with 1001: "that was all"
	// again in 100ms
}
