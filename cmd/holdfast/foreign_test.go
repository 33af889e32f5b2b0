package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"holdfast/server"
	"holdfast/session"
	"holdfast/session/wire"
	"holdfast/transport"
)

// foreign is a web server that is none of ours: it answers all with a page.
func foreign(t *testing.T, status int) (url string) {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, "<!DOCTYPE HTML>\n<html>welcome")
	}))
	t.Cleanup(s.Close)
	return "ws" + strings.TrimPrefix(s.URL, "http")
}

// TestForeign: of what is no chat server nothing is quoted, and check is named.
func TestForeign(t *testing.T) {
	home(t)
	for status, want := range map[int]string{
		http.StatusNotFound:       "this is no chat server: it answered 404 Not Found; there is no Holdfast server",
		http.StatusBadRequest:     "this is no chat server: it answered 400 Bad Request; there is no Holdfast server",
		http.StatusGone:           "this is no chat server: it answered 410 Gone",
		http.StatusForbidden:      "the server refused: ",
		http.StatusNotImplemented: "the server answered 501 Not Implemented",
		http.StatusOK:             "the server answered 200 OK",
	} {
		t.Setenv("HOLDFAST_SERVER", foreign(t, status))
		args := "tail r --as ana"
		if status == http.StatusNotImplemented || status == http.StatusOK { // which may pass
			args += " --retry-for 60ms"
		}
		code, out, errs := holdfast(t, "", strings.Fields(args)...)
		if code != exitRefused && code != exitUnreachable || out != "" || !strings.Contains(errs, want) || strings.Contains(errs, "<") {
			t.Errorf("%d: code %d, %q, %q; want %q", status, code, out, errs, want)
		}
		if status != http.StatusForbidden && !strings.Contains(errs, seeCheck) {
			t.Errorf("%d: %q does not name check", status, errs)
		}
	}
}

// TestHostTaken: a port that something else has is no server that answers already.
// TestDescribe: errors in words that say what and why, once.
func TestDescribe(t *testing.T) {
	lost := fmt.Errorf("%w: %w", transport.ErrLost, fmt.Errorf("failed to read frame: %w", io.ErrUnexpectedEOF))
	why := &exitError{code: exitUnreachable, err: errors.New("server unreachable for 1s")}
	for want, err := range map[string]error{
		"no answer":                       &url.Error{Op: "Get", URL: "http://server/rooms", Err: context.DeadlineExceeded},
		"can't reach the server: refused": &url.Error{Op: "Get", URL: "http://server/rooms", Err: errors.New("refused")},
		"connection lost: unexpected EOF": lost,
		"can't reach the server: look up chat.example: no such host": &transport.DialError{Err: fmt.Errorf("dial: %w", &net.DNSError{Name: "chat.example", Err: "no such host", Server: "10.0.0.1:53"})},
		"not taken: disk failed: no space":                           fmt.Errorf("session: not taken: %w", fmt.Errorf("session: %w: no space", session.ErrDisk)),
		"server unreachable for 1s; lines left unsent":               errors.Join(why, session.ErrUnsent),
	} {
		if got := describe(err); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestHostTaken(t *testing.T) {
	home(t)
	mail := listening(t, func(c net.Conn) {
		_, _ = http.ReadRequest(bufio.NewReader(c))
		_, _ = io.WriteString(c, "220 mail.example\r\n")
		_ = c.Close()
	})
	for _, url := range []string{foreign(t, http.StatusNotFound), "ws://" + mail} {
		code, _, errs := holdfast(t, "", "join", "r", "--as", "ana", "--host", "--server", url)
		if code != exitFailure || !strings.Contains(errs, strings.TrimPrefix(url, "ws://")+": something listens there that is no Holdfast server; name another port") {
			t.Errorf("%s: code %d, %q", url, code, errs)
		}
	}
}

// TestTakenName: who may not have a name is told where the lines are, not that they go
// out.
func TestTakenName(t *testing.T) {
	home(t)
	chat := server.New(nil)
	var down atomic.Bool
	down.Store(true)
	gate := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if down.Load() {
			http.Error(w, "not now", http.StatusServiceUnavailable)
			return
		}
		chat.ServeHTTP(w, r)
	}))
	t.Cleanup(func() { shutdown(t, chat); gate.Close() })
	t.Setenv("HOLDFAST_SERVER", "ws"+strings.TrimPrefix(gate.URL, "http"))
	dir := t.TempDir()
	if code, _, errs := holdfast(t, "", "send", "--room", "general", "--as", "ana", "--state", dir, "--retry-for", "60ms", "not mine"); code != exitUnsent {
		t.Fatalf("code %d, %s", code, errs)
	}
	down.Store(false)
	if code, _, errs := holdfast(t, "", "send", "--room", "general", "--as", "ana", "mine"); code != exitOK {
		t.Fatal(errs)
	}
	for _, args := range []string{"send --room general", "join general"} {
		code, _, errs := holdfast(t, "", append(strings.Fields(args), "--as", "ana", "--state", dir)...)
		if code != exitRefused || !strings.Contains(errs, "; unsent lines are kept in "+dir+", for when the name is free") || strings.Contains(errs, "go out") {
			t.Errorf("%s: code %d, %q", args, code, errs)
		}
	}
	refused := &session.RejectedError{Code: wire.Code{Word: "refused", Close: http.StatusNotFound}}
	if code, text, try := verdict(errors.Join(refused, session.ErrUnsent)); code != exitRefused || !strings.Contains(text, "no chat server") || !strings.HasSuffix(try, seeCheck+"; unsent lines are kept") {
		t.Errorf("no chat server: code %d, %q, %q", code, text, try)
	}
}
