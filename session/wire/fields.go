package wire

// object is a JSON object with known fields.
type object interface{ fields() []field }

// field is one of them: its name, where its value stands, and whether it is left
// out when it has the zero value. The table serves both directions; its order is
// the order on the wire.
type field struct {
	name     string
	at       any // a pointer to one of the types that parser.value and appendValue know
	optional bool
}

func (f *Hello) fields() []field {
	return []field{
		{"device", &f.Device, false},
		{"key", &f.Key, false},
		{"sources", &f.Sources, false},
		{"cursor", &f.Cursor, false},
		{"backlog", &f.Backlog, false},
		{"client", &f.Client, true},
	}
}

func (f *Base) fields() []field {
	return []field{
		{"source", &f.Source, false},
		{"base", &f.Base, false},
	}
}

func (f *Send) fields() []field {
	return []field{
		{"source", &f.Source, false},
		{"n", &f.N, false},
		{"kind", &f.Kind, true},
		{"to", &f.To, true},
		{"text", &f.Text, false},
	}
}

func (f *Away) fields() []field { return []field{{"text", &f.Text, true}} }

func (f *History) fields() []field {
	return []field{
		{"id", &f.ID, false},
		{"before", &f.Before, false},
		{"limit", &f.Limit, false},
	}
}

func (f *Bye) fields() []field {
	return []field{
		{"code", &f.Code, true},
		{"message", &f.Message, true},
		{"retry_ms", &f.RetryMS, true},
	}
}

func (f *Welcome) fields() []field {
	return []field{
		{"generation", &f.Generation, false},
		{"cursor", &f.Cursor, false},
		{"resumed", &f.Resumed, false},
		{"reason", &f.Reason, true},
		{"missed", &f.Missed, false},
		{"lost", &f.Lost, false},
		{"acks", &f.Acks, false},
		{"taken", &f.Taken, true},
		{"heartbeat_ms", &f.HeartbeatMS, false},
		{"timeout_ms", &f.TimeoutMS, false},
		{"limits", &f.Limits, false},
		{"members", &f.Members, false},
		{"now", &f.Now, false},
	}
}

func (f *Limits) fields() []field {
	return []field{
		{"text_bytes", &f.TextBytes, false},
		{"in_flight", &f.InFlight, false},
	}
}

func (f *Events) fields() []field {
	return []field{
		{"after", &f.After, false},
		{"cursor", &f.Cursor, false},
		{"events", &f.Events, false},
	}
}

func (f *Event) fields() []field {
	return []field{
		{"seq", &f.Seq, false},
		{"at", &f.At, false},
		{"from", &f.From, false},
		{"source", &f.Source, false},
		{"n", &f.N, false},
		{"kind", &f.Kind, true},
		{"to", &f.To, true},
		{"text", &f.Text, false},
	}
}

func (f *Ack) fields() []field {
	return []field{
		{"source", &f.Source, false},
		{"n", &f.N, false},
	}
}

func (f *Retry) fields() []field {
	return []field{
		{"source", &f.Source, false},
		{"n", &f.N, false},
		{"after_ms", &f.AfterMS, false},
		{"code", &f.Code, false},
	}
}

func (f *Refused) fields() []field {
	return []field{
		{"source", &f.Source, false},
		{"n", &f.N, false},
		{"code", &f.Code, false},
		{"message", &f.Message, false},
	}
}

func (f *Presence) fields() []field {
	return []field{
		{"joined", &f.Joined, true},
		{"left", &f.Left, true},
		{"away", &f.Away, true},
	}
}

func (f *Absent) fields() []field {
	return []field{
		{"name", &f.Name, false},
		{"text", &f.Text, true},
	}
}

func (f *Page) fields() []field {
	return []field{
		{"id", &f.ID, false},
		{"events", &f.Events, false},
		{"end", &f.End, false},
	}
}

func (f *Live) fields() []field    { return nil }
func (f *Unknown) fields() []field { return nil }

func (*Hello) kind() string     { return "hello" }
func (*Send) kind() string      { return "send" }
func (*Away) kind() string      { return "away" }
func (*History) kind() string   { return "history" }
func (*Bye) kind() string       { return "bye" }
func (*Welcome) kind() string   { return "welcome" }
func (*Events) kind() string    { return "events" }
func (*Live) kind() string      { return "live" }
func (*Ack) kind() string       { return "ack" }
func (*Retry) kind() string     { return "retry" }
func (*Refused) kind() string   { return "refused" }
func (*Presence) kind() string  { return "presence" }
func (*Page) kind() string      { return "page" }
func (u *Unknown) kind() string { return u.Type }
