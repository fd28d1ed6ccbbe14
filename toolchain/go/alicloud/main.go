// Command pulumi-resource-alicloud is the Pulumi plugin "alicloud", made from the upstream Terraform provider with
// Pulumi's bridge, for machines that cannot download the published plugin.
//
// It has the resources that our program declares and no others: what to add is named in providerInfo. Without the
// generated schema, and with the names that the published plugin has.
package main

import (
	"context"
	"os"
	"strings"

	"github.com/aliyun/terraform-provider-alicloud/alicloud"
	schemav1 "github.com/hashicorp/terraform-plugin-sdk/helper/schema"
	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge"
	shimv1 "github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfshim/sdk-v1"
	"github.com/pulumi/pulumi/sdk/v3/go/common/tokens"
	"github.com/pulumi/pulumi/sdk/v3/go/common/util/cmdutil"

	"matrix-homeserver/toolchain/propertynames"
)

// version is set by the build: -ldflags "-X main.version=3.105.0".
var version = "0.0.0"

// resource gives the token of a class: module "ecs" and class "EcsDisk" make "alicloud:ecs/ecsDisk:EcsDisk".
func resource(module, class string) *tfbridge.ResourceInfo {
	file := strings.ToLower(class[:1]) + class[1:]
	return &tfbridge.ResourceInfo{Tok: tokens.Type("alicloud:" + module + "/" + file + ":" + class)}
}

func providerInfo() tfbridge.ProviderInfo {
	instance := resource("ecs", "Instance")
	// The published plugin flattens it although the schema allows several; the Python SDK expects the one object.
	instance.Fields = map[string]*tfbridge.SchemaInfo{"network_interfaces": {MaxItemsOne: tfbridge.True()}}

	info := tfbridge.ProviderInfo{
		P:       shimv1.NewProvider(alicloud.Provider().(*schemav1.Provider)),
		Name:    "alicloud",
		Version: version,
		Config: map[string]*tfbridge.SchemaInfo{
			"region": {Default: &tfbridge.DefaultInfo{EnvVars: []string{"ALICLOUD_REGION"}}},
		},
		Resources: map[string]*tfbridge.ResourceInfo{
			"alicloud_alidns_record":                       resource("dns", "AlidnsRecord"),
			"alicloud_ecs_auto_snapshot_policy":            resource("ecs", "AutoSnapshotPolicy"),
			"alicloud_ecs_auto_snapshot_policy_attachment": resource("ecs", "EcsAutoSnapshotPolicyAttachment"),
			"alicloud_ecs_disk":                            resource("ecs", "EcsDisk"),
			"alicloud_ecs_disk_attachment":                 resource("ecs", "EcsDiskAttachment"),
			"alicloud_ecs_key_pair":                        resource("ecs", "EcsKeyPair"),
			"alicloud_eip_address":                         resource("ecs", "EipAddress"),
			"alicloud_eip_association":                     resource("ecs", "EipAssociation"),
			"alicloud_instance":                            instance,
			"alicloud_security_group":                      resource("ecs", "SecurityGroup"),
			"alicloud_security_group_rule":                 resource("ecs", "SecurityGroupRule"),
			"alicloud_vpc":                                 resource("vpc", "Network"),
			"alicloud_vswitch":                             resource("vpc", "Switch"),
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
	tfbridge.Main("alicloud", strings.TrimPrefix(version, "v"), info, []byte("{}"))
}
