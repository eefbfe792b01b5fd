#!/usr/bin/env bash
# The kernels' tests for aarch64, compiled by a cross-compiler and run by an emulator: fibres, warps, all kernels on the host
# executor, and the planted bugs in every order of threads. Four minutes; no part of the test suite. Needs
#   apt-get install g++-aarch64-linux-gnu qemu-user-static catch2 nlohmann-json3-dev, and CUDA's headers (tools/setup.sh --cuda-headers)
# and a configured preset host-debug, whose generated headers it takes. Threads and matrix products are the stand-ins of the
# build with ThreadSanitizer, so that no library for aarch64 is needed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."

out=build/aarch64
cuda=$(sed -n 's/^CUDA_HEADERS:PATH=//p' build/host-debug/CMakeCache.txt)
catch=$(find /usr/include /usr/local/include -path '*catch2/catch.hpp' | head -n 1)
json=$(find /usr/include /usr/local/include -path '*nlohmann/json.hpp' | head -n 1)
mkdir -p "$out/include"
ln -sfn "$(dirname "$catch")" "$out/include/catch2"
ln -sfn "$(dirname "$json")" "$out/include/nlohmann"
flags=(-std=c++20 -O1 -ffp-contract=off -fno-math-errno -fno-trapping-math -fno-strict-aliasing -Wno-unknown-pragmas
       -I. -Ibuild/host-debug -isystem "$cuda" -isystem "$out/include"
       -DDIOPTER_EXECUTOR_CHECK
       '-DDIOPTER_FLAVOUR="fast"' "-DDIOPTER_PLANTED_BUGS=\"qemu-aarch64-static $out/planted_bugs\"")
compile() {  # SOURCE...
  printf '%s\0' "$@" | xargs -0 -P "$(nproc)" -I{} bash -c \
    'aarch64-linux-gnu-g++ "${@:3}" -xc++ -c "$1" -o "$2/${1//\//_}.o"' _ {} "$out" "${flags[@]}"
}
sources() { find "$@" -name '*.cpp' -o -name '*.cu' | grep -vE '/(parallel|libraries|gemm_[a-z]*)\.cpp|_cudnn\.cpp|planted_bugs\.cu|kernel_outputs|host_executor/ptx/'; }

mapfile -t kernels < <(sources kernels)
mapfile -t tests < <(sources tests/kernels tests/support)
bugs=tests/kernels/host_executor/planted_bugs.cu
compile "${kernels[@]}" "${tests[@]}" "$bugs"
objects() { for file; do echo "$out/${file//\//_}.o"; done; }
mapfile -t kernel_objects < <(objects "${kernels[@]}")
mapfile -t test_objects < <(objects "${tests[@]}")
aarch64-linux-gnu-g++ -static -o "$out/planted_bugs" "${kernel_objects[@]}" \
  $(objects "$bugs" tests/support/plain_gemm.cpp) -lpthread
aarch64-linux-gnu-g++ -static -o "$out/kernels_tests" "${test_objects[@]}" "${kernel_objects[@]}" -lpthread
qemu-aarch64-static "$out/kernels_tests"
