#!/usr/bin/env bash
# Installs what is missing, builds and runs every test; with CUDA's headers at hand also the CUDA kernels, through the
# host executor (no GPU is needed).
#   tools/test.sh [--strict] [--only release|host] [ARGUMENT OF CTEST...]
#     --strict   warnings are errors
#     --only     one of the two builds: release is the CPU side, host has the CUDA kernels too
#   tools/test.sh -R focal     the tests with "focal" in their names
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

strict=OFF only=
while true; do
  case ${1-} in
    --strict) strict=ON; shift ;;
    --only)
      only=${2-}; shift 2 || true
      if [[ $only != release && $only != host ]]; then echo "test.sh: --only takes release or host" >&2; exit 2; fi ;;
    *) break ;;
  esac
done

build_and_test() {  # PRESET ARGUMENT_OF_CTEST...
  cmake --build --preset "$1"
  ctest --preset "$1" -j2 "${@:2}"
}

tools/setup.sh
if [[ $only != host ]]; then
  cmake --preset release -DDIOPTER_WERROR=$strict
  build_and_test release "$@"
fi
if [[ $only != release ]]; then
  if log=$(cmake --preset host -DDIOPTER_WERROR=$strict 2>&1); then
    build_and_test host "$@"
  elif [[ $log == *"needs CUDA's headers"* && $only != host ]]; then
    echo "The CUDA kernels were not tested: there are no CUDA headers here (docs/debugging_kernels.md says where to get them)."
  else
    echo "$log" >&2
    exit 1
  fi
fi
