// Package netsim is a network in memory for testing/synctest bubbles: hosts,
// listeners and connections with latency, under fake time, that can be stalled
// one way, cut after any byte, reset, refused and partitioned. For real processes
// use faultproxy.
//
// Make the network, and everything that uses it, inside the bubble; use Client
// for an HTTP client of its own. All waits are on a sync.Cond or a channel of the
// bubble, and no mutex is held meanwhile, so the clock always finds its way.
//
// How it differs from TCP, on purpose:
//   - a write is taken as long as 64 KiB or less are under way, then blocks;
//   - bytes under way when an end closes still arrive, then the FIN: with a stall
//     and a heal that makes the zombie, a connection whose last words come after
//     its owner has long redialled;
//   - an end learns that the other one closed only over directions that are not
//     stalled: a partition swallows FIN and RST too;
//   - closing with unread data sends FIN, not RST.
//
// A seed fixes every latency for the same number of the dial, direction and
// segment. It does not fix the order of goroutines, nor of timers due at the same
// instant: choose latencies and fault times that can't tie.
package netsim
