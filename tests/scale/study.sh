#!/usr/bin/env bash
# A study shared by workers: dealt out, killed, joined late, in shards; and as an array of jobs where there is Slurm.
#   tests/scale/study.sh PROGRAM [--slurm]    PROGRAM: diopter; --slurm: only the array, by a Slurm that it starts itself
# With --slurm ends with 77 where there is no Slurm (apt-get install slurm-wlm munge), or the user is not root.
set -euo pipefail

program=$(realpath "$1") here=$(dirname "$(realpath "$0")")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

fail() { echo "FAILED: $*" >&2; exit 1; }
# 3 contestants, 4 configurations, 2 tuning seeds and 12 final seeds: 60 runs.
cat >sixty.toml <<'TOML'
title = "Sixty runs"
baseline = "ce"
[data.shapes]
train = 12
tune = 4
test = 6
size = 32
object_size = [0.3, 0.6]
seed = 5
[training]
preset = "small"
iterations = 30
settings = ["model.width=4", "model.groups=4", "model.fpn_channels=8", "model.head_depth=1", "train.batch_size=2",
            "train.warmup_iterations=0", "train.workers=1", "train.save_every=5", "train.log_every=1"]
[tuning]
learning_rates = [0.01, 0.02, 0.05, 0.1]
seeds = [101, 102]
[final]
seeds = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]
[[contestant]]
name = "ce"
settings = ["loss.kind=ce"]
[[contestant]]
name = "focal"
settings = ["loss.gamma=2"]
[[contestant]]
name = "gentle"
settings = ["loss.gamma=1"]
TOML
# Tables but for seconds, their last column.
traces() { sed 's/,[^,]*$//' "$1/table.csv" "$1/results.csv"; }
same() { [[ $(traces "$1") == "$(traces alone)" ]] || fail "$1 differs from the study of one process"; }
# All runs have a result, and no two workers say that they made the same. One that is killed may not come to say it.
made_once() {  # STUDY LOG...
  local study=$1 made
  shift
  made=$(grep -hoE '^(tune|final)-[^ ]*: (AP|diverged)' "$@" | sort)
  [[ -z $(uniq -d <<<"$made") ]] || fail "made twice: $(uniq -d <<<"$made")"
  [[ $(wc -l <<<"$made") -ge 59 ]] || fail "$(wc -l <<<"$made") runs were made"
  [[ $(find "$study/runs" -name result.json | wc -l) -eq 60 ]] || fail "not 60 results in $study"
  [[ ! -e $study/attempts ]] || fail "attempts are left in $study"
}
wait_until() {  # COMMAND...
  for _ in $(seq 1200); do "$@" && return; sleep 0.1; done
  fail "in vain: $*"
}
results_of() { find "$1/runs" -name result.json 2>/dev/null | wc -l; }
has_results() { (($(results_of "$1") >= $2)); }
# The run that a worker has claimed in a study, and that has no result yet.
claimed_by() {  # STUDY PROCESS
  local claim
  claim=$(grep -lE "^[^ ]+ $2 " "$1"/attempts/*/claim 2>/dev/null | head -1) || true
  [[ -n $claim && ! -e $(dirname "$claim")/result.json ]] && basename "$(dirname "$claim")"
}
# Stops a worker at a moment at which it holds a run.
stop_holding() {  # STUDY PROCESS
  for _ in $(seq 1200); do
    kill -STOP "$2"
    claimed_by "$1" "$2" >/dev/null && return
    kill -CONT "$2"
    sleep 0.05
  done
  fail "worker $2 never holds a run"
}

alone() {
  "$program" compare sixty.toml --out alone --jobs 2 --threads 1 >alone.log 2>&1 || fail "alone: $(cat alone.log)"
}
if [[ ${2-} == --slurm ]]; then
  # shellcheck source=tests/scale/slurm.sh
  source "$here/slurm.sh"
  start_slurm
  alone
  "$program" compare sixty.toml --out array --slurm 3 >array.sbatch || fail "no script"
  sbatch --wait --output=array-%a.log array.sbatch >sbatch.log 2>&1 || fail "array: $(cat sbatch.log array-*.log)"
  same array
  made_once array array-*.log
  echo "an array of 3 jobs: the same table"
  exit 0
fi

alone
# In a shell of its own, whose process it becomes.
worker() { exec "$program" compare sixty.toml --out "$1" --threads 1 --jobs 1 --lease 2 "${@:2}"; }

# Two workers begin at once, one is killed, one comes late.
worker shared --join >first.log 2>&1 &
first=$!
worker shared --join >second.log 2>&1 &
second=$!
wait_until has_results shared 5
stop_holding shared $first
run=$(claimed_by shared $first)
kill -KILL $first
wait_until has_results shared 20
(worker shared --join) >third.log 2>&1 || fail "the late one: $(cat third.log)"
wait $second || fail "the second: $(cat second.log)"
[[ -e shared/runs/${run%.*}/result.json ]] || fail "$run of the killed one has no result"
same shared
made_once shared first.log second.log third.log
grep -q '^final-' third.log || fail "the late one made nothing: $(cat third.log)"
echo "60 runs by 3 workers, one killed, one late: the same table, no run made twice"

# A worker that is stopped for longer than its lease, with its runs, and goes on when others have made them.
worker stopped --join >slow.log 2>&1 &
slow=$!
wait_until has_results stopped 1
stop_holding stopped $slow
children=$(cat /proc/$slow/task/*/children)
for child in $children; do kill -STOP "$child" 2>/dev/null || true; done
(worker stopped --join) >quick.log 2>&1 || fail "the quick one: $(cat quick.log)"
for child in $children; do kill -CONT "$child" 2>/dev/null || true; done
kill -CONT $slow
wait $slow || fail "the slow one: $(cat slow.log)"
same stopped
made_once stopped slow.log quick.log
echo "a worker that comes back after its lease: the same table, no run made twice"

# Shards, one after another: final runs can begin when the tuning of all has ended, in a second round.
for round in 1 2; do
  for shard in 1 2; do
    (worker shards --shard $shard/2) >"shard-$round-$shard.log" 2>&1 || fail "shard $shard: $(cat "shard-$round-$shard.log")"
    [[ $round-$shard != 1-1 || $(results_of shards) -eq 12 ]] || fail "shard 1 of 2 made $(results_of shards) tuning runs"
  done
  [[ $round -eq 2 || ! -e shards/table.csv ]] || fail "a table after a round"
done
same shards
made_once shards shard-*.log
echo "two shards, one after another, twice: the same table"
