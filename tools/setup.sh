#!/usr/bin/env bash
# Installs what building Diopter needs, on Debian 12/13 and Ubuntu 24.04: only what is missing, through apt-get.
#   tools/setup.sh          compiler, CMake, libraries
#   tools/setup.sh --dev    also clang and ccache
# Nothing is contacted when everything is there.
set -euo pipefail

packages=(g++ cmake ninja-build libopenblas-dev libtbb-dev libstb-dev nlohmann-json3-dev libpugixml-dev
          libtomlplusplus-dev libcli11-dev libzip-dev catch2)
for argument in "$@"; do
  case $argument in
    --dev) packages+=(clang ccache) ;;
    *) echo "setup.sh: unknown argument '$argument' (only --dev is known)" >&2; exit 2 ;;
  esac
done

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
  echo "setup.sh: this system has no apt; install by other means what these Debian packages hold: ${packages[*]}" >&2
  exit 1
fi

missing=()
for package in "${packages[@]}"; do
  status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
  [[ $status == installed ]] || missing+=("$package")
done
if [[ ${#missing[@]} -eq 0 ]]; then
  echo "setup: all ${#packages[@]} packages are installed"
  exit 0
fi

if [[ $(id -u) -eq 0 ]]; then
  through=root root=()
elif command -v sudo >/dev/null; then
  through=sudo root=(sudo)
else
  echo "setup.sh: packages are missing, and this is neither root nor is there sudo. As root, run:" >&2
  echo "  apt-get update && apt-get install -y --no-install-recommends ${missing[*]}" >&2
  exit 1
fi

echo "setup: installing with apt-get (as $through): ${missing[*]}"
"${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q update
"${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends "${missing[@]}"
echo "setup: done"
