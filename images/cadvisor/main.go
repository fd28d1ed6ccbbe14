// cAdvisor as a Debian or a Docker engine without a registry can have it: the library with the flags of the published
// program that the stack uses. Its own command is a module inside the module, which no module proxy serves.
//
// Without the Docker socket it knows a container by its control group only.
package main

import (
	"flag"
	"log"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/google/cadvisor/cache/memory"
	"github.com/google/cadvisor/container"
	v2 "github.com/google/cadvisor/info/v2"
	"github.com/google/cadvisor/manager"
	"github.com/google/cadvisor/metrics"
	"github.com/google/cadvisor/utils/sysfs"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"k8s.io/utils/clock"
)

// What the flag -disable_metrics of the published program leaves of its metrics, too.
var measured = container.MetricSet{
	container.CpuUsageMetrics:    {},
	container.MemoryUsageMetrics: {},
	container.DiskIOMetrics:      {},
}

func main() {
	listen := flag.String("listen_ip", "", "address to listen on")
	port := flag.String("port", "8080", "port to listen on")
	prefixes := flag.String("raw_cgroup_prefix_whitelist", "", "control groups to measure, with commas between them")
	// For what the published program measures besides; nothing else is measured here anyway.
	flag.String("disable_metrics", "", "ignored")
	flag.Bool("store_container_labels", false, "ignored: without the Docker socket there are none")
	flag.Parse()

	watched, err := manager.New(
		memory.New(2*time.Minute, nil),
		sysfs.NewRealSysFs(),
		manager.HousekeepingConfigFlags,
		measured,
		http.DefaultClient,
		strings.Split(*prefixes, ","),
		nil,
		"",
		0,
	)
	if err != nil {
		log.Fatalf("cannot measure: %v", err)
	}
	if err := watched.Start(); err != nil {
		log.Fatalf("cannot start to measure: %v", err)
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(metrics.NewPrometheusCollector(
		watched,
		metrics.DefaultContainerLabels,
		measured,
		clock.RealClock{},
		v2.RequestOptions{IdType: v2.TypeName, Count: 1, Recursive: true},
	))
	http.Handle("/metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	http.HandleFunc("/healthz", func(answer http.ResponseWriter, _ *http.Request) {
		_, _ = answer.Write([]byte("ok"))
	})
	log.Fatal(http.ListenAndServe(net.JoinHostPort(*listen, *port), nil))
}
