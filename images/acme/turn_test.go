package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// untilBothTurned lets as much time pass as the symlinks need to follow.
func (bench *bench) untilBothTurned() {
	for range 15 {
		bench.after(tick)
	}
}

func (bench *bench) read(link, file string) []byte {
	content, err := os.ReadFile(filepath.Join(bench.folders.Certificates, link, file))
	if err != nil {
		bench.test.Fatal(err)
	}
	return content
}

// A worker of Nginx looks at the clock, opens the certificate and, up to a second later, the key.
func TestWhoeverReadsWhileTheKeyChangesGetsAPairThatFits(t *testing.T) {
	for offset := range 10 {
		bench := newBench(t)
		bench.after(time.Duration(2*offset) * time.Second)
		for range 2 {
			if err := requestReissue(bench.folders); err != nil {
				t.Fatal(err)
			}
			asked := bench.ca.asked
			for range 40 {
				link := turn(bench.now)
				chain := bench.read(link, chainFile)
				bench.after(500 * time.Millisecond)
				bench.after(500 * time.Millisecond)
				if _, err := NewPair(chain, bench.read(link, keyFile)); err != nil {
					t.Fatal(err)
				}
			}
			bench.expectAsked(asked + 1)
			if !bytes.Equal(bench.read("even", keyFile), bench.read("odd", keyFile)) {
				t.Fatal("the symlinks did not follow")
			}
		}
	}
}

func TestALatestPairIsReadWithinTwentySeconds(t *testing.T) {
	for offset := range 20 {
		bench := newBench(t)
		bench.after(time.Duration(offset) * time.Second)
		latest, err := Current(bench.folders)
		if err != nil || latest.Initial {
			t.Fatal(err)
		}
		for range 10 {
			bench.after(tick)
		}
		served, err := Served(bench.folders, bench.now)
		if err != nil || !served.Leaf.Equal(latest.Leaf) {
			t.Fatal("another one is still served", offset, err)
		}
	}
}

func TestAFolderThatIsStillReadIsNotRemoved(t *testing.T) {
	bench := newBench(t)
	for range 3 {
		_ = requestReissue(bench.folders)
		bench.after(0)
		for _, link := range turns {
			bench.read(link, chainFile)
		}
	}
	bench.expectAsked(3)
}

func TestThereIsSomethingToReadFromTheFirstMomentOn(t *testing.T) {
	bench := newBench(t)
	for _, link := range turns {
		os.Remove(filepath.Join(bench.folders.Certificates, link))
	}
	bench.restart()
	for _, link := range turns {
		bench.read(link, chainFile)
	}
}
