package e2e

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"holdfast/e2e/faultproxy"
	"holdfast/e2e/oracle"
	"holdfast/e2e/overlay"
)

var chaosRounds = flag.Int("chaos.rounds", 0, "how often TestFailpoints kills at each failpoint; 0 means once at a few of them")

// aFew failpoints are enough when nobody asks for more.
var aFew = []string{"commit/synced", "store/committed", "adopt/copied"}

// TestFailpoints kills servers and clients at every failpoint, the first time they
// come by and a later time, and starts them again.
func TestFailpoints(t *testing.T) {
	if raceEnabled && *chaosRounds == 0 {
		t.Skip("who is killed reports no race: not worth one more binary with the detector in it")
	}
	t.Parallel()
	f := &failing{program: buildFailing(t), passed: filepath.Join(t.TempDir(), "passed")}
	all := slices.Concat(serverFailpoints, clientFailpoints)
	t.Run("passed", func(t *testing.T) { // by somebody whom nobody kills there
		t.Run("server", func(t *testing.T) { t.Parallel(); f.server(t, failpoint{}, false, 0) })
		t.Run("server again", func(t *testing.T) { t.Parallel(); f.server(t, failpoint{}, true, 0) })
		t.Run("client", func(t *testing.T) { t.Parallel(); f.client(t, failpoint{}, false, 0) })
		t.Run("client again", func(t *testing.T) { t.Parallel(); f.client(t, failpoint{}, true, 0) })
	})
	text, err := os.ReadFile(f.passed)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range all {
		if n := strings.Count(string(text), p.name+"\n"); n == 0 {
			t.Errorf("%s: nobody comes by", p.name)
		}
	}
	for i, p := range all {
		if *chaosRounds == 0 && !slices.Contains(aFew, p.name) {
			continue
		}
		die := f.server
		if i >= len(serverFailpoints) {
			die = f.client
		}
		for range max(*chaosRounds, 1) {
			if p.when != later {
				t.Run(p.name+" at first", func(t *testing.T) { t.Parallel(); die(t, p, false, 1) })
			}
			if p.when != firstly {
				k := 1
				if p.when == often {
					k += rand.IntN(30)
				}
				t.Run(fmt.Sprint(p.name, " later at ", k), func(t *testing.T) { t.Parallel(); die(t, p, true, k) })
			}
		}
	}
}

// failing is a holdfast with all failpoints in it.
type failing struct {
	program string
	passed  string // the file in which it notes by which it came
}

// failpointSource is added to each package that has failpoints.
const failpointSource = `package %s

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
)

var failpoints sync.Mutex
var failpointName, failpointAt, _ = strings.Cut(os.Getenv("HOLDFAST_FAILPOINT"), ":")
var failpointPasses, _ = strconv.Atoi(failpointAt)
var failpointLog, _ = os.OpenFile(os.Getenv("HOLDFAST_FAILPOINTS_LOG"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)

func failpoint(name string) {
	failpoints.Lock()
	defer failpoints.Unlock()
	fmt.Fprintln(failpointLog, name)
	if name != failpointName {
		return
	}
	if failpointPasses--; failpointPasses == 0 {
		self, _ := os.FindProcess(os.Getpid())
		_ = self.Kill()
		select {} // nothing is done after it
	}
}
`

func buildFailing(t *testing.T) (program string) {
	t.Helper()
	program = filepath.Join(t.TempDir(), "holdfast")
	build := exec.Command("go", "build", "-overlay", overlayFailing(t), "-ldflags=-w", "-o", program, "holdfast/cmd/holdfast")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build with failpoints: %v\n%s", err, out)
	}
	return program
}

// overlayFailing writes the program with all failpoints in it, and returns the list of the
// files for go build.
func overlayFailing(t *testing.T) (list string) {
	t.Helper()
	var edits []overlay.Edit
	for _, p := range slices.Concat(serverFailpoints, clientFailpoints) {
		edits = append(edits, p.edit)
	}
	files, err := overlay.Patch("..", edits...)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range edits {
		dir := path.Dir(e.File)
		files[dir+"/failpoint.go"] = fmt.Sprintf(failpointSource, path.Base(dir))
	}
	list, err = overlay.Write(t.TempDir(), "..", files)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// launch starts a process that dies when it comes by p for the k-th time; never, if k
// is zero.
func (f *failing) launch(t *testing.T, home string, p failpoint, k int, args ...string) *process {
	t.Helper()
	cmd := exec.Command(f.program, args...)
	cmd.Env = append(os.Environ(), "HOLDFAST_FAILPOINTS_LOG="+f.passed, fmt.Sprintf("HOLDFAST_FAILPOINT=%s:%d", p.name, k))
	return launch(t, home, cmd)
}

// scene is where it happens: a server, and who talks there.
type scene struct {
	*world
	o        oracle.Oracle
	ana, ben *talker
}

// newScene makes a world whose server is not started yet.
func newScene(t *testing.T) *scene {
	t.Helper()
	proxy, err := faultproxy.New("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = proxy.Close() })
	return &scene{world: &world{t: t, home: t.TempDir(), reader: t.TempDir(), proxy: proxy}}
}

// talk has both talk until the victim is dead, and asks it to end after a while if it
// is not to die before.
func (s *scene) talk(victim *process, p failpoint, k int, end func()) {
	s.t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	lines := 0
	until(s.t, "death at "+p.name, func() bool {
		select {
		case <-victim.ended:
			return true
		case <-tick.C:
		}
		if lines++; (p.when == ends || k == 0) && lines >= 40 {
			if lines == 40 {
				end()
			}
			return false
		}
		s.ana.say()
		s.ben.say()
		return false
	})
	if status := victim.cmd.ProcessState; status.Success() != (k == 0) || status.Exited() != (k == 0) {
		s.t.Fatalf("%s: ended otherwise: %v", p.name, status)
	}
	if k > 0 {
		figure("failpoints", p.name, 1)
	}
}

// end lets both talk undisturbed, and asks the oracle.
func (s *scene) end() (log []oracle.Entry) {
	s.t.Helper()
	part(s.t, []*talker{s.ana, s.ben})
	log = s.log("general")
	if err := s.o.CheckLive(log); err != nil {
		s.t.Error(err)
	}
	return log
}

// server has a server die, on a new disk or on one with lines on it.
func (f *failing) server(t *testing.T, p failpoint, old bool, k int) {
	s := newScene(t)
	const before, kept = 300, 250
	trims := old && (p.when == later || k == 0)
	history := "all"
	if old {
		s.fill(before, !trims)
	}
	if trims {
		s.flags = []string{"--history-lines", fmt.Sprint(kept)}
		history = "100" // which stay
	}
	armed := f.launch(t, s.home, p, k, append([]string{"serve", "--listen", "127.0.0.1:0"}, s.flags...)...)
	until(t, "a server that listens, or is dead", func() bool {
		select {
		case <-armed.ended:
			return true
		default:
			return len(armed.out.all()) > 0
		}
	})
	if out := armed.out.all(); len(out) > 0 {
		s.proxy.SetUpstream(strings.TrimPrefix(out[0], "listening on ws://"))
	}
	s.ana = newTalker(t, &s.o, "ana", oracle.View{Omit: "ana", Late: trims})
	s.ben = newTalker(t, &s.o, "ben", oracle.View{Omit: "ben", Late: trims})
	s.ana.join(s.world, history)
	s.ben.join(s.world, history)
	s.talk(armed, p, k, func() { armed.signal(syscall.SIGTERM) })
	s.proxy.SetUpstream(s.serve())
	log := s.end()
	if first, last := log[0].Seq, log[len(log)-1].Seq; old && (len(log) < kept || last-first+1 != uint64(len(log))) {
		t.Errorf("the log has %d lines, from %d to %d", len(log), first, last)
	}
}

// fill has somebody say lines and then kills the server. If the lines are not to stay,
// the oracle does not ask for them.
func (s *scene) fill(lines int, stay bool) {
	s.t.Helper()
	s.proxy.SetUpstream(s.serve())
	p := start(s.t, s.t.TempDir(), "send", "--room", "general", "--as", "old", "--server", s.url())
	for i := range lines {
		line := fmt.Sprint("old line ", i)
		s.o.Tried("old", line)
		if stay {
			s.o.Said("old", line)
			s.o.Acked("old", line)
		}
		p.say(line)
	}
	_ = p.stdin.Close()
	if code := p.wait(); code != 0 {
		s.t.Fatalf("send: exit code %d", code)
	}
	s.server.kill()
}

// client has a client die, on a new disk or on one with unsent lines on it.
func (f *failing) client(t *testing.T, p failpoint, old bool, k int) {
	s := newScene(t)
	s.proxy.SetUpstream(s.serve())
	s.ana = newTalker(t, &s.o, "ana", oracle.View{Omit: "ana", Late: true})
	s.ben = newTalker(t, &s.o, "ben", oracle.View{Omit: "ben"})
	s.ben.join(s.world, "all")
	if old {
		s.leaveUnsent()
	}
	s.ana.run(f.launch(t, s.ana.home, p, k, "join", "general", "--as", "ana", "--server", s.url(), "--history", "none"))
	s.talk(s.ana.p, p, k, func() { _ = s.ana.p.stdin.Close() })
	if s.ana.bury() {
		s.ana.join(s.world, "none")
	} else { // it begins anew
		s.ana.join(s.world, "all")
	}
	s.end()
}

// leaveUnsent has ana's client die with unsent lines, after a send beside it has given
// up. So there are lines in two slots, and a cursor in one.
func (s *scene) leaveUnsent() {
	s.t.Helper()
	s.ana.join(s.world, "none")
	s.ana.say()
	s.ben.p.out.await(s.t, s.ana.typed[0])
	if err := s.proxy.Refuse(true); err != nil {
		s.t.Fatal(err)
	}
	s.proxy.Reset()
	s.ana.say()
	p := start(s.t, s.ana.home, "send", "--room", "general", "--as", "ana", "--server", s.url(), "--retry-for", "200ms")
	beside := *s.ana
	beside.run(p)
	beside.say()
	beside.say()
	_ = p.stdin.Close()
	if code := p.wait(); code != 5 {
		s.t.Fatalf("send without a server: exit code %d", code)
	}
	s.ana.said = beside.said
	s.ana.p.kill()
	s.ana.bury()
	if len(s.ana.sure) < 2 {
		s.t.Fatalf("only %v was left behind", s.ana.sure)
	}
	if err := s.proxy.Refuse(false); err != nil {
		s.t.Fatal(err)
	}
}
