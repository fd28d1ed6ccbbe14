#!/bin/sh
# Waits for the data disk, makes a file system on it if it is blank, and mounts it.
set -eu
device={{ device }}
target={{ data_mount }}

if mountpoint -q "$target"; then
  exit 0
fi
if ! [ -b "$device" ]; then
  echo "waiting for $device"
  until [ -b "$device" ]; do sleep 1; done
fi

# -p reads the disk itself. 2: there is nothing that it knows.
code=0
found=$(blkid -p -o export "$device") || code=$?
if [ "$code" -eq 2 ]; then
  # A damaged file system is unknown to blkid too, but it is not blank.
  if ! cmp -s -n 4194304 "$device" /dev/zero; then
    echo "$device has no file system and is not blank: it is left alone. fsck it, restore a snapshot, or, if nothing" \
      "on it is wanted, run: blkdiscard -z $device" >&2
    exit 1
  fi
  echo "$device is blank: making a file system"
  mkfs.ext4 -q -m 1 -L {{ label }} "$device"
elif [ "$code" -ne 0 ] || ! printf '%s\n' "$found" | grep -qx 'TYPE=ext4'; then
  printf '%s\n' "$device holds something else than ext4 (blkid: $code): it is left alone" "$found" >&2
  exit 1
fi

# 1: errors were corrected.
fsck.ext4 -p "$device" || [ $? -eq 1 ]
# A disk that was enlarged. Before it is mounted: while it is, that takes one capability more.
filled=$(dumpe2fs -h "$device" 2>/dev/null | awk '/^Block count:/ {n = $3} /^Block size:/ {s = $3} END {printf "%.0f", n * s}')
if [ "$(blockdev --getsize64 "$device")" -gt $((filled + 16777216)) ]; then
  echo "$device has become larger: enlarging its file system"
  fsck.ext4 -f -p "$device" || [ $? -eq 1 ]
  resize2fs "$device"
fi
mkdir -p "$target"
mount -o noatime,errors=remount-ro "$device" "$target"
