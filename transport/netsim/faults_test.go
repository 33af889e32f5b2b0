package netsim_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/transport/netsim"
)

func TestReset(t *testing.T) {
	bubble(t, nil, func(t *testing.T, n *netsim.Net) {
		client, server, k := pair(t, n)
		k.Stall(true, true) // a reset comes from the network: it needs no way through
		send(t, client, "lost")
		waiting := make(chan error)
		go func() {
			_, err := client.Read(make([]byte, 1))
			waiting <- err
		}()
		synctest.Wait()
		k.Reset()
		k.Reset() // counts once
		if err := <-waiting; !errors.Is(err, syscall.ECONNRESET) {
			t.Fatal(err)
		}
		wantErr(t, server, syscall.ECONNRESET)
		wantWriteErr(t, client, syscall.ECONNRESET)
		wantWriteErr(t, server, syscall.ECONNRESET)
		if s := n.Stats(); s.Resets != 1 {
			t.Fatalf("%+v", s)
		}
	})
}

func TestLinkClose(t *testing.T) {
	bubble(t, nil, func(t *testing.T, n *netsim.Net) {
		client, server, k := pair(t, n)
		send(t, client, "last")
		k.Close()
		wantText(t, server, "last")
		wantErr(t, server, io.EOF)
		wantErr(t, client, io.EOF)
		wantWriteErr(t, server, syscall.EPIPE)
		wantWriteErr(t, client, syscall.EPIPE)
	})
}

func TestStallOneWay(t *testing.T) {
	bubble(t, nil, func(t *testing.T, n *netsim.Net) {
		client, server, k := pair(t, n)
		k.Stall(true, false)
		send(t, client, "held ")
		send(t, server, "through")
		wantText(t, client, "through")
		send(t, client, "back")
		wantSilence(t, server)
		k.Heal()
		wantText(t, server, "held back")

		k.Stall(false, true)
		send(t, client, "through")
		wantText(t, server, "through")
		send(t, server, "held")
		wantSilence(t, client)
		_ = server.Close()
		wantSilence(t, client) // the FIN is held as well,
		send(t, client, "on")  // and so is the RST that this calls for
		k.Heal()
		wantText(t, client, "held")
		wantErr(t, client, io.EOF)
		wantWriteErr(t, client, syscall.EPIPE)
	})
}

// TestWriterLearns has a writer blocked on a full window when its peer closes.
func TestWriterLearns(t *testing.T) {
	bubble(t, nil, func(t *testing.T, n *netsim.Net) {
		client, server, k := pair(t, n)
		k.Stall(true, true)
		start := time.Now()
		result := make(chan error)
		go func() {
			_, err := io.WriteString(client, strings.Repeat("x", 70_000))
			result <- err
		}()
		pass(time.Minute)
		_ = server.Close()
		pass(time.Minute)
		k.Heal()
		if err := <-result; !errors.Is(err, syscall.EPIPE) {
			t.Fatal(err)
		}
		wantTook(t, start, 2*time.Minute)
	})
}

func TestCutAfter(t *testing.T) {
	text := strings.Repeat("0123456789", 31)
	for k := 1; k <= 300; k++ {
		bubble(t, nil, func(t *testing.T, n *netsim.Net) {
			client, server, link := pair(t, n)
			if k%2 == 0 { // the other direction
				client, server = server, client
				link.CutAfter(0, k)
			} else {
				link.CutAfter(k, 0)
			}
			send(t, server, "lost, as it was under way")
			send(t, client, text)
			wantText(t, server, text[:k])
			wantErr(t, server, syscall.ECONNRESET)
			wantErr(t, client, syscall.ECONNRESET)
			wantWriteErr(t, client, syscall.ECONNRESET)
			if s := n.Stats(); s.Cuts != 1 || s.Resets != 0 || s.Bytes != int64(k) {
				t.Fatalf("cut at %d: %+v", k, s)
			}
		})
	}
}

func TestPartition(t *testing.T) {
	bubble(t, nil, func(t *testing.T, n *netsim.Net) {
		client, server, k := pair(t, n)
		other := listen(t, n, "server2")
		n.Partition("server", true)
		k.Heal() // heals a link, not a partition
		send(t, client, "bye")
		_ = client.Close()
		wantSilence(t, server) // neither the bytes nor the FIN
		send(t, server, "hello?")

		if c, err := n.DialContext(t.Context(), "tcp", "server2"); err != nil {
			t.Fatal("the rest of the net:", err)
		} else {
			_ = c.Close()
		}
		accepted, err := other.Accept()
		if err != nil {
			t.Fatal(err)
		}
		_ = accepted.Close()

		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		start := time.Now()
		if _, err := n.DialContext(ctx, "tcp", "server"); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal("dial into the partition:", err)
		}
		wantTook(t, start, 10*time.Second)

		time.AfterFunc(time.Minute, func() { n.Partition("server", false) })
		start = time.Now()
		late, err := n.DialContext(t.Context(), "tcp", "server")
		if err != nil {
			t.Fatal(err)
		}
		wantTook(t, start, time.Minute)
		_ = late.Close()
		wantText(t, server, "bye")
		wantErr(t, server, io.EOF)
		wantWriteErr(t, server, syscall.EPIPE)
	})
}

func TestPartitionOfClient(t *testing.T) {
	bubble(t, nil, func(t *testing.T, n *netsim.Net) {
		l := listen(t, n, "server")
		serveEcho(t, l)
		ana, ben := dialEcho(t, n, "ana", "server"), dialEcho(t, n, "ben", "server")
		n.Partition("ana", true)
		if err := ping(t, ben, 10*time.Second); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		if err := ping(t, ana, 10*time.Second); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
		wantTook(t, start, 10*time.Second)
		n.Partition("ana", false)
		if err := ping(t, ana, 10*time.Second); err != nil {
			t.Fatal(err)
		}
		if k := n.Links(); len(k) != 2 || k[0].From() != "ana" || k[1].From() != "ben" {
			t.Fatal("links:", len(k))
		}
	})
}
