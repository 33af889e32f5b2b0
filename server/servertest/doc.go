// Package servertest is for tests of programs that chat, or that embed the server: a real
// server in the test's own process, and links to it that the test can break, in fake time.
//
//	func TestBotSurvivesAnUpdate(t *testing.T) {
//		synctest.Test(t, func(t *testing.T) {
//			host := servertest.New(t, nil)
//			s, err := session.Open(host.URL, &session.Options{
//				Room: "general", Name: "ana", Dir: t.TempDir(), HTTPClient: host.Client("ana"),
//			})
//			if err != nil {
//				t.Fatal(err)
//			}
//			defer s.Close()
//
//			host.Drain() // the server goes away for an hour
//			id, err := s.Send("hello")
//			time.Sleep(time.Hour) // takes no time
//			host.Start()
//			if err := s.Wait(t.Context(), id); err != nil {
//				t.Error(err)
//			}
//		})
//	}
//
// [Host.Reset], [Host.Stall] and [Host.Partition] break the links of one client, by the name that
// its HTTP client was made with; [Host.Crash], [Host.Drain] and [Host.Start] are about the
// server, which keeps its store. There is no network, no port and no file outside of t.TempDir,
// so tests can run in parallel.
//
// # In a bubble
//
// New belongs inside the function that synctest.Test calls, and so does all that uses the host:
// time stands still while something runs, and jumps when all wait. A bubble must end empty: the
// server and the network end by t.Cleanup, but sessions and clients are the test's own to close,
// by a defer or by a t.Cleanup after New.
//
// Outside of a bubble everything works in real time. Then a client that was cut off takes as
// long to notice as it does in life, and the cleanup takes a second. Examples, which can have no
// bubble, are better off with an httptest.Server around server.New.
package servertest
