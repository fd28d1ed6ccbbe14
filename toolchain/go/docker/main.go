// Command pulumi-resource-docker is the Pulumi plugin "docker", made from the upstream Terraform provider with
// Pulumi's bridge, for machines that cannot download the published plugin.
//
// It does what pulumi-docker does with the same upstream provider, without its native resource Image (our program
// does not use it) and without the generated schema. The module's path lies under the upstream module's path because
// the provider is in an internal package of it.
package main

import (
	"context"
	"os"
	"strings"
	"unicode"

	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge"
	shimv2 "github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfshim/sdk-v2"
	"github.com/pulumi/pulumi/sdk/v3/go/common/tokens"
	"github.com/pulumi/pulumi/sdk/v3/go/common/util/cmdutil"
	"github.com/terraform-providers/terraform-provider-docker/internal/provider"

	"matrix-homeserver/toolchain/propertynames"
)

// version is set by the build: -ldflags "-X main.version=5.2.0".
var version = "0.0.0"

func member(name string) string {
	first := []rune(name)
	first[0] = unicode.ToLower(first[0])
	return "docker:index/" + string(first) + ":" + name
}

func resource(name string) *tfbridge.ResourceInfo {
	return &tfbridge.ResourceInfo{Tok: tokens.Type(member(name))}
}

func function(name string) *tfbridge.DataSourceInfo {
	return &tfbridge.DataSourceInfo{Tok: tokens.ModuleMember(member(name))}
}

// providerInfo repeats the overrides of pulumi-docker 5: the bridge alone would name things differently.
func providerInfo() tfbridge.ProviderInfo {
	container := resource("Container")
	// A second container cannot have the same name or ports: the old one must go first.
	container.DeleteBeforeReplace = true
	container.Fields = map[string]*tfbridge.SchemaInfo{
		// One command, although it is a list: not "commands".
		"command": {Name: "command"},
		// Several networks, although upstream's name is odd: not "networksAdvanceds".
		"networks_advanced": {Name: "networksAdvanced"},
	}
	image := resource("RemoteImage")
	// The name is what to pull: it must not be made up from the resource's name.
	image.Fields = map[string]*tfbridge.SchemaInfo{"name": {Name: "name"}}

	info := tfbridge.ProviderInfo{
		P:       shimv2.NewProvider(provider.New(version)()),
		Name:    "docker",
		Version: version,
		Config: map[string]*tfbridge.SchemaInfo{
			"host": {Default: &tfbridge.DefaultInfo{
				Value:   "unix:///var/run/docker.sock",
				EnvVars: []string{"DOCKER_HOST"},
			}},
			"registry_auth": {Name: "registryAuth", MaxItemsOne: tfbridge.False()},
		},
		Resources: map[string]*tfbridge.ResourceInfo{
			"docker_buildx_builder": resource("BuildxBuilder"),
			"docker_config":         resource("ServiceConfig"),
			"docker_container":      container,
			"docker_image":          image,
			"docker_network":        resource("Network"),
			"docker_plugin":         resource("Plugin"),
			"docker_registry_image": resource("RegistryImage"),
			"docker_secret":         resource("Secret"),
			"docker_service":        resource("Service"),
			"docker_tag":            resource("Tag"),
			"docker_volume":         resource("Volume"),
		},
		DataSources: map[string]*tfbridge.DataSourceInfo{
			"docker_image":                    function("getRemoteImage"),
			"docker_logs":                     function("getLogs"),
			"docker_network":                  function("getNetwork"),
			"docker_plugin":                   function("getPlugin"),
			"docker_registry_image":           function("getRegistryImage"),
			"docker_registry_image_manifests": function("getRegistryImageManifests"),
		},
	}
	info.SetAutonaming(255, "-")
	return info
}

func main() {
	info := providerInfo()
	if propertynames.Asked(os.Args[1:]) {
		if err := propertynames.Write(os.Stdout, info); err != nil {
			cmdutil.ExitError(err.Error())
		}
		return
	}
	info.P.InitLogging(context.Background())
	tfbridge.Main("docker", strings.TrimPrefix(version, "v"), info, []byte("{}"))
}
