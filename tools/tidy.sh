#!/usr/bin/env bash
# clang-tidy, by the checks in .clang-tidy, over the sources of the preset release in folders; every finding is an error.
#   tools/tidy.sh kernels engine
#   tools/tidy.sh tools/detect.cpp
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

if [[ $# -eq 0 ]]; then
  echo "tidy.sh: name folders or files" >&2
  exit 2
fi
# Configured apart, and not built but for headers that are generated: clang cannot read the precompiled headers that
# GCC's builds name in their commands.
cmake --preset release -B build/tidy -DCMAKE_DISABLE_PRECOMPILE_HEADERS=ON >/dev/null
cmake --build build/tidy --target generated_headers >/dev/null
places=$(IFS='|' && echo "$*")
# Compilers' own warnings are the builds' business.
run-clang-tidy -quiet -j 2 -p build/tidy -extra-arg=-w "^$PWD/($places)"
