// Package wire is the protocol holdfast.v1 in Go: its frames, a strict codec, its
// limits and its codes. PROTOCOL.md beside this file is the contract; clients in
// other languages are written from it, and the files under testdata/vectors show
// every frame, good and bad, for them to test against.
//
// Decode trusts nothing: the size first, then JSON by go-json-experiment/json, which
// is encoding/json/v2 of Go 1.27 for the Go before it. The encoding/json of this Go
// takes a key twice, takes it in any case, and mends what is not UTF-8, so that two
// readers of one frame could disagree about it; the library refuses all three by
// default. Decode reads a message twice, because the type that says what to make of
// it may stand anywhere. That takes twice as long as the parser of our own did that
// was here before, some 2 µs more for a send. It is 1 % of the processor time in which
// a server brings the line to 100 members, and no measurable part of the time that
// the line is on its way.
//
// Encoding escapes only what JSON demands, so that its size can be reckoned with.
//
// All of the package is safe for concurrent use.
package wire
