package transport

import (
	"context"
	"fmt"
	"net/http"

	"github.com/coder/websocket"
)

// Accept upgrades r. On an error the HTTP answer has already been written. The
// handler may return at once: the Conn lives on by itself, and neither r nor its
// context may be used after that.
func Accept(w http.ResponseWriter, r *http.Request, opts *Options) (*Conn, error) {
	o := opts.withDefaults()
	a := &websocket.AcceptOptions{OriginPatterns: o.Origins, CompressionMode: websocket.CompressionDisabled}
	if o.Subprotocol != "" {
		a.Subprotocols = []string{o.Subprotocol}
	}
	seen := new(signs)
	g := &gather{turn: make(chan struct{}, 1)}
	a.OnPingReceived = func(_ context.Context, payload []byte) bool {
		seen.note()
		g.pong(payload)
		return false
	}
	a.OnPongReceived = func(context.Context, []byte) { seen.note() }
	ws, err := websocket.Accept(&hijacker{ResponseWriter: w, gather: g}, r, a)
	if err != nil {
		return nil, fmt.Errorf("accept connection: %w", err)
	}
	return newConn(ws, g.Conn, o, false, seen), nil
}
