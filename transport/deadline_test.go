package transport_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"holdfast/transport"
	"holdfast/transport/netsim"
)

const messageTimeout = 10 * time.Second

// TestMessageDeadline has peers that begin a message and never end it.
func TestMessageDeadline(t *testing.T) {
	for name, more := range map[string]func(peer *raw, i int){
		"empty fragments": func(peer *raw, i int) {
			if i == 0 {
				peer.send(opText, "")
			}
			peer.send(opMore, "")
		},
		"fragments and pings": func(peer *raw, i int) {
			if i == 0 {
				peer.send(opText, "x")
			}
			peer.send(opMore, "x")
			peer.send(fin|opPing, "x")
		},
		"huge and silent": func(peer *raw, i int) {
			if i == 0 {
				peer.bytes(peer.head(fin|opText, 1<<62))
			}
		},
		"huge fragment": func(peer *raw, i int) {
			if i == 0 {
				peer.bytes(peer.head(opText, 1<<62))
			}
		},
		"drip": func(peer *raw, i int) {
			if i == 0 {
				peer.bytes(peer.head(fin|opText, 1000))
			}
			peer.bytes([]byte("x"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			eachSide(t, nil, func(t *testing.T, peer *raw, c *transport.Conn) {
				peer.listens(false)
				pass(time.Second)
				start := time.Now()
				ended := make(chan error)
				go func() {
					_, err := c.Read()
					ended <- err
				}()
				for i := range 100 {
					more(peer, i)
					select {
					case err := <-ended:
						after(t, start, messageTimeout)
						if !errors.Is(err, transport.ErrSlow) || !errors.Is(c.Err(), transport.ErrSlow) {
							t.Fatal(err, c.Err())
						}
						return
					case <-time.After(900 * time.Millisecond):
					}
				}
				t.Fatal("it lives")
			})
		})
	}
}

// TestSlowButInTime has messages that take nearly all of their time, one after
// another.
func TestSlowButInTime(t *testing.T) {
	eachSide(t, nil, func(t *testing.T, peer *raw, c *transport.Conn) {
		peer.listens(false)
		go func() {
			for range 3 {
				peer.bytes(peer.head(fin|opText, 10))
				for range 10 {
					sleep(messageTimeout/10 - time.Millisecond)
					peer.bytes([]byte("x"))
				}
			}
		}()
		for range 3 {
			wantRead(t, c, "xxxxxxxxxx")
		}
	})
}

func TestReadLimit(t *testing.T) {
	for name, opts := range map[string]*transport.Options{"default": nil, "small": {ReadLimit: 1000}} {
		t.Run(name, func(t *testing.T) {
			limit := 64 << 10
			if opts != nil {
				limit = int(opts.ReadLimit)
			}
			bubble(t, nil, func(t *testing.T, n *netsim.Net) {
				client, server, _ := connect(t, n, opts)
				just := strings.Repeat("x", limit)
				ended := read(client)
				go func() {
					write(t, client, just)
					_ = client.Write([]byte(just + "x"))
				}()
				wantRead(t, server, just)
				if _, err := server.Read(); !errors.Is(err, websocket.ErrMessageTooBig) || !transport.Retryable(err) {
					t.Fatal(err)
				}
				<-ended
				if e, ok := errors.AsType[*transport.CloseError](client.Err()); !ok || e.Code != transport.CloseTooBig {
					t.Fatal(client.Err())
				}
			})
		})
	}
}

// TestReadLimitTCP sends much more than the limit, so that the rest is under way
// when the code comes back: a reset would overtake it.
func TestReadLimitTCP(t *testing.T) {
	for range 5 {
		client, server := connectTCP(t, patient)
		ended := read(client, server)
		_ = client.Write(make([]byte, 1<<20))
		<-ended
		if e, ok := errors.AsType[*transport.CloseError](client.Err()); !ok || e.Code != transport.CloseTooBig {
			t.Fatal(client.Err())
		}
	}
}

// TestRestIsDrained lets a peer send all of a message that is too big, and agree to
// the close.
func TestRestIsDrained(t *testing.T) {
	eachSide(t, nil, func(t *testing.T, peer *raw, c *transport.Conn) {
		frames := peer.listens(false)
		start := time.Now()
		ended := read(c)
		peer.send(fin|opText, strings.Repeat("x", 300<<10)) // several windows
		if f := <-frames; f.op != opClose || f.payload[:2] != "\x03\xf1" {
			t.Fatalf("got %+v", f)
		}
		pass(closeTimeout / 2)
		wantDeath(t, c, time.Now(), websocket.ErrMessageTooBig)
		peer.send(fin|opClose, "\x03\xf1")
		<-ended
		after(t, start, closeTimeout/2)
	})
}

// TestStuckReader writes to a peer that does not read.
func TestStuckReader(t *testing.T) {
	for name, pings := range map[string]bool{"silent": false, "pinging": true} {
		t.Run(name, func(t *testing.T) {
			eachSide(t, nil, func(t *testing.T, peer *raw, c *transport.Conn) {
				read(c)
				write(t, c, strings.Repeat("x", 50<<10))
				pass(time.Second)
				if pings && peer.client { // a dialled Conn is not pinged while it sends
					peer.send(fin|opPing, "x")
				}
				errs := make(chan error)
				start := time.Now()
				for range 2 { // one of them waits for its turn
					go func() { errs <- c.Write(make([]byte, 50<<10)) }()
				}
				pass(time.Second)
				if pings && peer.client {
					peer.send(fin|opPing, "x")
				}
				for range 2 {
					if err := <-errs; !errors.Is(err, transport.ErrSlow) || !errors.Is(c.Err(), transport.ErrSlow) {
						t.Fatal(err, c.Err())
					}
					after(t, start, messageTimeout)
				}
			})
		})
	}
}

// TestSlowReader has a peer that pings while it takes a message in, and takes
// longer than the library would let its pong wait.
func TestSlowReader(t *testing.T) {
	bubble(t, nil, func(t *testing.T, n *netsim.Net) {
		peer, c := rawClient(t, n, nil)
		read(c)
		text := strings.Repeat("x", 60<<10)
		write(t, c, text)
		written := make(chan error)
		go func() { written <- c.Write([]byte(text)) }()
		pass(time.Millisecond)
		peer.send(fin|opPing, "still here")
		pass(messageTimeout - 2*time.Millisecond)
		frames := peer.listens(true)
		if err := <-written; err != nil {
			t.Fatal(err)
		}
		pass(time.Second)
		wantAlive(t, c)
		var got string
		for len(frames) > 0 {
			f := <-frames
			if f.op == opText && f.payload != text {
				t.Fatalf("%d bytes instead of the text", len(f.payload))
			}
			got += " " + map[byte]string{opText: "text", opPong: "pong " + f.payload}[f.op]
		}
		if strings.TrimSpace(got) != "text text pong still here" {
			t.Fatal("the peer got", got)
		}
	})
}
