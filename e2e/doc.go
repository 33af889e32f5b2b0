// Package e2e holds the tests of Holdfast as a whole, and their tools: faultproxy
// (faults on real sockets), tunnel (packets that get lost, in network namespaces),
// netsim (a network in fake time), property (rapid in fake time), overlay (bugs and
// failpoints put into the source at build time) and oracle (the judge).
//
//   - sim_test.go: server and sessions in one bubble of fake time, faults by seed;
//     sim_faults_test.go has the kinds, sim_reach_test.go what must be met
//   - chaos_test.go: the real binary, over links that break and processes that die
//   - kill_test.go, failpoints_test.go: kill -9 at random, and between any two durable steps
//   - powercut_linux_test.go, disk_*: power cuts, syncs that fail, full disks
//   - tunnel_linux_test.go: real packets; landscape_linux_test.go sets the scene
//   - plants_test.go: bugs that are planted, and who catches them
//   - foreign_test.go: clients that know only PROTOCOL.md (stranger_test.go), or only text
//   - terminal_tmux_test.go: the chat on a real terminal, by terminal_pane_test.go
//   - arch_test.go: which package may import what
//
// Without flags each does little. The command .ci/chaos runs all at length; -full
// forbids to skip what can't run here, and -report collects figures.
package e2e
