package main

import (
	"fmt"
	"net/http"
	"strings"
	"time"
)

// metricsAddress is reached on the stack's own networks only: no port is published.
const metricsAddress = ":9402"

// Status is what people and monitoring want to know. Times are RFC 3339; one that never was is null.
type Status struct {
	Issued           bool       `json:"issued"` // by the CA; else the initial certificate is served
	Issuer           string     `json:"issuer"`
	Serial           string     `json:"serial"` // hexadecimal
	Names            []string   `json:"names"`
	NotBefore        *time.Time `json:"notBefore"`
	NotAfter         *time.Time `json:"notAfter"`
	RenewAt          *time.Time `json:"renewAt"`
	Failures         int        `json:"failures"` // since the last success
	LastError        string     `json:"lastError"`
	LastErrorAt      *time.Time `json:"lastErrorAt"`
	LastSuccess      *time.Time `json:"lastSuccess"`
	NextAttempt      *time.Time `json:"nextAttempt"`
	ReissueRequested bool       `json:"reissueRequested"`
	Chain            string     `json:"chain"` // PEM of what is served
}

// ReadStatus reads the status from the folders: the running client is not asked, it may be busy or gone.
func ReadStatus(folders Folders, now time.Time) (*Status, error) {
	served, err := Served(folders, now)
	if err != nil {
		return nil, fmt.Errorf("what is served cannot be read: %w", err)
	}
	state := LoadState(folders)
	renewAt := served.RenewAt()
	next := renewAt
	if served.Initial || reissueRequested(folders) {
		next = time.Time{}
	}
	if state.NotBefore.After(next) && !state.Attempting {
		next = state.NotBefore
	}
	return &Status{
		Issued:           !served.Initial,
		Issuer:           served.Leaf.Issuer.String(),
		Serial:           fmt.Sprintf("%x", served.Leaf.SerialNumber),
		Names:            served.Leaf.DNSNames,
		NotBefore:        optional(served.Leaf.NotBefore),
		NotAfter:         optional(served.Leaf.NotAfter),
		RenewAt:          optional(renewAt),
		Failures:         state.Failures,
		LastError:        state.LastError,
		LastErrorAt:      optional(state.LastErrorAt),
		LastSuccess:      optional(state.LastSuccess),
		NextAttempt:      optional(next),
		ReissueRequested: reissueRequested(folders),
		Chain:            string(served.Chain),
	}, nil
}

func optional(moment time.Time) *time.Time {
	if moment.IsZero() {
		return nil
	}
	moment = moment.UTC().Truncate(time.Second)
	return &moment
}

// serve answers the health check and Prometheus. A renewal that fails does not make the container unhealthy: what it
// is there for, a pair to serve, is there.
func serve(client *Client, folders Folders) {
	http.HandleFunc("GET /health", func(writer http.ResponseWriter, _ *http.Request) {
		if _, err := Served(folders, time.Now()); err != nil {
			http.Error(writer, err.Error(), http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(writer, "ok")
	})
	http.HandleFunc("GET /metrics", func(writer http.ResponseWriter, _ *http.Request) {
		status, err := ReadStatus(folders, time.Now())
		if err != nil {
			http.Error(writer, err.Error(), http.StatusServiceUnavailable)
			return
		}
		writer.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		fmt.Fprint(writer, metrics(status))
	})
	server := &http.Server{Addr: metricsAddress, ReadHeaderTimeout: 5 * time.Second}
	if err := server.ListenAndServe(); err != nil {
		client.say("health and metrics cannot be served: %v", err)
	}
}

func metrics(status *Status) string {
	var text strings.Builder
	gauge := func(name, help string, value float64) {
		fmt.Fprintf(&text, "# HELP %s %s\n# TYPE %s gauge\n%s %g\n", name, help, name, name, value)
	}
	moment := func(moment *time.Time) float64 {
		if moment == nil {
			return 0
		}
		return float64(moment.Unix())
	}
	issued := 0.0
	if status.Issued {
		issued = 1
	}
	gauge("acme_certificate_issued", "1: the certificate is the CA's; 0: the initial one is served.", issued)
	gauge("acme_certificate_not_after_timestamp_seconds", "When the certificate that is served ends.", moment(status.NotAfter))
	gauge("acme_certificate_renew_at_timestamp_seconds", "When renewal of it is due.", moment(status.RenewAt))
	gauge("acme_failures", "Failed attempts since the last success.", float64(status.Failures))
	gauge("acme_last_error_timestamp_seconds", "When the last attempt failed; 0: never.", moment(status.LastErrorAt))
	gauge("acme_last_success_timestamp_seconds", "When the CA last issued; 0: never.", moment(status.LastSuccess))
	gauge("acme_next_attempt_timestamp_seconds", "When the CA is asked next; 0: now.", moment(status.NextAttempt))
	return text.String()
}
