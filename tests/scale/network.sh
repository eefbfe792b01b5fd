#!/usr/bin/env bash
# Training by ranks on two machines: network namespaces, joined by a network of a given speed.
#   tests/scale/network.sh PROGRAM [MBIT MS]...    PROGRAM: diopter; Mbit/s and ms of delay in each direction,
#                                                  by default 1000 1 10000 0.1 100 1
# SIZE in the environment: pixels of the pictures' sides, 64 without.
# Prints the time of a step beside the forecast of diopter doctor --ranks, and how the packets were delayed: by netem, or by
# link.py where the kernel has none. The forecast begins with the work of a shard: the shortest step of two ranks that
# exchange through memory, so that both processors are as busy as they will be.
# Ends with 77 where there is no mpirun, ip or python3, or the user may not make namespaces.
set -euo pipefail

program=$(realpath "$1") here=$(dirname "$(realpath "$0")")
shift
networks=("$@")
if [[ $# -eq 0 ]]; then networks=(1000 1 10000 0.1 100 1); fi
for tool in mpirun ip tc unshare python3 setsid; do
  if ! command -v $tool >/dev/null; then echo "skipped: no $tool (apt-get install openmpi-bin iproute2 python3)"; exit 77; fi
done
if [[ ! -f $(dirname "$program")/libdiopter_mpi.so ]]; then echo "skipped: $program was built without MPI"; exit 77; fi
folder=$(mktemp -d)
name=dp$$  # of the namespaces: $name-0 and $name-1
link=
cleanup() {
  if [[ -n $link ]]; then kill -- -"$link" 2>/dev/null || true; fi
  ip netns del $name-0 2>/dev/null || true
  ip netns del $name-1 2>/dev/null || true
  rm -rf "$folder"
}
trap cleanup EXIT
cd "$folder"
fail() { echo "FAILED: $*" >&2; exit 1; }

for machine in 0 1; do
  if ! ip netns add $name-$machine 2>log; then echo "skipped: no network namespaces: $(cat log)"; exit 77; fi
  ip -n $name-$machine link set lo up
done
ends=($name-a $name-b)
# Joins the machines by a new link: a pair of devices with netem, or two that link.py connects.
join() {  # MBIT MS
  local machine
  if [[ -n $link ]]; then kill -- -"$link" 2>/dev/null || true; link=; fi
  ip -n $name-0 link del ${ends[0]} 2>/dev/null || true
  ip link add ${ends[0]} netns $name-0 type veth peer name ${ends[1]} netns $name-1
  if tc -n $name-0 qdisc replace dev ${ends[0]} root netem rate "$1mbit" delay "$2ms" limit 100000 2>/dev/null; then
    tc -n $name-1 qdisc replace dev ${ends[1]} root netem rate "$1mbit" delay "$2ms" limit 100000
    by=netem
  else
    ip -n $name-0 link del ${ends[0]}
    mkfifo up 2>/dev/null || true
    setsid python3 "$here/link.py" $name-0:${ends[0]} $name-1:${ends[1]} "$(awk "BEGIN { print $1 * 1e6 }")" \
      "$(awk "BEGIN { print $2 / 1e3 }")" >up 2>link.log &
    link=$!
    local answer=
    read -r answer <up || true
    if [[ $answer != up ]]; then echo "skipped: neither netem nor TUN devices: $(tail -1 link.log)"; exit 77; fi
    by=link.py
  fi
  for machine in 0 1; do
    ip -n $name-$machine address add 10.77.0.$((machine + 1))/24 dev ${ends[machine]}
    ip -n $name-$machine link set ${ends[machine]} up
  done
}

# Starts a command on a machine, as mpirun has ssh do it: HOST COMMAND...
cat >agent.sh <<SCRIPT
#!/usr/bin/env bash
machine=\$((\${1##*.} - 1))
shift
exec ip netns exec $name-\$machine unshare --uts sh -c 'hostname machine-\$0; exec sh -c "\$*"' \$machine "\$@"
SCRIPT
chmod +x agent.sh
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
on_both() {  # COMMAND...
  ./agent.sh 10.77.0.1 timeout 300 mpirun -n 2 --host 10.77.0.1:1,10.77.0.2:1 --bind-to none \
    --mca plm_rsh_agent "$folder/agent.sh" --mca pml ob1 --mca btl tcp,self --mca btl_tcp_if_include 10.77.0.0/24 \
    --mca oob_tcp_if_include 10.77.0.0/24 "$@"
}

"$program" shapes --out shapes --train 60 --val 20 --size "${SIZE:-64}" >/dev/null 2>&1
command=("$program" train --preset small_sgd --train-annotations shapes/instances_train.json --train-images shapes/images
         --val-annotations shapes/instances_val.json --val-images shapes/images --threads 1 --no-doctor
         --set train.iterations=40 --set train.batch_size=8 --set train.shards=2 --set train.evaluate_every=0
         --set train.log_every=1)
# Times between the steps of a run, in milliseconds, without the first ones: the least, and the median.
step_times() {  # RUN
  awk -F, -v column="$(head -1 "$1/metrics.csv" | tr , '\n' | grep -n '^seconds$' | cut -d: -f1)" \
    '$column == "" { next } NR > 12 { print 1000 * ($column - before) } { before = $column }' "$1/metrics.csv" | sort -g |
    awk '{ all[NR] = $1 } END { print all[1], all[int((NR + 1) / 2)] }'
}
foreseen() {  # MBIT MS WORK
  "$program" doctor --no-images --annotations shapes/instances_train.json --preset small_sgd --set train.batch_size=8 \
    --set train.shards=2 --ranks 2 --bandwidth "$(awk "BEGIN { print $1 / 1000 }")" --latency "$2" --work "$3" |
    awk '/^ranks,/ { found = 1 } found && $1 == 2 { print $5 }'
}
traces() { sha256sum <"$1/checkpoints/last.safetensors"; cut -d, --complement -f2,9,10 "$1/metrics.csv"; }

"${command[@]}" --out one >/dev/null 2>&1 || fail "one process"
read -r least median <<<"$(step_times one)"
echo "one process, both shards: $least ms a step at least, $median ms in the median"
mpirun -n 2 --bind-to none --mca pml ob1 --mca btl vader,self "${command[@]}" --out two >log 2>&1 || fail "two ranks: $(cat log)"
read -r work median <<<"$(step_times two)"
echo "two ranks without a network: $work ms a step at least, $median ms in the median"
for ((i = 0; i < ${#networks[@]}; i += 2)); do
  network="${networks[i]} Mbit/s, ${networks[i + 1]} ms"
  join "${networks[i]}" "${networks[i + 1]}"
  run=run_$i
  on_both "${command[@]}" --out "$run" >log 2>&1 || fail "$network: $(cat log)"
  [[ $(traces "$run") == "$(traces one)" ]] || fail "$network: other bits than one process has"
  read -r least median <<<"$(step_times "$run")"
  echo "$network ($by): $least ms a step at least, $median in the median, $(
    foreseen "${networks[i]}" "${networks[i + 1]}" "$work") foreseen; the same bits;$(
    sed -n 's/.*, and \([0-9]* % of the others. came before it waited\)/ \1/p' log)"
done
