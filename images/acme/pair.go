package main

import (
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

const (
	chainFile = "fullchain.pem"
	keyFile   = "privkey.pem"
	// current is the symlink to the latest pair; those that Nginx reads follow it (turn.go).
	current = "current"
	// initialPrefix begins the folder of a pair that no CA of the config has signed.
	initialPrefix = "initial-"
	issuedPrefix  = "issued-"
)

// Pair is a certificate with its chain, and its key, as Nginx reads them.
type Pair struct {
	Chain, Key []byte // PEM
	Leaf       *x509.Certificate
	Private    crypto.PrivateKey
	Initial    bool // not from the CA
}

// NewPair checks that certificate and key belong together.
func NewPair(chain, key []byte) (*Pair, error) {
	both, err := tls.X509KeyPair(chain, key)
	if err != nil {
		return nil, err
	}
	leaf, err := x509.ParseCertificate(both.Certificate[0])
	if err != nil {
		return nil, err
	}
	return &Pair{Chain: chain, Key: key, Leaf: leaf, Private: both.PrivateKey}, nil
}

// ReadPair reads the files of a folder.
func ReadPair(folder string) (*Pair, error) {
	chain, err := os.ReadFile(filepath.Join(folder, chainFile))
	if err != nil {
		return nil, err
	}
	key, err := os.ReadFile(filepath.Join(folder, keyFile))
	if err != nil {
		return nil, err
	}
	pair, err := NewPair(chain, key)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", folder, err)
	}
	return pair, nil
}

// Current returns the latest pair, which Nginx reads now or within seconds.
func Current(folders Folders) (*Pair, error) { return follow(folders, current) }

// Served returns the pair that Nginx reads at this moment.
func Served(folders Folders, now time.Time) (*Pair, error) { return follow(folders, turn(now)) }

func follow(folders Folders, link string) (*Pair, error) {
	target, err := os.Readlink(filepath.Join(folders.Certificates, link))
	if err != nil {
		return nil, err
	}
	pair, err := ReadPair(filepath.Join(folders.Certificates, target))
	if err != nil {
		return nil, err
	}
	pair.Initial = strings.HasPrefix(filepath.Base(target), initialPrefix)
	return pair, nil
}

// RenewAt is when a third of the certificate's life is left: whatever life the CA gives.
func (pair *Pair) RenewAt() time.Time {
	life := pair.Leaf.NotAfter.Sub(pair.Leaf.NotBefore)
	return pair.Leaf.NotAfter.Add(-life / 3)
}

// HasNames tells whether the certificate is for exactly these names.
func (pair *Pair) HasNames(names []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(pair.Leaf.DNSNames)), slices.Sorted(slices.Values(names)))
}

// Install writes a pair into a folder of its own and then makes it the current one. Whatever fails leaves the old one so.
func Install(folders Folders, pair *Pair, prefix string, now time.Time) error {
	versions := filepath.Join(folders.Certificates, "versions")
	if err := os.MkdirAll(versions, 0o750); err != nil {
		return err
	}
	name := prefix + now.UTC().Format("20060102T150405.000000000Z")
	folder := filepath.Join(versions, name)
	// Outside of what is cleaned up: a folder that is there may be the one in use.
	if err := os.Mkdir(folder, 0o750); err != nil {
		return err
	}
	if err := write(folder, pair); err != nil {
		os.RemoveAll(folder)
		return err
	}
	if err := point(filepath.Join(folders.Certificates, current), filepath.Join("versions", name)); err != nil {
		os.RemoveAll(folder)
		return err
	}
	tidy(versions, inUse(folders))
	return syncFolder(folders.Certificates)
}

// write writes both files to the disk, not into its cache, and reads them again: a disk may be full, and lego's own
// writing leaves a new certificate beside an empty key then.
func write(folder string, pair *Pair) error {
	if err := writeFile(filepath.Join(folder, keyFile), pair.Key); err != nil {
		return err
	}
	if err := writeFile(filepath.Join(folder, chainFile), pair.Chain); err != nil {
		return err
	}
	if err := syncFolder(folder); err != nil {
		return err
	}
	if err := syncFolder(filepath.Dir(folder)); err != nil {
		return err
	}
	_, err := ReadPair(folder)
	return err
}

func writeFile(path string, content []byte) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o640)
	if err != nil {
		return err
	}
	_, err = file.Write(content)
	if err == nil {
		err = file.Sync()
	}
	if closed := file.Close(); err == nil {
		err = closed
	}
	return err
}

// replaceFile writes a file that may be there: whoever reads it gets the old content or the new one.
func replaceFile(path string, content []byte) error {
	fresh := path + ".new"
	os.Remove(fresh)
	if err := writeFile(fresh, content); err != nil {
		os.Remove(fresh)
		return err
	}
	if err := os.Rename(fresh, path); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(path))
}

func syncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	defer folder.Close()
	return folder.Sync()
}

// tidy removes the versions that nobody reads: the one before the latest is still read, and stays until the next. It is no
// failure when it cannot.
func tidy(versions string, used map[string]bool) {
	entries, err := os.ReadDir(versions)
	if err != nil {
		return
	}
	for _, entry := range entries {
		if !used[entry.Name()] {
			os.RemoveAll(filepath.Join(versions, entry.Name()))
		}
	}
}
