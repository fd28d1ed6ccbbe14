// Command pulumi-resource-tls is the Pulumi plugin "tls", made from the upstream Terraform provider with Pulumi's
// bridge, for machines that cannot download the published plugin.
//
// It does what pulumi-tls does with the same upstream provider, without the generated schema. The module's path lies
// under the upstream module's path because the provider is in an internal package of it.
package main

import (
	"context"
	"os"
	"unicode"

	"github.com/hashicorp/terraform-provider-tls/internal/provider"
	pfbridge "github.com/pulumi/pulumi-terraform-bridge/v3/pkg/pf/tfbridge"
	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge"
	"github.com/pulumi/pulumi/sdk/v3/go/common/tokens"
	"github.com/pulumi/pulumi/sdk/v3/go/common/util/cmdutil"

	"matrix-homeserver/toolchain/propertynames"
)

// version is set by the build: -ldflags "-X main.version=5.6.2".
var version = "0.0.0"

func member(name string) string {
	first := []rune(name)
	first[0] = unicode.ToLower(first[0])
	return "tls:index/" + string(first) + ":" + name
}

func resource(name string) *tfbridge.ResourceInfo {
	return &tfbridge.ResourceInfo{Tok: tokens.Type(member(name))}
}

func function(name string) *tfbridge.DataSourceInfo {
	return &tfbridge.DataSourceInfo{Tok: tokens.ModuleMember(member(name))}
}

func providerInfo() tfbridge.ProviderInfo {
	return tfbridge.ProviderInfo{
		P:            pfbridge.ShimProvider(provider.New()),
		Name:         "tls",
		Version:      version,
		MetadataInfo: tfbridge.NewProviderMetadata([]byte("{}")),
		Resources: map[string]*tfbridge.ResourceInfo{
			"tls_cert_request":        resource("CertRequest"),
			"tls_locally_signed_cert": resource("LocallySignedCert"),
			"tls_private_key":         resource("PrivateKey"),
			"tls_self_signed_cert":    resource("SelfSignedCert"),
		},
		DataSources: map[string]*tfbridge.DataSourceInfo{
			"tls_certificate": function("getCertificate"),
			"tls_public_key":  function("getPublicKey"),
		},
		// As the published plugin does: keeps state interchangeable with it.
		EnableZeroDefaultSchemaVersion: true,
	}
}

func main() {
	info := providerInfo()
	if propertynames.Asked(os.Args[1:]) {
		if err := propertynames.Write(os.Stdout, info); err != nil {
			cmdutil.ExitError(err.Error())
		}
		return
	}
	pfbridge.Main(context.Background(), "tls", info, pfbridge.ProviderMetadata{PackageSchema: []byte("{}")})
}
