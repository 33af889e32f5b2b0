package transport

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"time"

	"github.com/cenkalti/backoff/v4"
)

// Conns dials target, yields the Conn, and when the loop body is done with it
// closes it, waits and dials again, for ever. Before each wait it yields a nil
// Conn and a *[RedialError] that says why and how long. Prepare, Retryable, the
// schedule and the Observer's DialStart and DialDone run on the loop's goroutine, so
// they may share variables with its body.
//
// The sequence ends when the body breaks, when ctx ends (that also ends a dial or
// a wait at once, but not a Conn that the body holds), when coming back is of no use
// because Options.Retryable denies it, or when the schedule says backoff.Stop. In the
// last two cases the last thing yielded is a *RedialError with a negative RetryIn;
// if it was the schedule, it wraps [ErrGaveUp].
//
// The wait is Options.Backoff's, less the time that a failed dial took, at least
// 100 ms, and at least what the server asked for by Retry-After or
// [Conn.RetryAfter], with up to half as much again so that not all come back at once.
// The schedule falls back to its start after a Conn that was [Conn.Proven] or lived
// for Options.StableAfter.
func Conns(ctx context.Context, target string, opts *Options) iter.Seq2[*Conn, error] {
	return func(yield func(*Conn, error) bool) {
		o := opts.withDefaults()
		schedule := o.Backoff()
		for attempt := 1; ctx.Err() == nil; attempt++ {
			drain(o.Wake) // this attempt is what it asked for
			started := time.Now()
			conn, err := dial(ctx, &o, &Attempt{Number: attempt, URL: target})
			var told, waited time.Duration
			if err == nil {
				if !lend(conn, yield) {
					return
				}
				err = conn.Err()
				told = time.Duration(conn.toldDelay.Load())
				if conn.proven.Load() || conn.died.Sub(conn.born) >= o.StableAfter {
					schedule.Reset()
					attempt = 1
				}
			} else {
				waited = time.Since(started) // a dial into a black hole
				if d, ok := errors.AsType[*DialError](err); ok {
					told = d.RetryAfter
				}
			}
			if ctx.Err() != nil {
				return
			}
			delay, final := next(&o, schedule, err)
			if final != nil {
				yield(nil, &RedialError{Attempt: attempt, RetryIn: -1, Err: final})
				return
			}
			delay = max(delay-waited, minDelay)
			if told > 0 {
				delay = max(delay, time.Duration((1+rand.Float64()/2)*float64(told)))
			}
			if !yield(nil, &RedialError{Attempt: attempt, RetryIn: delay, Err: err}) {
				return
			}
			pause(ctx, delay, started, o.Wake, newClocks())
		}
	}
}

// next says how long to wait after err, or why not to come back at all.
func next(o *Options, schedule backoff.BackOff, err error) (delay time.Duration, final error) {
	if !o.Retryable(err) {
		return 0, err
	}
	if delay = schedule.NextBackOff(); delay == backoff.Stop {
		return 0, fmt.Errorf("%w: %w", ErrGaveUp, err)
	}
	return delay, nil
}

// lend yields conn and closes it when the body is done with it, by a panic too.
func lend(conn *Conn, yield func(*Conn, error) bool) (more bool) {
	defer conn.Close(CloseNormal, "")
	return yield(conn, nil)
}

// pause waits for delay, or for wake, or for another network: this machine has other
// addresses, or was asleep, when the timer stood still too.
func pause(ctx context.Context, delay time.Duration, started time.Time, wake <-chan struct{}, watch clocks) {
	due := time.Now().Add(delay)
	end := time.NewTimer(delay)
	defer end.Stop()
	look := time.NewTicker(sleepCheck)
	defer look.Stop()
	before := lookAround()
	for {
		select {
		case <-ctx.Done():
			return
		case <-end.C:
			return
		case <-wake:
			wake = nil // one nudge is enough
		case <-look.C:
			if !watch.slept() && !before.changed() {
				continue
			}
		}
		if soon := started.Add(minNudged); soon.Before(due) { // never later than planned
			end.Reset(time.Until(soon))
		}
	}
}

func drain(wake <-chan struct{}) {
	select {
	case <-wake:
	default:
	}
}
