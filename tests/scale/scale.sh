#!/usr/bin/env bash
# Training by several processes under mpirun: the bits of one process, stops and deaths of ranks, refusals.
#   tests/scale/scale.sh PROGRAM [--kills N]    PROGRAM: diopter; N ranks are killed, one a run (default 2)
# Ends with 77 where there is no mpirun, or the program was built without MPI.
set -euo pipefail

program=$(realpath "$1") kills=2
if [[ ${2-} == --kills ]]; then kills=$3; fi
if ! command -v mpirun >/dev/null; then echo "skipped: no mpirun (tools/setup.sh --mpi)"; exit 77; fi
if [[ ! -f $(dirname "$program")/libdiopter_mpi.so ]]; then echo "skipped: $program was built without MPI"; exit 77; fi

export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1  # of containers
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

fail() { echo "FAILED: $*" >&2; exit 1; }
# Notes the rank's process, and puts its number in the place of %RANK%.
cat >rank.sh <<'SCRIPT'
#!/usr/bin/env bash
echo $$ >"process_$OMPI_COMM_WORLD_RANK"
exec "${@//%RANK%/$OMPI_COMM_WORLD_RANK}"
SCRIPT
chmod +x rank.sh
on_ranks() {  # N COMMAND...
  local ranks=$1
  shift
  timeout 120 mpirun -n "$ranks" --oversubscribe --bind-to none ./rank.sh "$@"
}
"$program" shapes --out shapes --train 60 --val 20 --size 64 >/dev/null 2>&1
command=("$program" train --preset small_sgd --train-annotations shapes/instances_train.json --train-images shapes/images
         --val-annotations shapes/instances_val.json --val-images shapes/images --threads 1 --no-doctor
         --set train.iterations=40 --set train.batch_size=8 --set train.shards=4 --set train.accumulate=2
         --set train.clip_norm=1 --set train.average=0.9 --set loss.normaliser=ema --set train.evaluate_every=20
         --set train.save_every=10 --set train.log_every=5)
traces() {  # FOLDER: what a run leaves but for times and memory
  sha256sum <"$1/checkpoints/last.safetensors"
  sha256sum <"$1/checkpoints/best.safetensors"
  cut -d, --complement -f2,9,10 "$1/metrics.csv"
}
same() {  # FOLDER [FOLDER OF ONE PROCESS]
  [[ $(traces "$1") == "$(traces "${2-one}")" ]] || fail "$1 differs from the run of one process"
}
alive() { [[ -e /proc/$1 ]] && ! grep -q '^State:\sZ' "/proc/$1/status"; }  # PROCESS
# Waits until the run has begun to save.
wait_for() {  # FILE
  for _ in $(seq 600); do [[ -e $1 ]] && return; sleep 0.1; done
  fail "no $1"
}

"${command[@]}" --out one >/dev/null 2>&1 || fail "one process"
for ranks in 2 4; do
  on_ranks $ranks "${command[@]}" --out of_$ranks >log 2>&1 || fail "$ranks ranks: $(cat log)"
  same of_$ranks
  [[ $(grep -c '^finished' log) -eq 1 ]] || fail "$ranks ranks print other than once: $(cat log)"
done
share=$(sed -n 's/.*, and \([0-9]*\) % of the others. came before it waited/\1/p' log)
((share > 0 && share <= 100)) || fail "no gradients came before backward passes ended: $(cat log)"
echo "1, 2 and 4 ranks: the same bits; $share % of the gradients came before the backward passes of 4 ended"

# What AdamW keeps is divided among ranks, and gathered for a checkpoint that another number of them reads.
adamw=(--set train.optimizer=adamw --set train.lr=0.001 --set train.wire=bf16)
"${command[@]}" "${adamw[@]}" --out adamw_one >/dev/null 2>&1 || fail "AdamW, one process"
on_ranks 2 "${command[@]}" "${adamw[@]}" --out adamw_two --set train.stop_at=10 >log 2>&1 || fail "AdamW: $(cat log)"
on_ranks 4 "${command[@]}" "${adamw[@]}" --out adamw_two --resume >log 2>&1 || fail "AdamW resumed: $(cat log)"
same adamw_two adamw_one
echo "AdamW with gradients of bf16, by 2 and then 4 ranks: the same bits"

# SIGTERM at one rank: all save and stop; another number of ranks goes on.
on_ranks 2 "${command[@]}" --out stopped >log 2>&1 &
job=$!
wait_for stopped/checkpoints/last.safetensors
kill -TERM "$(<process_1)"
status=0
wait $job || status=$?
[[ $status -eq 130 ]] || fail "a stopped run ends with $status: $(cat log)"
grep -q '^stopped at iteration' log || fail "not stopped: $(cat log)"
on_ranks 4 "${command[@]}" --out stopped --resume >log 2>&1 || fail "resumed: $(cat log)"
same stopped
echo "stopped at one rank, resumed by more: the same bits"

# kill -9 of a rank: the others end, and what launched them says which it was.
for i in $(seq "$kills"); do
  rm -rf killed
  on_ranks 2 "${command[@]}" --out killed >log 2>&1 &
  job=$!
  wait_for killed/checkpoints/last.safetensors
  sleep "0.$((RANDOM % 10))"
  kill -KILL "$(<process_$((RANDOM % 2)))"
  start=$SECONDS
  wait $job && fail "a run without one of its ranks ends well"
  for rank in 0 1; do
    while alive "$(<process_$rank)"; do
      ((SECONDS - start <= 10)) || fail "rank $rank is left after 10 s"
      sleep 0.1
    done
  done
  ((SECONDS - start <= 10)) || fail "the others ended after $((SECONDS - start)) s"
  grep -q 'rank [01] .*exited on signal 9' log || fail "no line says which rank died: $(cat log)"
  on_ranks $((1 + i % 2 * 3)) "${command[@]}" --out killed --resume >log 2>&1 || fail "resumed: $(cat log)"
  same killed
done
echo "$kills ranks killed: the others end, and resumed runs have the same bits"

# Refusals: one line from rank 0, exit code 2, no waiting.
refused() {  # EXPECTED COMMAND...
  local expected=$1 status=0
  shift
  "$@" >log 2>&1 || status=$?
  [[ $status -eq 2 ]] || fail "'$expected' ends with $status: $(cat log)"
  [[ $(grep -c '^diopter: ' log) -eq 1 ]] || fail "'$expected' is not one line: $(cat log)"
  grep -q "^diopter: .*$expected" log || fail "'$expected' is not in: $(cat log)"
}
refused "8 processes for train.shards = 4" on_ranks 8 "${command[@]}" --out bad
refused "must divide train.batch_size" on_ranks 2 "${command[@]}" --out bad --set train.shards=3
refused "no such file" on_ranks 2 "${command[@]}" --out bad --config none.toml
cp shapes/instances_train.json of_rank_0.json
sed 's/"width": *64/"width":63/' shapes/instances_train.json >of_rank_1.json
cmp -s of_rank_0.json of_rank_1.json && fail "both ranks have the same set"
refused "rank 1 has another training set than rank 0" on_ranks 2 "$program" train --preset small \
  --train-annotations of_rank_%RANK%.json --train-images shapes/images --set train.shards=2 --out bad
refused "rank 1 has another configuration than rank 0" on_ranks 2 "${command[@]}" --out bad \
  --set train.seed=%RANK%
refused "started 2 processes of detect" on_ranks 2 "$program" detect none.safetensors none.png
refused "started 2 processes of compare" on_ranks 2 "$program" compare quick --out bad
status=0
on_ranks 2 "$program" compare none.toml --join --out bad >log 2>&1 || status=$?
[[ $status -eq 2 && $(grep -c '^diopter: none.toml' log) -eq 2 ]] || fail "workers under mpirun: $(cat log)"
mkdir alone && cp "$program" alone/
refused "MPI is not in this build" on_ranks 2 "$folder/alone/diopter" "${command[@]:1}" --out bad
echo "refusals: one line each"

# A disk that is full for rank 0, which alone writes.
mkdir small
if [[ $EUID -eq 0 ]] && mount -t tmpfs -o size=64k none small 2>/dev/null; then
  trap 'umount "$folder/small"; rm -rf "$folder"' EXIT
  status=0
  on_ranks 2 "${command[@]}" --out small/run >log 2>&1 || status=$?
  [[ $status -eq 2 ]] || fail "on a full disk ends with $status: $(cat log)"
  grep -q '^diopter: rank 0 of 2: .*No space left' log || fail "no line about the full disk: $(cat log)"
  for rank in 0 1; do
    for _ in $(seq 100); do alive "$(<process_$rank)" || break; sleep 0.1; done
    alive "$(<process_$rank)" && fail "rank $rank is left on a full disk"
  done
  echo "a full disk at rank 0 ends all"
else
  echo "skipped: a full disk (a small tmpfs needs root)"
fi
