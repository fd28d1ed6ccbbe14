// Package client stands in for a module that Go module proxies do not serve. The upstream provider uses it to sign
// requests for OSS buckets, which our program does not declare.
package client

import (
	"errors"

	spi "github.com/alibabacloud-go/alibabacloud-gateway-spi/client"
)

// NewClient refuses: this plugin cannot manage OSS buckets.
func NewClient() (spi.ClientInterface, error) {
	return nil, errors.New("this plugin was built without OSS buckets; use the published alicloud plugin for them")
}
