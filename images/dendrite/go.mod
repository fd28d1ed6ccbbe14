module matrix-homeserver/images/dendrite

go 1.25.11

require github.com/element-hq/dendrite v0.15.2
