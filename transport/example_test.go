package transport_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v4"

	"holdfast/transport"
)

// listening serves the examples; url is where, for Dial and Conns.
func listening(h http.HandlerFunc) (url string, stop func()) {
	server := httptest.NewServer(h)
	return strings.Replace(server.URL, "http", "ws", 1), server.Close
}

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
	url, stop := listening(greeter)
	defer stop()

	conn, err := transport.Dial(context.Background(), url, nil)
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

// A handler that answers each message until the client is gone.
func ExampleAccept() {
	url, stop := listening(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Server", "shouter")
		conn, err := transport.Accept(w, r, &transport.Options{Subprotocol: "shout.v1"})
		if err != nil {
			return // the answer has been written
		}
		defer conn.Close(transport.CloseNormal, "")
		for {
			msg, err := conn.Read()
			if err != nil {
				return
			}
			if conn.Write([]byte(strings.ToUpper(string(msg)))) != nil {
				return
			}
		}
	})
	defer stop()

	conn, err := transport.Dial(context.Background(), url, &transport.Options{Subprotocol: "shout.v1"})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer conn.Close(transport.CloseNormal, "")
	fmt.Println(conn.Subprotocol(), "by", conn.Response().Header.Get("Server"))
	_ = conn.Write([]byte("is anybody there?")) // if it fails, so does Read
	answer, err := conn.Read()
	fmt.Printf("%s %v\n", answer, err)
	// Output:
	// shout.v1 by shouter
	// IS ANYBODY THERE? <nil>
}

func ExampleConns() {
	url, stop := listening(greeter)
	defer stop()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()

	opts := &transport.Options{ // zero would be fine, too
		Backoff: func() backoff.BackOff { return backoff.NewConstantBackOff(100 * time.Millisecond) },
	}
	for conn, err := range transport.Conns(ctx, url, opts) {
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

// Text that is not UTF-8 can't be sent, as a binary message it can.
func ExampleConn_WriteMessage() {
	opts := &transport.Options{Kinds: transport.Text | transport.Binary}
	url, stop := listening(func(w http.ResponseWriter, r *http.Request) {
		conn, err := transport.Accept(w, r, opts)
		if err != nil {
			return
		}
		defer conn.Close(transport.CloseNormal, "")
		for {
			kind, msg, err := conn.ReadMessage()
			if err != nil || conn.WriteMessage(kind, msg) != nil {
				return
			}
		}
	})
	defer stop()

	conn, err := transport.Dial(context.Background(), url, opts)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer conn.Close(transport.CloseNormal, "")
	image := []byte{0x89, 'P', 'N', 'G'}
	fmt.Println(conn.Write(image))
	fmt.Println(conn.WriteMessage(transport.Binary, image))
	kind, msg, err := conn.ReadMessage()
	fmt.Printf("%v % x %v\n", kind, msg, err)
	// Output:
	// transport: text is not UTF-8
	// <nil>
	// binary 89 50 4e 47 <nil>
}

// Work for a connection ends with it, and a connection ends with a context.
func ExampleConn_Context() {
	url, stop := listening(func(w http.ResponseWriter, r *http.Request) {
		if conn, err := transport.Accept(w, r, nil); err == nil {
			defer conn.Close(transport.CloseNormal, "")
			_, _ = conn.Read() // until it is dead
		}
	})
	defer stop()

	conn, err := transport.Dial(context.Background(), url, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	var work sync.WaitGroup
	work.Go(func() {
		query := conn.Context() // of a database, say
		<-query.Done()
		fmt.Println("query:", query.Err(), "as", context.Cause(query))
	})

	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	context.AfterFunc(ctx, func() { conn.Close(transport.CloseNormal, "") })
	_, err = conn.Read()
	fmt.Println("read:", err)
	work.Wait()
	conn.Close(transport.CloseNormal, "") // waits for the other one
	// Unordered output:
	// read: transport: closed
	// query: context canceled as transport: closed
}
