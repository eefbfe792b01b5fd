#!/usr/bin/env bash
# Installs what is missing, builds and runs every test; with CUDA's headers at hand also the CUDA kernels, through the
# host executor (no GPU is needed). Arguments go to ctest: tools/test.sh -R focal
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

tools/setup.sh
cmake --preset release
cmake --build --preset release
ctest --preset release -j2 "$@"

if log=$(cmake --preset host 2>&1); then
  cmake --build --preset host
  ctest --preset host -j2 "$@"
elif [[ $log == *"needs CUDA's headers"* ]]; then
  echo "The CUDA kernels were not tested: there are no CUDA headers here (docs/debugging_kernels.md says where to get them)."
else
  echo "$log" >&2
  exit 1
fi
