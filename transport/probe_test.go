package transport_test

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/transport"
	"holdfast/transport/netsim"
)

const probeTimeout = 3 * time.Second

func TestProbeOfTheDead(t *testing.T) {
	eachSide(t, nil, func(t *testing.T, peer *raw, c *transport.Conn) {
		frames := peer.listens(false)
		read(c)
		pass(time.Second)
		start := time.Now()
		c.Probe()
		pass(2 * time.Second)
		c.Probe() // does not prolong the one in progress
		wantDeath(t, c, start.Add(probeTimeout), transport.ErrPeerDead)
		if pings := only(frames, opPing); len(pings) != 1 || !pings[0].at.Equal(start) {
			t.Fatalf("pings: %v", pings)
		}
	})
}

// TestProbeOfTheLiving answers at the very instant of the ping, or later, or with
// another frame than a pong.
func TestProbeOfTheLiving(t *testing.T) {
	for name, answer := range map[string]byte{"pong": opPong, "data": opText, "ping": opPing} {
		for when, delay := range map[string]time.Duration{"now": 0, "late": probeTimeout - 1} {
			t.Run(name+" "+when, func(t *testing.T) {
				eachSide(t, nil, func(t *testing.T, peer *raw, c *transport.Conn) {
					peer.listens(false)
					read(c)
					for range 10 {
						pass(time.Second)
						c.Probe()
						pass(delay)
						peer.send(fin|answer, "x")
						pass(probeTimeout)
						wantAlive(t, c)
					}
				})
			})
		}
	}
}

// TestProbeMeetsTick probes while the timer's call runs, which must not put the
// probe's ping off, and wants it at that instant each time.
func TestProbeMeetsTick(t *testing.T) {
	bubble(t, nil, func(t *testing.T, n *netsim.Net) {
		peer, c := rawClient(t, n, nil)
		frames := peer.listens(true)
		read(c)
		for range 500 {
			go transport.Tick(c)
			c.Probe()
			synctest.Wait()
			if pings := only(frames, opPing); len(pings) != 1 {
				t.Fatalf("pings: %v", pings)
			}
			transport.Tick(c) // sees the answer
		}
		wantAlive(t, c)
	})
}

// TestEverythingAtOnce is for the race detector: all methods, many callers.
func TestEverythingAtOnce(t *testing.T) {
	client, server := connectTCP(t, nil)
	ended := read(client, server)
	var callers sync.WaitGroup
	for _, c := range []*transport.Conn{client, server} {
		for _, call := range []func(){
			c.Probe,
			func() { c.SetHeartbeat(time.Second, time.Minute) },
			func() { c.SetHeartbeat(time.Hour, 2*time.Hour) },
			func() { _ = c.Write([]byte("hello")) },
			func() { _ = c.Write(make([]byte, 20_000)) },
			func() { _, _, _ = c.RTT(), c.Heard(), c.Err() },
			func() { c.Proven(); c.RetryAfter(time.Second) },
		} {
			callers.Go(func() {
				for range 200 {
					call()
				}
			})
		}
	}
	callers.Wait()
	if client.Err() != nil || server.Err() != nil {
		t.Fatal(client.Err(), server.Err())
	}
	for range 4 {
		callers.Go(func() { client.Close(transport.CloseGoingAway, "") })
		callers.Go(func() { client.Probe() })
		callers.Go(func() { _ = client.Write([]byte("x")) })
	}
	callers.Wait()
	<-ended
}
