// Package netsim is a network in memory for testing/synctest bubbles: hosts, listeners and
// connections with latency, under fake time. They can be stalled one way, cut after any byte,
// reset, refused and partitioned.
//
//	func TestClientGivesUpOnASilentServer(t *testing.T) {
//		synctest.Test(t, func(t *testing.T) {
//			n := netsim.New(1, &netsim.Options{Latency: netsim.Between(20*time.Millisecond, 80*time.Millisecond)})
//			defer n.Close()
//			l, err := n.Listen("server")
//			if err != nil {
//				t.Fatal(err)
//			}
//			go http.Serve(l, handler) // ends with the network
//
//			client := n.Client("ana") // an *http.Client that dials through n
//			resp, err := client.Get("http://server/events")
//			…
//			n.Partition("ana", true) // not a byte gets through, and nobody is told
//			time.Sleep(time.Hour)    // takes no time
//			…
//		})
//	}
//
// A [Net] is the network, a [Link] one connection in it: find those of a client with [Net.Links]
// and [Link.From], or catch each before its first byte with Options.OnLink. [Net.Stats] tells
// whether a fault was met, and what went over the network.
//
// Make the network, and everything that uses it, inside the bubble; use Client for an HTTP client
// of its own, since the default one keeps connections and goroutines from one test to the next.
// All waits are on a sync.Cond or a channel of the bubble, and no mutex is held meanwhile, so the
// clock always finds its way. Where net/http has given up a dial, it lets that run on for a
// moment: sleep a second after Close, so that the bubble ends empty. Outside of a bubble all
// works the same in real time. For a chat server on such a network see package servertest.
//
// How it differs from TCP, on purpose:
//   - a write is taken as long as Options.Window or less is under way, then blocks;
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
