#!/usr/bin/env bash
# Everything that only a GPU can tell, in one call: build, the whole suite on the device (which compares it with the
# CPU), compute-sanitizer on the kernels' tests, a short training run on both devices, in bf16 and as a CUDA graph, the
# kernels' times.
#   tools/gpu_check.sh [ARGUMENTS FOR CTEST]
# No stage stops the others. Ends with a table and OUT/results.json, logs beside it; the exit code is 1 when a stage
# failed. Takes from the environment
#   OUT                 folder for the results, build/gpu_check by default
#   DIOPTER_GPU_PRESET  host: the same stages through the host executor, with tiny sizes; to test this script
#   DIOPTER_GPU_CMAKE   further arguments to configure with, e.g. -DDIOPTER_CUDA_WHEELS=DIR
#   DIOPTER_GPU_JOBS    compilers side by side; all processors by default
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

preset=${DIOPTER_GPU_PRESET:-cuda}
jobs=${DIOPTER_GPU_JOBS:-$(nproc)}
out=${OUT:-build/gpu_check}
build=build/$preset
diopter=$build/diopter
iterations=100 size_of_times=()
if [[ $preset != cuda ]]; then iterations=3 size_of_times=(--quick); fi
mkdir -p "$out" || exit 2
rm -f "$out"/{results.json,times.json,losses_*.csv,*.log}
rm -rf "$out"/{shapes,run_cpu,run_cuda,run_bf16,run_graph}
read -ra configure_arguments <<<"${DIOPTER_GPU_CMAKE:-}"

names=() results=() durations=() notes=()
record() {  # name, result, seconds, note
  names+=("$1") results+=("$2") durations+=("$3") notes+=("$4")
  printf '== %s: %s (%s s) %s\n' "$@"
}

# stage NAME COMMAND...: runs it into NAME.log; a line "note: ..." of the log ends up in the table.
stage() {
  local name=$1 start=$SECONDS result=passed note
  shift
  printf '== %s ...\n' "$name"
  "$@" >"$out/$name.log" 2>&1 </dev/null || result=FAILED
  note=$(sed -n 's/^note: //p' "$out/$name.log" | tail -n 1)
  if [[ $result == FAILED && -z $note ]]; then
    note=$(grep -v '^[[:space:]]*$' "$out/$name.log" | tail -n 1 | cut -c 1-90)
  fi
  record "$name" "$result" $((SECONDS - start)) "$note"
}

run_ctest() {
  local log status
  log=$(ctest --preset "$preset" -j2 "$@" 2>&1)
  status=$?
  printf '%s\n' "$log"
  printf 'note: %s\n' "$(grep -E 'tests passed|No tests were found' <<<"$log" | tail -n 1)"
  if grep -q 'No tests were found' <<<"$log"; then return 1; fi
  return "$status"
}

# Of each kernel the tests with many shapes; those at full size would take hours under a sanitizer.
sanitized='classification loss: equals*,match: any*,box loss: equals*,box loss: any*,top-k: any*,decode:*,nms: equal*'
sanitized+=',anchors:*,loss scale:*,hard examples:*,transfer:*,sgd:*,conv2d:*epilogue*,group norm: forward*,batch norm: f*,elementwise:*'
sanitized+=',reduce:*,max pool:*,upsample:*'

run_sanitizer() {
  timeout 900 compute-sanitizer --tool "$1" --error-exitcode 1 "$build/tests/kernels_tests" "$sanitized" || return 1
  if grep 'cuda is not tested' "$out/$1.log"; then return 1; fi
}

make_shapes() { "$diopter" shapes --out "$out/shapes" --train 64 --val 8 --size 64 --seed 1; }

run_training() {  # name, device, further arguments
  local name=$1 device=$2
  shift 2
  "$diopter" train --preset small --seed 1 --device "$device" --out "$out/run_$name" \
    --train-annotations "$out/shapes/instances_train.json" --train-images "$out/shapes/images" \
    --set train.iterations="$iterations" --set train.log_every=1 "$@" || return 1
  cut -d, -f1,4 "$out/run_$name/metrics.csv" | grep -E '^[0-9]+,[0-9]' >"$out/losses_$name.csv"
  printf 'note: %s iterations, last loss %s, %s images/s\n' "$(wc -l <"$out/losses_$name.csv")" \
    "$(tail -n 1 "$out/losses_$name.csv" | cut -d, -f2)" "$(tail -n 1 "$out/run_$name/metrics.csv" | cut -d, -f9)"
}

# The first 10 iterations agree; later ones may part, since rounding grows with every step.
compare_losses() {
  paste -d, "$out/losses_cpu.csv" "$out/losses_cuda.csv" | awk -F, '
    $1 != $3 { broken = 1 }
    NR <= 10 { d = $2 - $4; d = (d < 0 ? -d : d) / $2; if (d > largest) largest = d; n = NR }
    END { printf "note: losses of %d iterations differ by %.1e at most (allowed 1e-3)\n", n, largest
          exit broken || n == 0 || !(largest < 1e-3) }'
}

# Means over the last quarter: single losses in bf16 part from those in float.
compare_bf16() {
  paste -d, "$out/losses_cuda.csv" "$out/losses_bf16.csv" | awk -F, -v n="$iterations" '
    $1 != $3 { broken = 1 }
    NR > n * 3 / 4 { float += $2; bf16 += $4 }
    END { d = (bf16 - float) / float; printf "note: loss of the last quarter differs by %+.1f%% (allowed 10%%)\n", 100 * d
          exit broken || !(d < 0.1 && d > -0.1) }'
}

compare_graph() {
  cmp "$out/losses_cuda.csv" "$out/losses_graph.csv" || return 1
  echo 'note: the same losses to the last digit'
}

run_times() {
  "$diopter" kernels bench all --device cuda --json "$out/times.json" "${size_of_times[@]}" || return 1
  printf 'note: %s/times.log\n' "$out"
}

stage configure cmake --preset "$preset" "${configure_arguments[@]}"
stage build cmake --build --preset "$preset" -j "$jobs"
if [[ $preset == cuda ]]; then
  stage device nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader
fi
stage tests run_ctest "$@"
for tool in memcheck racecheck synccheck initcheck; do
  if [[ $preset != cuda ]]; then
    record "$tool" skipped 0 "compute-sanitizer is for GPUs"
  elif ! command -v compute-sanitizer >/dev/null; then
    record "$tool" skipped 0 "compute-sanitizer is not installed"
  else
    stage "$tool" run_sanitizer "$tool"
  fi
done
stage shapes make_shapes
stage train_cuda run_training cuda cuda
stage train_cpu run_training cpu cpu
stage losses compare_losses
stage train_bf16 run_training bf16 cuda --set train.precision=bf16
stage losses_bf16 compare_bf16
stage train_graph run_training graph cuda --set train.cuda_graph=true
stage losses_graph compare_graph
stage times run_times

failed=0
json_text() { printf '"%s"' "$(printf '%s' "$1" | tr -d '\000-\037' | sed 's/[\\"]/\\&/g')"; }
{
  printf '{"preset": "%s", "commit": "%s", "device": %s,\n' "$preset" "$(git rev-parse HEAD 2>/dev/null)" \
    "$(json_text "$(head -n 1 "$out/device.log" 2>/dev/null || echo "host executor")")"
  printf ' "stages": ['
  for i in "${!names[@]}"; do
    [[ $i -gt 0 ]] && printf ','
    printf '\n  {"stage": "%s", "result": "%s", "seconds": %s, "note": %s}' "${names[i]}" "${results[i]}" \
      "${durations[i]}" "$(json_text "${notes[i]}")"
    [[ ${results[i]} == FAILED ]] && failed=1
  done
  printf '],\n "times": '
  cat "$out/times.json" 2>/dev/null || printf 'null'
  printf '}\n'
} >"$out/results.json"

if [[ -f $out/times.json ]]; then
  echo
  grep -v '^note: ' "$out/times.log"
fi
printf '\n%-12s %-8s %8s  %s\n' stage result seconds note
for i in "${!names[@]}"; do
  printf '%-12s %-8s %8s  %s\n' "${names[i]}" "${results[i]}" "${durations[i]}" "${notes[i]}"
done
printf '\n%s\n' "$out/results.json"
exit $failed
