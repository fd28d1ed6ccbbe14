package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Folders are the places the client knows.
type Folders struct {
	Config       string // read-only: acme.json, secrets/, initial/, and ca.pem where a CA is trusted besides the public ones
	Account      string // the account's key and the state of renewal
	Certificates string // what Nginx reads
}

// Config is acme.json. Seconds are whole ones.
type Config struct {
	Directory           string   `json:"directory"`           // URL of the CA's ACME directory
	Email               string   `json:"email"`               // contact of the account; may be empty
	Names               []string `json:"names"`               // DNS names of the certificate; the first is the common name
	Challenge           string   `json:"challenge"`           // "http-01" or "dns-01"
	Edge                string   `json:"edge"`                // URL of Nginx for plain HTTP, asked before the CA is
	FirstRetrySeconds   int      `json:"firstRetrySeconds"`   // after a failure; doubles with each further one
	LongestRetrySeconds int      `json:"longestRetrySeconds"` // what the doubling ends at
	PropagationSeconds  int      `json:"propagationSeconds"`  // how long a DNS record may take to be served

	binding     binding
	alidns      accessKey
	certificate string // path of a PEM file with further CAs; empty: none
}

// binding ties an ACME account to one that the CA already has (RFC 8555, section 7.3.4).
type binding struct{ id, key string }

type accessKey struct{ id, secret string }

// LoadConfig reads the config folder.
func LoadConfig(folders Folders) (*Config, error) {
	path := filepath.Join(folders.Config, "acme.json")
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	config := &Config{}
	if err := json.Unmarshal(text, config); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	switch {
	case config.Directory == "" || len(config.Names) == 0:
		return nil, fmt.Errorf("%s: directory and names have to be set", path)
	case config.Challenge != "http-01" && config.Challenge != "dns-01":
		return nil, fmt.Errorf("%s: challenge %q is neither http-01 nor dns-01", path, config.Challenge)
	case config.FirstRetrySeconds < 1 || config.LongestRetrySeconds < config.FirstRetrySeconds:
		return nil, fmt.Errorf("%s: firstRetrySeconds has to be at least 1, longestRetrySeconds no less", path)
	}
	if config.binding.id, config.binding.key, err = secretPair(folders, "binding"); err != nil {
		return nil, err
	}
	if config.alidns.id, config.alidns.secret, err = secretPair(folders, "alidns"); err != nil {
		return nil, err
	}
	if config.Challenge == "dns-01" && config.alidns.id == "" {
		return nil, fmt.Errorf("dns-01 needs an access key of Alidns in %s/secrets/alidns", folders.Config)
	}
	authorities := filepath.Join(folders.Config, "ca.pem")
	if _, err := os.Stat(authorities); err == nil {
		config.certificate = authorities
	}
	return config, nil
}

// secretPair reads a file of the form "id:secret"; without the file both are empty.
func secretPair(folders Folders, name string) (string, string, error) {
	path := filepath.Join(folders.Config, "secrets", name)
	text, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		return "", "", nil
	}
	if err != nil {
		return "", "", err
	}
	id, secret, found := strings.Cut(strings.TrimSpace(string(text)), ":")
	if !found || id == "" || secret == "" {
		return "", "", fmt.Errorf("%s has to hold an id and a secret with a colon between them", path)
	}
	return id, secret, nil
}

func seconds(count int) time.Duration { return time.Duration(count) * time.Second }
