package wire

import "cmp"

// check holds what a frame must satisfy beyond being JSON with fields of the right
// types, so that no caller has to.
func check(f Frame) error {
	switch f := f.(type) {
	case *Hello:
		return f.check()
	case *Send:
		if f.N == 0 {
			return malformed("send without n")
		}
		return token("source", f.Source)
	case *History:
		if err := token("id", f.ID); err != nil {
			return err
		}
		if f.Limit < 1 || f.Limit > MaxPage {
			return malformed("limit must be 1 to %d", MaxPage)
		}
	case *Away:
		if err := CheckAway(f.Text); err != nil {
			return malformed("%v", err)
		}
	case *Bye:
		return within("retry_ms", f.RetryMS, 0, maxMS)
	case *Retry:
		return within("after_ms", f.AfterMS, 0, maxMS)
	case *Welcome:
		return f.check()
	case *Events:
		if err := checkCursor(f.After); err != nil {
			return err
		}
		return checkCursor(f.Cursor)
	}
	return nil
}

func (f *Hello) check() error {
	if err := token("device", f.Device); err != nil {
		return err
	}
	if _, err := Key(f.Key); err != nil {
		return malformed("%v", err)
	}
	if len(f.Client) > MaxID {
		return malformed("client has more than %d bytes", MaxID)
	}
	if f.Backlog < -1 {
		return malformed("backlog below -1")
	}
	if len(f.Sources) > MaxSources {
		return malformed("more than %d sources", MaxSources)
	}
	named := make(map[string]bool, len(f.Sources))
	for _, s := range f.Sources {
		if err := token("source", s.Source); err != nil {
			return err
		}
		if named[s.Source] {
			return malformed("source named twice")
		}
		named[s.Source] = true
	}
	if f.Cursor == "" {
		return nil
	}
	return checkCursor(f.Cursor)
}

func (f *Welcome) check() error {
	return cmp.Or(
		checkCursor(f.Cursor),
		within("missed", f.Missed, 0, MaxNumber),
		within("lost", f.Lost, -1, MaxNumber),
		within("heartbeat_ms", f.HeartbeatMS, 0, maxMS),
		within("timeout_ms", f.TimeoutMS, 0, maxMS),
		within("text_bytes", int64(f.Limits.TextBytes), 0, MaxNumber),
		within("in_flight", int64(f.Limits.InFlight), 0, MaxNumber),
	)
}

// maxMS keeps milliseconds, as a time.Duration, from overflowing into the past.
const maxMS = 1<<43 - 1

func within(what string, n, least, most int64) error {
	if n < least || n > most {
		return malformed("%s must be %d to %d", what, least, most)
	}
	return nil
}

// checkCursor holds cursors to printable ASCII.
func checkCursor(s string) error {
	if len(s) > MaxCursor {
		return malformed("cursor has more than %d bytes", MaxCursor)
	}
	for _, c := range []byte(s) {
		if c <= 0x20 || c >= 0x7f {
			return malformed("cursor holds something else than printable ASCII")
		}
	}
	return nil
}
