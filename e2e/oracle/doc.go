// Package oracle judges the history of a run: what was said, acknowledged,
// refused and shown, against the log that the server ended up with. It is pure
// data, without I/O or time, and serves simulations and real processes alike.
//
// While a test runs it tells an Oracle what happened, from any goroutine:
//
//	var o oracle.Oracle
//	o.Reader("ben", oracle.View{})
//	o.Said("ana", "hello")          // session.Send returned nil
//	o.Acked("ana", "hello")         // the receipt came
//	o.Saw("ben", 1, "ana", "hello")
//
// and at the end, with the room's log read back from the store:
//
//	err := o.CheckLive(log) // or Check, if faults went on to the end
//
// An Oracle is for one room. Every text is said once in a run, so that a text is
// the identity of its line: number the lines. A sender is one voice, whose lines
// have an order; a user who speaks on several devices at once is recorded as
// "user/device", and the log has what stands before the slash.
//
// The log must be whole: with retention, hand in what a witness saw. Lines that
// only keep a refused line's place are to be left out.
//
// The checks take time linear in the history. They report every violation, each
// with the Rule it breaks.
package oracle
