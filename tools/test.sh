#!/usr/bin/env bash
# Installs what is missing, builds and runs every test. Arguments go to ctest: tools/test.sh -R focal
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

tools/setup.sh
cmake --preset release
cmake --build --preset release
ctest --preset release -j2 "$@"
