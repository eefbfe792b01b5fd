#!/usr/bin/env bash
# Builds and packs for tools/gpu_check.sh: pack.sh PRESET ARCHIVE. What the archive holds is under gpu_check/ in it:
#   run.sh, stages.sh, part1.sh, part2.sh   the scripts beside this one
#   bin/, lib/      programs, and every library that they need but those of the C and C++ run-time and NVIDIA's
#   about           preset, commit and architectures
#   tests/golden    what the tests read, at its place in the source tree
#   tools/peers     the comparison with PyTorch
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
preset=$1 archive=$2
build=build/gpu_check_$preset
limit=$((64 << 20))  # bytes

architectures=none
arguments=()
if [[ $preset == cuda ]]; then
  here=$(nvidia-smi --query-gpu=compute_cap --format=csv,noheader 2>/dev/null | head -n 1 | tr -d . || true)
  if [[ ! $here =~ ^[0-9]+$ ]]; then here=90; fi
  arguments+=("-DCMAKE_CUDA_ARCHITECTURES=$here-real")
fi
read -ra further <<<"${DIOPTER_GPU_CMAKE:-}"

# RPATH, not RUNPATH: it also holds for the libraries that the packed libraries need.
cmake --preset "$preset" -B "$build" "${arguments[@]}" -DDIOPTER_GEMM=openblas -DDIOPTER_TEST_FILES=. \
  -DDIOPTER_TIFF=off -DDIOPTER_WEBP=off \
  -DCMAKE_SKIP_RPATH=ON "-DCMAKE_EXE_LINKER_FLAGS=-Wl,--disable-new-dtags '-Wl,-rpath,\$ORIGIN/../lib'" "${further[@]}"
cmake --build "$build" -j "${DIOPTER_GPU_JOBS:-$(nproc)}" --target diopter kernels_tests engine_tests retinanet_tests
if [[ $preset == cuda ]]; then
  architectures=$(sed -n 's/^CMAKE_CUDA_ARCHITECTURES:[A-Z]*=//p' "$build/CMakeCache.txt")
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
top=$work/gpu_check
mkdir -p "$top"/{bin,lib,tests/golden,tools/peers}
for program in diopter tests/kernels_tests tests/engine_tests tests/retinanet_tests; do
  strip -o "$top/bin/$(basename "$program")" "$build/$program"
done
ldd "$top"/bin/* | sed -n 's/^\t\(lib[^ ]*\) => \(.*\) (0x.*/\1 \2/p; s/^\t\(lib[^ ]*\) => not found$/\1 missing/p' | sort -u |
  while read -r name path; do
    case $name in
      libc.so.* | libm.so.* | libdl.so.* | librt.so.* | libpthread.so.* | libstdc++.so.* | libgcc_s.so.*) ;;  # every system's
      libcuda.so.* | libcudnn*.so.* | libnvrtc*.so.* | libcublas*.so.* | libcudart.so.*) ;;  # the GPU machine's
      *)
        if [[ $path == missing ]]; then echo "pack: $name, which the programs need, is not found here" >&2; exit 1; fi
        cp -L "$path" "$top/lib/$name" ;;
    esac
  done
cp tools/gpu_check/{run,stages,part1,part2}.sh "$top"
cp -r tests/golden/fixtures "$top/tests/golden"
cp tools/peers/*.py "$top/tools/peers"
commit=$(git describe --always --dirty --abbrev=12 2>/dev/null || echo unknown)
printf 'preset=%s\ncommit=%s\narchitectures="%s"\n' "$preset" "$commit" "$architectures" >"$top/about"

mkdir -p "$(dirname "$archive")"
tar -C "$work" --sort=name --owner=0 --group=0 --numeric-owner -cf - gpu_check | gzip -9 >"$archive.new"
size=$(stat -c %s "$archive.new")
if [[ $size -ge $limit ]]; then
  echo "pack: the archive has $((size >> 20)) MiB, must be below $((limit >> 20)): what is in it, in KiB:" >&2
  du -ak "$top" | sort -rn | head -n 12 >&2
  exit 1
fi
mv "$archive.new" "$archive"
echo "pack: $archive, $((size >> 20)) MiB of at most $((limit >> 20)); preset $preset, commit $commit, architectures $architectures"
