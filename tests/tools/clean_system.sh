#!/usr/bin/env bash
# Whether what tools/gpu_check.sh packs runs on a system with nothing of ours: a Debian 13 made by debootstrap, whose C
# library is newer than that of the build. The preset host stands for the GPU.
#   tests/tools/clean_system.sh [ARCHIVE]     the archive is made when none is named
# Ends with 77 and says why where no such system can be made (no root, no debootstrap, no network).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
skip() { echo "clean_system: skipped: $*"; exit 77; }

[[ $(id -u) -eq 0 ]] || skip "only root can change into another system"
if ! command -v debootstrap >/dev/null; then
  apt-get -q install -y --no-install-recommends debootstrap >/dev/null 2>&1 || skip "debootstrap is not installed"
fi
archive=${1-}
if [[ -z $archive ]]; then
  archive=build/gpu_check_host.tar.gz
  tools/gpu_check.sh --pack --preset host --archive "$archive"
fi

system=$(mktemp -d "${TMPDIR:-/tmp}/clean_system.XXXXXX")
trap 'rm -rf "$system"' EXIT
log=$system.log
debootstrap --variant=minbase trixie "$system" http://deb.debian.org/debian >"$log" 2>&1 ||
  skip "debootstrap cannot make a Debian 13: $(tail -n 1 "$log")"
rm "$log"
echo "clean_system: Debian $(cat "$system/etc/debian_version"), $(chroot "$system" ldd --version | head -n 1)"
tar -xzf "$archive" -C "$system/opt"
status=0
# /proc, by which programs find the libraries beside them, is mounted for this one process tree only.
unshare --mount true 2>/dev/null || skip "file systems cannot be mounted here"
unshare --mount bash -c 'mount -t proc proc "$1/proc" && exec chroot "$1" /usr/bin/env -i PATH=/usr/bin:/bin \
  OUT=/opt/results /opt/gpu_check/run.sh part1' - "$system" || status=$?
files=$(find "$system/opt/results" -type f | wc -l)
echo "clean_system: exit code $status, $files files of results"
[[ $status -eq 0 && $files -le 6 ]]
