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
if [[ ! -f build/release/compile_commands.json ]]; then cmake --preset release; fi
places=$(IFS='|' && echo "$*")
# Compilers' own warnings are the builds' business.
run-clang-tidy -quiet -j 2 -p build/release -extra-arg=-w "^$PWD/($places)"
