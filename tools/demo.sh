#!/usr/bin/env bash
# From nothing to detections, without a GPU: installs what is missing, builds the program (not the tests), makes a
# synthetic data set, trains a small RetinaNet on it, evaluates it and draws what it finds. Results go to demo/ in the
# repository.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

tools/setup.sh
cmake --preset release
cmake --build --preset release --target diopter

if [[ -e demo ]]; then
  echo "demo: replacing the results of an earlier run in $PWD/demo"
  rm -r demo
fi
mkdir demo
started=$SECONDS
diopter=build/release/diopter

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
echo "Done in $((SECONDS - started)) s after the build."
echo "  pictures with detections  $PWD/demo/detections"
echo "  metrics                   $PWD/demo/metrics.json"
echo "  run folder                $PWD/demo/run"
