#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# fresh.sh [FOLDER]: what a newcomer does, in a bare Debian 12 made by debootstrap (root needed): ./bootstrap check and ./bootstrap demo from an empty clone. make check-fresh runs it.
#   KEEP=1 keeps the system   ONLY="check" or ONLY="demo"
set -eu
top=$(cd "$(dirname "$0")/../.." && pwd)
root=${1-$(mktemp -d /tmp/sol-fresh.XXXXXX)}
[ "$(id -u)" -eq 0 ] || { echo "fresh.sh: root is needed (chroot)" >&2; exit 1; }
command -v debootstrap >/dev/null || { echo "fresh.sh: debootstrap is needed: apt-get install debootstrap" >&2; exit 1; }
cleanup () {
  for m in dev/shm dev/pts dev sys proc; do mountpoint -q "$root/$m" && umount "$root/$m"; done
  [ -n "${KEEP-}" ] || rm -rf --one-file-system "$root"
}
trap cleanup EXIT
[ -x "$root/bin/sh" ] || debootstrap --variant=minbase bookworm "$root" ${MIRROR-$(sed -n 's/^deb \([^[ ]*\) .*/\1/p' /etc/apt/sources.list 2>/dev/null | head -1)}
cp /etc/resolv.conf /etc/hosts "$root/etc/" 2>/dev/null || true # without its own name in hosts, every mpirun waits ten seconds for a name server
for f in /etc/apt/sources.list /etc/apt/sources.list.d /etc/apt/apt.conf.d /etc/apt/trusted.gpg.d /etc/apt/keyrings; do [ -e $f ] && cp -a $f "$root/etc/apt/" || true; done
mkdir -p "$root/dev/shm" "$root/dev/pts" "$root/proc" "$root/root/solera" "$root/sys"
mount -t proc proc "$root/proc"; mount --bind /sys "$root/sys"; mount --bind /dev "$root/dev"; mount -t devpts devpts "$root/dev/pts" 2>/dev/null || true; mount -t tmpfs tmpfs "$root/dev/shm"
if [ -e "$top/.git" ]; then git -C "$top" archive HEAD | tar -x -C "$root/root/solera"; else (cd "$top" && tar -c --exclude=./build .) | tar -x -C "$root/root/solera"; fi
in_fresh () { chroot "$root" env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 TERM=dumb ${http_proxy+http_proxy=$http_proxy} ${https_proxy+https_proxy=$https_proxy} sh -c "cd /root/solera && $1"; }
for what in ${ONLY-check demo}; do
  begin=$(date +%s)
  in_fresh "./bootstrap $what"
  echo "fresh.sh: ./bootstrap $what: $(($(date +%s) - begin)) s"
  begin=$(date +%s)
  in_fresh "./bootstrap build" >/dev/null
  echo "fresh.sh: ./bootstrap build again: $(($(date +%s) - begin)) s"
done
