#!/usr/bin/env bash
# Runs the fuzz targets one after another (docs/measurements.md), each from where the last run left it: the inputs that
# reached something new are kept in build/fuzz/found/TARGET. Ends with an error when a target found something.
#   tests/fuzz/run.sh [--seconds N] [--jobs N] [--seed N] [TARGET...]
#     --seconds N   per target; 60 without
#     --jobs N      targets at a time; 1 without
#     --seed N      of the changes to inputs; without, others in every run
#   tests/fuzz/run.sh --merge   replaces tests/fuzz/corpus by the least that reaches the same of what was found
# Needs the targets: cmake --preset fuzz && cmake --build --preset fuzz
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

seconds=60 jobs=1 seed=0 merge=false targets=()
while [[ $# -gt 0 ]]; do
  case $1 in
    --seconds) seconds=$2; shift 2 ;;
    --jobs) jobs=$2; shift 2 ;;
    --seed) seed=$2; shift 2 ;;
    --merge) merge=true; shift ;;
    -*) echo "run.sh: unknown argument '$1' (known are --seconds, --jobs, --seed and --merge)" >&2; exit 2 ;;
    *) targets+=("$1"); shift ;;
  esac
done
programs=build/fuzz/fuzz
if [[ ${#targets[@]} -eq 0 ]]; then
  for program in "$programs"/fuzz_*; do targets+=("${program##*/fuzz_}"); done
fi
export ASAN_OPTIONS=detect_leaks=1:allocator_may_return_null=0 UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1

run_one() {  # TARGET
  local target=$1 found=build/fuzz/found/$1 log=build/fuzz/found/$1.log status=0
  mkdir -p "$found" build/fuzz/crashes
  local TIMEFORMAT="processor_seconds %U %S"
  { time "$programs/fuzz_$target" -max_total_time="$seconds" -seed="$seed" -max_len=65536 -timeout=20 -rss_limit_mb=2048 -print_final_stats=1 \
    -artifact_prefix="build/fuzz/crashes/$target-" \
    "$found" "tests/fuzz/corpus/$target"; } >"$log" 2>&1 || status=$?
  # One line: executions, those in a second of processor time, edges that inputs reached.
  awk -v target="$target" -v status="$status" '
    / cov: / { for (i = 1; i < NF; ++i) if ($i == "cov:") edges = $(i + 1) }
    /number_of_executed_units/ { executions = $2 }
    $1 == "processor_seconds" { seconds = $2 + $3 }
    END { printf "%-14s %10d executions %7d a second %6d edges  %s\n", target, executions,
          (seconds > 0 ? executions / seconds : 0), edges,
          status == 0 ? "nothing found" : "FOUND SOMETHING: build/fuzz/crashes, build/fuzz/found/" target ".log" }' "$log"
  if [[ $status -ne 0 ]]; then grep -aE -A12 "ERROR:|runtime error|took .* bytes of memory" "$log" | cut -c1-200 | head -40; fi
  return "$status"
}

merge_one() {  # TARGET
  local target=$1 least
  least=$(mktemp -d)
  "$programs/fuzz_$target" -merge=1 -max_len=65536 "$least" "tests/fuzz/corpus/$target" "build/fuzz/found/$target" 2>/dev/null
  rm -r "tests/fuzz/corpus/$target"
  mv "$least" "tests/fuzz/corpus/$target"
  chmod 755 "tests/fuzz/corpus/$target"
  echo "$target: $(ls "tests/fuzz/corpus/$target" | wc -l) inputs"
}

status=0
for target in "${targets[@]}"; do
  if $merge; then
    mkdir -p "build/fuzz/found/$target"
    merge_one "$target"
    continue
  fi
  while [[ $(jobs -rp | wc -l) -ge $jobs ]]; do wait -n || status=1; done
  run_one "$target" &
done
while [[ -n $(jobs -p) ]]; do wait -n || status=1; done
exit "$status"
