#!/usr/bin/env bash
# From nothing to detections: installs what is missing, builds the program (not the tests), makes a synthetic data set,
# trains a small RetinaNet on it, evaluates it and draws what it finds. Results go to demo/ in the repository.
# Where there are an NVIDIA GPU and the CUDA Toolkit it builds for them and computes there, elsewhere on the CPU;
# DIOPTER_CUDA=on or off before the command decides otherwise.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

cuda=${DIOPTER_CUDA:-auto}
case $cuda in
  auto) tools/setup.sh --cuda-if-gpu ;;
  on) tools/setup.sh --cuda ;;
  *) tools/setup.sh ;;
esac
cmake --preset auto -DDIOPTER_CUDA="$cuda"
cmake --build --preset auto --target diopter

if [[ -e demo ]]; then
  echo "demo: replacing the results of an earlier run in $PWD/demo"
  rm -r demo
fi
mkdir demo
started=$SECONDS
diopter=build/auto/diopter

echo "== data: 1000 training and 200 validation pictures"
"$diopter" shapes --out demo/shapes --train 1000 --val 200 --size 64 --seed 1

echo "== training"
"$diopter" train --preset small --seed 1 --out demo/run \
  --train-annotations demo/shapes/instances_train.json --train-images demo/shapes/images \
  --val-annotations demo/shapes/instances_val.json --val-images demo/shapes/images

checkpoint=demo/run/checkpoints/best.safetensors
echo "== evaluation"
"$diopter" evaluate --checkpoint "$checkpoint" --json demo/metrics.json \
  --annotations demo/shapes/instances_val.json --images demo/shapes/images

echo "== detection"
"$diopter" detect --checkpoint "$checkpoint" --out demo/detections --json demo/detections.json \
  demo/shapes/images/{001001..001200}.png  # the validation pictures follow the training ones

echo
"$diopter" info | grep -E '^(CUDA side|GPU) '
echo "Done in $((SECONDS - started)) s after the build."
echo "  pictures with detections  $PWD/demo/detections"
echo "  metrics                   $PWD/demo/metrics.json"
echo "  run folder                $PWD/demo/run"
