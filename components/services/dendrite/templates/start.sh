# Starts Dendrite; makes its signing key before, where there is none. The homeserver makes its own key: one that a
# deployment tool derived has been compromised before (CVE-2026-24044).
set -eu
if ! [ -s /data/signing.key ]; then
    # Under another name first: what was cut off half-way is not taken for a key.
    generate-keys --private-key /data/signing.key.new
    mv /data/signing.key.new /data/signing.key
fi
exec dendrite --config /config/dendrite.yaml --http-bind-address 0.0.0.0:{{ port }}
