package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/urfave/cli/v2"

	"holdfast/session"
	"holdfast/session/wire"
)

func sendCommand() *cli.Command {
	return &cli.Command{
		Name:      "send",
		Usage:     "send TEXT, or each line of stdin, and wait until it is stored",
		UsageText: "holdfast send --room ROOM --as NAME [TEXT...]",
		Description: "Exits with 0 only when the server has every line on disk. Lines that could not be\n" +
			"sent are kept and go out with the next send or join of the same name.",
		Flags: append(clientFlags(), roomFlag(), retryFlag("30s", "")),
		Action: func(c *cli.Context) error {
			s, closeLog, err := openSession(c, c.String("room"), func(o *session.Options) { o.Fresh = true })
			if err != nil {
				return err
			}
			defer closeLog()
			text := strings.Join(c.Args().Slice(), " ")
			var in io.Reader
			if !c.Args().Present() {
				in = c.App.Reader
			}
			return send(c.Context, s, text, in, c.App.ErrWriter, c.Duration("retry-for"))
		},
	}
}

// send sends text, or the lines of in, and returns when all is settled.
func send(ctx context.Context, s *session.Session, text string, in io.Reader, stderr io.Writer, retryFor time.Duration) error {
	ctx, p := newPatience(ctx, retryFor)
	defer p.stop()
	w := &sender{s: s, teller: teller{stderr: stderr}}
	w.wg.Go(func() { w.watch(p) })
	var err error
	if in == nil {
		err = w.put(ctx, []inputLine{{number: 1, text: text}})
	} else {
		err = w.lines(ctx, in)
	}
	return w.finish(ctx, err)
}

// finish ends the session, unless something went wrong only when all is settled, and
// returns the command's result.
func (w *sender) finish(ctx context.Context, err error) error {
	if err != nil {
		err = errors.Join(err, w.s.Close())
	} else {
		err = w.s.Drain(ctx)
	}
	w.wg.Wait()
	return w.verdict(ctx, err)
}

// sender puts lines into a session and keeps account of those that were refused.
type sender struct {
	s *session.Session
	teller
	wg   sync.WaitGroup // who reads the session's events
	bad  int            // not fit to be sent; put's own
	gone int            // refused by the server; watch's own, until it has ended
}

// watch follows the session until it ends.
func (w *sender) watch(p *patience) {
	var state session.State
	for e := range w.s.Events() {
		switch e := e.(type) {
		case session.StateChange:
			p.see(e, state)
			w.tell(e, state)
			state = e.State
		case session.Held:
			p.held(e)
			w.held(e)
		case session.Receipt:
			w.receipt(e)
		}
	}
}

// receipt names a line that the server refused.
func (w *sender) receipt(r session.Receipt) {
	if r.Err != nil {
		w.gone++
		fmt.Fprintf(w.stderr, "holdfast: not sent: %s: %s\n", cleaned(r.Err.Message), cleaned(r.Err.Text))
	}
}

// lines sends each line of in, all that have arrived at once in one durable step.
func (w *sender) lines(ctx context.Context, in io.Reader) error {
	lines := readLines(in)
	for {
		select {
		case l, ok := <-lines:
			if !ok {
				return nil
			}
			if err := w.put(ctx, w.gather(l, lines)); err != nil {
				return err
			}
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-w.s.Done():
			return w.s.Err()
		}
	}
}

// gather returns l and the lines that wait behind it.
func (w *sender) gather(l inputLine, lines <-chan inputLine) []inputLine {
	batch := []inputLine{l}
	for len(batch) < 256 {
		select {
		case l, ok := <-lines:
			if !ok {
				return batch
			}
			batch = append(batch, l)
		default:
			return batch
		}
	}
	return batch
}

// put stores the lines that are fit to be sent, and names those that are not.
func (w *sender) put(ctx context.Context, batch []inputLine) error {
	var texts []string
	for _, l := range batch {
		if l.err != nil {
			return fmt.Errorf("read line %d: %w", l.number, l.err)
		}
		if strings.TrimSpace(l.text) == "" {
			continue
		}
		if err := wire.CheckText(l.text); err != nil {
			w.bad++
			fmt.Fprintf(w.stderr, "holdfast: line %d not sent: %s\n", l.number, err.Message)
			continue
		}
		texts = append(texts, l.text)
	}
	if _, err := w.s.SendWait(ctx, texts...); err != nil {
		not := "were not taken"
		if errors.Is(err, session.ErrDisk) {
			not = "may not have been taken: see what comes with the next join or send before you repeat them"
		}
		return fmt.Errorf("line %d and what follows it %s: %w", batch[0].number, not, err)
	}
	return nil
}

// verdict is the command's result, when the session has ended with err.
func (w *sender) verdict(ctx context.Context, err error) error {
	var rejected *session.RejectedError
	if errors.As(w.s.Err(), &rejected) && !errors.Is(err, rejected) {
		return errors.Join(rejected, err)
	}
	if errors.Is(err, session.ErrUnsent) {
		if why := context.Cause(ctx); why != nil {
			return fmt.Errorf("%w: %w", err, why)
		}
		return err
	}
	if err == nil && w.bad+w.gone > 0 {
		return fmt.Errorf("%d lines were not sent", w.bad+w.gone)
	}
	return err
}
