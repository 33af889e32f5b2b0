package transport

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/coder/websocket"
)

// CloseCode is a WebSocket close code, RFC 6455 section 7.4. Its range decides
// whether a client comes back: see [CloseCode.Retryable].
type CloseCode int

// The close codes that have a meaning of their own here.
const (
	CloseNormal      CloseCode = 1000
	CloseGoingAway   CloseCode = 1001
	CloseProtocol    CloseCode = 1002
	CloseUnsupported CloseCode = 1003
	CloseNoStatus    CloseCode = 1005 // the peer's close frame held no code; never sent
	CloseAbnormal    CloseCode = 1006 // the socket ended without a close frame; never sent
	CloseBadUTF8     CloseCode = 1007
	ClosePolicy      CloseCode = 1008
	CloseTooBig      CloseCode = 1009
)

// Retryable reports whether a client that was closed with c may come back. Those
// that say the client itself is at fault must stay away; of the private ones
// 4500 to 4999. Everything else, and any code yet unknown below that, comes back.
func (c CloseCode) Retryable() bool {
	switch c {
	case CloseProtocol, CloseUnsupported, CloseBadUTF8, ClosePolicy:
		return false
	}
	return c < 4500 || c > 4999
}

// The reasons for a Conn's death that are not the peer's word.
var (
	// ErrClosed is the reason after Close. errors.Is takes it for net.ErrClosed, too.
	ErrClosed error = closedError{}
	// ErrPeerDead means that nothing was heard from the peer for too long.
	ErrPeerDead = errors.New("transport: peer dead: nothing heard in time")
	// ErrLost means that the connection broke off without a word from the peer.
	ErrLost = errors.New("transport: connection lost")
	// ErrSlow means that one message took longer than Options.MessageTimeout, or
	// a ping five seconds to write.
	ErrSlow = errors.New("transport: message took too long")
	// ErrWrongKind means that the peer sent a kind of message that Options.Kinds does
	// not have. It is final: both ends would have to agree on the protocol first. From
	// [Conn.WriteMessage] it means that there is no such kind, and the Conn lives.
	ErrWrongKind = errors.New("transport: wrong kind of message")
)

// Errors that are no reason for a Conn's death.
var (
	// ErrNotUTF8 is the answer to a Write of text that is none. Nothing was sent.
	ErrNotUTF8 = errors.New("transport: text is not UTF-8")
	// ErrGaveUp means that the schedule that Options.Backoff made said backoff.Stop.
	// It comes from [Conns] with the reason that there is no connection wrapped beside it.
	ErrGaveUp = errors.New("transport: gave up")
)

type closedError struct{}

func (closedError) Error() string { return "transport: closed" }

// Is lets code that reads from any connection know the end of this one.
func (closedError) Is(target error) bool { return target == net.ErrClosed }

// CloseError is a Conn's reason for death when the peer closed it.
type CloseError struct {
	Code   CloseCode
	Reason string // from the peer: clean it before it reaches a terminal
}

// Error has the code, and the reason quoted.
func (e *CloseError) Error() string {
	if e.Reason == "" {
		return fmt.Sprintf("transport: closed by peer with %d", e.Code)
	}
	return fmt.Sprintf("transport: closed by peer with %d: %q", e.Code, e.Reason)
}

// DialError is a failed attempt to connect.
type DialError struct {
	Status     int           // of the HTTP answer; zero if there was none
	Header     http.Header   // of the answer; nil if there was none
	Message    string        // first line of the answer's body, 512 bytes at most; from the peer, unclean
	RetryAfter time.Duration // as the answer asked, an hour at most; zero if it did not
	Err        error         // what went wrong underneath, or Options.Prepare's error
}

// Error has the status and the message quoted, or else what went wrong underneath.
func (e *DialError) Error() string {
	switch {
	case e.Status == 0, e.Status == http.StatusSwitchingProtocols: // not refused, but broken
		return fmt.Sprintf("transport: dial: %v", e.Err)
	case e.Message == "":
		return fmt.Sprintf("transport: refused with %d %s", e.Status, http.StatusText(e.Status))
	}
	return fmt.Sprintf("transport: refused with %d: %q", e.Status, e.Message)
}

// Unwrap returns what went wrong underneath.
func (e *DialError) Unwrap() error { return e.Err }

// RedialError is what [Conns] yields, with a nil Conn, before it waits.
type RedialError struct {
	Attempt int           // failed attempts since the connection was last good, from 1
	RetryIn time.Duration // until the next one; negative means that there is none
	Err     error         // why there is no connection: a *DialError or a Conn's reason for death
}

// Error is Err's.
func (e *RedialError) Error() string { return e.Err.Error() }

// Unwrap returns why there is no connection.
func (e *RedialError) Unwrap() error { return e.Err }

// Retryable reports whether trying again can help against err, a *[DialError] or a
// Conn's reason for death. Only a verdict on this client is final: a malformed
// URL, a close code that says stay away, a kind of message that is not taken, or an
// HTTP status that blames the request (400 to 499 but 408, 425 and 429). Other
// answers, a redirect or a certificate that does not fit among them, come from
// something in between, such as the login page of a train's Wi-Fi, and pass. So does
// an error of Options.Prepare. [ErrGaveUp] is final.
//
// Where that is not so, Options.Retryable says otherwise: a 401 where Options.Prepare
// fetches a new token, a 404 of a gateway whose server restarts.
func Retryable(err error) bool {
	for _, final := range []error{errBadURL, ErrWrongKind, ErrGaveUp} {
		if errors.Is(err, final) {
			return false
		}
	}
	if e, ok := errors.AsType[*CloseError](err); ok {
		return e.Code.Retryable()
	}
	if e, ok := errors.AsType[*DialError](err); ok {
		switch e.Status {
		case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
			return true
		}
		return e.Status < 400 || e.Status > 499
	}
	return true
}

var errBadURL = errors.New("malformed URL")

// reasonOf turns an error of the library's into a reason for death.
func reasonOf(err error) error {
	if e, ok := errors.AsType[websocket.CloseError](err); ok {
		return &CloseError{Code: CloseCode(e.Code), Reason: e.Reason}
	}
	if errors.Is(err, websocket.ErrMessageTooBig) {
		return fmt.Errorf("transport: read: %w", err)
	}
	if errors.Is(err, net.ErrClosed) {
		// Not by us, then we would be dead: the library gave up a control frame.
		return ErrSlow
	}
	return fmt.Errorf("%w: %w", ErrLost, err)
}
