package transport_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"

	"holdfast/transport"
)

func TestCloseCodeRetryable(t *testing.T) {
	for code, want := range map[transport.CloseCode]bool{
		transport.CloseNormal: true, transport.CloseGoingAway: true, transport.CloseNoStatus: true,
		transport.CloseAbnormal: true, transport.CloseTooBig: true,
		1011: true, 1012: true, 1013: true, 3000: true, 4000: true, 4001: true, 4004: true, 4499: true,
		transport.CloseProtocol: false, transport.CloseUnsupported: false,
		transport.CloseBadUTF8: false, transport.ClosePolicy: false,
		4500: false, 4504: false, 4999: false,
	} {
		if got := code.Retryable(); got != want {
			t.Errorf("%d: %v", code, got)
		}
		err := fmt.Errorf("wrapped: %w", &transport.CloseError{Code: code})
		if got := transport.Retryable(err); got != want {
			t.Errorf("%v: %v", err, got)
		}
	}
}

func TestRetryable(t *testing.T) {
	for _, err := range []error{
		transport.ErrClosed, transport.ErrPeerDead, transport.ErrLost, transport.ErrSlow,
		io.EOF, syscall.ECONNRESET, &net.DNSError{}, errors.New("x509: certificate is not valid"),
		&transport.RedialError{Err: transport.ErrPeerDead},
	} {
		if !transport.Retryable(err) {
			t.Errorf("%v is final", err)
		}
	}
	for _, err := range []error{
		fmt.Errorf("%w: binary", transport.ErrWrongKind),
		&transport.RedialError{Err: fmt.Errorf("%w: %w", transport.ErrGaveUp, io.EOF)},
	} {
		if transport.Retryable(err) {
			t.Errorf("%v is not final", err)
		}
	}
	for status, want := range map[int]bool{
		0: true, 101: true, 200: true, 302: true, 307: true, 408: true, 425: true, 429: true, 500: true, 502: true, 503: true,
		400: false, 401: false, 403: false, 404: false, 405: false, 409: false, 426: false, 499: false,
	} {
		err := &transport.RedialError{Err: &transport.DialError{Status: status, Err: io.EOF}}
		if got := transport.Retryable(err); got != want {
			t.Errorf("%d: %v", status, got)
		}
	}
}

func TestErrorTexts(t *testing.T) {
	for want, err := range map[string]error{
		`transport: closed by peer with 4001`:             &transport.CloseError{Code: 4001},
		`transport: closed by peer with 4001: "a\x1bb"`:   &transport.CloseError{Code: 4001, Reason: "a\x1bb"},
		`transport: dial: EOF`:                            &transport.DialError{Err: io.EOF},
		`transport: dial: EOF `:                           &transport.DialError{Status: 101, Err: io.EOF},
		`transport: refused with 404 Not Found`:           &transport.DialError{Status: 404, Err: io.EOF},
		`transport: refused with 409: "name\x1b[2J used"`: &transport.DialError{Status: 409, Message: "name\x1b[2J used", Err: io.EOF},
		`EOF`: &transport.RedialError{Err: io.EOF},
	} {
		if err.Error() != strings.TrimSpace(want) {
			t.Errorf("got %q, want %q", err, want)
		}
	}
}

func TestErrClosedIsKnown(t *testing.T) {
	if !errors.Is(transport.ErrClosed, net.ErrClosed) || errors.Is(transport.ErrLost, net.ErrClosed) {
		t.Fatal("net.ErrClosed is not what it seems")
	}
}
