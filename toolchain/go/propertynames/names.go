// Package propertynames tells which property names a bridged Pulumi plugin understands.
//
// A plugin built without Pulumi's schema generator answers GetSchema with "{}". Nothing would notice when the
// Python SDK says "networksAdvanced" where the plugin says "networksAdvanceds": the property would be refused, or
// worse, ignored. So our plugins answer the flag -property-names with a dump made by the bridge's own name
// translation, and tests/provider/test_plugin_schema.py compares it with the installed SDK.
package propertynames

import (
	"encoding/json"
	"io"

	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge"
	shim "github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfshim"
)

// Flag is the command line argument that asks for the dump.
const Flag = "-property-names"

// Names maps a property to the properties of the objects that it holds; an empty map if it holds none.
type Names map[string]Names

// Dump is what a plugin understands, by Pulumi token.
type Dump struct {
	Version   string           `json:"version"`
	Config    Names            `json:"config"`
	Resources map[string]Names `json:"resources"`
	Functions map[string]Names `json:"functions"`
}

// Asked says whether the arguments (without the program's name) ask for the dump.
func Asked(arguments []string) bool {
	for _, argument := range arguments {
		if argument == Flag || argument == "-"+Flag {
			return true
		}
	}
	return false
}

// Write writes the dump of a provider as JSON.
func Write(out io.Writer, provider tfbridge.ProviderInfo) error {
	dump := Dump{
		Version:   provider.Version,
		Config:    walk(provider.P.Schema(), provider.Config),
		Resources: map[string]Names{},
		Functions: map[string]Names{},
	}
	for name, info := range provider.Resources {
		dump.Resources[string(info.Tok)] = walk(provider.P.ResourcesMap().Get(name).Schema(), info.Fields)
	}
	for name, info := range provider.DataSources {
		dump.Functions[string(info.Tok)] = walk(provider.P.DataSourcesMap().Get(name).Schema(), info.Fields)
	}
	encoder := json.NewEncoder(out)
	encoder.SetIndent("", "  ")
	return encoder.Encode(dump)
}

func walk(schemas shim.SchemaMap, infos map[string]*tfbridge.SchemaInfo) Names {
	names := Names{}
	schemas.Range(func(key string, schema shim.Schema) bool {
		names[tfbridge.TerraformToPulumiNameV2(key, schemas, infos)] = nested(schema, infos[key])
		return true
	})
	return names
}

func nested(schema shim.Schema, info *tfbridge.SchemaInfo) Names {
	var fields map[string]*tfbridge.SchemaInfo
	var elemInfo *tfbridge.SchemaInfo
	if info != nil {
		fields, elemInfo = info.Fields, info.Elem
	}
	switch elem := schema.Elem().(type) {
	case shim.Resource:
		if elemInfo != nil {
			fields = elemInfo.Fields
		}
		return walk(elem.Schema(), fields)
	case shim.Schema:
		return nested(elem, elemInfo)
	default:
		return Names{}
	}
}
