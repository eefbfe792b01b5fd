#!/usr/bin/env bash
# Runs the stages of a part and keeps their results: run.sh part1|part2 [FILE], where it was unpacked (see pack.sh).
# Every stage is a process group of its own with a time limit, so that one that hangs or crashes costs only itself. After
# each one there are, in the folder OUT (results by default):
#   results.jsonl       a line more: stage, result (passed, FAILED, stopped, skipped), seconds, limit, note, failed tests, data
#   PART_logs.tar.gz    the output of all stages so far
#   part1_failed.txt    a line for each failed test: program and name; part 2 takes it as FILE and runs them again
# PART.txt is the table, at the end. The exit code is 1 when a stage did not pass, 2 when there is no GPU.
set -uo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
part=${1-}
out=${OUT:-$here/results}
refuse() { echo "gpu_check: $*" >&2; exit 2; }
[[ $part =~ ^part[12]$ && -f $here/$part.sh ]] || refuse "the parts are part1 and part2, not '$part'"
failed_before=${2-}
if [[ -f $failed_before ]]; then failed_before=$(realpath "$failed_before"); fi
mkdir -p "$out" && out=$(cd "$out" && pwd) || refuse "$out: this folder for results cannot be made"
work=$(mktemp -d "${TMPDIR:-/tmp}/gpu_check_work.XXXXXX") || refuse "there is no place for temporary files"
trap 'rm -rf "$work"' EXIT
mkdir "$work/logs" "$work/data"
preset=unknown commit=unknown architectures=unknown
# shellcheck source=/dev/null
source "$here/about" || refuse "$here/about is not there"

# Folders of NVIDIA's libraries: of the wheels that python3 knows, so that PyTorch finds its own, then of a toolkit.
nvidia_folders() {
  python3 - <<'END' 2>/dev/null
import glob, importlib.util
spec = importlib.util.find_spec("nvidia")
for place in spec.submodule_search_locations if spec else []:
    print(*sorted(glob.glob(place + "/*/lib")), sep="\n")
END
  local folder=${CUDA_HOME:-/usr/local/cuda}/lib64
  if [[ -d $folder ]]; then echo "$folder"; fi
}
if [[ $preset == cuda ]]; then
  LD_LIBRARY_PATH=${LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}$(nvidia_folders | grep . | paste -sd :)
  export LD_LIBRARY_PATH
fi
export here preset work out failed_before
cd "$here" || exit 2  # the tests look for their files from here

# Without a device all tests would pass on the CPU alone.
if ! problem=$(timeout -s KILL 60 bin/diopter kernels bench sgd --quick --device cuda 2>&1 >/dev/null); then
  refuse "no GPU to run on: $(tail -n 1 <<<"${problem:-the program was stopped after 60 s}")"
fi

json_text() { printf '"%s"' "$(tr -d '\000-\037\177' <<<"$1" | sed 's/[\\"]/\\&/g')"; }

json_list() {  # lines
  local separator='' line
  printf '['
  while IFS= read -r line; do
    if [[ -n $line ]]; then printf '%s%s' "$separator" "$(json_text "$line")"; separator=', '; fi
  done <<<"$1"
  printf ']'
}

table=$work/table failures=0
: >"$table"
if [[ $part == part1 ]]; then : >"$out/part1_failed.txt"; fi

record() {  # NAME RESULT SECONDS LIMIT NOTE
  local log=$work/logs/$1.log data=$work/data/$1.json failed
  failed=$(sed -n 's/^failed: //p' "$log" 2>/dev/null)
  {
    printf '{"part": "%s", "stage": "%s", "result": "%s", "seconds": %s, "limit": %s, "note": %s, "failed": %s' \
      "$part" "$1" "$2" "$3" "$4" "$(json_text "$5")" "$(json_list "$failed")"
    if [[ -s $data ]]; then printf ', "data": '; tr -d '\n' <"$data"; fi
    printf '}\n'
  } >>"$out/results.jsonl"
  if [[ -n $failed && $part == part1 ]]; then printf '%s\n' "$failed" >>"$out/part1_failed.txt"; fi
  tar -C "$work" -czf "$work/logs.tar.gz" logs && mv "$work/logs.tar.gz" "$out/${part}_logs.tar.gz"
  printf '%-26s %-8s %7s %6s  %s\n' "$@" | tee -a "$table"
  if [[ $2 == FAILED || $2 == stopped ]]; then failures=$((failures + 1)); fi
}

# stage NAME LIMIT FUNCTION ARGUMENT...: a function of stages.sh in a process of its own, killed after LIMIT seconds or
# when the part's time is over. It says "note: TEXT" and "failed: PROGRAM TEST" in its output; its exit code 77 means that
# there was nothing to do.
stage() {
  local name=$1 limit=$2 status=0 result=passed note log=$work/logs/$1.log start=$SECONDS
  shift 2
  if [[ $((part_limit - SECONDS)) -le 0 ]]; then
    record "$name" skipped 0 "$limit" "the part's $part_limit s are over"
    return
  fi
  if [[ $((part_limit - SECONDS)) -lt $limit ]]; then limit=$((part_limit - SECONDS)); fi
  { timeout -s KILL "$limit" "$here/stages.sh" "$name" "$@" >"$log" 2>&1 </dev/null; } 2>/dev/null || status=$?
  if [[ $(stat -c %s "$log") -gt 2000000 ]]; then
    tail -c 2000000 "$log" >"$log.end" && mv "$log.end" "$log"
  fi
  note=$(sed -n 's/^note: //p' "$log" | tail -n 1)
  case $status in
    0) ;;
    77) result=skipped ;;
    137) result=stopped note="killed after $((SECONDS - start)) s${note:+; $note}" ;;
    *) result=FAILED note=${note:-$(grep -v '^[[:space:]]*$' "$log" | tail -n 1 | cut -c 1-110)} ;;
  esac
  if [[ $result == FAILED || $result == stopped ]]; then
    echo "-- the end of $name, exit code $status:"
    tail -n 15 "$log" | cut -c 1-200
    echo "--"
  fi
  record "$name" "$result" $((SECONDS - start)) "$limit" "$note"
}

SECONDS=0
printf '{"part": "%s", "date": "%s", "preset": "%s", "commit": "%s", "architectures": "%s", "gpu": %s, "load": "%s"}\n' \
  "$part" "$(date -u +%Y-%m-%dT%H:%MZ)" "$preset" "$commit" "$architectures" \
  "$(json_text "$(bin/diopter info | sed -n 's/^GPU  *//p')")" "$(cut -d ' ' -f 1-3 /proc/loadavg)" >>"$out/results.jsonl"
printf '%-26s %-8s %7s %6s  %s\n' stage result seconds limit note | tee "$table"
part_limit=600
# shellcheck source=/dev/null
source "$here/$part.sh"

{
  cat "$table"
  for log in "$work"/logs/bench_*.log "$work/logs/plans.log" "$work/logs/peers.log"; do
    if [[ -f $log ]]; then printf '\n== %s\n' "$(basename "$log" .log)"; grep -v '^note: ' "$log" | tail -n 60; fi
  done
} >"$out/$part.txt"
printf '\n%s of %s: %d stages did not pass, %d s; results in %s\n' "$part" "$commit" "$failures" "$SECONDS" "$out"
[[ $failures -eq 0 ]]
