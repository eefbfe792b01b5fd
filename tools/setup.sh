#!/usr/bin/env bash
# Installs what building Diopter needs, through apt-get and only what is missing. Run on Debian 12.
#   tools/setup.sh                  compiler, CMake, libraries
#   tools/setup.sh --dev            also clang with its formatter and clang-tidy, ccache and gnuplot
#   tools/setup.sh --cuda-headers   also NVIDIA's headers for the host executor, where there is no toolkit, and those of
#                                   cudnn-frontend, from their Python wheels (14 MB) into build/wheels
# Nothing is contacted when everything is there.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

packages=(g++ cmake ninja-build libopenblas-dev libtbb-dev libstb-dev nlohmann-json3-dev libpugixml-dev
          libtomlplusplus-dev libcli11-dev libboost-dev libzip-dev libexpat1-dev catch2)
if [[ $HOSTTYPE == x86_64 ]]; then packages+=(libdnnl-dev); fi  # faster than OpenBLAS; not everywhere else in Debian
cuda_headers=false
for argument in "$@"; do
  case $argument in
    --dev) packages+=(clang clang-format clang-tidy ccache gnuplot-nox) ;;
    --cuda-headers)
      cuda_headers=true
      if ! python3 -m pip --version >/dev/null 2>&1; then packages+=(python3-pip); fi ;;
    *) echo "setup.sh: unknown argument '$argument' (known are --dev and --cuda-headers)" >&2; exit 2 ;;
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
install_missing() {
  local through root=()
  if [[ $(id -u) -eq 0 ]]; then
    through=root
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
}

# Unpacks Python wheels into build/wheels, where cmake/Cuda.cmake looks, unless FILE is there already.
fetch_wheels() {  # FILE WHEEL...
  local file=build/wheels/$1 folder=build/wheels wheel
  shift
  if compgen -G "$file" >/dev/null; then return; fi
  echo "setup: fetching $* with pip into $folder"
  mkdir -p "$folder"
  python3 -m pip download -q --no-deps --dest "$folder" "$@"
  for wheel in "$folder"/*.whl; do
    python3 -m zipfile -e "$wheel" "$folder"
    rm "$wheel"
  done
}

if [[ ${#missing[@]} -eq 0 ]]; then
  echo "setup: all ${#packages[@]} packages are installed"
else
  install_missing
  echo "setup: done"
fi
if $cuda_headers; then
  fetch_wheels include/cudnn_frontend.h nvidia-cudnn-frontend
  if [[ ! -f ${CUDA_HOME:-/usr/local/cuda}/include/cuda_runtime.h ]]; then
    fetch_wheels 'nvidia/*/include/cuda_runtime.h' nvidia-cuda-runtime nvidia-cuda-crt
  fi
  echo "setup: the CUDA headers are in place"
fi
