package transport_test

import (
	"bufio"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"holdfast/transport"
	"holdfast/transport/netsim"
)

// Opcodes and the bit that ends a message, RFC 6455 section 5.2.
const (
	opMore   = 0x0
	opText   = 0x1
	opBinary = 0x2
	opClose  = 0x8
	opPing   = 0x9
	opPong   = 0xa
	fin      = 0x80
)

// raw is a peer that sends what the test wants, frame by frame and byte by byte.
type raw struct {
	t *testing.T
	net.Conn
	br     *bufio.Reader
	client bool
}

const request = "GET / HTTP/1.1\r\nHost: server\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
	"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"

// rawClient returns a raw peer of a Conn that was accepted.
func rawClient(t *testing.T, n *netsim.Net, opts *transport.Options) (*raw, *transport.Conn) {
	t.Helper()
	conns := accepting(t, listen(t, n), opts)
	p := knock(t, n, request)
	if resp, err := http.ReadResponse(p.br, nil); err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
		t.Fatal(resp, err)
	}
	return p, <-conns
}

// knock connects to the server and sends first, such as a request.
func knock(t *testing.T, n *netsim.Net, first string) *raw {
	t.Helper()
	nc, err := n.DialContext(t.Context(), "tcp", "server")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = nc.Close() })
	p := &raw{t, nc, bufio.NewReader(nc), true}
	p.bytes([]byte(first))
	return p
}

// rawServer returns a raw peer of a Conn that was dialled.
func rawServer(t *testing.T, n *netsim.Net, opts *transport.Options) (*raw, *transport.Conn) {
	t.Helper()
	l := listen(t, n)
	t.Cleanup(func() { _ = l.Close() })
	peers := make(chan *raw, 1)
	go func() {
		nc, err := l.Accept()
		if err != nil {
			return
		}
		p := &raw{t, nc, bufio.NewReader(nc), false}
		r, err := http.ReadRequest(p.br)
		if err != nil {
			t.Error(err)
			return
		}
		p.bytes(fmt.Appendf(nil, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
			"Sec-WebSocket-Accept: %s\r\n\r\n", acceptKey(r)))
		peers <- p
	}()
	c := dial(t, "ws://server", with(n, opts))
	p := <-peers
	t.Cleanup(func() { _ = p.Close() })
	return p, c
}

func acceptKey(r *http.Request) string {
	sum := sha1.Sum([]byte(r.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// eachSide runs f in bubbles against a Conn that was dialled and one that was
// accepted.
func eachSide(t *testing.T, opts *transport.Options, f func(t *testing.T, peer *raw, c *transport.Conn)) {
	t.Helper()
	for side, make := range map[string]func(*testing.T, *netsim.Net, *transport.Options) (*raw, *transport.Conn){
		"dialled": rawServer, "accepted": rawClient,
	} {
		t.Run(side, func(t *testing.T) {
			bubble(t, nil, func(t *testing.T, n *netsim.Net) {
				peer, c := make(t, n, opts)
				f(t, peer, c)
			})
		})
	}
}

func (p *raw) bytes(b []byte) {
	if _, err := p.Write(b); err != nil {
		p.t.Error("raw peer:", err)
	}
}

// head returns the header of a frame. A client's mask is zero and changes nothing.
func (p *raw) head(first byte, n uint64) []byte {
	b := []byte{first, byte(min(n, 127))}
	switch {
	case n > 0xffff:
		b = binary.BigEndian.AppendUint64(b, n)
	case n > 125:
		b[1] = 126
		b = binary.BigEndian.AppendUint16(b, uint16(n))
	}
	if p.client {
		b[1] |= 0x80
		b = append(b, 0, 0, 0, 0)
	}
	return b
}

func (p *raw) frame(first byte, payload string) []byte {
	return append(p.head(first, uint64(len(payload))), payload...)
}

func (p *raw) send(first byte, payload string) { p.bytes(p.frame(first, payload)) }

// next reads one frame.
func (p *raw) next() (first byte, payload []byte, err error) {
	var b [8]byte
	if _, err = io.ReadFull(p.br, b[:2]); err != nil {
		return 0, nil, err
	}
	first, masked, n := b[0], b[1]&0x80 != 0, uint64(b[1]&0x7f)
	switch n {
	case 126:
		_, err = io.ReadFull(p.br, b[:2])
		n = uint64(binary.BigEndian.Uint16(b[:2]))
	case 127:
		_, err = io.ReadFull(p.br, b[:8])
		n = binary.BigEndian.Uint64(b[:8])
	}
	if err != nil {
		return 0, nil, err
	}
	var mask [4]byte
	if masked {
		if _, err = io.ReadFull(p.br, mask[:]); err != nil {
			return 0, nil, err
		}
	}
	payload = make([]byte, n)
	_, err = io.ReadFull(p.br, payload)
	for i := range payload {
		payload[i] ^= mask[i%4]
	}
	return first, payload, err
}

// seen is a frame that a raw peer got.
type seen struct {
	at      time.Time
	op      byte
	payload string
}

// listens makes the peer note all frames until the connection ends, and answer
// pings if it is polite.
func (p *raw) listens(polite bool) <-chan seen {
	frames := make(chan seen, 10_000)
	go func() {
		defer close(frames)
		for {
			first, payload, err := p.next()
			if err != nil {
				return
			}
			if first == fin|opPing && polite {
				p.send(fin|opPong, string(payload))
			}
			frames <- seen{time.Now(), first & 0xf, string(payload)}
		}
	}()
	return frames
}

// only returns the frames with op that have come so far.
func only(frames <-chan seen, op byte) (found []seen) {
	for {
		select {
		case f, ok := <-frames:
			if !ok {
				return found
			}
			if f.op == op {
				found = append(found, f)
			}
		default:
			return found
		}
	}
}
