package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"
)

var start = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

const day = 24 * time.Hour

// fakeCA issues what it is told to, and counts.
type fakeCA struct {
	bench  *bench
	life   time.Duration
	asked  int
	fail   error
	notYet error
}

func (ca *fakeCA) Ready() error { return ca.notYet }

func (ca *fakeCA) Issue(key crypto.PrivateKey) (*Pair, error) {
	ca.asked++
	if ca.fail != nil {
		return nil, ca.fail
	}
	return ca.bench.pair(key, ca.life), nil
}

// bench is a client with a clock that tests move.
type bench struct {
	test    *testing.T
	folders Folders
	config  *Config
	ca      *fakeCA
	now     time.Time
	client  *Client
}

func newBench(test *testing.T) *bench {
	root := test.TempDir()
	folders := Folders{root + "/config", root + "/account", root + "/certificates"}
	for _, folder := range []string{folders.Config + "/initial", folders.Account, folders.Certificates} {
		if err := os.MkdirAll(folder, 0o750); err != nil {
			test.Fatal(err)
		}
	}
	made := &bench{test: test, folders: folders, now: start}
	made.config = &Config{
		Directory: "https://ca.test/dir", Names: []string{"example.com"}, Challenge: "http-01",
		FirstRetrySeconds: 120, LongestRetrySeconds: 21600,
	}
	made.ca = &fakeCA{bench: made, life: 90 * day}
	initial := made.pair(nil, 180*day)
	os.WriteFile(folders.Config+"/initial/"+chainFile, initial.Chain, 0o640)
	os.WriteFile(folders.Config+"/initial/"+keyFile, initial.Key, 0o640)
	made.restart()
	return made
}

// restart is what a new process does.
func (bench *bench) restart() {
	bench.now = bench.now.Add(time.Millisecond) // versions are named by the time
	clock := func() time.Time { return bench.now }
	bench.client = &Client{
		folders: bench.folders, config: bench.config, issuer: bench.ca, state: LoadState(bench.folders), clock: clock,
	}
	if err := bench.client.begin(); err != nil {
		bench.test.Fatal(err)
	}
}

func (bench *bench) pair(key crypto.PrivateKey, life time.Duration) *Pair {
	if key == nil {
		made, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			bench.test.Fatal(err)
		}
		key = made
	}
	serial, _ := rand.Int(rand.Reader, big.NewInt(1<<62))
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "example.com"}, DNSNames: bench.config.Names,
		NotBefore: bench.now, NotAfter: bench.now.Add(life),
	}
	signer := key.(crypto.Signer)
	leaf, err := x509.CreateCertificate(rand.Reader, template, template, signer.Public(), signer)
	if err != nil {
		bench.test.Fatal(err)
	}
	inner, _ := x509.MarshalPKCS8PrivateKey(key)
	pair, err := NewPair(
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: leaf}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: inner}),
	)
	if err != nil {
		bench.test.Fatal(err)
	}
	return pair
}

func (bench *bench) served() *Pair {
	pair, err := Current(bench.folders)
	if err != nil {
		bench.test.Fatal(err)
	}
	return pair
}

// after moves the clock and lets the client look.
func (bench *bench) after(passed time.Duration) {
	passed = max(passed, time.Millisecond)
	bench.now = bench.now.Add(passed)
	bench.client.Turn()
	bench.client.Step()
}

func (bench *bench) expectAsked(count int) {
	bench.test.Helper()
	if bench.ca.asked != count {
		bench.test.Fatalf("the CA was asked %d times, not %d; %s", bench.ca.asked, count, bench.client.state.LastError)
	}
}

func sameKey(a, b *Pair) bool {
	return a.Private.(*ecdsa.PrivateKey).Equal(b.Private)
}

func TestTheInitialCertificateIsServedUntilTheFirstIsIssued(t *testing.T) {
	bench := newBench(t)
	initial := bench.served()
	if !initial.Initial {
		t.Fatal("something else is served")
	}
	bench.after(0)
	if issued := bench.served(); issued.Initial || sameKey(initial, issued) {
		t.Fatal("the initial pair, or its key, is still served")
	}
}

func TestAnotherInitialCertificateReplacesTheOldOneOnly(t *testing.T) {
	bench := newBench(t)
	fresh := bench.pair(nil, 180*day)
	os.WriteFile(bench.folders.Config+"/initial/"+chainFile, fresh.Chain, 0o640)
	os.WriteFile(bench.folders.Config+"/initial/"+keyFile, fresh.Key, 0o640)
	bench.restart()
	if !bench.served().Leaf.Equal(fresh.Leaf) {
		t.Fatal("the old initial certificate is still served")
	}
	bench.after(0)
	bench.restart()
	if bench.served().Initial {
		t.Fatal("a restart went back to the initial certificate")
	}
}

func TestRenewalIsDueWhenAThirdOfTheLifeIsLeft(t *testing.T) {
	for _, life := range []time.Duration{90 * day, 45 * day, 6 * day} {
		bench := newBench(t)
		bench.ca.life = life
		bench.after(0)
		first := bench.served()
		bench.after(life*2/3 - time.Minute)
		bench.expectAsked(1)
		bench.after(2 * time.Minute)
		bench.expectAsked(2)
		if second := bench.served(); second.Leaf.Equal(first.Leaf) || !sameKey(first, second) {
			t.Fatal("not renewed, or with another key")
		}
	}
}

func TestOtherNamesOrAnotherCAAreAReasonToAsk(t *testing.T) {
	bench := newBench(t)
	bench.after(0)
	bench.config.Names = []string{"example.com", "matrix.example.com"}
	bench.after(0)
	bench.expectAsked(2)
	bench.config.Directory = "https://other.test/dir"
	bench.restart()
	bench.after(0)
	bench.expectAsked(3)
	bench.after(time.Hour)
	bench.expectAsked(3)
}

func TestFailuresBackOffAcrossRestarts(t *testing.T) {
	bench := newBench(t)
	bench.ca.fail = errors.New("no such name")
	bench.after(0)
	bench.expectAsked(1)
	bench.restart()
	bench.after(119 * time.Second)
	bench.expectAsked(1)
	bench.after(time.Second)
	bench.expectAsked(2)
	bench.restart()
	bench.after(239 * time.Second)
	bench.expectAsked(2)
	bench.after(time.Second)
	bench.expectAsked(3)
	for range 60 * 24 { // a day, looked at each minute
		bench.after(time.Minute)
	}
	if bench.ca.asked > 14 {
		t.Fatalf("asked %d times", bench.ca.asked)
	}
	bench.ca.fail = nil
	bench.after(6 * time.Hour)
	if bench.client.state.Failures != 0 || bench.client.state.LastError != "" || bench.served().Initial {
		t.Fatal("a success does not end it")
	}
}

func TestTheCAsWaitIsRespectedAcrossRestartsEvenByAForcedReissue(t *testing.T) {
	bench := newBench(t)
	bench.ca.fail = &RateLimited{After: 3 * time.Hour, Reason: errors.New("too many")}
	bench.after(0)
	bench.restart()
	if err := requestReissue(bench.folders); err != nil {
		t.Fatal(err)
	}
	later := bench.now.Add(time.Minute)
	os.Chtimes(reissuePath(bench.folders), later, later)
	bench.ca.fail = nil
	bench.after(3*time.Hour - time.Second)
	bench.expectAsked(1)
	bench.after(time.Second)
	bench.expectAsked(2)
}

func TestAForcedReissueHasANewKeyAndDoesNotWaitForTheBackOff(t *testing.T) {
	bench := newBench(t)
	bench.after(0)
	first := bench.served()
	bench.client.fail(errors.New("something"))
	bench.now = bench.now.Add(time.Second)
	if err := requestReissue(bench.folders); err != nil {
		t.Fatal(err)
	}
	os.Chtimes(reissuePath(bench.folders), bench.now, bench.now)
	bench.client.Step()
	bench.expectAsked(2)
	if second := bench.served(); sameKey(first, second) {
		t.Fatal("the old key is still served")
	}
	bench.after(time.Minute)
	bench.expectAsked(2)
}

func TestAProcessThatDiesInTheMiddleDoesNotComeAgainAtOnce(t *testing.T) {
	bench := newBench(t)
	bench.client.issuer = dyingCA{}
	func() {
		defer func() { _ = recover() }()
		bench.client.Step()
	}()
	bench.restart()
	if bench.client.state.Failures != 1 {
		t.Fatal("it does not count as a failure")
	}
	bench.after(time.Minute)
	bench.expectAsked(0)
	bench.after(time.Minute)
	bench.expectAsked(1)
}

type dyingCA struct{}

func (dyingCA) Ready() error                             { return nil }
func (dyingCA) Issue(_ crypto.PrivateKey) (*Pair, error) { panic("killed") }

func TestNothingIsAskedWhileNginxDoesNotServeTheChallenges(t *testing.T) {
	bench := newBench(t)
	bench.ca.notYet = errors.New("Nginx does not answer yet")
	bench.after(0)
	bench.expectAsked(0)
	if state := LoadState(bench.folders); state.Failures != 0 || state.LastError == "" {
		t.Fatalf("it counts as a failure, or is not told: %+v", state)
	}
	bench.ca.notYet = nil
	bench.after(time.Second)
	bench.expectAsked(1)
}

func TestWhatCannotBeWrittenIsKeptAndNotAskedForAgain(t *testing.T) {
	bench := newBench(t)
	initial := bench.served()
	versions := filepath.Join(bench.folders.Certificates, "versions")
	aside := versions + ".aside"
	os.Rename(versions, aside)
	os.WriteFile(versions, nil, 0o640) // nothing can be made below a file
	os.Remove(filepath.Join(bench.folders.Certificates, current))
	os.Symlink(filepath.Join("versions.aside", onlyEntry(t, aside)), filepath.Join(bench.folders.Certificates, current))
	bench.after(0)
	bench.expectAsked(1)
	if !bench.served().Leaf.Equal(initial.Leaf) || bench.client.state.Failures != 1 {
		t.Fatal("the old pair is not served, or the failure not told")
	}
	os.Remove(versions)
	bench.after(2 * time.Minute)
	bench.expectAsked(1)
	if bench.served().Initial {
		t.Fatal("what was issued is not served")
	}
}

func onlyEntry(t *testing.T, folder string) string {
	entries, err := os.ReadDir(folder)
	if err != nil || len(entries) != 1 {
		t.Fatal(entries, err)
	}
	return entries[0].Name()
}

func TestAPairThatDoesNotFitIsRefused(t *testing.T) {
	bench := newBench(t)
	one, other := bench.pair(nil, day), bench.pair(nil, day)
	if _, err := NewPair(one.Chain, other.Key); err == nil {
		t.Fatal("a certificate with the key of another one was taken")
	}
	before := bench.served()
	if err := Install(bench.folders, &Pair{Chain: one.Chain, Key: other.Key}, issuedPrefix, start); err == nil {
		t.Fatal("it was installed")
	}
	if !bench.served().Leaf.Equal(before.Leaf) {
		t.Fatal("something else is served")
	}
	if len(bench.versions()) != 1 {
		t.Fatal("the refused version was left behind")
	}
}

func (bench *bench) versions() []os.DirEntry {
	entries, err := os.ReadDir(filepath.Join(bench.folders.Certificates, "versions"))
	if err != nil {
		bench.test.Fatal(err)
	}
	return entries
}

func TestAVersionThatIsThereIsNotTouched(t *testing.T) {
	bench := newBench(t)
	bench.now = start
	first := bench.pair(nil, day)
	for _, pair := range []*Pair{first, bench.pair(nil, day)} {
		_ = Install(bench.folders, pair, issuedPrefix, start)
	}
	if !bench.served().Leaf.Equal(first.Leaf) {
		t.Fatal("the second took the place of the first")
	}
}

func TestOldVersionsAreRemoved(t *testing.T) {
	bench := newBench(t)
	for range 5 {
		bench.after(61 * day)
		bench.untilBothTurned()
	}
	bench.expectAsked(5)
	if found := len(bench.versions()); found != 2 {
		t.Fatalf("%d versions are kept", found)
	}
}

func TestRetryAfterIsReadAsSecondsAndAsADate(t *testing.T) {
	for text, expected := range map[string]time.Duration{
		"120": 2 * time.Minute, "Wed, 25 Nov 2026 13:00:00 GMT": time.Hour, "Wed, 25 Nov 2026 11:00:00 GMT": 0,
	} {
		if after, ok := retryAfter(text, start); !ok || after != expected {
			t.Errorf("%q is read as %s", text, after)
		}
	}
	for _, text := range []string{"", "soon", "-5"} {
		if _, ok := retryAfter(text, start); ok {
			t.Errorf("%q is read", text)
		}
	}
}

func TestAWaitHasABound(t *testing.T) {
	bench := newBench(t)
	bench.ca.fail = &RateLimited{After: 1000 * day, Reason: errors.New("too many")}
	bench.after(0)
	if wait := bench.client.state.NotBefore.Sub(bench.now); wait != longestWait {
		t.Fatalf("it waits %s", wait)
	}
}

func TestNoTokenLeadsOutOfTheFolder(t *testing.T) {
	bench := newBench(t)
	files := challengeFiles{bench.folders}
	for _, token := range []string{"", "../current", "a/b", "..", "a b"} {
		if files.Present("", token, "x") == nil {
			t.Errorf("%q was taken", token)
		}
	}
	if err := files.Present("", "a-Token_1", "answer"); err != nil {
		t.Fatal(err)
	}
	if err := files.CleanUp("", "a-Token_1", "answer"); err != nil {
		t.Fatal(err)
	}
}
