package main

import (
	"os"
	"path/filepath"
	"time"
)

// Nginx opens certificate and key one after the other, so of a folder that is switched between the two it would read a
// certificate and a key that do not fit: one failed handshake in 2149 during twenty changes of the key. It reads through
// two symlinks instead, each for ten seconds by the clock (the map in Nginx' config says the same), and a symlink is
// switched only while it is the other one's turn.
const (
	turnSeconds = 10
	// afterTurn is for a worker that is late: Nginx looks at the clock once in each round of its events.
	afterTurn  = 4 * time.Second
	beforeTurn = 2 * time.Second
)

var turns = [...]string{"even", "odd"}

// turn returns the symlink that Nginx reads at this moment.
func turn(now time.Time) string { return turns[now.Second()/turnSeconds%len(turns)] }

// TakeTurns leads the symlinks to the current pair: one that is not there at once, the others when nobody reads them.
func TakeTurns(folders Folders, now time.Time) error {
	target, err := os.Readlink(filepath.Join(folders.Certificates, current))
	if err != nil {
		return err
	}
	for _, name := range turns {
		link := filepath.Join(folders.Certificates, name)
		found, err := os.Readlink(link)
		if found == target || err == nil && !resting(name, now) {
			continue
		}
		if err := point(link, target); err != nil {
			return err
		}
	}
	return nil
}

func resting(name string, now time.Time) bool {
	return turn(now) != name && turn(now.Add(-afterTurn)) != name && turn(now.Add(beforeTurn)) != name
}

// inUse returns the folders that some symlink leads to.
func inUse(folders Folders) map[string]bool {
	used := map[string]bool{}
	for _, name := range append([]string{current}, turns[:]...) {
		if target, err := os.Readlink(filepath.Join(folders.Certificates, name)); err == nil {
			used[filepath.Base(target)] = true
		}
	}
	return used
}

// point makes a symlink, or leads one elsewhere, by one rename: whoever goes through it gets the old or the new.
func point(link, target string) error {
	fresh := link + ".new"
	os.Remove(fresh)
	if err := os.Symlink(target, fresh); err != nil {
		return err
	}
	return os.Rename(fresh, link)
}
