# Starts Synapse; makes its signing key before, where there is none. The homeserver makes its own key: one that a
# deployment tool derived has been compromised before (CVE-2026-24044).
set -eu
homeserver="python3 -m synapse.app.homeserver --config-path /config/homeserver.yaml"
if ! [ -s /data/signing.key ]; then
    $homeserver --generate-keys
fi
exec $homeserver
