#!/usr/bin/env bash
# Runs the fuzz targets one after another (docs/measurements.md), each from where the last run left it: the inputs that
# reached something new are kept in build/fuzz/found/TARGET, a line per run in build/fuzz/found/runs.csv. Ends with an
# error when a target found something.
#   tests/fuzz/run.sh [--seconds N] [--jobs N] [--seed N] [TARGET...]
#     --seconds N   per target; 60 without
#     --until N     in rounds of --seconds, until all runs of a target together have N seconds of processor time
#     --jobs N      targets at a time; 1 without
#     --seed N      of the changes to inputs; without, others in every run
#   tests/fuzz/run.sh --total   what all runs together were: the table of docs/measurements.md
#   tests/fuzz/run.sh --merge   adds to tests/fuzz/corpus what was found and reaches code that the corpus does not
# Needs the targets: cmake --preset fuzz && cmake --build --preset fuzz
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

seconds=60 until=0 jobs=1 seed=0 merge=false total=false targets=()
while [[ $# -gt 0 ]]; do
  case $1 in
    --seconds) seconds=$2; shift 2 ;;
    --until) until=$2; shift 2 ;;
    --jobs) jobs=$2; shift 2 ;;
    --seed) seed=$2; shift 2 ;;
    --merge) merge=true; shift ;;
    --total) total=true; shift ;;
    -*) echo "run.sh: unknown argument '$1' (known are --seconds, --until, --jobs, --seed, --total and --merge)" >&2; exit 2 ;;
    *) targets+=("$1"); shift ;;
  esac
done
programs=build/fuzz/fuzz
if [[ ${#targets[@]} -eq 0 ]]; then
  for program in "$programs"/fuzz_*; do targets+=("${program##*/fuzz_}"); done
fi
runs=build/fuzz/found/runs.csv
# Two frames of where memory was allocated: more cost a third of the time. A reproduction without ASAN_OPTIONS has all.
export ASAN_OPTIONS=detect_leaks=1:allocator_may_return_null=0:malloc_context_size=2 UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1

run_one() {  # TARGET
  local target=$1 found=build/fuzz/found/$1 log=build/fuzz/found/$1.log status=0
  mkdir -p "$found" build/fuzz/crashes
  local TIMEFORMAT="processor_seconds %U %S"
  { time "$programs/fuzz_$target" -max_total_time="$seconds" -seed="$seed" -max_len=65536 -timeout=20 -rss_limit_mb=2048 -print_final_stats=1 \
    -artifact_prefix="build/fuzz/crashes/$target-" \
    "$found" "tests/fuzz/corpus/$target"; } >"$log" 2>&1 || status=$?
  # One line: executions, those in a second of processor time, edges that inputs reached.
  awk -v target="$target" -v status="$status" -v runs="$runs" -v commit="$commit" '
    / cov: / { for (i = 1; i < NF; ++i) if ($i == "cov:") edges = $(i + 1) }
    /number_of_executed_units/ { executions = $2 }
    $1 == "processor_seconds" { seconds = $2 + $3 }
    END { printf "%s,%s,%d,%.1f,%d,%d\n", target, commit, executions, seconds, edges, status >> runs
          printf "%-14s %10d executions %7d a second %6d edges  %s\n", target, executions,
          (seconds > 0 ? executions / seconds : 0), edges,
          status == 0 ? "nothing found" : "FOUND SOMETHING: build/fuzz/crashes, build/fuzz/found/" target ".log" }' "$log"
  if [[ $status -ne 0 ]]; then grep -aE -A12 "ERROR:|runtime error|took .* bytes of memory" "$log" | cut -c1-200 | head -40; fi
  return "$status"
}

# All runs of a target: seconds of processor time.
spent() { awk -F, -v target="$1" '$1 == target { s += $4 } END { printf "%d", s }' "$runs"; }

# A run, or as many as are missing.
run_target() {  # TARGET
  if [[ $until -eq 0 ]]; then run_one "$1"; return; fi
  while [[ $(spent "$1") -lt $until ]]; do run_one "$1" || return; done
}

print_total() {
  echo "| target | executions | minutes of a core | in a second | edges | runs that found something |"
  echo "|---|---|---|---|---|---|"
  awk -F, 'NR > 1 { n[$1] += $3; s[$1] += $4; found[$1] += $6 != 0; if ($5 > edges[$1]) edges[$1] = $5 }
    END { for (t in n) printf "| %s | %d | %.1f | %d | %d | %d |\n", t, n[t], s[t] / 60, n[t] / (s[t] > 0 ? s[t] : 1), edges[t], found[t] }' \
    "$runs" | sort
}

# Adds inputs that reach edges which the corpus does not reach, however often: with counts there would be ten times as many.
merge_one() {  # TARGET
  local target=$1
  "$programs/fuzz_$target" -merge=1 -use_counters=0 -max_len=65536 "tests/fuzz/corpus/$target" "build/fuzz/found/$target" 2>/dev/null
  echo "$target: $(ls "tests/fuzz/corpus/$target" | wc -l) inputs"
}

mkdir -p build/fuzz/found
[[ -f $runs ]] || echo "target,commit,executions,processor_seconds,edges,exit_code" >"$runs"
commit=$(git rev-parse --short HEAD 2>/dev/null || echo none)
if $total; then print_total; exit; fi

status=0
for target in "${targets[@]}"; do
  if $merge; then
    mkdir -p "build/fuzz/found/$target"
    merge_one "$target"
    continue
  fi
  while [[ $(jobs -rp | wc -l) -ge $jobs ]]; do wait -n || status=1; done
  run_target "$target" &
done
while [[ -n $(jobs -p) ]]; do wait -n || status=1; done
exit "$status"
