// Command acme keeps the certificate of a Matrix homeserver: it asks a CA for one over ACME (RFC 8555), renews it in
// time, and puts it where Nginx reads it at each handshake. The protocol itself is lego's.
//
// Everything that lasts is in two folders: one that Nginx mounts (certificates), one that it does not (account).
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"os/signal"
	"syscall"
	"time"

	_ "golang.org/x/crypto/x509roots/fallback" // the image has no CA certificates of a distribution
)

// tick is how often the client looks whether there is something to do: a request for a new key, a clock that was set.
const tick = 2 * time.Second

// turnTick is short enough for several looks in the seconds in which a symlink may be switched.
const turnTick = time.Second

const usage = `usage: acme run       keep the certificate
       acme status    print what is served, and how renewal goes, as JSON
       acme reissue   ask the running client for a new certificate with a new key
`

func main() {
	log.SetFlags(log.LstdFlags | log.LUTC | log.Lmsgprefix)
	folders := Folders{Config: "/config", Account: "/account", Certificates: "/certificates"}
	if len(os.Args) != 2 {
		fmt.Fprint(os.Stderr, usage)
		os.Exit(2)
	}
	var err error
	switch os.Args[1] {
	case "run":
		err = run(folders)
	case "status":
		err = printStatus(folders)
	case "reissue":
		err = requestReissue(folders)
	default:
		fmt.Fprint(os.Stderr, usage)
		os.Exit(2)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "acme:", err)
		os.Exit(1)
	}
}

func run(folders Folders) error {
	// Nobody but this user and Nginx' group reads what is written here.
	syscall.Umask(0o027)
	config, err := LoadConfig(folders)
	if err != nil {
		return err
	}
	client, err := NewClient(folders, config)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	go serve(client, folders)
	go func() {
		for {
			time.Sleep(turnTick)
			client.Turn()
		}
	}()
	for {
		client.Step()
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(tick):
		}
	}
}

func printStatus(folders Folders) error {
	status, err := ReadStatus(folders, time.Now())
	if err != nil {
		return err
	}
	encoder := json.NewEncoder(os.Stdout)
	encoder.SetIndent("", "  ")
	return encoder.Encode(status)
}
