module matrix-homeserver/toolchain/propertynames

go 1.25.11

require github.com/pulumi/pulumi-terraform-bridge/v3 v3.137.0
