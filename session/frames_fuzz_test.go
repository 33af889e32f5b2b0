package session_test

import (
	"fmt"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"holdfast/session"
	"holdfast/session/wire"
	"holdfast/transport/netsim"
)

// hostile is a server that says what the fuzzer wants, and what may be believed of it.
type hostile struct {
	*testing.T
	s    *session.Session
	p    *peer
	rest []byte

	ids     []session.ID
	settled map[session.ID]bool // some ack or refusal covers it
	cursors map[string]bool     // that the server ever gave
}

func (h *hostile) byte() byte {
	if len(h.rest) == 0 {
		return 0
	}
	b := h.rest[0]
	h.rest = h.rest[1:]
	return b
}

// line draws the number of a line, most often one that the client has.
func (h *hostile) line() (source string, n uint64) {
	b := h.byte()
	if source = h.ids[0].Source; b >= 240 {
		source = "other"
	}
	return source, uint64(b % 8)
}

func (h *hostile) cursor() string {
	c := fmt.Sprint("c", h.byte()%4)
	h.cursors[c] = true
	return c
}

// cover notes what the server has said of the client's lines.
func (h *hostile) cover(source string, from, to uint64) {
	for _, id := range h.ids {
		if id.Source == source && from <= id.N && id.N <= to {
			h.settled[id] = true
		}
	}
}

// frame makes the next frame of what the fuzzer wants.
func (h *hostile) frame() wire.Frame {
	switch kind := h.byte(); kind % 10 {
	case 0, 1:
		f := &wire.Events{After: h.cursor(), Cursor: h.cursor()}
		for range kind / 64 {
			b := h.byte()
			source, n := h.line()
			f.Events = append(f.Events, wire.Event{
				Seq: uint64(b % 16), From: "bob", Source: source, N: n, Text: "x",
				Kind: []string{"", "", wire.KindVoid, "odd"}[b/64], At: wire.Time{Time: time.Now()},
			})
		}
		return f
	case 2:
		return &wire.Live{}
	case 3:
		source, n := h.line()
		h.cover(source, 0, n)
		return &wire.Ack{Source: source, N: n}
	case 4:
		source, n := h.line()
		return &wire.Retry{Source: source, N: n, AfterMS: int64(h.byte()) << (kind / 9), Code: wire.RetryGap}
	case 5:
		source, n := h.line()
		h.cover(source, n, n)
		return &wire.Refused{Source: source, N: n, Code: "odd", Message: "\x1b[2J"}
	case 6:
		return &wire.Presence{Joined: []string{fmt.Sprint(h.byte())}, Left: []string{"ana"}}
	case 7:
		return &wire.Page{ID: "unasked"}
	case 8:
		codes := []string{"", "odd", wire.Draining.Word, wire.Superseded.Word, wire.Forbidden.Word}
		return &wire.Bye{Code: codes[h.byte()%5], RetryMS: int64(kind) << (kind / 8)}
	}
	return h.welcome()
}

// welcome is the first frame, or one too many.
func (h *hostile) welcome() *wire.Welcome {
	b := h.byte()
	w := &wire.Welcome{
		Generation: uint64(b), Cursor: h.cursor(), Resumed: b&1 > 0,
		Reason: []string{"", wire.ReasonFresh, wire.ReasonExpired, wire.ReasonDiverged}[b>>1&3], Missed: int64(b), Lost: int64(b>>3) - 1,
		HeartbeatMS: int64(b) << (b >> 3), TimeoutMS: int64(b) << (b >> 4), Limits: wire.Limits{InFlight: int(b & 7)},
		Members: []string{"ana", "ana", ""}, Now: wire.Time{Time: time.Now()},
	}
	if b >= 192 {
		source, n := h.line()
		h.cover(source, 0, n)
		w.Acks = []wire.Ack{{Source: source, N: n}}
	}
	return w
}

// Whatever a server says, a session does not panic; it keeps each line until the server
// said that it is done with it, and reports that once; it asks to go on only from where
// it was told; and what it shows moves forward, but after a break it tells of.
func FuzzFrames(f *testing.F) {
	f.Add([]byte{1, 0, 64, 0, 1, 3, 0, 2, 3, 2})
	f.Add([]byte{7, 0, 0, 3, 1, 5, 3, 4, 4, 2, 250, 8, 255, 1})
	f.Add([]byte{200, 1, 7, 255, 0, 1, 1, 1, 2, 2, 128, 1, 2, 9, 1, 10, 0, 4, 1})
	f.Add([]byte("\x07\x00{\"type\":\"events\",\"after\":null}"))
	dir := f.TempDir() // for all, as making directories is slow
	f.Fuzz(func(t *testing.T, in []byte) {
		synctest.Test(t, func(t *testing.T) { faceFrames(t, dir, in) })
		for _, file := range session.Files(t, dir) {
			must(t, os.Remove(file))
		}
	})
}

func faceFrames(t *testing.T, dir string, in []byte) {
	net := netsim.New(1, nil)
	t.Cleanup(func() { _ = net.Close(); pass(time.Second) })
	srv := scripted(t, net)
	h := &hostile{T: t, rest: in[:min(len(in), 200)], settled: map[session.ID]bool{}, cursors: map[string]bool{"": true}}
	h.s = open(t, net, begin(dir))
	first := send(t, h.s, numbered("a", 1, 5)...)
	for i := range uint64(5) {
		h.ids = append(h.ids, session.ID{Source: first.Source, N: first.N + i})
	}
	receipts := map[session.ID]int{}
	done := make(chan struct{})
	go func() {
		defer close(done)
		h.consume(receipts)
	}()
	for len(h.rest) > 0 {
		h.visit(srv)
	}
	_ = h.s.Close()
	<-done
	left := h.s.Unsent()
	for _, id := range h.ids {
		kept := false
		for _, l := range left {
			kept = kept || l.ID == id
		}
		if !kept && !h.settled[id] {
			t.Errorf("line %d is gone, and the server never said that it has it", id.N)
		}
		if want := map[bool]int{true: 0, false: 1}[kept]; receipts[id] != want {
			t.Errorf("line %d, kept: %v, has %d receipts", id.N, kept, receipts[id])
		}
	}
	if onDisk := session.Outbox(t, dir); len(onDisk) != len(left) {
		t.Errorf("%d lines are on disk, and %d are unsent", len(onDisk), len(left))
	}
}

func begin(dir string) func(*session.Options) {
	return func(o *session.Options) { o.Dir, o.Backlog = dir, 2 }
}

// consume takes all events; lines must move forward.
func (h *hostile) consume(receipts map[session.ID]int) {
	last := uint64(0)
	for e := range h.s.Events() {
		switch e := e.(type) {
		case session.Receipt:
			receipts[e.ID]++
		case session.Gap:
			if e.Reason == wire.ReasonDiverged { // numbers begin anew
				last = 0
			}
		case session.Message:
			if e.Seq <= last {
				h.Errorf("line %d is shown after line %d", e.Seq, last)
			}
			last = e.Seq
		}
	}
}

// visit is one connection: frames until the fuzzer has no more for it or one side ends
// it. A session that was sent away for good does not come.
func (h *hostile) visit(srv *script) {
	select {
	case h.p = <-srv.peers:
	case <-h.s.Done():
		h.rest = nil
		return
	}
	h.p.try(h.p.challenge)
	select {
	case f := <-h.p.in:
		if hello, ok := f.(*wire.Hello); !ok || !h.cursors[hello.Cursor] {
			h.Errorf("the client begins with %+v", f)
		}
	case <-h.p.ended:
		return
	}
	h.p.try(h.welcome())
	for len(h.rest) > 0 {
		switch b := h.byte(); {
		case b == 255:
			h.p.drop()
			return
		case b >= 250:
			h.p.close(4000+int(b), "")
			return
		case b == '{': // as it stands
			msg := append([]byte("{"), h.rest...)
			h.rest = nil
			_ = h.p.ws.Write(h.Context(), websocket.MessageText, msg)
		default:
			if !h.p.try(h.frame()) {
				return
			}
		}
		if synctest.Wait(); h.ended() {
			return
		}
	}
	h.p.drop()
}

func (h *hostile) ended() bool {
	select {
	case <-h.p.ended:
		return true
	default:
		return false
	}
}
