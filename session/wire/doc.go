// Package wire is the protocol holdfast.v1 in Go: its frames, a strict codec, its
// limits and its codes. PROTOCOL.md beside this file is the contract; clients in
// other languages are written from it, and the files under testdata/vectors show
// every frame, good and bad, for them to test against.
//
// Decode trusts nothing: the size first, then UTF-8, then JSON by a parser of our
// own, because encoding/json takes a key twice, takes it in any case, and mends
// what is not UTF-8, so that two readers of one frame could disagree about it.
// Encoding escapes only what JSON demands, so that its size can be reckoned with.
//
// All of the package is safe for concurrent use.
package wire
