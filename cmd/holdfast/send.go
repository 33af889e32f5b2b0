package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"

	"github.com/urfave/cli/v2"

	"holdfast/cmd/holdfast/internal/jsonl"
	"holdfast/cmd/holdfast/internal/say"
	"holdfast/session"
	"holdfast/session/wire"
)

func sendCommand() *cli.Command {
	return &cli.Command{
		Name:      "send",
		Usage:     "send TEXT, or each line of stdin, and wait until it is stored",
		UsageText: "holdfast send --room ROOM --as NAME [--to NAME] [--whole] [--json] [TEXT...]",
		Description: "Exits with 0 only when the server has every line on disk; blank ones are not sent. Lines\n" +
			"that could not be sent are kept, and go out with the next send or join of the same\n" +
			"server, room and name.",
		Flags: slices.Concat(clientFlags(), []cli.Flag{
			roomFlag(), retryFlag("30s", ""), jsonFlag(),
			checkedFlag("to", "only for the user `NAME`, who is shown it now or when next in the room", "", check{test: checkName}),
			&cli.BoolFlag{Name: "whole", Usage: "send all of stdin as one line, with its line breaks"},
		}),
		Action: runSend,
	}
}

func runSend(c *cli.Context) error {
	if c.Bool("whole") && c.Args().Present() {
		return usage("--whole is for stdin; leave it out, or TEXT")
	}
	text := strings.Join(c.Args().Slice(), " ")
	if c.Args().Present() && strings.TrimSpace(text) == "" {
		return usage("TEXT is blank: there is nothing to send")
	}
	s, closeLog, err := openSession(c, c.String("room"), func(o *session.Options) { o.Fresh = true })
	if err != nil {
		return err
	}
	defer closeLog()
	ctx, p := newPatience(c.Context, c.Duration("retry-for"))
	defer p.stop()
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	w := &sender{s: s, teller: newTeller(c), to: c.String("to"), freed: make(chan struct{}, 1), end: end}
	if c.Bool("json") {
		w.out = c.App.Writer
	}
	w.wg.Go(func() { w.watch(p) })
	switch {
	case c.Args().Present():
		err = w.put(ctx, []inputLine{{number: 1, text: text}})
	case c.Bool("whole"):
		err = w.whole(ctx, c.App.Reader)
	default:
		err = w.lines(ctx, c.App.Reader)
	}
	if err == nil && !w.any {
		w.say("nothing to send: stdin has no line that is not blank")
	}
	return keptWhere(c, w.finish(ctx, err))
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
	for _, r := range w.origin.rest() {
		w.settled(r, 0)
	}
	return w.verdict(ctx, err)
}

// sender puts lines into a session and keeps account of those that were refused.
type sender struct {
	s *session.Session
	teller
	to     string                  // for whom alone the lines are; empty: for all
	typed  bool                    // by a person in a terminal: see spoken
	freed  chan struct{}           // with to: has a value when the outbox may have room again
	out    io.Writer               // of acks and refusals as records; nil: not wanted
	end    context.CancelCauseFunc // of the command, when its output can't be written
	origin origin                  // which line of input each line was
	wg     sync.WaitGroup          // who reads the session's events
	any    bool                    // there was a line that is not blank; put's own
	bad    int                     // not fit to be sent; put's own
	gone   int                     // refused by the server; watch's own, until it has ended
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

// receipt notes what became of a line.
func (w *sender) receipt(r session.Receipt) {
	select {
	case w.freed <- struct{}{}:
	default:
	}
	if r.Err != nil {
		w.gone++
		to := ""
		if r.Err.To != "" {
			to = " to " + r.Err.To
		}
		fmt.Fprintf(w.stderr, "holdfast: not sent%s: %s: %s\n", say.Clean(to), say.Clean(r.Err.Message), say.Clean(r.Err.Text))
	}
	if number, known := w.origin.find(r); known {
		w.settled(r, number)
	}
}

// settled prints what became of a line of input; number zero: of an earlier process.
func (w *sender) settled(r session.Receipt, number int) {
	id := fmt.Sprintf("%s/%d", r.ID.Source, r.ID.N)
	if r.Err != nil {
		w.record(jsonl.Refused{Room: w.s.Room(), ID: id, Line: number, Code: r.Err.Code, Message: r.Err.Message, Text: r.Err.Text})
		return
	}
	w.record(jsonl.Ack{Room: w.s.Room(), ID: id, Line: number})
}

// record prints a record, in one write: several goroutines do. If it can't, that ends the
// command.
func (w *sender) record(r any) {
	if w.out == nil {
		return
	}
	if err := wrote(io.WriteString(w.out, jsonl.Line(r))); err != nil {
		w.end(err)
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

// whole sends all of in as one line.
func (w *sender) whole(ctx context.Context, in io.Reader) error {
	var texts []string
	size := 0
	for lines := readLines(in); ; {
		select {
		case l, ok := <-lines:
			if !ok || size > wire.MaxText { // it will be refused, whatever follows
				return w.put(ctx, []inputLine{{number: 1, text: strings.Join(texts, "\n")}})
			}
			if l.err != nil {
				return w.put(ctx, []inputLine{l})
			}
			texts = append(texts, l.text)
			size += len(l.text)
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
	var numbers []int
	for _, l := range batch {
		if l.err != nil {
			return fmt.Errorf("read line %d: %w", l.number, l.err)
		}
		if strings.TrimSpace(l.text) == "" {
			continue
		}
		w.any = true
		if w.typed {
			var ok bool
			if l.text, ok = spoken(l.text); !ok {
				fmt.Fprintln(w.stderr, "holdfast: not sent: there are no commands here; // says a line that begins with /")
				continue
			}
		}
		if err := wire.CheckText(l.text); err != nil {
			w.bad++
			fmt.Fprintf(w.stderr, "holdfast: line %d not sent: %s\n", l.number, err.Message)
			w.record(jsonl.Refused{Room: w.s.Room(), Line: l.number, Code: err.Code, Message: err.Message, Text: l.text})
			continue
		}
		texts = append(texts, l.text)
		numbers = append(numbers, l.number)
	}
	w.origin.note(numbers)
	id, err := w.take(ctx, texts)
	if err != nil {
		not := "were not taken"
		if errors.Is(err, session.ErrDisk) {
			not = "may not have been taken: see what comes with the next join or send before you repeat them"
		}
		return fmt.Errorf("line %d and what follows it %s: %w", batch[0].number, not, err)
	}
	if len(texts) > 0 {
		for _, r := range w.origin.begin(id.Source) {
			number, _ := w.origin.find(r)
			w.settled(r, number)
		}
	}
	return nil
}

// take puts lines into the outbox, when it has room.
func (w *sender) take(ctx context.Context, texts []string) (session.ID, error) {
	if w.to == "" {
		return w.s.SendWait(ctx, texts...)
	}
	for {
		id, err := w.s.SendTo(w.to, texts...)
		if !errors.Is(err, session.ErrOutboxFull) {
			return id, err
		}
		select {
		case <-w.freed:
		case <-w.s.Done():
			return session.ID{}, w.s.Err()
		case <-ctx.Done():
			return session.ID{}, fmt.Errorf("wait for room in the outbox: %w", context.Cause(ctx))
		}
	}
}

// verdict is the command's result, when the session has ended with err.
func (w *sender) verdict(ctx context.Context, err error) error {
	var rejected *session.RejectedError
	if errors.As(w.s.Err(), &rejected) && !errors.Is(err, rejected) {
		return errors.Join(rejected, err)
	}
	why := context.Cause(ctx)
	if errors.Is(err, session.ErrUnsent) {
		if why != nil && !errors.Is(err, why) {
			return fmt.Errorf("%w (%w)", err, why)
		}
		return err
	}
	if err == nil && w.bad+w.gone > 0 {
		return fmt.Errorf("not sent: %s", say.Count(w.bad+w.gone, "line"))
	}
	if out, ok := errors.AsType[*writeError](why); ok && err == nil {
		return out
	}
	return err
}
