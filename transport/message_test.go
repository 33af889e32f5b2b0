package transport_test

import (
	"errors"
	"strings"
	"testing"

	"holdfast/transport"
	"holdfast/transport/netsim"
)

const both = transport.Text | transport.Binary

// TestKinds sends both kinds to Conns that take one, or both.
func TestKinds(t *testing.T) {
	for name, c := range map[string]struct{ kinds, takes transport.Kind }{
		"default": {0, transport.Text},
		"unknown": {64, transport.Text},
		"text":    {transport.Text, transport.Text},
		"binary":  {transport.Binary, transport.Binary},
		"both":    {both, both},
	} {
		t.Run(name, func(t *testing.T) {
			eachSide(t, &transport.Options{Kinds: c.kinds}, func(t *testing.T, peer *raw, conn *transport.Conn) {
				frames := peer.listens(false)
				for kind, op := range map[transport.Kind]byte{transport.Text: opText, transport.Binary: opBinary} {
					if c.takes&kind == 0 {
						continue
					}
					peer.send(fin|op, "\xff")
					got, p, err := conn.ReadMessage()
					if got != kind || string(p) != "\xff" || err != nil {
						t.Fatalf("read %v %q, %v; want %v", got, p, err, kind)
					}
					peer.send(fin|op, "")
					if p, err := conn.Read(); len(p) != 0 || err != nil {
						t.Fatalf("read %q, %v", p, err)
					}
				}
				if c.takes == both {
					return
				}
				peer.send(map[transport.Kind]byte{transport.Text: fin | opBinary, transport.Binary: fin | opText}[c.takes], "x")
				peer.send(fin|opClose, "\x03\xeb")
				_, err := conn.Read()
				if !errors.Is(err, transport.ErrWrongKind) || !errors.Is(conn.Err(), err) || transport.Retryable(err) {
					t.Fatal(err, conn.Err())
				}
				other := both &^ c.takes
				if f := <-frames; f.op != opClose || f.payload != "\x03\xebno "+other.String()+" messages" {
					t.Fatalf("the peer got %+v", f)
				}
			})
		})
	}
}

// TestWrongKindOfAnySize: what is not taken at all is not too big.
func TestWrongKindOfAnySize(t *testing.T) {
	eachSide(t, nil, func(t *testing.T, peer *raw, conn *transport.Conn) {
		peer.listens(false)
		ended := read(conn)
		peer.send(fin|opBinary, strings.Repeat("x", 70<<10))
		<-ended
		if !errors.Is(conn.Err(), transport.ErrWrongKind) {
			t.Fatal(conn.Err())
		}
	})
}

// TestWriteMessage wants what can't be sent refused without harm.
func TestWriteMessage(t *testing.T) {
	eachSide(t, nil, func(t *testing.T, peer *raw, conn *transport.Conn) {
		frames := peer.listens(false)
		for _, bad := range []string{"\xff", "a\xc3", "\xed\xa0\x80", strings.Repeat("x", 70<<10) + "\x80"} {
			if err := conn.Write([]byte(bad)); !errors.Is(err, transport.ErrNotUTF8) {
				t.Fatalf("%.5q: %v", bad, err)
			}
		}
		for _, kind := range []transport.Kind{0, 8, both} {
			if err := conn.WriteMessage(kind, nil); !errors.Is(err, transport.ErrWrongKind) {
				t.Fatalf("%v: %v", kind, err)
			}
		}
		wantAlive(t, conn)
		write(t, conn, "é")
		if err := conn.WriteMessage(transport.Text, nil); err != nil {
			t.Fatal(err)
		}
		if err := conn.WriteMessage(transport.Binary, []byte("\xff\x00")); err != nil {
			t.Fatal(err)
		}
		for _, want := range []seen{{op: opText, payload: "é"}, {op: opText}, {op: opBinary, payload: "\xff\x00"}} {
			if got := <-frames; got.op != want.op || got.payload != want.payload {
				t.Fatalf("the peer got %+v, want %+v", got, want)
			}
		}
	})
}

// TestBinaryIsNotRedialled has a server that sends what its client will never take.
func TestBinaryIsNotRedialled(t *testing.T) {
	bubble(t, nil, func(t *testing.T, n *netsim.Net) {
		conns := accepting(t, listen(t, n), nil)
		d := dialling(n, seconds(1)...)
		var last *transport.RedialError
		for conn, err := range transport.Conns(t.Context(), "ws://server", &d.Options) {
			if err != nil {
				last = redial(t, err)
				continue
			}
			server := <-conns
			if err := server.WriteMessage(transport.Binary, []byte{1}); err != nil {
				t.Fatal(err)
			}
			ended := read(server)
			_, _ = conn.Read()
			<-ended
			wantClosed(t, server.Err(), transport.CloseUnsupported, "no binary messages")
		}
		if last == nil || last.RetryIn >= 0 || !errors.Is(last, transport.ErrWrongKind) || len(d.at) != 1 {
			t.Fatalf("dialled at %v, then %v", d.at, last)
		}
	})
}
