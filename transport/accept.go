package transport

import (
	"context"
	"fmt"
	"net/http"

	"github.com/coder/websocket"
)

// Accept upgrades r. Headers that w has already, such as a cookie, go out with the
// answer. On an error the answer has been written: 426 to what is no upgrade, 403 to a
// page of an origin that Options.Origins does not have.
//
// The handler may return at once: the Conn lives on by itself, and neither r nor its
// context may be used after that. [Conn.Context] is the one to go on with. Nobody but
// the caller closes the Conn: http.Server.Shutdown does not know of it.
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
	return newConn(context.Background(), ws, g.Conn, o, nil, seen), nil
}
