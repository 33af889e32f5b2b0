package transport_test

import (
	"errors"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/transport"
	"holdfast/transport/netsim"
)

// The defaults, which the exact instants below are made of.
const (
	interval  = 10 * time.Second
	deadAfter = 25 * time.Second
)

func TestClientPingsOnItsClock(t *testing.T) {
	for name, busy := range map[string]bool{"idle": false, "busy": true} {
		t.Run(name, func(t *testing.T) {
			bubble(t, nil, func(t *testing.T, n *netsim.Net) {
				peer, c := rawServer(t, n, nil)
				frames := peer.listens(true)
				read(c)
				last := time.Now()
				for range 1000 {
					pass(time.Second)
					if busy {
						peer.send(fin|opText, "data")
					}
				}
				pings := only(frames, opPing)
				for i, p := range pings {
					lo, hi := interval*9/10, interval*11/10
					if i == 0 {
						lo, hi = interval/2, interval
					}
					if gap := p.at.Sub(last); gap < lo || gap > hi {
						t.Errorf("ping %d came after %v", i, gap)
					}
					last = p.at
				}
				if len(pings) < 90 {
					t.Fatalf("only %d pings", len(pings))
				}
				wantAlive(t, c)
			})
		})
	}
}

func TestServerPingsOnlyTheSilent(t *testing.T) {
	bubble(t, nil, func(t *testing.T, n *netsim.Net) {
		peer, c := rawClient(t, n, nil)
		frames := peer.listens(true)
		read(c)
		for range 100 {
			pass(interval - time.Second)
			peer.send(fin|opText, "data")
		}
		if pings := only(frames, opPing); len(pings) != 0 {
			t.Fatalf("a peer that spoke was pinged %d times", len(pings))
		}
		synctest.Wait()
		silent := c.Heard()
		pass(100 * time.Second)
		pings := only(frames, opPing)
		if len(pings) < 9 || len(pings) > 10 || !pings[0].at.Equal(silent.Add(interval)) {
			t.Fatalf("pings to a silent peer: %v", pings)
		}
		wantAlive(t, c)
	})
}

// TestBlackHole checks both ends when the network swallows one direction or both.
func TestBlackHole(t *testing.T) {
	for name, stall := range map[string][2]bool{"both": {true, true}, "up": {true, false}, "down": {false, true}} {
		t.Run(name, func(t *testing.T) {
			bubble(t, nil, func(t *testing.T, n *netsim.Net) {
				client, server, link := connect(t, n, nil)
				read(client, server)
				pass(10*time.Minute + 500*time.Millisecond)
				wantAlive(t, client, server)
				link.Stall(stall[0], stall[1])
				deaf := map[*transport.Conn]time.Time{} // and when it heard something last
				if stall[0] {
					deaf[server] = server.Heard()
				}
				if stall[1] {
					deaf[client] = client.Heard()
				}
				ends := make(chan struct{})
				for _, c := range []*transport.Conn{client, server} {
					go func() {
						at, err := dies(c)
						if since, ok := deaf[c]; ok && (at.Sub(since) != deadAfter || !errors.Is(err, transport.ErrPeerDead)) {
							t.Errorf("died after %v of %v", at.Sub(since), err)
						} else if !ok && (errors.Is(err, transport.ErrPeerDead) || !transport.Retryable(err)) {
							t.Errorf("the end that heard something died of %v", err)
						}
						ends <- struct{}{}
					}()
				}
				<-ends
				<-ends
			})
		})
	}
}

// TestAnyFrameProvesLife has a peer that never answers, but sends one kind of
// frame now and then, and at last nothing.
func TestAnyFrameProvesLife(t *testing.T) {
	for name, op := range map[string]byte{"data": opText, "ping": opPing, "pong": opPong} {
		t.Run(name, func(t *testing.T) {
			eachSide(t, nil, func(t *testing.T, peer *raw, c *transport.Conn) {
				peer.listens(false)
				read(c)
				for range 30 {
					pass(deadAfter - time.Second)
					peer.send(fin|op, "x")
				}
				wantAlive(t, c)
				wantDeath(t, c, time.Now().Add(deadAfter), transport.ErrPeerDead)
			})
		})
	}
}

// TestWritesProveNothing has a peer that takes every byte and never says anything.
func TestWritesProveNothing(t *testing.T) {
	eachSide(t, nil, func(t *testing.T, peer *raw, c *transport.Conn) {
		born := time.Now()
		peer.listens(false)
		read(c)
		var writer sync.WaitGroup
		defer writer.Wait()
		writer.Go(func() {
			for c.Write([]byte("anybody there?")) == nil {
				sleep(700 * time.Millisecond)
			}
		})
		wantDeath(t, c, born.Add(deadAfter), transport.ErrPeerDead)
	})
}

// TestPiecesProveLife has a link so slow that a frame takes longer than silence
// may last.
func TestPiecesProveLife(t *testing.T) {
	opts := &transport.Options{Heartbeat: 2 * time.Second, DeadAfter: 5 * time.Second, MessageTimeout: time.Minute}
	eachSide(t, opts, func(t *testing.T, peer *raw, c *transport.Conn) {
		peer.listens(false)
		text := strings.Repeat("x", 40<<10)
		go func() {
			frame := peer.frame(fin|opText, text)
			for len(frame) > 0 {
				sleep(1500 * time.Millisecond)
				c.Probe() // they answer a probe, too
				k := min(len(frame), 4<<10)
				peer.bytes(frame[:k])
				frame = frame[k:]
			}
		}()
		wantRead(t, c, text)
	})
}

func TestSetHeartbeat(t *testing.T) {
	t.Run("dead", func(t *testing.T) {
		eachSide(t, nil, func(t *testing.T, peer *raw, c *transport.Conn) {
			born := time.Now()
			frames := peer.listens(false)
			read(c)
			pass(time.Second)
			c.SetHeartbeat(2*time.Second, 0)
			c.SetHeartbeat(0, 7*time.Second)
			wantDeath(t, c, born.Add(7*time.Second), transport.ErrPeerDead)
			if pings := only(frames, opPing); len(pings) == 0 || pings[0].at.Sub(born) > 3*time.Second {
				t.Fatalf("pings: %v", pings)
			}
		})
	})
	t.Run("at once", func(t *testing.T) {
		eachSide(t, nil, func(t *testing.T, peer *raw, c *transport.Conn) {
			read(c)
			pass(4 * time.Second)
			c.SetHeartbeat(time.Second, 3*time.Second)
			wantDeath(t, c, time.Now(), transport.ErrPeerDead)
		})
	})
	t.Run("longer", func(t *testing.T) {
		eachSide(t, nil, func(t *testing.T, peer *raw, c *transport.Conn) {
			born := time.Now()
			read(c)
			c.SetHeartbeat(time.Minute, time.Hour)
			wantDeath(t, c, born.Add(time.Hour), transport.ErrPeerDead)
		})
	})
	t.Run("alive", func(t *testing.T) {
		bubble(t, nil, func(t *testing.T, n *netsim.Net) {
			client, server, _ := connect(t, n, nil)
			read(client, server)
			client.SetHeartbeat(time.Second, 2500*time.Millisecond)
			pass(10 * time.Minute)
			wantAlive(t, client, server)
		})
	})
}

func TestRTTAndHeard(t *testing.T) {
	oneWay := netsim.Between(30*time.Millisecond, 30*time.Millisecond+1)
	bubble(t, &netsim.Options{Latency: oneWay}, func(t *testing.T, n *netsim.Net) {
		client, server, _ := connect(t, n, nil)
		read(client, server)
		if client.RTT() != 0 || server.RTT() != 0 {
			t.Fatal("an RTT before the first ping")
		}
		pass(time.Minute)
		if client.RTT() != 60*time.Millisecond {
			t.Fatalf("RTT %v and %v", client.RTT(), server.RTT())
		}
		start := time.Now()
		write(t, server, "hello")
		pass(40 * time.Millisecond)
		heard := client.Heard()
		if at := heard.Sub(start); at != 30*time.Millisecond {
			t.Fatalf("heard after %v", at)
		}
		if wall := heard.Round(0).Sub(start.Round(0)); wall != 30*time.Millisecond {
			t.Fatalf("on the wall clock, heard after %v", wall)
		}
	})
}

func TestIdleCostsNoGoroutine(t *testing.T) {
	const idle = 300
	bubble(t, nil, func(t *testing.T, n *netsim.Net) {
		conns := accepting(t, listen(t, n), nil)
		synctest.Wait()
		before := runtime.NumGoroutine()
		for range idle {
			knock(t, n, request)
		}
		synctest.Wait()
		if len(conns) != idle {
			t.Fatalf("accepted %d", len(conns))
		}
		if more := runtime.NumGoroutine() - before; more > 5 {
			t.Fatalf("%d idle connections run %d goroutines", idle, more)
		}
	})
}
