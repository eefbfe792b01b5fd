#!/usr/bin/env bash
# What the stages do: stages.sh NAME FUNCTION ARGUMENT..., called by run.sh, which sets here, preset, work and
# failed_before. A function says "note: TEXT" for the table and "failed: PROGRAM TEST" for each failed test; its exit code
# is 77 when there is nothing to do. NAME is that of the stage: work/data/NAME.json becomes part of its result.
set -uo pipefail
diopter=$here/bin/diopter
name=$1
shift

on_gpu() { [[ $preset == cuda ]]; }
skip() { echo "note: $*"; exit 77; }

machine() {
  if on_gpu; then nvidia-smi; fi
  echo "LD_LIBRARY_PATH=${LD_LIBRARY_PATH-}"
  uname -a
  grep -m 1 'model name' /proc/cpuinfo
  "$diopter" info || return 1
  local missing
  missing=$(ldd "$here"/bin/* | grep 'not found' | sort -u)
  echo "$missing"
  printf 'note: %s; %s\n' "$("$diopter" info | sed -n 's/^GPU  *//p')" "$("$diopter" info | sed -n 's/^cuDNN  *//p')"
  [[ -z $missing ]]
}

# Names of the failed tests in Catch2's output, where they stand between two lines of dashes: of each its first line.
failed_tests() {
  awk '/^--------------------/ { inside = !inside; if (inside) { name = ""; first = 1 } next }
       inside && first { name = $0; first = 0 }
       /FAILED:/ && name != "" { print name; name = "" }'
}

run_tests() {  # PROGRAM FILTER: Catch2's, with asterisks at the ends of a name only
  local program=$1 filter=$2 output=$work/$name.output status=0
  if [[ $filter == kernels ]]; then  # all of them; through the executor some of each kind
    filter='~conv2d*'
    if ! on_gpu; then filter='match*,nms: order*,focal*,classification*,sgd*,reduce*,elementwise*,logistic*'; fi
  elif [[ $filter == 'conv2d*' ]] && ! on_gpu; then
    filter='conv2d: the epilogue*,conv2d: a NaN*,conv2d: the same bits*'
  elif [[ $program == retinanet_tests ]] && ! on_gpu; then
    filter='precision: losses*,step graphs: each*,golden: pictures*,golden: anchors*,golden: Detectron2*'
  fi
  "$here/bin/$program" "$filter" -d yes 2>&1 | tee "$output" || status=1
  failed_tests <"$output" | sort -u | sed "s/^/failed: $program /"
  printf 'note: %s\n' "$(grep -E '^(All tests passed|test cases:|No test)' "$output" | tail -n 1)"
  if ! grep -qE '^(All tests passed|test cases:)' "$output"; then return 1; fi
  if grep 'cuda is not tested' "$output"; then return 1; fi
  return $status
}

plans() {
  if ! on_gpu; then skip "cuDNN is not part of this build"; fi
  "$diopter" kernels plans --gpu here --preset paper --images 8 --json "$work/data/$name.json"
}

bench_kernel() {  # KERNEL
  local size=()
  case $1 in
    sgd | nms) ;;  # their usual sizes are those of training and detection
    *) size=(--size images=8,side=800) ;;
  esac
  if ! on_gpu; then size=(--quick); fi
  "$diopter" kernels bench "$1" --device cuda --repetitions 5 --json "$work/data/$name.json" "${size[@]}" || return 1
}

bench_step() {  # float|bf16 WHETHER_AS_GRAPH
  local sizes=(--preset paper --size 800 --batch 8 --classes 80 --repetitions 11)
  if ! on_gpu; then sizes=(--preset small --size 64 --batch 2 --classes 3 --repetitions 3); fi
  local json=$work/data/$name.json
  # The first step counts as one: what it costs beyond the others is the preparation of cuDNN's plans.
  "$diopter" bench step "${sizes[@]}" --warm-up 0 --device cuda --json "$json" --set train.precision="$1" \
    --set train.cuda_graph="$2" | tee "$work/$name.output" || return 1
  printf 'note: %s; first step %s ms\n' "$(tail -n 1 "$work/$name.output")" \
    "$(grep -A 1 '"milliseconds"' "$json" | tail -n 1 | tr -d ' ,' | cut -d . -f 1)"
}

train() {  # DEVICE ARGUMENT...
  local iterations=100 shapes=$work/shapes run=$work/run_$name
  if ! on_gpu; then iterations=5; fi
  if [[ ! -d $shapes ]]; then "$diopter" shapes --out "$shapes" --train 64 --val 8 --size 64 --seed 1 || return 1; fi
  "$diopter" train --preset small_sgd --seed 1 --device "$1" --out "$run" --train-annotations "$shapes/instances_train.json" \
    --train-images "$shapes/images" --set train.iterations=$iterations --set train.log_every=1 "${@:2}" || return 1
  cut -d, -f1,4 "$run/metrics.csv" | grep -E '^[0-9]+,[0-9]' >"$work/losses_${name#train_}.csv"
  printf 'note: %s iterations, last loss %s, %s images/s\n' "$(wc -l <"$work/losses_${name#train_}.csv")" \
    "$(tail -n 1 "$work/losses_${name#train_}.csv" | cut -d, -f2)" "$(tail -n 1 "$run/metrics.csv" | cut -d, -f9)"
}

need_losses() {  # RUN...
  local run
  for run in "$@"; do
    if [[ ! -s $work/losses_$run.csv ]]; then skip "the run $run came to no end"; fi
  done
}

# The first 10 iterations agree; later ones may part, since rounding grows with every step.
compare_devices() {
  need_losses float cpu
  paste -d, "$work/losses_cpu.csv" "$work/losses_float.csv" | awk -F, '
    $1 != $3 { broken = 1 }
    NR <= 10 { d = $2 - $4; d = (d < 0 ? -d : d) / $2; if (d > largest) largest = d; n = NR }
    END { printf "note: losses of %d iterations differ by %.1e at most (allowed 1e-3)\n", n, largest
          exit broken || n == 0 || !(largest < 1e-3) }'
}

# Means over the last quarter: single losses in bf16 part from those in float.
compare_precisions() {
  need_losses float bf16
  paste -d, "$work/losses_float.csv" "$work/losses_bf16.csv" | awk -F, -v n="$(wc -l <"$work/losses_float.csv")" '
    $1 != $3 { broken = 1 }
    NR > n * 3 / 4 { float += $2; bf16 += $4 }
    END { d = (bf16 - float) / float; printf "note: loss of the last quarter differs by %+.1f%% (allowed 10%%)\n", 100 * d
          exit broken || !(d < 0.1 && d > -0.1) }'
}

compare_graph() {
  need_losses float graph
  cmp "$work/losses_float.csv" "$work/losses_graph.csv" || return 1
  echo 'note: the same losses to the last digit'
}

run_failed_again() {
  if [[ ! -s $failed_before ]]; then skip "no test of part 1 is known to have failed (--failed FILE)"; fi
  local program test failures=0 count=0
  while read -r program test; do
    # The name may have been broken at the end of a line; commas and brackets have a meaning in filters.
    test=$(sed 's/[],["\\]/\\&/g' <<<"$test")
    count=$((count + 1))
    DIOPTER_SYNC=1 "$here/bin/$program" "$test*" </dev/null || { failures=$((failures + 1)); echo "failed: $program $test"; }
  done <"$failed_before"
  echo "note: $failures of $count failed again, one launch at a time"
  [[ $failures -eq 0 ]]
}

# Of six kernels the tests with many shapes. cuDNN's own kernels are not ours to check.
sanitizer() {  # TOOL
  local tests='classification loss: equals*,match: any*,top-k: any*,nms: equal*,group norm: forward*,reduce:*'
  if ! on_gpu; then skip "compute-sanitizer is for GPUs"; fi
  if ! command -v compute-sanitizer; then skip "compute-sanitizer is not installed"; fi
  if ! compute-sanitizer --tool "$1" "$diopter" kernels bench sgd --quick --device cuda; then
    skip "compute-sanitizer does not work on this machine"
  fi
  compute-sanitizer --tool "$1" --error-exitcode 1 "$here/bin/kernels_tests" "$tests" -d yes || return 1
  echo 'note: no report'
}

counters() {
  if ! on_gpu; then skip "ncu is for GPUs"; fi
  if ! command -v ncu; then skip "ncu is not installed"; fi
  local metrics=dram__throughput.avg.pct_of_peak_sustained_elapsed,sm__inst_executed.avg.per_cycle_active
  metrics+=,launch__registers_per_thread,gpu__time_duration.sum
  local kernel failures=0
  for kernel in classification_loss group_norm sgd nms; do
    ncu --clock-control none --metrics "$metrics" --launch-count 8 --csv "$diopter" kernels bench "$kernel" --repetitions 1 \
      --device cuda || failures=$((failures + 1))
  done
  if [[ $failures -eq 4 ]]; then skip "ncu does not work on this machine"; fi
  echo "note: 8 launches each of 4 kernels, $failures not counted"
}

peers() {
  if ! python3 -c 'import torch, torchvision' 2>/dev/null; then skip "python3 has no torch and torchvision here"; fi
  local size=(--short --device cuda --seconds 150 --sizes 800 --batches 8 --threads "$(nproc)") status=0
  if ! on_gpu; then size=(--quick --device cpu --seconds 150); fi
  python3 "$here/tools/peers/peers.py" --only focal,match,nms,step,inference --variants --python "$(command -v python3)" \
    --program "$diopter" --out "$work/peers" "${size[@]}" || status=$?
  if [[ -s $work/peers.json ]]; then cp "$work/peers.json" "$work/data/$name.json"; fi
  printf 'note: %s\n' "$(sed -n 's/^- //p' "$work/peers.md" 2>/dev/null | tr '\n' ';')"
  return $status
}

"$@"
