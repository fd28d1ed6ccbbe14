#!/bin/sh
# Brings the packages and puts the configuration beside it into effect. cloud-init runs it once; it may be run again.
set -eu
export DEBIAN_FRONTEND=noninteractive

apt() {
  apt-get --yes -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 -o Acquire::http::Timeout=20 \
    -o Acquire::https::Timeout=20 -o APT::Update::Error-Mode=any "$@"
}

# Use another Debian mirror, from now on.
take_mirror() {
  suite=$(. /etc/os-release && echo "$VERSION_CODENAME")
  for file in /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources; do
    if [ -e "$file" ]; then mv "$file" "$file.unused"; fi
  done
  cat >/etc/apt/sources.list <<EOF
deb $1/debian $suite main
deb $1/debian $suite-updates main
deb $1/debian-security $suite-security main
EOF
}

update() {
  apt update && return
  for mirror in {{ apt_mirrors | join(" ") }}; do
    echo "the package mirror does not answer; trying $mirror"
    take_mirror "$mirror"
    apt update && return
  done
  echo "no package mirror answers" >&2
  return 1
}

# Started by its package, Docker would keep apt-get waiting for the data disk.
trap 'rm -f /usr/sbin/policy-rc.d' EXIT
cat >/usr/sbin/policy-rc.d <<'EOF'
#!/bin/sh
case $1 in docker*) exit 101 ;; esac
EOF
chmod 755 /usr/sbin/policy-rc.d
update
apt install --no-install-recommends {{ packages | join(" ") }}

systemctl daemon-reload
systemctl restart systemd-sysctl.service systemd-journald.service
systemctl enable --now host-firewall.service
usermod --append --groups docker {{ user }}
systemctl enable --quiet data-disk.service docker.service
systemctl restart ssh.service
# Not waited for: the disk may come later.
systemctl start --no-block docker.service
