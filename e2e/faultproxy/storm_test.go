package faultproxy_test

import (
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"holdfast/e2e/faultproxy"
)

// TestAllAtOnce has the race detector look on while every fault comes and goes
// under traffic.
func TestAllAtOnce(t *testing.T) {
	r := newRig(t)
	var echo, clients sync.WaitGroup
	echo.Go(func() {
		for {
			c, err := r.server.AcceptTCP()
			if err != nil {
				return
			}
			echo.Go(func() { _, _ = io.Copy(c, c); _ = c.Close() })
		}
	})
	stop := make(chan struct{})
	for range 4 {
		clients.Go(func() { chatter(r.Addr(), stop) })
	}
	for i := range 40 {
		hole, holeUp, refuse := i%7 == 3, i%7 == 4, i%5 == 4
		heal := r.Stall()
		r.SetDelay(time.Duration(i%3) * time.Millisecond)
		r.Slice(i % 4)
		r.CutAfter(int64(i % 5 * 50))
		r.Hole(hole)
		r.HoleUp(holeUp || hole)
		if err := r.Refuse(refuse); err != nil {
			t.Fatal(err)
		}
		heal()
		if i%5 == 3 {
			r.Reset()
		}
		if !hole && !holeUp && !refuse {
			seen := r.Stats()
			r.await("traffic", func(s faultproxy.Stats) bool { return s.Up > seen.Up && s.Down > seen.Down })
		}
	}
	close(stop)
	_ = r.Close()
	clients.Wait()
	_ = r.server.Close()
	echo.Wait()
}

// chatter dials and echoes until stop is closed, whatever happens.
func chatter(addr string, stop <-chan struct{}) {
	for {
		select {
		case <-stop:
			return
		default:
		}
		c, err := net.DialTimeout("tcp", addr, soon)
		if err != nil {
			continue
		}
		buf := make([]byte, 32)
		for err == nil {
			_ = c.SetDeadline(time.Now().Add(quiet))
			if _, err = c.Write(buf); err == nil {
				_, err = io.ReadFull(c, buf)
			}
		}
		_ = c.Close()
	}
}
