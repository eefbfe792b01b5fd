# A Slurm of one node, this machine, that lives in the current folder and ends with the script that sources this file.
# Ends that script with 77 where there is none, or it cannot be started by this user.
# shellcheck shell=bash

start_slurm() {
  local command
  for command in munged slurmctld slurmd sbatch scontrol; do
    if ! PATH=$PATH:/usr/sbin command -v $command >/dev/null; then
      echo "skipped: no $command (apt-get install slurm-wlm munge)"
      exit 77
    fi
  done
  if [[ $EUID -ne 0 ]]; then echo "skipped: Slurm must be started by root"; exit 77; fi
  PATH=$PATH:/usr/sbin
  mkdir -p slurm/state slurm/spool
  head -c 1024 /dev/urandom >slurm/munge.key
  chmod 700 slurm && chmod 600 slurm/munge.key
  local at=$PWD/slurm host port=$((20000 + RANDOM % 20000))
  host=$(hostname -s)
  munged --force --key-file="$at/munge.key" --socket="$at/munge.socket" --pid-file="$at/munged.pid" \
    --log-file="$at/munged.log" --seed-file="$at/munged.seed" || { cat "$at/munged.log"; exit 1; }
  cat >"$at/slurm.conf" <<CONF
ClusterName=diopter
SlurmctldHost=$host(127.0.0.1)
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket=$at/munge.socket
CredType=cred/munge
SlurmctldPort=$port
SlurmdPort=$((port + 1))
SlurmctldPidFile=$at/slurmctld.pid
SlurmdPidFile=$at/slurmd.pid
SlurmctldLogFile=$at/slurmctld.log
SlurmdLogFile=$at/slurmd.log
StateSaveLocation=$at/state
SlurmdSpoolDir=$at/spool
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
ReturnToService=2
NodeName=$host NodeAddr=127.0.0.1 CPUs=$(nproc) State=UNKNOWN
PartitionName=all Nodes=$host Default=YES MaxTime=INFINITE State=UP
CONF
  export SLURM_CONF=$at/slurm.conf
  # Both in the foreground of jobs of this shell, which ends them.
  slurmctld -D >"$at/out" 2>&1 &
  slurm_processes=$!
  slurmd -D >"$at/slurmd.out" 2>&1 &
  slurm_processes+=" $!"
  trap 'kill $slurm_processes $(cat slurm/munged.pid) 2>/dev/null; wait; rm -rf "$folder"' EXIT
  local i
  for i in $(seq 300); do
    if sinfo -h -o %T 2>/dev/null | grep -q idle; then return; fi
    sleep 0.1
  done
  cat "$at"/*.log "$at"/*out
  fail "Slurm does not start"
}
