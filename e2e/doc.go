// Package e2e holds the tests of Holdfast as a whole, and their tools: faultproxy
// (faults on real sockets), netsim (a network in fake time) and oracle (the judge).
//
//   - chaos_test.go: the real binary, over links that break and processes that die
//   - foreign_test.go: clients that know only PROTOCOL.md (stranger_test.go), or only text
//   - sim_test.go: server and sessions in one bubble of fake time, faults by seed
//   - arch_test.go: which package may import what
package e2e
