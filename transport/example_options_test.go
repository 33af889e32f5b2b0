package transport_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/cenkalti/backoff/v4"

	"holdfast/transport"
)

// steady waits as little as there is.
func steady() backoff.BackOff { return backoff.NewConstantBackOff(0) }

// A token that is valid for one connection is fetched for each, and a 401 means that
// it was too old, not that this client must stay away.
func ExampleOptions_token() {
	valid := "token 2"
	url, stop := listening(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+valid {
			http.Error(w, "token has expired", http.StatusUnauthorized)
			return
		}
		greeter(w, r)
	})
	defer stop()

	opts := &transport.Options{
		Backoff: steady,
		Prepare: func(ctx context.Context, a *transport.Attempt) error {
			token := fmt.Sprint("token ", a.Number) // from elsewhere, within ctx
			a.Header.Set("Authorization", "Bearer "+token)
			return nil
		},
		Retryable: func(err error) bool {
			var refused *transport.DialError
			if errors.As(err, &refused) && refused.Status == http.StatusUnauthorized {
				return true
			}
			return transport.Retryable(err)
		},
	}
	for conn, err := range transport.Conns(context.Background(), url, opts) {
		if err != nil {
			fmt.Println(err)
			continue
		}
		msg, err := conn.Read()
		fmt.Printf("%s %v\n", msg, err)
		break
	}
	// Output:
	// transport: refused with 401: "token has expired"
	// hello <nil>
}

// A schedule that stops ends the loop.
func ExampleOptions_stop() {
	url, stop := listening(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "closed for winter", http.StatusServiceUnavailable)
	})
	defer stop()

	opts := &transport.Options{Backoff: func() backoff.BackOff {
		return backoff.WithMaxRetries(backoff.NewConstantBackOff(150*time.Millisecond), 1)
	}}
	for _, err := range transport.Conns(context.Background(), url, opts) {
		fmt.Println(err)
		fmt.Println("is the last:", errors.Is(err, transport.ErrGaveUp))
	}
	// Output:
	// transport: refused with 503: "closed for winter"
	// is the last: false
	// transport: gave up: transport: refused with 503: "closed for winter"
	// is the last: true
}

// What becomes of attempts and connections, as a log or metrics would have it.
func ExampleObserver() {
	url, stop := listening(greeter)
	defer stop()

	type began struct{}
	opts := &transport.Options{Backoff: steady, Observer: &transport.Observer{
		DialStart: func(ctx context.Context, a *transport.Attempt) context.Context {
			fmt.Println("attempt", a.Number)
			return context.WithValue(ctx, began{}, time.Now())
		},
		DialDone: func(ctx context.Context, a *transport.Attempt, conn *transport.Conn, err error) {
			took := time.Since(ctx.Value(began{}).(time.Time))
			fmt.Println("dialled within a minute:", took < time.Minute, err)
		},
		Closed: func(conn *transport.Conn, lived time.Duration) {
			fmt.Println("dead within a minute:", lived < time.Minute, conn.Err())
		},
	}}
	for conn, err := range transport.Conns(context.Background(), url, opts) {
		if err != nil {
			break
		}
		for err == nil {
			_, err = conn.Read()
		}
	}
	// Output:
	// attempt 1
	// dialled within a minute: true <nil>
	// dead within a minute: true transport: closed by peer with 1001: "that was all"
}
