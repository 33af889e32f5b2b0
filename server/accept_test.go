package server_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/server"
	"holdfast/server/history"
	"holdfast/session/wire"
)

// censor is an application that rejects what has "bad" in it.
type censor struct {
	mu    sync.Mutex
	asked []string
}

func (c *censor) accept(_ context.Context, l server.Line) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked = append(c.asked, fmt.Sprintf("%s %s>%s %s", l.Room, l.From, l.To, l.Text))
	if strings.Contains(l.Text, "bad") {
		return errors.New("mind your language, " + l.From + strings.Repeat("!", 600))
	}
	return nil
}

func (c *censor) want(t *testing.T, lines ...string) {
	t.Helper()
	synctest.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	if got := strings.Join(c.asked, "\n"); got != strings.Join(lines, "\n") {
		t.Errorf("asked about\n%s\nwant\n%s", got, strings.Join(lines, "\n"))
	}
}

// TestAccept: a line that is rejected is refused in the application's words, also when it is
// sent again; each line is asked about once, and only if it would be stored.
func TestAccept(t *testing.T) {
	app := &censor{}
	bubble(t, &server.Options{Accept: app.accept}, func(w *world) {
		ana, bob := w.join("general", "ana"), w.join("general", "bob")
		words := ("mind your language, ana" + strings.Repeat("!", 600))[:500]
		no := &wire.Refused{Source: ana.source, N: 2, Code: wire.RefusedRejected, Message: words}
		ana.send(1, "good")
		ana.send(2, "bad")
		want(ana, no)
		ana.send(1, "good")
		ana.send(2, "bad")
		want(ana, no, no)
		ana.send(3, "\x01")
		ana.send(5, "after a gap")
		ana.write(&wire.Send{Source: ana.source, N: 4, Text: "once", Once: "k"})
		await[*wire.Ack](ana)
		ana.write(&wire.Send{Source: ana.source, N: 5, Text: "once", Once: "k"})
		ana.write(&wire.Send{Source: ana.source, N: 6, Kind: wire.KindPrivate, To: "bob", Text: "psst"})
		app.want(t, "general ana> good", "general ana> bad", "general ana> once", "general ana>bob psst")
		bob.wantTexts("good", wire.RefusedRejected, wire.RefusedControl, "once", wire.RefusedDuplicate, "psst")

		plain := w.plain("general", "cem", "?backlog=0")
		plain.say("bad")
		plain.want("* not sent: mind your language, cem" + strings.Repeat("!", 477) + "\n")
	})
}

// TestAcceptAgain: a line that was not stored is asked about again. One that was is not, not
// even by who comes back, who is then told in other words if the room was closed since.
func TestAcceptAgain(t *testing.T) {
	app := &censor{}
	bubble(t, &server.Options{Accept: app.accept, Linger: -1}, func(w *world) {
		w.store.refuse(history.ErrFull)
		ana := w.join("general", "ana")
		ana.send(1, "good")
		await[*wire.Retry](ana)
		w.store.refuse(nil)
		ana.send(1, "good")
		ana.send(2, "bad")
		await[*wire.Refused](ana)
		app.want(t, "general ana> good", "general ana> good", "general ana> bad")
		ana.drop()
		pass(time.Minute)
		ana = w.join("general", "ana")
		ana.send(1, "good")
		ana.send(2, "bad")
		want(ana, &wire.Refused{Source: ana.source, N: 2, Code: wire.RefusedRejected, Message: server.RefusalText(wire.RefusedRejected)})
		app.want(t, "general ana> good", "general ana> good", "general ana> bad")
	})
}

// TestAcceptHoldsUpOneSender: while the application thinks about a line, only its sender
// waits; if that one's connection ends, so does the context.
func TestAcceptHoldsUpOneSender(t *testing.T) {
	var think chan struct{}
	var ended chan error
	accept := func(ctx context.Context, l server.Line) error {
		if l.From == "ana" {
			select {
			case <-think:
			case <-ctx.Done():
				ended <- ctx.Err()
				return ctx.Err()
			}
		}
		return nil
	}
	bubble(t, &server.Options{Accept: accept, Linger: -1}, func(w *world) {
		think, ended = make(chan struct{}), make(chan error, 1)
		ana, bob := w.join("general", "ana"), w.join("general", "bob")
		ana.send(1, "well")
		bob.send(1, "hello")
		ana.wantTexts("hello")
		think <- struct{}{}
		bob.wantTexts("hello", "well")
		ana.send(2, "I forget")
		synctest.Wait()
		ana.drop()
		pass(time.Minute)
		if len(ended) != 1 {
			t.Error("who asked has gone, and the context has not ended")
		}
		bob.wantTexts("hello", "well") // nor was it refused
	})
}
