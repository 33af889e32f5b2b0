package transport_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/coder/websocket"

	"holdfast/transport"
	"holdfast/transport/netsim"
)

// countingListener notes the writes on the connections it accepts.
type countingListener struct {
	net.Listener
	writes chan int
}

func (l countingListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	return countingConn{c, l.writes}, err
}

type countingConn struct {
	net.Conn
	writes chan int
}

func (c countingConn) Write(p []byte) (int, error) {
	c.writes <- len(p)
	return c.Conn.Write(p)
}

// sizes are those of messages around all that has a limit: the lengths of frame
// headers and buffers.
func sizes() (all []int) {
	for _, n := range []int{0, 125, 126, 512, 4096, 8192, 65535, 70_000} {
		for d := -12; d <= 12; d++ {
			if n+d >= 0 {
				all = append(all, n+d)
			}
		}
	}
	return all
}

// TestOneWritePerFrame wants each message in one write, whatever its size.
func TestOneWritePerFrame(t *testing.T) {
	bubble(t, nil, func(t *testing.T, n *netsim.Net) {
		opts := &transport.Options{ReadLimit: 1 << 20}
		l := countingListener{listen(t, n), make(chan int, 1000)}
		conns := accepting(t, l, opts)
		client := dial(t, "ws://server", with(n, opts))
		server := <-conns
		read(server)
		<-l.writes // the upgrade
		for _, size := range sizes() {
			text := strings.Repeat("x", size)
			go write(t, server, text)
			wantRead(t, client, text)
			synctest.Wait()
			if writes := len(l.writes); writes != 1 {
				t.Fatalf("%d bytes took %d writes", size, writes)
			}
			if n := <-l.writes - size; n != 2 && n != 4 && n != 10 {
				t.Fatalf("%d bytes have a header of %d", size, n)
			}
			write(t, client, text)
			if size%100 == 0 {
				pass(interval) // pings between
				for len(l.writes) > 0 {
					<-l.writes
				}
			}
		}
	})
}

// TestEarlyFrames sends frames in one segment with the upgrade request.
func TestEarlyFrames(t *testing.T) {
	for _, texts := range [][]string{
		{"first"},
		{"first", "", strings.Repeat("second", 200), "third"},
		{strings.Repeat("x", 3000), "y"},
		{strings.Repeat("x", 60_000), "y"}, // more than net/http's buffer holds
	} {
		bubble(t, nil, func(t *testing.T, n *netsim.Net) {
			conns := accepting(t, listen(t, n), nil)
			p := &raw{t: t, client: true}
			first := []byte(request)
			for _, text := range texts {
				first = append(first, p.frame(fin|opText, text)...)
			}
			knock(t, n, string(first))
			c := <-conns
			for _, text := range texts {
				wantRead(t, c, text)
			}
		})
	}
}

// TestFramesStayWhole mixes messages of all sizes, our pings and the pongs to a
// peer that pings, all at once.
func TestFramesStayWhole(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	conns := accepting(t, l, nil)
	peer, _, err := websocket.Dial(t.Context(), "ws://"+l.Addr().String(), &websocket.DialOptions{
		HTTPClient: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer peer.CloseNow()
	peer.SetReadLimit(1 << 20)
	c := <-conns
	ended := read(c)
	all := sizes()
	const writers = 3
	var work, pinger sync.WaitGroup
	for w := range writers {
		work.Go(func() {
			for i, size := range all {
				write(t, c, fmt.Sprintf("%d %d %s", w, i, strings.Repeat("x", size)))
				c.Probe()
			}
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	pinger.Go(func() {
		for ctx.Err() == nil && peer.Ping(t.Context()) == nil {
		}
	})
	var next [writers]int
	for range writers * len(all) {
		_, p, err := peer.Read(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var w, i int
		if _, err := fmt.Sscan(string(p), &w, &i); err != nil || next[w] != i ||
			string(p) != fmt.Sprintf("%d %d %s", w, i, strings.Repeat("x", all[i])) {
			t.Fatalf("%d bytes, %.20q, are not message %d of %d", len(p), p, next[w], w)
		}
		next[w]++
	}
	work.Wait()
	cancel()
	_ = peer.CloseNow()
	pinger.Wait()
	<-ended
}

// FuzzWholeFrames compares with a parser that goes byte by byte.
func FuzzWholeFrames(f *testing.F) {
	p := &raw{}
	for _, size := range []int{0, 1, 125, 126, 65536} {
		frame := p.frame(fin|opText, strings.Repeat("x", size))
		f.Add(frame)
		f.Add(frame[:len(frame)-1])
		f.Add(append(frame, p.frame(fin|opPing, "ping")...))
	}
	f.Add(p.head(fin|opText, 1<<63))
	f.Add([]byte{0x81, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		if got, want := transport.WholeFrames(slices.Clone(b)), parse(b); got != want {
			t.Fatalf("%x: %v, want %v", b, got, want)
		}
	})
}

// parse reports whether b is a number of whole frames.
func parse(b []byte) bool {
	for i := 0; i < len(b); {
		if i+2 > len(b) {
			return false
		}
		n, size := uint64(b[i+1]%128), 0
		i += 2
		switch n {
		case 126:
			size = 2
		case 127:
			size = 8
		}
		if i+size > len(b) {
			return false
		}
		if size > 0 {
			n = binary.BigEndian.Uint64(append(make([]byte, 8-size), b[i:i+size]...))
			i += size
		}
		if n > uint64(len(b)) || i+int(n) > len(b) {
			return false
		}
		i += int(n)
	}
	return true
}
