#!/usr/bin/env bash
# Installs what is missing, builds and runs every test. Where there are an NVIDIA GPU and the CUDA Toolkit, the CUDA side
# runs on the GPU. Elsewhere the CPU side is built, and with CUDA's headers at hand once more with the CUDA kernels, which
# run through the host executor.
#   tools/test.sh [--strict] [--only release|host] [ARGUMENT OF CTEST...]
#     --strict   warnings are errors
#     --only     one build, wherever this runs: release is the CPU side, host has the CUDA kernels too
#   tools/test.sh -R focal             the tests with "focal" in their names
#   DIOPTER_CUDA=on tools/test.sh      for a GPU, or off: whatever is found here
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

configure() {  # PRESET ARGUMENT_OF_CMAKE...
  cmake --preset "$1" -DDIOPTER_WERROR=$strict -DDIOPTER_UNITY=ON "${@:2}"
}

cuda=${DIOPTER_CUDA:-auto}
case $only$cuda in
  auto) tools/setup.sh --cuda-if-gpu ;;
  on) tools/setup.sh --cuda ;;
  *) tools/setup.sh ;;
esac
case $only in
  release)
    configure release
    build_and_test release "$@" ;;
  host)
    configure host
    build_and_test host "$@" ;;
  *)
    configure auto -DDIOPTER_CUDA="$cuda"
    build_and_test auto "$@"
    if grep -q '^DIOPTER_CUDA_KIND:INTERNAL=off' build/auto/CMakeCache.txt; then
      if log=$(configure host 2>&1); then
        build_and_test host "$@"
      elif [[ $log == *"needs CUDA's headers"* ]]; then
        echo "The CUDA kernels were not tested: there are no CUDA headers here (docs/debugging_kernels.md says where to get them)."
      else
        echo "$log" >&2
        exit 1
      fi
    fi ;;
esac
