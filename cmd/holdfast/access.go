package main

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"holdfast/cmd/holdfast/internal/config"
	"holdfast/session"
	"holdfast/transport"
)

const defaultServer = "ws://127.0.0.1:8080"

// Categories of flags, as help groups them. The empty one, a command's own, is first.
const (
	catServer   = "Server"
	catSettings = "Settings"
	catTrouble  = "Talk and logs"
)

// accessFlags say where the server is and how it is reached.
func accessFlags() []cli.Flag {
	server := checkedFlag("server", "`URL` of the server, ws://HOST:PORT or wss://HOST", defaultServer, check{test: checkServer})
	flags := []cli.Flag{
		server,
		&cli.StringFlag{Name: "token-file", Usage: "show the access token in `FILE` to the server; or in HOLDFAST_TOKEN"},
		&cli.StringFlag{Name: "ca-file", Usage: "trust the certificates in `FILE` (PEM) besides the system's"},
		&cli.StringFlag{Name: config.Secret, Hidden: true}, // of variable and file only: see settle
	}
	server.Category = catServer
	for _, f := range flags[1:] {
		f.(*cli.StringFlag).Category = catServer
	}
	return append(flags, configFlags()...)
}

// checkServer wants a server's URL.
func checkServer(text string) error {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "ws" && u.Scheme != "wss" || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return errors.New("want ws://HOST:PORT or wss://HOST")
	}
	return checkPort(u.Port())
}

// checkPort wants a port's number, or none.
func checkPort(port string) error {
	if _, err := strconv.ParseUint(port, 10, 16); port != "" && err != nil {
		return errors.New("want a port up to 65535")
	}
	return nil
}

// checkListen wants an address to listen at.
func checkListen(text string) error {
	_, port, err := net.SplitHostPort(text)
	if err != nil || port == "" {
		return errors.New("want HOST:PORT, like 127.0.0.1:18093")
	}
	if strings.Trim(port, "0123456789") != "" {
		return nil // a service's name, as http
	}
	return checkPort(port)
}

// access is how a command reaches the server. It is only read.
type access struct {
	server string // ws:// or wss://
	header http.Header
	client *http.Client
	token  bool // one is shown
}

// newAccess is the access that the flags describe.
func newAccess(c *cli.Context) (*access, error) {
	a := &access{server: c.String("server"), header: http.Header{}}
	token, err := readToken(c)
	if err != nil {
		return nil, err
	}
	if token != "" {
		a.token = true
		a.header.Set("Authorization", "Bearer "+token)
		if u, err := url.Parse(a.server); err == nil && u.Scheme == "ws" && !isLoopback(u.Hostname()) {
			return nil, usage("an access token can be read on the way to %s; use wss://%s", a.server, u.Host)
		}
	}
	roots, err := readRoots(c.String("ca-file"))
	if err != nil {
		return nil, err
	}
	a.client = transport.NewClient(&tls.Config{RootCAs: roots})
	return a, nil
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// readToken returns the access token; empty if there is none.
func readToken(c *cli.Context) (string, error) {
	token, path := c.String(config.Secret), c.String("token-file")
	from := "the access token"
	if path != "" {
		from = path
		f, err := os.Open(path)
		if err != nil {
			return "", usage("--token-file: %w", err)
		}
		defer f.Close()
		if err := config.Private(f); err != nil {
			return "", usage("--token-file %s: %w", path, err)
		}
		token, err = bufio.NewReader(io.LimitReader(f, 16<<10)).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return "", usage("--token-file: %w", err)
		}
		if token = strings.TrimSpace(token); token == "" {
			return "", usage("--token-file %s: want the token in the first line", path)
		}
	}
	for _, b := range []byte(token) {
		if b <= ' ' || b >= 0x7f {
			return "", usage("%s: want one word of printable ASCII", from)
		}
	}
	return token, nil
}

// readRoots returns the system's certificates and those of a file; nil without one.
func readRoots(path string) (*x509.CertPool, error) {
	if path == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(path)
	if err != nil {
		return nil, usage("--ca-file: %w", err)
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool() // as on systems that have none
	}
	if !roots.AppendCertsFromPEM(pem) {
		return nil, usage("--ca-file %s: want certificates, -----BEGIN CERTIFICATE----- and so on", path)
	}
	return roots, nil
}

// stateDir is where identity, cursors and unsent lines are kept: --state, or the user's
// place for it. Each profile has its own below, and so is somebody else to a server;
// without one all is where it always was.
func stateDir(c *cli.Context) (string, error) {
	dir, profile := c.String("state"), c.String("profile")
	if dir != "" || profile == "" {
		return dir, nil
	}
	dir, err := session.DefaultDir()
	if err != nil {
		return "", fmt.Errorf("profile %s: %w", profile, err)
	}
	return filepath.Join(dir, "profiles", profile), nil
}

// stateHere is stateDir, but says where the user's place is too.
func stateHere(c *cli.Context) (string, error) {
	dir, err := stateDir(c)
	if dir == "" && err == nil {
		return session.DefaultDir()
	}
	return dir, err
}
