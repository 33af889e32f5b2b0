package session_test

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/server/servertest"
	"holdfast/session"
	"holdfast/transport/netsim"
)

// level waits until all rooms are level with the server.
func level(t *testing.T, rooms []*session.Session) {
	t.Helper()
	for late := time.Now().Add(time.Minute); ; pass(time.Millisecond) {
		behind := slices.IndexFunc(rooms, func(s *session.Session) bool { return s.Status().State != session.Online })
		if behind < 0 {
			return
		}
		if time.Now().After(late) {
			t.Fatalf("%s is not level: %+v", rooms[behind].Room(), rooms[behind].Status())
		}
	}
}

// inCrowd is a client that is in n rooms, and has somebody who consumes. use is given each line.
func inCrowd(t *testing.T, net *netsim.Net, n int, use func(session.Message)) (*session.Client, []*session.Session) {
	t.Helper()
	c := newClient(t, net, nil)
	var wg sync.WaitGroup
	wg.Go(func() {
		for m := range c.Messages() {
			use(m)
		}
	})
	t.Cleanup(func() {
		_ = c.Close()
		wg.Wait()
	})
	list := joined(t, c, numbered("room", 1, n)...)
	level(t, list)
	return c, list
}

func ignore(session.Message) {}

// Five idle rooms cost what one does: the connection has heartbeats, the rooms have none.
func TestIdleRoomsCostNothing(t *testing.T) {
	hour := func(rooms int) (bytes, packets int64) {
		bubble(t, func(t *testing.T, n *netsim.Net) {
			servertest.NewOn(t, n, "server", nil)
			inCrowd(t, n, rooms, ignore)
			pass(time.Minute)
			before := n.Stats()
			pass(time.Hour)
			now := n.Stats()
			bytes, packets = now.Bytes-before.Bytes, now.Packets-before.Packets
		})
		return bytes, packets
	}
	bytes1, packets1 := hour(1)
	bytes5, packets5 := hour(5)
	t.Logf("an hour idle: one room %d bytes in %d packets, five rooms %d in %d", bytes1, packets1, bytes5, packets5)
	if packets1 == 0 || bytes5*10 > bytes1*11 || packets5*10 > packets1*11 {
		t.Errorf("five rooms cost more than a tenth more than one does")
	}
}

// heap is how much memory is in use.
func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC() // what finalizers held
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// A client in 1,000 rooms has one socket, as many goroutines as in one, and little memory for
// each room. The server is in the same process: what is measured is both sides of a room.
func TestThousandRooms(t *testing.T) {
	const (
		count = 1000
		most  = 8 << 10
	)
	bubble(t, func(t *testing.T, n *netsim.Net) {
		servertest.NewOn(t, n, "server", nil)
		c, _ := inCrowd(t, n, 1, ignore)
		pass(time.Minute)
		synctest.Wait()
		goroutines, used := runtime.NumGoroutine(), heap()
		level(t, joined(t, c, numbered("more", 1, count)...))
		pass(time.Minute)
		synctest.Wait()
		each := (heap() - used) / count
		more := runtime.NumGoroutine() - goroutines
		t.Logf("%d bytes a room on both sides, %d goroutines more, %d connections", each, more, len(n.Links()))
		if each > most {
			t.Errorf("%d bytes a room, more than %d", each, most)
		}
		if more > 0 || len(n.Links()) != 1 {
			t.Errorf("%d goroutines more, %d connections", more, len(n.Links()))
		}
		runtime.KeepAlive(c)
	})
}

// After a break 1,000 rooms are level again one round trip after the handshake: each is joined
// before the server has answered for another one.
func TestThousandRoomsResumeAtOnce(t *testing.T) {
	const (
		latency = 50 * time.Millisecond // one way
		small   = 20 * time.Millisecond
	)
	var up atomic.Int64 // when the last connection reached the server
	bubbleOn(t, &netsim.Options{
		Latency: netsim.Between(latency, latency+1),
		Window:  8 << 20, // or the bytes under way would be what takes time
		OnLink:  func(*netsim.Link) { up.Store(time.Now().UnixNano()) },
	}, func(t *testing.T, n *netsim.Net) {
		host := servertest.NewOn(t, n, "server", nil)
		_, rooms := inCrowd(t, n, 1000, ignore)
		pass(time.Minute)
		for range 3 {
			dials := n.Stats().Dials
			host.Reset("ana")
			for n.Stats().Dials == dials {
				pass(time.Millisecond)
			}
			level(t, rooms)
			took := time.Since(time.Unix(0, up.Load()))
			// The dial's answer; the upgrade and its answer, with which the challenge comes.
			const handshake = 3 * latency
			t.Logf("level %v after the dial had arrived, of which the handshake takes %v", took, handshake)
			if took > handshake+2*latency+small {
				t.Errorf("level after %v, want %v", took, handshake+2*latency+small)
			}
		}
	})
}

// A bot in a hundred rooms answers in each of them, in its order, also where the link breaks.
func TestHundredRooms(t *testing.T) {
	bubble(t, func(t *testing.T, n *netsim.Net) {
		host := servertest.NewOn(t, n, "server", nil)
		var bot *session.Client
		ready := make(chan struct{})
		bot, _ = inCrowd(t, n, 100, func(m session.Message) {
			<-ready
			if q, ok := strings.CutPrefix(m.Text, "q"); ok {
				if _, err := bot.Session(m.Room).Reply(m, "a"+q); err != nil {
					t.Error(err)
				}
			}
		})
		close(ready)
		bob, err := session.NewClient(host.URL, &session.Options{Name: "bob", Dir: t.TempDir(), HTTPClient: host.Client("bob")})
		must(t, err)
		defer bob.Close()
		rooms := joined(t, bob, numbered("room", 1, 100)...)
		level(t, rooms)
		const each = 5
		for i := 1; i <= each; i++ {
			for _, s := range rooms {
				send(t, s, fmt.Sprint("q", i))
			}
			if i%2 == 0 {
				host.Reset("ana")
			} else {
				host.Stall("bob")
			}
		}
		answers, left := map[string][]string{}, each*len(rooms)
		for m := range bob.Messages() {
			if m.From != "ana" {
				continue
			}
			answers[m.Room] = append(answers[m.Room], m.Text)
			if left--; left == 0 {
				break
			}
		}
		for room, list := range answers {
			equal(t, room, list, numbered("a", 1, each))
		}
	})
}
