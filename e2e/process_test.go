package e2e

import (
	"bufio"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"holdfast/e2e/faultproxy"
)

// binary is the real holdfast, built once.
var binary string

var given = flag.String("holdfast", "", "the binary to test, instead of building it")

func TestMain(m *testing.M) {
	flag.Parse()
	if *given != "" {
		binary = *given
		os.Exit(finish(m.Run()))
	}
	dir, err := os.MkdirTemp("", "holdfast-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	binary = filepath.Join(dir, "holdfast")
	args := []string{"build", "-o", binary}
	if raceEnabled {
		args = append(args, "-race")
	}
	build := exec.Command("go", append(args, "holdfast/cmd/holdfast")...)
	build.Stdout, build.Stderr = os.Stderr, os.Stderr
	if err := build.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "build holdfast:", err)
		os.Exit(1)
	}
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(finish(code))
}

// finish writes down what the tests did, and returns the exit code.
func finish(code int) int {
	if err := writeFigures(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

// patience is how long a test waits for what must happen.
const patience = 30 * time.Second

// until waits for cond.
func until(t *testing.T, what string, cond func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(patience); !cond(); <-tick.C {
		if time.Now().After(end) {
			t.Fatalf("never happened: %s", what)
		}
	}
}

// process is a running holdfast.
type process struct {
	t     *testing.T
	cmd   *exec.Cmd
	stdin io.WriteCloser
	out   *output
	err   *output
	ended chan struct{}
}

// start runs holdfast with its state and data below home.
func start(t *testing.T, home string, args ...string) *process {
	t.Helper()
	return launch(t, home, exec.Command(binary, args...))
}

// launch starts a holdfast that may have its own binary and environment.
func launch(t *testing.T, home string, cmd *exec.Cmd) *process {
	t.Helper()
	p := &process{t: t, cmd: cmd, out: newOutput(), err: newOutput(), ended: make(chan struct{})}
	p.cmd.Env = append(p.cmd.Environ(), "XDG_STATE_HOME="+home+"/state", "XDG_DATA_HOME="+home+"/data", "HOME="+home)
	var err error
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	stderr, err := p.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		var wg sync.WaitGroup
		wg.Go(func() { p.out.read(stdout) })
		wg.Go(func() { p.err.read(stderr) })
		wg.Wait()
		_ = p.cmd.Wait() // the code is in ProcessState
		close(p.ended)
	}()
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			t.Logf("holdfast %s\nstdout %d lines, stderr:\n%s", strings.Join(cmd.Args[1:], " "), len(p.out.all()), strings.Join(p.err.all(), "\n"))
		}
	})
	return p
}

// kill is kill -9.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.ended
}

func (p *process) signal(s syscall.Signal) { _ = p.cmd.Process.Signal(s) }

// say types a line.
func (p *process) say(lines ...string) {
	p.t.Helper()
	if _, err := io.WriteString(p.stdin, strings.Join(lines, "\n")+"\n"); err != nil {
		p.t.Fatalf("write to stdin: %v", err)
	}
}

// wait waits for the process's end and returns its exit code.
func (p *process) wait() int {
	p.t.Helper()
	select {
	case <-p.ended:
	case <-time.After(patience):
		p.t.Fatalf("holdfast %v does not end", p.cmd.Args[1:])
	}
	return p.cmd.ProcessState.ExitCode()
}

// run runs holdfast to its end and returns its output.
func run(t *testing.T, home string, args ...string) (out []string, code int) {
	t.Helper()
	p := start(t, home, args...)
	_ = p.stdin.Close()
	code = p.wait()
	return p.out.all(), code
}

// output is the lines that a process has written.
type output struct {
	mu    sync.Mutex
	lines []string
}

func newOutput() *output { return &output{} }

func (o *output) read(r io.Reader) {
	s := bufio.NewScanner(r)
	s.Buffer(nil, 1<<20)
	for s.Scan() {
		o.mu.Lock()
		o.lines = append(o.lines, s.Text())
		o.mu.Unlock()
	}
}

func (o *output) all() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append([]string(nil), o.lines...)
}

// await waits for a line that contains text.
func (o *output) await(t *testing.T, text string) {
	t.Helper()
	until(t, fmt.Sprintf("output %q", text), func() bool { return o.has(text) > 0 })
}

// has counts the lines that contain text.
func (o *output) has(text string) (n int) {
	for _, l := range o.all() {
		if strings.Contains(l, text) {
			n++
		}
	}
	return n
}

// world is a server, a proxy in front of it, and homes for clients.
type world struct {
	t      *testing.T
	flags  []string
	home   string // the server's
	reader string // the home of who reads the log
	server *process
	proxy  *faultproxy.Proxy
}

// newWorld starts a server with flags, behind a proxy that lets all pass.
func newWorld(t *testing.T, flags ...string) *world {
	t.Helper()
	return newWorldOn(t, t.TempDir(), flags...)
}

// newWorldOn is newWorld with the server's data below home.
func newWorldOn(t *testing.T, home string, flags ...string) *world {
	t.Helper()
	w := &world{t: t, flags: flags, home: home, reader: t.TempDir()}
	addr := w.serve()
	var err error
	if w.proxy, err = faultproxy.New(addr); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.proxy.Close() })
	return w
}

// serve starts the server and returns its address.
func (w *world) serve() (addr string) {
	w.t.Helper()
	w.server = start(w.t, w.home, append([]string{"serve", "--listen", "127.0.0.1:0"}, w.flags...)...)
	w.server.out.await(w.t, "listening on ws://")
	return strings.TrimPrefix(w.server.out.all()[0], "listening on ws://")
}

// crash kills the server with -9 and starts it again on what is on disk.
func (w *world) crash() {
	w.t.Helper()
	w.server.kill()
	w.proxy.SetUpstream(w.serve())
}

// url is the server's, through the proxy.
func (w *world) url() string { return "ws://" + w.proxy.Addr() }
