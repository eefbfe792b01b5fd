#!/usr/bin/env bash
# Everything that only a GPU can tell, in a command of ten minutes and one of five.
#   tools/gpu_check.sh                      builds, packs and runs both parts here
#   tools/gpu_check.sh --pack [--preset cuda|host] [--archive FILE]
#       builds, and packs programs, libraries and data into one archive below 64 MiB, .gpu/gpu_check.tar.gz by default
#   tools/gpu_check.sh --run part1|part2 [--archive FILE] [--failed FILE]
#       runs a part of what was packed: needs an NVIDIA driver and cuDNN 9 with NVRTC 13, from a toolkit or from PyTorch's
#       wheels, and neither a compiler nor a network. tools/gpu_check/part1.sh and part2.sh are the lists of stages. Part 2
#       runs the tests named in FILE again, which part 1 wrote.
# The preset host packs the CUDA side on the host executor with small sizes: to test all this without a GPU.
# Results go to the folder OUT of the environment, .gpu/results by default: a line a stage in results.jsonl, logs in
# PART_logs.tar.gz, both as they come. The exit code is 1 when a stage failed, 2 when there is nothing to run or no GPU.
# Also from the environment, for --pack:
#   DIOPTER_GPU_CMAKE   further arguments to configure with, e.g. -DCMAKE_CUDA_ARCHITECTURES=80-real: without, it is the GPU
#                       of this machine, or 90-real
#   DIOPTER_GPU_JOBS    compilers side by side; all processors by default
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

refuse() { echo "gpu_check: $*" >&2; exit 2; }

what=all preset=cuda archive=.gpu/gpu_check.tar.gz part='' failed=.gpu/part1_failed.txt
while [[ $# -gt 0 ]]; do
  case $1 in
    --pack) what=pack ;;
    --run) what=run part=${2-}; shift || true ;;
    --preset) preset=${2-}; shift || true ;;
    --archive) archive=${2-}; shift || true ;;
    --failed) failed=${2-}; shift || true ;;
    *) refuse "unknown argument '$1' (known are --pack, --run, --preset, --archive and --failed)" ;;
  esac
  shift || true
done
[[ $preset == cuda || $preset == host ]] || refuse "--preset takes cuda or host, not '$preset'"
[[ -n $archive ]] || refuse "--archive takes the name of a file"
OUT=${OUT:-.gpu/results}
mkdir -p "$OUT" || refuse "$OUT: this folder for results cannot be made"
export OUT

run_part() {  # PART: exit code of the part
  [[ $1 == part1 || $1 == part2 ]] || refuse "--run takes part1 or part2, not '$1'"
  [[ -f $archive ]] || refuse "$archive is not there: tools/gpu_check.sh --pack makes it"
  local folder status=0
  folder=$(mktemp -d "${TMPDIR:-/tmp}/gpu_check.XXXXXX")
  if tar -xzf "$archive" -C "$folder" 2>/dev/null && [[ -x $folder/gpu_check/run.sh ]]; then
    "$folder/gpu_check/run.sh" "$1" "$failed" || status=$?
  else
    echo "gpu_check: $archive is no archive of tools/gpu_check.sh --pack" >&2
    status=2
  fi
  rm -rf "$folder"
  return $status
}

case $what in
  pack) tools/gpu_check/pack.sh "$preset" "$archive" ;;
  run) run_part "$part" ;;
  all)
    tools/gpu_check/pack.sh "$preset" "$archive"
    status=0
    run_part part1 || status=$?
    if [[ $status -ne 2 ]]; then
      failed=$OUT/part1_failed.txt
      run_part part2 || status=$?
    fi
    exit $status ;;
esac
