package main

import (
	"crypto"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// Issuer asks a CA for a certificate.
type Issuer interface {
	// Issue returns a pair for the names of the config: with the given key, or with a new one where it is nil.
	Issue(key crypto.PrivateKey) (*Pair, error)
	// Ready returns why the CA need not be asked yet, though nothing has failed; nil where it can be.
	Ready() error
}

// RateLimited is an answer of the CA that says when to come again.
type RateLimited struct {
	After  time.Duration
	Reason error
}

func (limited *RateLimited) Error() string {
	return fmt.Sprintf("%v (the CA says: again in %s)", limited.Reason, limited.After.Round(time.Second))
}

func (limited *RateLimited) Unwrap() error { return limited.Reason }

// Client decides when to ask and puts away what it gets.
type Client struct {
	folders Folders
	config  *Config
	issuer  Issuer
	state   State
	clock   func() time.Time
	// unwritten is an issued pair that could not be written. It is written before another one is asked for: CAs count.
	unwritten *issued
	// switching is held while a pair is installed or a symlink follows, which happens while the CA is asked too.
	switching sync.Mutex
	// said is the last thing that was logged, so that waiting does not fill the log.
	said   string
	saying sync.Mutex
}

type issued struct {
	pair   *Pair
	newKey bool
}

// NewClient prepares the folders and sees to it that there is something to serve.
func NewClient(folders Folders, config *Config) (*Client, error) {
	issuer, err := newAuthority(folders, config)
	if err != nil {
		return nil, err
	}
	client := &Client{folders: folders, config: config, issuer: issuer, state: LoadState(folders), clock: time.Now}
	return client, client.begin()
}

// begin sees to it that there is something to serve before Nginx starts.
func (client *Client) begin() error {
	if err := client.prepare(); err != nil {
		return err
	}
	return TakeTurns(client.folders, client.clock())
}

// Turn has Nginx read the latest pair, if this is the moment for it.
func (client *Client) Turn() {
	client.switching.Lock()
	defer client.switching.Unlock()
	if err := TakeTurns(client.folders, client.clock()); err != nil {
		client.say("Nginx still reads the pair before the latest: %v", err)
	}
}

func (client *Client) install(pair *Pair, prefix string) error {
	client.switching.Lock()
	defer client.switching.Unlock()
	return Install(client.folders, pair, prefix, client.clock())
}

// prepare installs the initial pair where no certificate is there, or an older initial one is.
func (client *Client) prepare() error {
	client.state.Abandoned(client.clock())
	// Whatever a process that was killed left of a challenge.
	os.RemoveAll(challengeFolder(client.folders))
	if err := os.MkdirAll(challengeFolder(client.folders), 0o750); err != nil {
		return err
	}
	served, err := Current(client.folders)
	if err == nil && !served.Initial {
		return nil
	}
	initial, problem := ReadPair(filepath.Join(client.folders.Config, "initial"))
	if problem != nil {
		return fmt.Errorf("no certificate is served, and the initial one cannot be read: %w", problem)
	}
	if err == nil && served.Leaf.Equal(initial.Leaf) {
		return nil
	}
	log.Print("serving the initial certificate until the CA has issued one")
	return client.install(initial, initialPrefix)
}

// due returns why a certificate has to be asked for; empty: it has not. newKey: the old key is not to be used again.
func (client *Client) due(served *Pair, now time.Time) (reason string, newKey bool) {
	switch {
	case reissueRequested(client.folders):
		return "a new certificate with a new key was asked for", true
	case served == nil:
		return "what is served cannot be read", true
	case served.Initial:
		return "no certificate of the CA yet", true
	case !served.HasNames(client.config.Names):
		return fmt.Sprintf("it is for %v, and has to be for %v", served.Leaf.DNSNames, client.config.Names), false
	case client.state.Directory != "" && client.state.Directory != client.config.Directory:
		return "it comes from another CA than the one that is set", true
	case !now.Before(served.RenewAt()):
		return "a third of its life is left, or less", false
	}
	return "", false
}

// Step does what is to be done now, if anything.
func (client *Client) Step() {
	now := client.clock()
	served, err := Current(client.folders)
	if err != nil {
		client.say("what is served cannot be read: %v", err)
		served = nil
	}
	reason, newKey := client.due(served, now)
	if reason == "" {
		return
	}
	// A person who asks for a new key does not wait for the back-off, but the CA's own word holds.
	urgent := reissueRequested(client.folders) && !client.state.CAWait && !client.reissueTried()
	if now.Before(client.state.NotBefore) && !urgent {
		client.say("%s; the next attempt is at %s", reason, client.state.NotBefore.UTC().Format(time.RFC3339))
		return
	}
	if err := client.issuer.Ready(); err != nil {
		client.say("%s; waiting: %v", reason, err)
		if client.state.LastError != err.Error() {
			client.state.LastError = err.Error()
			_ = client.state.Save(client.folders)
		}
		return
	}
	client.say("%s: asking %s", reason, client.config.Directory)
	client.attempt(served, newKey)
}

// reissueTried tells whether there was an attempt since the request.
func (client *Client) reissueTried() bool {
	asked, err := os.Stat(reissuePath(client.folders))
	return err == nil && client.state.LastErrorAt.After(asked.ModTime())
}

func (client *Client) attempt(served *Pair, newKey bool) {
	client.state.Begun(client.config, client.clock())
	if err := client.state.Save(client.folders); err != nil {
		client.fail(fmt.Errorf("the state cannot be written, so the CA is not asked: %w", err))
		return
	}
	got, err := client.obtain(served, newKey)
	if err != nil {
		client.fail(err)
		return
	}
	if err := client.install(got.pair, issuedPrefix); err != nil {
		client.unwritten = got
		client.fail(fmt.Errorf("the CA has issued a certificate, and it cannot be written: %w", err))
		return
	}
	client.unwritten = nil
	if got.newKey {
		os.Remove(reissuePath(client.folders))
	}
	client.state.Succeeded(client.config, client.clock())
	if err := client.state.Save(client.folders); err != nil {
		client.say("the state cannot be written: %v", err)
	}
	until := got.pair.Leaf.NotAfter.UTC().Format(time.RFC3339)
	client.say("serving a certificate of %s until %s", got.pair.Leaf.Issuer, until)
}

// obtain returns what could not be written the last time, else asks the CA.
func (client *Client) obtain(served *Pair, newKey bool) (*issued, error) {
	if waiting := client.unwritten; waiting != nil && (waiting.newKey || !newKey) {
		return waiting, nil
	}
	var key crypto.PrivateKey
	if served != nil && !newKey {
		// Nginx opens certificate and key one after the other: with the same key any two of them fit.
		key = served.Private
	}
	pair, err := client.issuer.Issue(key)
	if err != nil {
		return nil, err
	}
	return &issued{pair: pair, newKey: newKey}, nil
}

func (client *Client) fail(reason error) {
	client.state.Failed(client.config, reason, client.clock())
	client.say("failed: %v", reason)
	if err := client.state.Save(client.folders); err != nil {
		client.say("the state cannot be written: %v", err)
	}
}

func (client *Client) say(format string, arguments ...any) {
	client.saying.Lock()
	defer client.saying.Unlock()
	if text := fmt.Sprintf(format, arguments...); text != client.said {
		client.said = text
		log.Print(text)
	}
}

func reissuePath(folders Folders) string { return filepath.Join(folders.Account, "reissue") }

func reissueRequested(folders Folders) bool {
	_, err := os.Stat(reissuePath(folders))
	return err == nil
}

// requestReissue leaves a note for the running client. A file and not a signal: the Docker engine takes any signal that
// it sends for the wish to stop the container, and no longer restarts it.
func requestReissue(folders Folders) error {
	return replaceFile(reissuePath(folders), nil)
}
