package probe

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"

	"holdfast/transport"
)

// failure is the step that err ended, in words.
func (w *walk) failure(o *Options, err error) Step {
	var refused *transport.DialError
	if errors.As(err, &refused) && refused.Status != 0 {
		return Refusal(refused, o.Token)
	}
	w.mu.Lock()
	doing, host, addr, steps := w.doing, w.host, w.addr, len(w.steps)
	w.mu.Unlock()
	s := Step{Name: doing, Detail: cause(err)}
	switch doing {
	case Name:
		s.Detail, s.Try = host+": "+s.Detail, "is the name right? see --server; and is there a network at all?"
		if w.proxy != "" {
			s.Try = "is the proxy right? see HTTP_PROXY, HTTPS_PROXY and NO_PROXY"
		}
	case TCP:
		s.Detail, s.Try = addr+": "+s.Detail, w.tryTCP(err)
	case TLS:
		s.Try = tryTLS(err)
	default:
		s.Name = Upgrade
		switch {
		case steps == 0: // not even begun
			s.Name, s.Try = Name, "is the address right? see --server"
		case w.proxy != "" && w.secure:
			s.Try = "the proxy does not let through to the server: see HTTPS_PROXY and NO_PROXY"
		case w.secure:
			s.Try = "something that is no web server answers there: is the port right?"
		default:
			s.Try = "no web server answers there: is the port right, or does it want wss://?"
		}
	}
	return s
}

func (w *walk) tryTCP(err error) string {
	if w.proxy != "" {
		return "is the proxy right? see HTTP_PROXY, HTTPS_PROXY and NO_PROXY"
	}
	if errors.Is(err, syscall.ECONNREFUSED) {
		return "nothing listens there: is the server running, and the port right?"
	}
	return "is the address right, does a firewall drop this, is there a network at all?"
}

func tryTLS(err error) string {
	var unknown x509.UnknownAuthorityError
	var name x509.HostnameError
	var invalid x509.CertificateInvalidError
	var record tls.RecordHeaderError
	switch {
	case errors.As(err, &unknown):
		return "if the server has a certificate of your own authority, name that with --ca-file; else somebody in between pretends to be it"
	case errors.As(err, &name):
		return "use the name that the certificate is for, or give the server one for this name"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "the server needs a new certificate; or the clock of this machine is wrong"
	case errors.As(err, &record), errors.Is(err, io.EOF), strings.Contains(err.Error(), "HTTP response to HTTPS client"):
		return "it does not speak TLS: is the port right, or does it want ws://?"
	}
	return "does something in between break it? ask whoever runs the server"
}

const noServer = "there is no Holdfast server at this address: is it right, with its path?"

// IsPage reports whether what came with an answer is a page for people, of which the
// first line says nothing.
func IsPage(message string) bool { return strings.HasPrefix(strings.TrimSpace(message), "<") }

// Refusal is the step that an answer of HTTP ended; token tells whether one was shown.
func Refusal(e *transport.DialError, token bool) Step {
	text := fmt.Sprintf("%d %s", e.Status, http.StatusText(e.Status))
	if e.Message != "" && !IsPage(e.Message) {
		text += ": " + e.Message
	}
	s := Step{Name: Upgrade, Detail: text}
	switch e.Status {
	case http.StatusUnauthorized, http.StatusForbidden:
		s.Name, s.Try = Token, "show an access token with --token-file, or HOLDFAST_TOKEN"
		if token {
			s.Try = "is the token right, and still good? ask whoever runs the server"
		}
	case http.StatusProxyAuthRequired:
		s.Try = "the proxy wants a name and password: see HTTPS_PROXY"
	case http.StatusBadRequest:
		if IsPage(e.Message) {
			s.Try = noServer
			break
		}
		s.Try = "see what it says; does it want wss://?"
	case http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusNotImplemented:
		s.Try = noServer
	case http.StatusUpgradeRequired:
		s.Try = "the server speaks another version: update this program, or the server"
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		s.Try = "the server is busy or restarting: try again in a while"
	case http.StatusBadGateway, http.StatusGatewayTimeout:
		s.Try = "the proxy in front of the server does not reach it: is the server running?"
	case http.StatusSwitchingProtocols:
		s.Detail, s.Try = cause(e.Err), "something in between does not know WebSockets"
	default:
		s.Try = "this is not the server but something in between: a login page, perhaps; open a browser"
	}
	return s
}

// cause is the innermost of an error, which says most.
func cause(err error) string {
	if errors.Is(err, os.ErrDeadlineExceeded) || isTimeout(err) {
		return "no answer in time"
	}
	var dns *net.DNSError
	if errors.As(err, &dns) {
		return dns.Err // the name goes without saying
	}
	for errors.Unwrap(err) != nil {
		err = errors.Unwrap(err)
	}
	if errors.Is(err, io.EOF) || strings.HasSuffix(err.Error(), "server closed idle connection") { // net/http has both for it
		return "closed without an answer"
	}
	return err.Error()
}

func isTimeout(err error) bool {
	var t net.Error
	return errors.As(err, &t) && t.Timeout()
}
