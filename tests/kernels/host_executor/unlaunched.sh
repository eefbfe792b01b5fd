#!/bin/bash
# Names of kernels that no test launches; exit status 1 when there are any.
#   unlaunched.sh PROGRAM LIBRARY LAUNCHES
# LIBRARY holds every instantiation of every kernel. PROGRAM is linked with it, and ran with
# DIOPTER_EXECUTOR_LAUNCHES=LAUNCHES.
set -euo pipefail
program=$1 library=$2 launches=$3

# Every kernel's name ends in _kernel: that tells it from other functions.
cd "$(dirname "$0")/../../.."
other=$(find kernels \( -name '*.cu' -o -name '*.cuh' \) -exec cat {} + | tr '\n' ' ' |
  grep -o '__global__ void [^{;]*' | sed 's/__launch_bounds__([^)]*)//; s/__global__ void *\([a-z_0-9]*\) *(.*/\1/' |
  grep -v '_kernel$' || true)
if [ -n "$other" ]; then
  echo "names of kernels must end in _kernel:" $other
  exit 1
fi

kernels() { grep -E '^_ZN7diopter4cuda(12_GLOBAL__N_1)?[0-9]+[a-z_0-9]+_kernel[EI][^.]*$' | sort -u; }
known=$(nm "$library" 2>/dev/null | awk '$2 ~ /[tTwW]/ { print $3 }' | kernels)
origin=$((16#$(nm "$program" | awk '$3 == "cudaGetLastError" { print $1 }')))
launched=$(while read -r place _; do printf '%016x\n' $((origin + place)); done <"$launches" |
  awk 'NR == FNR { launched[$1]; next } $1 in launched { print $3 }' - <(nm "$program") | kernels)
unlaunched=$(comm -23 <(echo "$known") <(echo "$launched"))
if [ -n "$unlaunched" ]; then
  echo "no test launches:"
  echo "$unlaunched" | c++filt
  exit 1
fi
echo "all $(echo "$known" | wc -l) kernels are launched"
