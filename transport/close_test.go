package transport_test

import (
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"holdfast/transport"
	"holdfast/transport/netsim"
)

const closeTimeout = 500 * time.Millisecond

// TestCloseIsBounded closes against peers that do not answer.
func TestCloseIsBounded(t *testing.T) {
	for name, prepare := range map[string]func(t *testing.T, c *transport.Conn){
		"no reader": func(*testing.T, *transport.Conn) {},
		"reader":    func(_ *testing.T, c *transport.Conn) { read(c) },
		"stuck writer": func(t *testing.T, c *transport.Conn) {
			go func() { _ = c.Write(make([]byte, 200<<10)) }()
		},
		"stuck writer and reader": func(t *testing.T, c *transport.Conn) {
			read(c)
			go func() { _ = c.Write(make([]byte, 200<<10)) }()
		},
		"probe": func(t *testing.T, c *transport.Conn) { read(c); c.Probe() },
	} {
		t.Run(name, func(t *testing.T) {
			eachSide(t, nil, func(t *testing.T, peer *raw, c *transport.Conn) {
				prepare(t, c)
				pass(time.Second)
				start := time.Now()
				c.Close(transport.CloseGoingAway, "bye")
				after(t, start, closeTimeout)
				if !errors.Is(c.Err(), transport.ErrClosed) {
					t.Fatal(c.Err())
				}
				for _, err := range []error{c.Write([]byte("x")), second(c.Read())} {
					if !errors.Is(err, transport.ErrClosed) {
						t.Fatal(err)
					}
				}
				c.Close(transport.CloseNormal, "again")
				after(t, start, closeTimeout)
			})
		})
	}
}

func second(_ []byte, err error) error { return err }

// TestDoneAtOnce wants those who wait for the Conn woken before the peer agrees.
func TestDoneAtOnce(t *testing.T) {
	eachSide(t, nil, func(t *testing.T, peer *raw, c *transport.Conn) {
		start := time.Now()
		go c.Close(transport.CloseNormal, "")
		wantDeath(t, c, start, transport.ErrClosed)
		pass(closeTimeout)
	})
}

// TestNothingFollowsClose pings an end that has said goodbye.
func TestNothingFollowsClose(t *testing.T) {
	eachSide(t, nil, func(t *testing.T, peer *raw, c *transport.Conn) {
		frames := peer.listens(false)
		ended := read(c)
		go c.Close(transport.CloseNormal, "")
		synctest.Wait()
		peer.send(fin|opPing, "x")
		<-ended
		pass(closeTimeout)
		if f := <-frames; f.op != opClose || len(frames) != 0 {
			t.Fatalf("the peer got %+v and %d more", f, len(frames))
		}
	})
}

func TestCloseReachesThePeer(t *testing.T) {
	for name, swap := range map[string]bool{"client": false, "server": true} {
		t.Run(name, func(t *testing.T) {
			bubble(t, nil, func(t *testing.T, n *netsim.Net) {
				a, b, _ := connect(t, n, nil)
				if swap {
					a, b = b, a
				}
				ended := read(b)
				start := time.Now()
				a.Close(4001, "why not")
				after(t, start, 0)
				<-ended
				after(t, start, 0)
				wantClosed(t, b.Err(), 4001, "why not")
				if !errors.Is(a.Err(), transport.ErrClosed) {
					t.Fatal(a.Err())
				}
				b.Close(transport.CloseNormal, "")
				wantClosed(t, b.Err(), 4001, "why not")
			})
		})
	}
}

// patient is for tests of what a close says, which a busy machine must not cut short.
var patient = &transport.Options{CloseTimeout: 10 * time.Second}

// TestCloseOverTCP has both ends write as fast as they can when one closes. The
// code must not be lost behind an error of a write.
func TestCloseOverTCP(t *testing.T) {
	for i := range 12 {
		a, b := connectTCP(t, patient)
		if i%2 == 0 {
			a, b = b, a
		}
		ended := read(a, b)
		var writers sync.WaitGroup
		begun := make(chan struct{}, 4)
		for _, c := range []*transport.Conn{a, b, a, b} {
			writers.Go(func() {
				for k := 0; c.Write(make([]byte, k%300)) == nil; k++ {
					if k == 10 {
						begun <- struct{}{}
					}
				}
			})
		}
		for range cap(begun) {
			<-begun
		}
		a.Close(4500, "superseded")
		writers.Wait()
		<-ended
		wantClosed(t, b.Err(), 4500, "superseded")
	}
}

// TestCloseInTurn has somebody tidy up as soon as the Conn is dead. That must not
// cut short the close which is under way.
func TestCloseInTurn(t *testing.T) {
	for range 200 {
		bubble(t, nil, func(t *testing.T, n *netsim.Net) {
			client, server, _ := connect(t, n, nil)
			go func() {
				<-server.Done()
				server.Close(transport.CloseNormal, "")
			}()
			ended := read(client, server)
			server.Close(4500, "superseded")
			<-ended
			wantClosed(t, client.Err(), 4500, "superseded")
		})
	}
}

func TestCloseReason(t *testing.T) {
	for name, c := range map[string]struct{ reason, want string }{
		"none":      {"", ""},
		"just fits": {strings.Repeat("x", 123), strings.Repeat("x", 123)},
		"long":      {strings.Repeat("x", 200), strings.Repeat("x", 123)},
		"runes":     {strings.Repeat("é", 100), strings.Repeat("é", 61)},
		"big runes": {"xx" + strings.Repeat("🦀", 100), "xx" + strings.Repeat("🦀", 30)},
		"not UTF-8": {"a\xffb\xc3", "ab"},
	} {
		t.Run(name, func(t *testing.T) {
			eachSide(t, nil, func(t *testing.T, peer *raw, conn *transport.Conn) {
				frames := peer.listens(false)
				conn.Close(4007, c.reason)
				f := <-frames
				if f.op != opClose || !utf8.ValidString(f.payload[2:]) || f.payload[2:] != c.want ||
					binary.BigEndian.Uint16([]byte(f.payload)) != 4007 {
					t.Fatalf("the peer got %+v", f)
				}
			})
		})
	}
}

// TestPeerEnds has the peer go in all the ways there are.
func TestPeerEnds(t *testing.T) {
	for name, c := range map[string]struct {
		end  func(peer *raw)
		want func(t *testing.T, err error)
	}{
		"close": {
			func(p *raw) { p.send(fin|opClose, "\x0f\xa1gone") },
			func(t *testing.T, err error) { wantClosed(t, err, 4001, "gone") },
		},
		"close without a code": {
			func(p *raw) { p.send(fin|opClose, "") },
			func(t *testing.T, err error) { wantClosed(t, err, transport.CloseNoStatus, "") },
		},
		"EOF": {
			func(p *raw) { _ = p.Close() },
			func(t *testing.T, err error) { wantLost(t, err, io.ErrUnexpectedEOF) },
		},
		"EOF in a frame": {
			func(p *raw) { p.bytes(p.head(fin|opText, 100)); _ = p.Close() },
			func(t *testing.T, err error) { wantLost(t, err, io.ErrUnexpectedEOF) },
		},
		"EOF between fragments": {
			func(p *raw) { p.send(opText, "half"); _ = p.Close() },
			func(t *testing.T, err error) { wantLost(t, err, io.ErrUnexpectedEOF) },
		},
		"EOF in a header": {
			func(p *raw) { p.bytes([]byte{fin | opText}); _ = p.Close() },
			func(t *testing.T, err error) { wantLost(t, err, io.ErrUnexpectedEOF) },
		},
		"bad close": {
			func(p *raw) { p.send(fin|opClose, "\x03\xed") }, // 1005 may not be sent
			func(t *testing.T, err error) { wantLost(t, err, nil) },
		},
		"nonsense": {
			func(p *raw) { p.send(fin|0x70|0x3, "") },
			func(t *testing.T, err error) { wantLost(t, err, nil) },
		},
	} {
		t.Run(name, func(t *testing.T) {
			eachSide(t, nil, func(t *testing.T, peer *raw, conn *transport.Conn) {
				start := time.Now()
				c.end(peer)
				_, err := conn.Read()
				if !errors.Is(conn.Err(), err) {
					t.Fatalf("Read says %v, Err %v", err, conn.Err())
				}
				c.want(t, err)
				after(t, start, 0)
			})
		})
	}
}

// wantLost wants an error after which it makes sense to come back.
func wantLost(t *testing.T, err, cause error) {
	t.Helper()
	_, closed := errors.AsType[*transport.CloseError](err)
	if err == nil || closed || !transport.Retryable(err) || cause != nil && !errors.Is(err, cause) {
		t.Fatal(err)
	}
}

// TestReset breaks the link under a reader, a writer, both, and nobody.
func TestReset(t *testing.T) {
	bubble(t, nil, func(t *testing.T, n *netsim.Net) {
		client, server, link := connect(t, n, nil)
		ended := read(client)
		go func() {
			for client.Write(make([]byte, 1000)) == nil {
				sleep(time.Millisecond)
			}
		}()
		pass(10 * time.Millisecond)
		start := time.Now()
		link.Reset()
		<-ended
		wantLost(t, client.Err(), syscall.ECONNRESET)
		after(t, start, 0)
		if err := server.Write([]byte("x")); !errors.Is(err, syscall.ECONNRESET) {
			t.Fatal(err)
		}
		pass(time.Second)
	})
}

// TestDeathWakesAll lets the Conn die of silence under everybody who waits.
func TestDeathWakesAll(t *testing.T) {
	eachSide(t, nil, func(t *testing.T, peer *raw, c *transport.Conn) {
		start := time.Now()
		c.SetHeartbeat(time.Hour, 5*time.Second)
		var all sync.WaitGroup
		all.Go(func() { _, _ = c.Read() })
		for range 3 {
			all.Go(func() { _ = c.Write(make([]byte, 100<<10)) })
		}
		c.Probe()
		pass(time.Second)
		all.Wait()
		after(t, start, probeTimeout)
		c.Close(transport.CloseNormal, "")
		after(t, start, probeTimeout)
		if !errors.Is(c.Err(), transport.ErrPeerDead) {
			t.Fatal(c.Err())
		}
	})
}

// TestCloseMeetsEverything closes while all else goes on, at the same instants.
func TestCloseMeetsEverything(t *testing.T) {
	for range 50 {
		bubble(t, nil, func(t *testing.T, n *netsim.Net) {
			client, server, _ := connect(t, n, nil)
			ended := read(client, server)
			pass(interval)
			var all sync.WaitGroup
			for _, c := range []*transport.Conn{client, server} {
				for range 2 {
					all.Go(func() { c.Close(transport.CloseGoingAway, "") })
				}
				all.Go(func() { _ = c.Write([]byte("x")) })
				all.Go(func() { c.Probe() })
				all.Go(func() { c.SetHeartbeat(time.Second, 0) })
			}
			all.Wait()
			<-ended
			for _, c := range []*transport.Conn{client, server} {
				_, told := errors.AsType[*transport.CloseError](c.Err())
				if !told && !errors.Is(c.Err(), transport.ErrClosed) {
					t.Fatal(c.Err())
				}
			}
			synctest.Wait()
		})
	}
}
