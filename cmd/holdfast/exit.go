package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"

	"github.com/urfave/cli/v2"

	"holdfast/cmd/holdfast/internal/jsonl"
	"holdfast/cmd/holdfast/internal/probe"
	"holdfast/cmd/holdfast/internal/safe"
	"holdfast/session"
	"holdfast/session/wire"
	"holdfast/transport"
)

// The exit codes. Scripts depend on them; exitCodes documents them.
const (
	exitOK          = 0
	exitFailure     = 1
	exitUsage       = 2
	exitRefused     = 3
	exitUnreachable = 4
	exitUnsent      = 5
	exitPipe        = 141 // as a shell says of a process that SIGPIPE ended
)

// exitCodes are what help and the man page say of them.
var exitCodes = []struct{ code, short, means string }{
	{"0", "done", "all done"},
	{"1", "failure", "failure; stderr says what and why"},
	{"2", "usage", "usage: flags, arguments, variables or the configuration file are wrong; nothing was done"},
	{"3", "refused", "the server refuses: name taken, access, version; also with unsent lines, which are kept: to try again as it is won't help"},
	{"4", "unreachable in time", "the server is unreachable for longer than --retry-for or --timeout, with nothing unsent"},
	{"5", "ended with unsent lines (they are kept)", "ended with unsent lines, for whatever reason but a refusal; they are kept, and go out with the next join or send of the same server, room and name"},
	{"128+N", "by signal N", "ended by signal N with nothing unsent: 129 SIGHUP, 130 SIGINT, 141 SIGPIPE, 143 SIGTERM"},
}

// exitError is an error with the exit code it means and what the user can try.
type exitError struct {
	code int
	err  error
	try  string
}

func (e *exitError) Error() string { return e.err.Error() }
func (e *exitError) Unwrap() error { return e.err }

func usage(format string, args ...any) error {
	return &exitError{code: exitUsage, err: fmt.Errorf(format, args...)}
}

// signalled is the cause of a context that a signal ended.
type signalled struct{ sig syscall.Signal }

func (s signalled) Error() string { return s.sig.String() }

// withSignals returns a context that ends with the first SIGINT, SIGTERM or SIGHUP.
// A second one ends the process at once, as if nobody had caught it. SIGPIPE does not:
// the write that failed says so, and there is time to leave the room.
func withSignals(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	signal.Ignore(syscall.SIGPIPE)
	ch := make(chan os.Signal, 1)
	signal.Notify(ch, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	var wg sync.WaitGroup
	wg.Go(func() {
		select {
		case sig := <-ch:
			cancel(signalled{sig.(syscall.Signal)})
		case <-ctx.Done():
		}
		signal.Stop(ch)
	})
	return ctx, func() { cancel(nil); wg.Wait() }
}

// writeError is that the output can't be written: who reads it may have gone.
type writeError struct{ error }

func (e *writeError) Error() string { return "write: " + e.error.Error() }
func (e *writeError) Unwrap() error { return e.error }

// wrote makes a writeError of a write's error.
func wrote(_ int, err error) error {
	if err != nil {
		return &writeError{err}
	}
	return nil
}

// report says on stderr what went wrong, why and what to try, and returns the exit
// code.
func report(stderr io.Writer, err error) int {
	code, text, try := verdict(err)
	if text == "" {
		return code
	}
	text = "holdfast: " + text
	if try != "" {
		text += "; " + try
	}
	fmt.Fprintln(stderr, safe.Line(text, 2000))
	return code
}

// verdict is the only place that turns an error into an exit code and words: what
// went wrong and why, and what to try. There are none for a signal, and for a reader
// that has gone, as head does.
func verdict(err error) (code int, text, try string) {
	var sig signalled
	unsent := errors.Is(err, session.ErrUnsent)
	switch {
	case err == nil:
		return exitOK, "", ""
	case errors.Is(err, syscall.EPIPE) && !unsent:
		return exitPipe, "", ""
	case errors.As(err, &sig) && !unsent:
		return 128 + int(sig.sig), "", ""
	}
	code = exitFailure
	var coded *exitError
	var rejected *session.RejectedError
	switch {
	case errors.As(err, &rejected):
		code = exitRefused
		if e := answer(rejected); e != nil {
			try = probe.Refusal(e, false).Try + " " + seeCheck
		} else if errors.As(err, &coded) {
			try = coded.try
		}
	case unsent:
		code = exitUnsent
	case errors.As(err, &coded):
		code, try = coded.code, coded.try
	}
	switch {
	case !unsent:
	case code == exitRefused && try != "":
		if !strings.Contains(try, kept) {
			try += "; " + kept
		}
	default:
		try = "they are kept, and go out with the next join or send of this server, room and name"
	}
	return code, strings.TrimRight(describe(err), "."), try
}

// kept is the comfort that any lines left unsent deserve.
const kept = "unsent lines are kept"

// keptWhere adds to the refusal of a name where its unsent lines are: as long as somebody
// else has the name they go nowhere.
func keptWhere(c *cli.Context, err error) error {
	var rejected *session.RejectedError
	if !errors.As(err, &rejected) || rejected.Code != wire.NameTaken || !errors.Is(err, session.ErrUnsent) {
		return err
	}
	dir, noDir := stateHere(c)
	if noDir != nil {
		return errors.Join(err, noDir)
	}
	return &exitError{code: exitRefused, err: err, try: kept + " in " + dir + ", for when the name is free"}
}

// asJSON has a command that was asked for --json end with the error as a record. Who
// misuses a command gets nothing on stdout.
func asJSON(action cli.ActionFunc) cli.ActionFunc {
	return func(c *cli.Context) error {
		err := action(c)
		if code, text, try := verdict(err); text != "" && code != exitUsage && c.Bool("json") {
			_, _ = io.WriteString(c.App.Writer, jsonl.Line(jsonl.Error{Code: code, Message: text, Try: try}))
		}
		return err
	}
}

// describe puts an error in words for a person.
func describe(err error) string {
	var rejected *session.RejectedError
	var refused *transport.DialError
	switch {
	case errors.As(err, &rejected):
		if e := answer(rejected); e != nil {
			return "this is no chat server: it answered " + probe.Refusal(e, false).Detail
		}
		if rejected.Message != "" && !probe.IsPage(rejected.Message) {
			return "the server refused: " + rejected.Message
		}
		return "the server refused: " + rejected.Code.Text
	case errors.As(err, &refused) && (refused.Status == 0 || refused.Status == http.StatusSwitchingProtocols):
		return describeDial(refused)
	case errors.As(err, &refused):
		return "the server answered " + probe.Refusal(refused, false).Detail
	case errors.Is(err, transport.ErrPeerDead):
		return "nothing heard from the server"
	case errors.Is(err, transport.ErrLost):
		return "connection lost: " + rootCause(err)
	}
	if asked, ok := errors.AsType[*url.Error](err); ok {
		if asked.Timeout() {
			return "no answer"
		}
		return "can't reach the server: " + rootCause(err)
	}
	var said []string // each thing once, though several may have met it
	for l := range strings.SplitSeq(err.Error(), "\n") {
		l = packageNames.ReplaceAllString(l, "$1")
		if !slices.ContainsFunc(said, func(s string) bool { return strings.Contains(s, l) }) {
			said = append(said, l)
		}
	}
	return strings.Join(said, "; ")
}

// packageNames are what an error of a package's begins with; users need not know them.
var packageNames = regexp.MustCompile(`(^|: )(?:(?:session|transport|history|lineui): )+`)

// seeCheck is what to try when it is not clear what answers.
const seeCheck = "`holdfast check` says where it ends"

// answer is the answer of a web server that is none of ours; nil for a refusal by one
// that is, or by a gate before it.
func answer(e *session.RejectedError) *transport.DialError {
	status := e.Code.Close
	switch {
	case e.Code.Word != "refused",
		status != http.StatusNotFound && status != http.StatusMethodNotAllowed && !probe.IsPage(e.Message):
		return nil
	}
	return &transport.DialError{Status: status, Message: e.Message}
}

// describeDial says in words why there is no connection.
func describeDial(e *transport.DialError) string {
	return "can't reach the server: " + rootCause(e)
}

// rootCause is what is at the bottom of an error, in words.
func rootCause(err error) string {
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		return "look up " + dns.Name + ": " + dns.Err
	}
	for {
		switch e := err.(type) {
		case interface{ Unwrap() error }:
			if next := e.Unwrap(); next != nil {
				err = next
				continue
			}
		case interface{ Unwrap() []error }:
			if all := e.Unwrap(); len(all) > 0 {
				err = all[len(all)-1]
				continue
			}
		}
		return err.Error()
	}
}
