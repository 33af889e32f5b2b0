package session

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

const keyFile = "identity"

// identity is who the user is to one server. Each host sees a key pair of its own, derived
// from one secret, so that a signature given to one server is worth nothing at another.
// The port does not count: a server that moves to another one keeps its users.
type identity struct {
	key ed25519.PrivateKey

	// former is the secret by which a name was held before there were key pairs; empty
	// if the user is younger than that.
	former string
}

// readIdentity returns the user's identity for host, from the secret in dir, which is made
// at first use.
func readIdentity(dir, host string) (id identity, err error) {
	secret, old, err := readSecret(dir)
	if err != nil {
		return id, err
	}
	id.key = ed25519.NewKeyFromSeed(derive(secret, "holdfast key pair for "+host))
	if old {
		id.former = base64.RawURLEncoding.EncodeToString(derive(secret, "holdfast key for "+host))
	}
	return id, nil
}

func derive(secret []byte, what string) []byte {
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(what))
	return mac.Sum(nil)
}

// pairMark begins the file of a secret that was never used for anything but key pairs.
const pairMark = "ed25519 "

// readSecret returns the secret, and whether it was made before there were key pairs.
func readSecret(dir string) (secret []byte, old bool, err error) {
	path := filepath.Join(dir, keyFile)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		if err := makeSecret(dir, path); err != nil {
			return nil, false, fmt.Errorf("make identity key: %w", err)
		}
		text, err = os.ReadFile(path)
	}
	if err != nil {
		return nil, false, fmt.Errorf("read identity key: %w", err)
	}
	rest, young := strings.CutPrefix(string(text), pairMark)
	secret, err = base64.RawURLEncoding.DecodeString(strings.TrimSpace(rest))
	if err != nil || len(secret) != 32 {
		return nil, false, fmt.Errorf("identity key in %s is damaged; put a copy back, or remove it and be someone new", path)
	}
	return secret, !young, nil
}

// makeSecret writes a new secret. Of several processes that try at once, the first
// wins: a link, unlike a rename, does not replace.
func makeSecret(dir, path string) error {
	secret := make([]byte, 32)
	rand.Read(secret)
	tmp, err := os.CreateTemp(dir, keyFile+"-*") // made with mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.WriteString(pairMark + base64.RawURLEncoding.EncodeToString(secret) + "\n")
	err = errors.Join(err, tmp.Sync(), tmp.Close())
	if err != nil {
		return err
	}
	err = os.Link(tmp.Name(), path)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		err = os.Rename(tmp.Name(), path) // no hard links here
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncDir(dir)
}

// makeDir makes dir and its parents, for this user only, and sees to it that they
// are still there after a power cut.
func makeDir(dir string) error {
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	parent := filepath.Dir(dir)
	if parent != dir {
		if err := makeDir(parent); err != nil {
			return err
		}
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncDir(parent)
}

func syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil // it can't, and NTFS journals the names itself
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = d.Sync()
	return errors.Join(err, d.Close())
}
