package wire

import "cmp"

// check holds what a frame must satisfy beyond being JSON with fields of the right
// types, so that no caller has to.
func check(f Frame) error {
	switch f := f.(type) {
	case *Challenge:
		return f.check()
	case *Hello:
		return f.check()
	case *Join:
		return f.check()
	case *More:
		return within("lines", f.Lines, 1, MaxNumber)
	case *Send:
		if f.N == 0 {
			return malformed("send without n")
		}
		if f.Once != "" {
			if err := token("once", f.Once); err != nil {
				return err
			}
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
	case *Remove:
		if name, err := Name(f.Name); err != nil || name != f.Name {
			return malformed("name of who is to be removed is not one in lower case")
		}
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

func (f *Challenge) check() error {
	for what, text := range map[string]string{"nonce": f.Nonce, "server": f.Server} {
		if _, err := Key(text); err != nil {
			return malformed("%s: %v", what, err)
		}
	}
	return nil
}

func (f *Hello) check() error {
	if _, err := Key(f.Key); err != nil {
		return malformed("%v", err)
	}
	if f.Former != "" {
		if _, err := Key(f.Former); err != nil {
			return malformed("former: %v", err)
		}
	}
	if len(f.Host) > MaxHost {
		return malformed("host has more than %d bytes", MaxHost)
	}
	if len(f.Client) > MaxID {
		return malformed("client has more than %d bytes", MaxID)
	}
	return checkEntry(f.Device, f.Sources, f.Cursor, f.Backlog, f.Window)
}

func (f *Join) check() error {
	room, err := Name(f.Room)
	if err != nil || room != f.Room {
		return malformed("room is not a name in lower case")
	}
	return checkEntry(f.Device, f.Sources, f.Cursor, f.Backlog, f.Window)
}

// checkEntry checks what every way into a room has.
func checkEntry(device string, sources []Base, cursor string, backlog int, window int64) error {
	if err := token("device", device); err != nil {
		return err
	}
	if backlog < -1 {
		return malformed("backlog below -1")
	}
	if len(sources) > MaxSources {
		return malformed("more than %d sources", MaxSources)
	}
	named := make(map[string]bool, len(sources))
	for _, s := range sources {
		if err := token("source", s.Source); err != nil {
			return err
		}
		if named[s.Source] {
			return malformed("source named twice")
		}
		named[s.Source] = true
	}
	return cmp.Or(within("window", window, 0, MaxNumber), checkCursor(cursor))
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
		within("rooms", int64(f.Limits.Rooms), 0, MaxNumber),
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
