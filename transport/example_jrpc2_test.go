package transport_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/creachadair/jrpc2"
	"github.com/creachadair/jrpc2/handler"

	"holdfast/transport"
)

// rpcChannel is a jrpc2 channel.Channel over a Conn: one message is one record.
type rpcChannel struct{ conn *transport.Conn }

func (c rpcChannel) Send(record []byte) error { return c.conn.Write(record) }

// Recv returns io.EOF when the other side has closed in peace, as jrpc2 wants it. That
// this side has closed, jrpc2 sees by net.ErrClosed.
func (c rpcChannel) Recv() ([]byte, error) {
	record, err := c.conn.Read()
	var closed *transport.CloseError
	if errors.As(err, &closed) && closed.Code == transport.CloseNormal {
		return nil, io.EOF
	}
	return record, err
}

func (c rpcChannel) Close() error {
	c.conn.Close(transport.CloseNormal, "")
	return nil
}

// JSON-RPC over a Conn: each connection has a jrpc2 client, whose calls fail when the
// connection is lost.
func Example_jsonRPC() {
	const protocol = "rpc.v1"
	add := func(_ context.Context, n []int) int { return n[0] + n[1] }
	ended := make(chan error, 2)
	url, stop := listening(func(w http.ResponseWriter, r *http.Request) {
		conn, err := transport.Accept(w, r, &transport.Options{Subprotocol: protocol})
		if err != nil {
			return // the answer has been written
		}
		server := jrpc2.NewServer(handler.Map{"add": handler.New(add)}, nil)
		ended <- server.Start(rpcChannel{conn}).Wait()
	})
	defer stop()

	opts := &transport.Options{Subprotocol: protocol, Backoff: steady}
	lost := false
	for conn, err := range transport.Conns(context.Background(), url, opts) {
		if err != nil {
			fmt.Println("lost:", err)
			fmt.Println("a server ended:", <-ended)
			lost = true
			continue
		}
		client := jrpc2.NewClient(rpcChannel{conn}, nil)
		var sum int
		err := client.CallResult(context.Background(), "add", []int{40, 2}, &sum)
		fmt.Println(sum, err)
		if lost { // the second time is enough
			fmt.Println("the client ended:", client.Close())
			break
		}
		conn.Close(transport.CloseNormal, "") // as a bad network might
		err = client.CallResult(context.Background(), "add", []int{40, 2}, &sum)
		fmt.Println("a call failed:", err != nil)
		_ = client.Close()
	}
	fmt.Println("a server ended:", <-ended)
	// Output:
	// 42 <nil>
	// a call failed: true
	// lost: transport: closed
	// a server ended: <nil>
	// 42 <nil>
	// the client ended: <nil>
	// a server ended: <nil>
}
