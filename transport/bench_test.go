package transport_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"runtime"
	"testing"

	"github.com/coder/websocket"

	"holdfast/transport"
)

// BenchmarkMessages sends messages of 100 bytes one way over loopback TCP, beside
// what it is built on.
func BenchmarkMessages(b *testing.B) {
	message := make([]byte, 100)
	run := func(b *testing.B, write, read func() error) {
		b.Helper()
		b.ReportAllocs()
		b.SetBytes(int64(len(message)))
		errs := make(chan error)
		n := b.N
		go func() {
			for range n {
				if err := read(); err != nil {
					errs <- err
					return
				}
			}
			errs <- nil
		}()
		for range n {
			if err := write(); err != nil {
				b.Fatal(err)
			}
		}
		if err := <-errs; err != nil {
			b.Fatal(err)
		}
	}
	b.Run("tcp", func(b *testing.B) {
		client, server := socketPair(b)
		p := make([]byte, len(message))
		br := bufio.NewReader(client)
		run(b, func() error { _, err := server.Write(message); return err },
			func() error { _, err := io.ReadFull(br, p); return err })
	})
	b.Run("coder", func(b *testing.B) {
		client, server := coderPair(b)
		ctx := context.Background()
		run(b, func() error { return server.Write(ctx, websocket.MessageText, message) },
			func() error { _, _, err := client.Read(ctx); return err })
	})
	for name, toServer := range map[string]bool{"to client": false, "to server": true} {
		b.Run(name, func(b *testing.B) {
			from, to := benchPair(b)
			if toServer {
				from, to = to, from
			}
			run(b, func() error { return to.Write(message) }, func() error { _, err := from.Read(); return err })
		})
	}
}

func socketPair(b *testing.B) (client, server net.Conn) {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	if client, err = net.Dial("tcp", l.Addr().String()); err != nil {
		b.Fatal(err)
	}
	if server, err = l.Accept(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _, _ = client.Close(), server.Close() })
	return client, server
}

// benchServer serves until the benchmark ends and returns the URL.
func benchServer(b *testing.B, handler http.HandlerFunc) (url string) {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	server := &http.Server{Handler: handler}
	served := make(chan error)
	go func() { served <- server.Serve(l) }()
	b.Cleanup(func() { _ = server.Close(); <-served })
	return "ws://" + l.Addr().String()
}

func coderPair(b *testing.B) (client, server *websocket.Conn) {
	b.Helper()
	conns := make(chan *websocket.Conn, 1)
	url := benchServer(b, func(w http.ResponseWriter, r *http.Request) {
		if c, err := websocket.Accept(w, r, nil); err == nil {
			conns <- c
		}
	})
	client, _, err := websocket.Dial(context.Background(), url, nil)
	if err != nil {
		b.Fatal(err)
	}
	server = <-conns
	b.Cleanup(func() { _, _ = client.CloseNow(), server.CloseNow() })
	return client, server
}

func benchPair(b *testing.B) (client, server *transport.Conn) {
	b.Helper()
	conns := make(chan *transport.Conn, 1)
	url := benchServer(b, func(w http.ResponseWriter, r *http.Request) {
		if c, err := transport.Accept(w, r, nil); err == nil {
			conns <- c
		}
	})
	client, err := transport.Dial(context.Background(), url, nil)
	if err != nil {
		b.Fatal(err)
	}
	server = <-conns
	b.Cleanup(func() {
		client.Close(transport.CloseNormal, "")
		server.Close(transport.CloseNormal, "")
	})
	return client, server
}

// BenchmarkIdle measures what an accepted connection holds while somebody reads
// it and nothing comes, with the raw client's end of it.
func BenchmarkIdle(b *testing.B) {
	const conns = 1000
	for name, accept := range map[string]func(w http.ResponseWriter, r *http.Request) (read func(), err error){
		"coder": func(w http.ResponseWriter, r *http.Request) (func(), error) {
			c, err := websocket.Accept(w, r, nil)
			return func() { _, _, _ = c.Read(context.Background()); _ = c.CloseNow() }, err
		},
		"conn": func(w http.ResponseWriter, r *http.Request) (func(), error) {
			c, err := transport.Accept(w, r, nil)
			return func() { _, _ = c.Read(); c.Close(transport.CloseNormal, "") }, err
		},
	} {
		b.Run(name, func(b *testing.B) {
			ended := make(chan struct{}, conns)
			url := benchServer(b, func(w http.ResponseWriter, r *http.Request) {
				if read, err := accept(w, r); err == nil {
					go func() { read(); ended <- struct{}{} }()
				}
			})
			var before, after runtime.MemStats
			for b.Loop() {
				runtime.GC()
				runtime.ReadMemStats(&before)
				var peers [conns]net.Conn
				for i := range peers {
					peers[i] = benchKnock(b, url[len("ws://"):])
				}
				runtime.GC()
				runtime.ReadMemStats(&after)
				bytes := int64(after.HeapInuse+after.StackInuse) - int64(before.HeapInuse+before.StackInuse)
				b.ReportMetric(float64(bytes)/conns, "B/conn")
				for _, p := range peers {
					_ = p.Close()
				}
				for range peers {
					<-ended
				}
			}
		})
	}
}

// benchKnock connects with as little as possible on the client's side.
func benchKnock(b *testing.B, addr string) net.Conn {
	b.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		b.Fatal(err)
	}
	if _, err := io.WriteString(c, request); err != nil {
		b.Fatal(err)
	}
	var answer [512]byte
	if _, err := c.Read(answer[:]); err != nil {
		b.Fatal(err)
	}
	return c
}
