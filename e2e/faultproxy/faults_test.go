package faultproxy_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"syscall"
	"testing"
	"time"

	"holdfast/e2e/faultproxy"
)

func TestHole(t *testing.T) {
	r := newRig(t)
	client, server := r.pair()
	idleClient, idleServer := r.pair()
	r.Hole(true)
	send(t, client, "lost")
	send(t, server, "lost too")
	r.await("the loss", func(s faultproxy.Stats) bool { return s.Lost == 12 })
	_ = client.CloseWrite()
	wantSilence(t, server) // neither the bytes nor the FIN
	wantSilence(t, client)

	late := r.dial() // accepted, and goes nowhere
	send(t, late, "hello?")
	r.await("the loss", func(s faultproxy.Stats) bool { return s.Lost == 18 })
	wantSilence(t, late)
	if c := r.accept(r.server, quiet); c != nil {
		t.Fatal("a connection reached the server through the hole")
	}

	r.Hole(false)
	send(t, server, "anyone?")
	send(t, idleClient, "me")
	send(t, idleServer, "me")
	send(t, late, "still?")
	r.await("the loss", func(s faultproxy.Stats) bool { return s.Lost == 35 })
	for _, c := range []net.Conn{client, server, idleClient, idleServer, late} {
		wantSilence(t, c) // what was in a hole stays dead
	}
	client, server = r.pair()
	send(t, client, "fresh")
	wantText(t, server, "fresh")
	if s := r.Stats(); s.Resets != 0 {
		t.Fatalf("%+v", s)
	}
}

func TestHoleUp(t *testing.T) {
	r := newRig(t)
	client, server := r.pair()
	r.HoleUp(true)
	send(t, client, "lost")
	send(t, server, "heard")
	wantText(t, client, "heard")
	wantSilence(t, server)

	// The client goes away for good. Whatever the server sends falls on a closed
	// socket, and the RST that comes back is lost as well.
	_ = client.Close()
	for i := range 20 {
		send(t, server, "anyone?")
		r.await("a write or a loss", func(s faultproxy.Stats) bool { return s.Down+s.Lost >= int64(9+7*(i+1)) })
	}
	wantSilence(t, server)
	if s := r.Stats(); s.Resets != 0 || s.Lost == 4 {
		t.Fatalf("%+v", s)
	}

	late := r.dial()
	send(t, late, "hello?")
	if c := r.accept(r.server, quiet); c != nil {
		t.Fatal("a connection reached the server through the hole")
	}
	r.HoleUp(false)
	r.pair()
}

func TestHoleDown(t *testing.T) {
	r := newRig(t)
	client, server := r.pair()
	r.HoleDown(true)
	send(t, server, "lost")
	send(t, client, "heard")
	wantText(t, server, "heard")
	_ = server.Close()
	wantSilence(t, client)

	client, server = r.pair() // reaches the server, whose answer is lost
	send(t, client, "hello?")
	wantText(t, server, "hello?")
	send(t, server, "welcome")
	wantSilence(t, client)
	r.HoleDown(false)
	send(t, server, "welcome")
	wantSilence(t, client)
}

func TestRefuse(t *testing.T) {
	r := newRig(t)
	client, server := r.pair()
	for range 3 {
		for range 2 { // a second call changes nothing
			if err := r.Refuse(true); err != nil {
				t.Fatal(err)
			}
		}
		for range 20 {
			if _, err := net.DialTimeout("tcp", r.Addr(), soon); !errors.Is(err, syscall.ECONNREFUSED) {
				t.Fatal("dial:", err)
			}
		}
		send(t, client, "on")
		wantText(t, server, "on")
		for range 2 {
			if err := r.Refuse(false); err != nil {
				t.Fatal(err)
			}
		}
		c, s := r.pair()
		send(t, c, "back")
		wantText(t, s, "back")
	}
}

func TestStall(t *testing.T) {
	r := newRig(t)
	client, server := r.pair()
	heal, heal2 := r.Stall(), r.Stall()
	send(t, client, "one ")
	send(t, server, "up")
	send(t, client, "two")
	_ = client.CloseWrite()
	wantSilence(t, server)
	heal()
	heal() // only once
	wantSilence(t, server)
	wantSilence(t, client)
	heal2()
	wantText(t, server, "one two")
	wantErr(t, server, io.EOF)
	wantText(t, client, "up")

	defer r.Stall()()
	client, server = r.pair()
	send(t, client, "held")
	wantSilence(t, server)
	r.Reset() // gets through what holds all else
	wantErr(t, client, syscall.ECONNRESET)
	wantErr(t, server, syscall.ECONNRESET)
}

func TestDelay(t *testing.T) {
	const delay, pieces = 40 * time.Millisecond, 20
	r := newRig(t)
	client, server := r.pair()
	r.SetDelay(delay)
	start := time.Now()
	send(t, client, "ping")
	wantText(t, server, "ping")
	send(t, server, "pong")
	wantText(t, client, "pong")
	if took := time.Since(start); took < 2*delay {
		t.Fatal("a round trip took", took)
	}

	// Each piece is read on its own, yet they arrive together: a late link is not
	// a slow one.
	start = time.Now()
	for i := range pieces {
		send(t, client, fmt.Sprintf("%2d", i))
	}
	for i := range pieces {
		wantText(t, server, fmt.Sprintf("%2d", i))
	}
	if took := time.Since(start); took < delay || took > delay*pieces/2 {
		t.Fatal("a burst took", took)
	}
	r.SetDelay(0)
	send(t, client, "quick")
	_ = client.Close()
	wantText(t, server, "quick")
	wantErr(t, server, io.EOF)
}

func TestCutAfter(t *testing.T) {
	for _, k := range []int{1, 2, 7, 64, 5000} {
		t.Run(strconv.Itoa(k), func(t *testing.T) { testCutAfter(t, k) })
	}
}

func testCutAfter(t *testing.T, k int) {
	r := newRig(t)
	client, server := r.pair()
	send(t, client, "free")
	wantText(t, server, "free")
	r.CutAfter(int64(k))
	for range 2 { // the connection that exists, then a new one
		text := make([]byte, k+10)
		_, _ = client.Write(text)
		wantText(t, server, string(text[:k]))
		wantErr(t, server, syscall.ECONNRESET)
		wantErr(t, client, syscall.ECONNRESET)
		client, server = r.pair()
	}
	r.CutAfter(0)
	send(t, client, "free")
	wantText(t, server, "free")
	r.await("two cuts", func(s faultproxy.Stats) bool { return s.Resets == 2 && s.Up == int64(2*k+8) })
}

func TestCutAfterDown(t *testing.T) {
	r := newRig(t)
	r.CutAfter(6)
	client, server := r.pair()
	send(t, client, "12345")
	wantText(t, server, "12345") // each direction has its own allowance
	send(t, server, "123456789")
	wantText(t, client, "123456")
	wantErr(t, client, syscall.ECONNRESET)
	wantErr(t, server, syscall.ECONNRESET)
}

func TestSlice(t *testing.T) {
	const text = "a line that is cut into little pieces"
	for n := 1; n <= 3; n++ {
		t.Run(strconv.Itoa(n), func(t *testing.T) {
			r := newRig(t)
			client, server := r.pair()
			r.Slice(n)
			send(t, client, text)
			wantText(t, server, text)
			writes := int64((len(text) + n - 1) / n)
			r.await("every slice", func(s faultproxy.Stats) bool { return s.Writes >= writes && s.Up == int64(len(text)) })
		})
	}
}
