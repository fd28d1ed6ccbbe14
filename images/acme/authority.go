package main

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"sync"
	"time"

	"github.com/go-acme/lego/v4/acme"
	"github.com/go-acme/lego/v4/certcrypto"
	"github.com/go-acme/lego/v4/certificate"
	"github.com/go-acme/lego/v4/challenge/http01"
	"github.com/go-acme/lego/v4/lego"
	"github.com/go-acme/lego/v4/providers/dns/alidns"
	"github.com/go-acme/lego/v4/registration"
)

const accountUnknown = "urn:ietf:params:acme:error:accountDoesNotExist"

// authority is the CA, asked through lego.
type authority struct {
	folders Folders
	config  *Config
	account *account
	http    *http.Client
	waiting *waiting
}

// account is the ACME account: its key is all of it. Which number it has at the CA is asked each time, so that one that
// the CA has forgotten (test CAs do, at each restart) is made anew by itself.
type account struct {
	email string
	key   crypto.PrivateKey
	known *registration.Resource
}

func (account *account) GetEmail() string                        { return account.email }
func (account *account) GetRegistration() *registration.Resource { return account.known }
func (account *account) GetPrivateKey() crypto.PrivateKey        { return account.key }

func newAuthority(folders Folders, config *Config) (*authority, error) {
	key, err := accountKey(filepath.Join(folders.Account, "account.key"))
	if err != nil {
		return nil, fmt.Errorf("the account's key: %w", err)
	}
	trusted, err := x509.SystemCertPool()
	if err != nil {
		return nil, err
	}
	if config.certificate != "" {
		text, err := os.ReadFile(config.certificate)
		if err != nil {
			return nil, err
		}
		if !trusted.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("%s holds no certificate", config.certificate)
		}
	}
	noted := &waiting{to: &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: 30 * time.Second}).DialContext,
		TLSHandshakeTimeout:   30 * time.Second,
		ResponseHeaderTimeout: 30 * time.Second,
		TLSClientConfig:       &tls.Config{RootCAs: trusted},
	}}
	return &authority{
		folders: folders,
		config:  config,
		account: &account{email: config.Email, key: key},
		http:    &http.Client{Timeout: 2 * time.Minute, Transport: noted},
		waiting: noted,
	}, nil
}

// accountKey reads the account's key, and makes it where there is none.
func accountKey(path string) (crypto.PrivateKey, error) {
	text, err := os.ReadFile(path)
	if err == nil {
		return certcrypto.ParsePEMPrivateKey(text)
	}
	if !os.IsNotExist(err) {
		return nil, err
	}
	key, err := certcrypto.GeneratePrivateKey(certcrypto.EC256)
	if err != nil {
		return nil, err
	}
	return key, replaceFile(path, certcrypto.PEMEncode(key))
}

// Issue asks the CA for a certificate.
func (authority *authority) Issue(key crypto.PrivateKey) (*Pair, error) {
	authority.waiting.forget()
	pair, err := authority.issue(key)
	if err != nil {
		if after, said := authority.waiting.seen(); said {
			return nil, &RateLimited{After: after, Reason: err}
		}
		return nil, err
	}
	return pair, nil
}

func (authority *authority) issue(key crypto.PrivateKey) (*Pair, error) {
	settings := lego.NewConfig(authority.account)
	settings.CADirURL = authority.config.Directory
	settings.UserAgent = "matrix-homeserver"
	// A copy: lego puts its own transport around the one that it is given, each time.
	client := *authority.http
	settings.HTTPClient = &client
	settings.Certificate.KeyType = certcrypto.EC256
	authority.account.known = nil
	acmeClient, err := lego.NewClient(settings)
	if err != nil {
		return nil, err
	}
	if err := authority.solveWith(acmeClient); err != nil {
		return nil, err
	}
	if err := authority.register(acmeClient); err != nil {
		return nil, fmt.Errorf("the account: %w", err)
	}
	resource, err := acmeClient.Certificate.Obtain(certificate.ObtainRequest{
		Domains:    authority.config.Names,
		PrivateKey: key,
		Bundle:     true,
	})
	if err != nil {
		return nil, err
	}
	pair, err := NewPair(resource.Certificate, resource.PrivateKey)
	if err != nil {
		return nil, fmt.Errorf("what the CA issued does not fit its key: %w", err)
	}
	if !pair.HasNames(authority.config.Names) {
		return nil, fmt.Errorf("what the CA issued is for %v", pair.Leaf.DNSNames)
	}
	return pair, nil
}

// register looks for the account at the CA, and makes it where there is none.
func (authority *authority) register(client *lego.Client) error {
	known, err := client.Registration.ResolveAccountByKey()
	var problem *acme.ProblemDetails
	if errors.As(err, &problem) && problem.Type == accountUnknown {
		if bound := authority.config.binding; bound.id != "" {
			known, err = client.Registration.RegisterWithExternalAccountBinding(
				registration.RegisterEABOptions{TermsOfServiceAgreed: true, Kid: bound.id, HmacEncoded: bound.key},
			)
		} else {
			known, err = client.Registration.Register(registration.RegisterOptions{TermsOfServiceAgreed: true})
		}
	}
	authority.account.known = known
	return err
}

func (authority *authority) solveWith(client *lego.Client) error {
	if authority.config.Challenge == "http-01" {
		return client.Challenge.SetHTTP01Provider(challengeFiles{authority.folders})
	}
	settings := alidns.NewDefaultConfig()
	settings.APIKey = authority.config.alidns.id
	settings.SecretKey = authority.config.alidns.secret
	settings.PropagationTimeout = seconds(max(authority.config.PropagationSeconds, 1))
	provider, err := alidns.NewDNSProviderConfig(settings)
	if err != nil {
		return err
	}
	return client.Challenge.SetDNS01Provider(provider)
}

// Ready asks Nginx for a file of the challenge folder, as the CA will: a failed validation counts at the CA, and at the
// first start Nginx is not there yet.
func (authority *authority) Ready() error {
	if authority.config.Challenge != "http-01" || authority.config.Edge == "" {
		return nil
	}
	random := make([]byte, 16)
	rand.Read(random)
	token := base64.RawURLEncoding.EncodeToString(random)
	files := challengeFiles{authority.folders}
	if err := files.Present("", token, token); err != nil {
		// For the attempt to report: it will meet the same.
		return nil
	}
	defer files.CleanUp("", token, token)
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, authority.config.Edge+http01.ChallengePath(token), nil)
	if err != nil {
		return err
	}
	request.Host = authority.config.Names[0]
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		var failed *url.Error
		if errors.As(err, &failed) {
			err = failed.Err // without the URL, which is another one each time
		}
		return fmt.Errorf("Nginx does not answer: %w", err)
	}
	defer response.Body.Close()
	if body, err := io.ReadAll(io.LimitReader(response.Body, 1024)); err != nil || string(body) != token {
		return fmt.Errorf("Nginx does not serve the challenges: it answers %s", response.Status)
	}
	return nil
}

// challengeFiles is where Nginx serves what HTTP-01 asks for.
type challengeFiles struct{ folders Folders }

func challengeFolder(folders Folders) string {
	return filepath.Join(folders.Certificates, "challenges")
}

// The alphabet that RFC 8555 gives tokens: no path leads out of the folder.
var tokens = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

func (files challengeFiles) Present(_, token, answer string) error {
	if !tokens.MatchString(token) {
		return fmt.Errorf("the CA's token is none: %q", token)
	}
	return replaceFile(filepath.Join(challengeFolder(files.folders), token), []byte(answer))
}

func (files challengeFiles) CleanUp(_, token, _ string) error {
	if !tokens.MatchString(token) {
		return nil
	}
	return os.Remove(filepath.Join(challengeFolder(files.folders), token))
}

// waiting passes requests on and notes when a refusal says to come again (RFC 9110, section 10.2.3): lego drops that.
type waiting struct {
	to    http.RoundTripper
	mutex sync.Mutex
	after time.Duration
	said  bool
}

func (waiting *waiting) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := waiting.to.RoundTrip(request)
	if err == nil && (response.StatusCode == http.StatusTooManyRequests || response.StatusCode == http.StatusServiceUnavailable) {
		if after, ok := retryAfter(response.Header.Get("Retry-After"), time.Now()); ok {
			waiting.mutex.Lock()
			waiting.after, waiting.said = max(waiting.after, after), true
			waiting.mutex.Unlock()
		}
	}
	return response, err
}

func (waiting *waiting) forget() {
	waiting.mutex.Lock()
	defer waiting.mutex.Unlock()
	waiting.after, waiting.said = 0, false
}

func (waiting *waiting) seen() (time.Duration, bool) {
	waiting.mutex.Lock()
	defer waiting.mutex.Unlock()
	return waiting.after, waiting.said
}

// retryAfter reads seconds or a date.
func retryAfter(text string, now time.Time) (time.Duration, bool) {
	if count, err := strconv.Atoi(text); err == nil && count >= 0 {
		return seconds(count), true
	}
	if date, err := http.ParseTime(text); err == nil {
		return max(date.Sub(now), 0), true
	}
	return 0, false
}
