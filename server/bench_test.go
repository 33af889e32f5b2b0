package server_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"holdfast/server"
	"holdfast/session/wire"
)

const fanMembers = 100

// BenchmarkFanOut is one line after another, a window of them under way, to a room
// of 100 over loopback sockets. Beside it stands what the WebSocket library does by
// itself when each message is written to each of 100 connections in turn.
func BenchmarkFanOut(b *testing.B) {
	b.Run("holdfast", func(b *testing.B) {
		srv := server.New(nil)
		defer func() {
			if err := srv.Shutdown(context.Background()); err != nil {
				b.Error(err)
			}
		}()
		fanOut(b, srv, true)
	})
	b.Run("bare", func(b *testing.B) { fanOut(b, &bare{}, false) })
}

// bare writes each message to all connections, the author's too.
type bare struct {
	mu    sync.Mutex
	conns []*websocket.Conn
}

func (s *bare) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{wire.Subprotocol}})
	if err != nil {
		return
	}
	defer c.CloseNow()
	s.mu.Lock()
	s.conns = append(s.conns, c)
	s.mu.Unlock()
	_ = c.Write(context.Background(), websocket.MessageText, wire.Encode(&wire.Live{}))
	for {
		_, msg, err := c.Read(context.Background())
		if err != nil {
			return
		}
		s.mu.Lock()
		conns := s.conns
		s.mu.Unlock()
		for _, other := range conns {
			_ = other.Write(context.Background(), websocket.MessageText, msg)
		}
	}
}

// fanOut sends b.N lines from the first member and waits until all have them. The
// others count bytes only, so that what is measured is the server.
func fanOut(b *testing.B, h http.Handler, protocol bool) {
	web := httptest.NewServer(h)
	defer web.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	var readers, ready sync.WaitGroup
	window := make(chan struct{}, 256)
	var author *websocket.Conn
	for i := range fanMembers {
		user := fmt.Sprint("user", i)
		c, _, err := websocket.Dial(ctx, "ws"+strings.TrimPrefix(web.URL, "http")+"/chat/general/"+user,
			&websocket.DialOptions{Subprotocols: []string{wire.Subprotocol}})
		if err != nil {
			b.Fatal(err)
		}
		defer c.CloseNow()
		c.SetReadLimit(1 << 20)
		if i == 0 {
			author = c
		}
		if protocol {
			_, msg, err := c.Read(ctx)
			if err != nil {
				b.Fatal(err)
			}
			challenge, err := wire.Decode(msg, wire.MaxToClient)
			if err != nil {
				b.Fatal(err)
			}
			h := hello(user)
			h.Host = strings.TrimPrefix(web.URL, "http://")
			if err := c.Write(ctx, websocket.MessageText, wire.Encode(sign(h, challenge.(*wire.Challenge), user))); err != nil {
				b.Fatal(err)
			}
		}
		ready.Add(1)
		readers.Go(func() {
			for lines := 0; lines < b.N; {
				_, msg, err := c.Read(ctx)
				if err != nil {
					b.Error(err)
					return
				}
				text := string(msg)
				n := strings.Count(text, "a line of some length")
				if lines += n; i == 0 {
					for range n {
						<-window
					}
				}
				if strings.HasPrefix(text, `{"type":"live"`) {
					ready.Done()
				}
			}
		})
	}
	ready.Wait()
	b.ResetTimer()
	for n := range uint64(b.N) {
		window <- struct{}{}
		msg := wire.Encode(&wire.Send{Source: "s-user0", N: n + 1, Text: "a line of some length, as people write them"})
		if err := author.Write(ctx, websocket.MessageText, msg); err != nil {
			b.Fatal(err)
		}
	}
	readers.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "lines/s")
	b.ReportMetric(float64(b.N)*fanMembers/b.Elapsed().Seconds(), "deliveries/s")
}
