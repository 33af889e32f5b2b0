package probe

import (
	"crypto/tls"
	"fmt"
	"net/http/httptrace"
	"strings"
	"sync"
	"time"
)

// walk is what net/http tells of a dial, from goroutines of its own, some of which may
// end after it.
type walk struct {
	began  time.Time
	secure bool   // wss
	proxy  string // empty: none

	mu    sync.Mutex // guards what follows
	at    time.Time  // the last step was done; zero: none was
	steps []Step     // that went well
	doing string     // the step that was begun and not finished; empty if none
	host  string     // whose address is looked for
	addr  string     // which was tried last
}

func (w *walk) trace() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		DNSStart: func(i httptrace.DNSStartInfo) { w.begin(Name, &w.host, i.Host) },
		DNSDone: func(i httptrace.DNSDoneInfo) {
			if i.Err == nil {
				var addrs []string
				for _, a := range i.Addrs {
					addrs = append(addrs, a.String())
				}
				w.done(Name, "is "+strings.Join(addrs, ", "))
			}
		},
		ConnectStart: func(_, addr string) { w.begin(TCP, &w.addr, addr) },
		ConnectDone: func(_, addr string, err error) {
			if err == nil {
				w.done(TCP, "connected to "+addr)
			}
		},
		TLSHandshakeStart: func() { w.begin(TLS, nil, "") },
		TLSHandshakeDone: func(s tls.ConnectionState, err error) {
			if err == nil {
				w.done(TLS, tls.VersionName(s.Version)+issuer(s))
			}
		},
	}
}

// issuer says until when the server's certificate is good, and who says so.
func issuer(s tls.ConnectionState) string {
	if len(s.PeerCertificates) == 0 {
		return ""
	}
	c := s.PeerCertificates[0]
	by := c.Issuer.CommonName
	if len(c.Issuer.Organization) > 0 {
		by = c.Issuer.Organization[0]
	}
	return fmt.Sprintf(", certificate by %s until %s", by, c.NotAfter.Format(time.DateOnly))
}

func (w *walk) begin(step string, what *string, is string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.doing = step
	if what != nil {
		*what = is
	}
}

func (w *walk) done(step, detail string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if n := len(w.steps); n > 0 && w.steps[n-1].Name == step {
		return // another address of the same
	}
	from := w.at
	if from.IsZero() {
		from = w.began
	}
	w.at = time.Now()
	if step == Name {
		detail = w.host + " " + detail
	}
	if w.proxy != "" && step != TLS {
		detail += " (a proxy)"
	}
	w.steps = append(w.steps, Step{Name: step, Took: w.at.Sub(from), Detail: detail})
	w.doing = ""
}

// taken are the steps that went well, and when the last of them was done.
func (w *walk) taken() (steps []Step, at time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.at.IsZero() {
		return nil, w.began
	}
	return append([]Step(nil), w.steps...), w.at
}
