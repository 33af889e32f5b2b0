//go:build unix

package e2e

import (
	"syscall"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// TestFrozenServer stops the server for longer than it lets silence last. When it goes
// on it must not take its own sleep for the death of a client that can't come back.
func TestFrozenServer(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "--heartbeat", "300ms", "--dead-after", "900ms")
	conn, _, err := websocket.DefaultDialer.Dial(w.url()+"/chat/general/gustavo", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	heard := make(chan string, 16)
	go func() { // reading answers pings
		defer close(heard)
		for {
			_, msg, err := conn.ReadMessage()
			if err != nil {
				return
			}
			heard <- string(msg)
		}
	}()
	w.server.signal(syscall.SIGSTOP)
	stopped := time.Now()
	until(t, "long enough", func() bool { return time.Since(stopped) > 2500*time.Millisecond })
	w.server.signal(syscall.SIGCONT)
	if _, code := run(t, t.TempDir(), "send", "--server", w.url(), "--room", "general", "--as", "ana", "awake"); code != 0 {
		t.Fatalf("send: exit code %d", code)
	}
	for msg := range heard {
		if msg == "ana: awake\n" {
			return
		}
	}
	t.Error("the connection was ended")
}
