#!/usr/bin/env bash
# Times of the loop of someone who edits (docs/measurements.md): a fresh clone of this repository's HEAD is built without
# ccache in a temporary folder. Takes twenty minutes on two cores, which must have nothing else to do.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
export CCACHE_DISABLE=1

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
git clone -q . "$folder/diopter"
cd "$folder/diopter"

measure() {  # TEXT COMMAND...
  local text=$1
  shift
  TIMEFORMAT="%1R s of wall clock, %1U + %1S s of processor time: $text"
  time if ! "$@" >"$folder/log" 2>&1; then
    cat "$folder/log" >&2
    exit 1
  fi
}
build() { cmake --preset release && cmake --build --preset release "$@"; }
build_by_folder() { cmake --preset release -DDIOPTER_UNITY=ON && cmake --build --preset release; }
check_focal_loss() { cmake --build --preset release --target kernels_tests && build/release/diopter kernels check classification_loss; }
run_detect() { cmake --build --preset release --target diopter && build/release/diopter detect --help; }

measure "(a) fresh clone to the end of tools/demo.sh" tools/demo.sh
rm -r build
measure "(b) full build with tests, by folders as tools/test.sh makes it" build_by_folder
rm -r build
measure "(b') the same file by file, as an editor's build begins" build
echo "// edited" >>kernels/detection/losses/focal.h
measure "(c) focal.h edited, to the verdict of diopter kernels check classification_loss" check_focal_loss
build --target diopter >"$folder/log" 2>&1  # which has the edited loss, too
echo "// edited" >>tools/detect.cpp
measure "(d) a subcommand edited, to its start" run_detect
