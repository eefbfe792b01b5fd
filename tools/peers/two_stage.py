#!/usr/bin/env python3
"""One stage beside two: diopter's RetinaNet and torchvision's Faster R-CNN on the same backbone, pyramid, anchors, pictures
and number of pictures seen, from scratch.

    tools/peers/two_stage.py --python VENV/bin/python --out build/two_stage SET...
        [--iterations 500] [--seeds 3] [--threads 1] [--program build/release/diopter]

SET is NAME:TRAIN:VAL:IMAGES:SIDE:SIZE_FACTOR, or shapes. VENV has torch and torchvision from PyPI. RetinaNet stands there as in
the paper, with the prior that balances its gradients (docs/prior.md), and so with ten times the pictures. Each detector first
takes the best of three learning rates (a third of the iterations, a seed of its own), and of up to two more beyond where the
best is at the edge, then trains with each seed. Every run is kept in the folder --out, so that a run of this program goes on
where the last one ended. Shown are means over the seeds, with the least and the most: AP and AP50 on the validation pictures by
`diopter evaluate`, milliseconds of a core for each picture of the evaluation (reading, network, NMS) and of the training, and
the largest resident memory of the training.
"""

import argparse
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
from typing import NamedTuple

HERE = pathlib.Path(__file__).resolve().parent
BATCH, TUNING_SEED, RATES_BEYOND = 8, 100, 2


class Detector(NamedTuple):
    rates: tuple  # to try, a factor apart
    times: int = 1  # of the iterations
    settings: dict = {}  # of diopter


FASTER_RCNN = "Faster R-CNN"
DETECTORS = {"RetinaNet": Detector((0.05, 0.1, 0.2)),
             "RetinaNet balanced": Detector((0.05, 0.1, 0.2), settings={"model.prior": "balance"}),
             "RetinaNet balanced x10": Detector((0.05, 0.1, 0.2), 10, {"model.prior": "balance"}),
             FASTER_RCNN: Detector((0.01, 0.03, 0.1))}


def measure(command, log):
    """Runs a command; processor seconds and MiB of its process."""
    with open(log, "w") as output:
        process = subprocess.Popen(list(map(str, command)), stdout=output, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(process.pid, 0)
    if status != 0:
        sys.exit(f"{command[0]} failed: see {log}")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


class Set:
    def __init__(self, text, options):
        if text == "shapes":
            folder = options.out / "shapes"
            if not (folder / "instances_val.json").exists():
                measure([options.program, "shapes", "--out", folder], options.out / "shapes.log")
            text = f"shapes:{folder}/instances_train.json:{folder}/instances_val.json:{folder}/images:64:3"
        parts = text.split(":")
        if len(parts) != 6:
            sys.exit(f"{text}: no NAME:TRAIN:VAL:IMAGES:SIDE:SIZE_FACTOR")
        self.name, *files, self.side, self.size_factor = parts
        self.train, self.val, self.images = map(pathlib.Path, files)
        for file in (self.train, self.val, self.images):
            if not file.exists():
                sys.exit(f"{file}: not found")
        self.pictures, self.validation = (len(json.loads(f.read_text())["images"]) for f in (self.train, self.val))


def retinanet(data, options, folder, rate, seed, iterations, more):
    run = folder / "run"
    settings = {"train.lr": rate, "train.iterations": iterations, "train.batch_size": BATCH, "train.seed": seed,
                "train.workers": 0, "input.max_size": data.side, "input.min_sizes": f"[{data.side}]",
                "anchors.size_factor": data.size_factor, "detect.batch_size": 1, **more}
    common = ["--device", "cpu", "--threads", options.threads]
    command = [options.program, "train", "--preset", "small_sgd", *common, "--train-annotations", data.train,
               "--train-images", data.images, "--out", run, "--no-doctor"]
    for key, value in settings.items():
        command += ["--set", f"{key}={value}"]
    training, memory = measure(command, folder / "train.log")
    evaluation, _ = measure([options.program, "detect", *common, "--checkpoint", run / "checkpoints/last.safetensors",
                             "--annotations", data.val, "--images", data.images, "--json", folder / "detections.json"],
                            folder / "detect.log")
    return training, evaluation, memory


def faster_rcnn(data, options, folder, rate, seed, iterations):
    _, memory = measure([options.python, HERE / "torch_faster_rcnn.py", "--train", data.train, "--val", data.val,
                         "--images", data.images, "--side", data.side, "--size-factor", data.size_factor, "--lr", rate,
                         "--iterations", iterations, "--batch", BATCH, "--seed", seed, "--threads", options.threads,
                         "--out", folder], folder / "train.log")
    numbers = json.loads((folder / "numbers.json").read_text())
    return numbers["training"], numbers["evaluation"], memory


def run(name, data, options, rate, seed, iterations):
    """A run's numbers: from its folder where it has been made, for good or before this program was ended."""
    folder = options.out / data.name / f"{name.replace(' ', '_')}_lr{rate}_seed{seed}_{iterations}"
    result = folder / "result.json"
    if not result.exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        arguments = data, options, folder, rate, seed, iterations
        training, evaluation, memory = (faster_rcnn(*arguments) if name == FASTER_RCNN
                                        else retinanet(*arguments, DETECTORS[name].settings))
        measure([options.program, "evaluate", "--annotations", data.val, "--detections", folder / "detections.json",
                 "--json", folder / "metrics.json"], folder / "evaluate.log")
        metrics = json.loads((folder / "metrics.json").read_text())["stats"]  # COCO's 12 numbers
        numbers = {"ap": 100 * metrics[0], "ap50": 100 * metrics[1],
                   "training_ms": 1000 * training / (BATCH * iterations),
                   "evaluation_ms": 1000 * evaluation / data.validation, "mib": memory}
        partial = folder / "result.part"
        partial.write_text(json.dumps(numbers))
        partial.rename(result)
    numbers = json.loads(result.read_text())
    print(f"{data.name}, {name}, rate {rate}, seed {seed}, {iterations} iterations: AP {numbers['ap']:.1f}", file=sys.stderr)
    return numbers


def best_rate(rates, ap):
    """The rate with the highest AP, of these and of RATES_BEYOND more at most beyond a best at their edge."""
    tried = {rate: ap(rate) for rate in rates}
    for _ in range(RATES_BEYOND):
        low, *_, high = sorted(tried)
        best = max(tried, key=tried.get)
        if best not in (low, high) or tried[best] == 0:
            break
        factor = rates[1] / rates[0]
        rate = float(f"{low / factor if best == low else high * factor:.2g}")
        tried[rate] = ap(rate)
    return max(tried, key=tried.get)


def row(name, data, options):
    detector = DETECTORS[name]
    iterations = detector.times * options.iterations
    rate = best_rate(detector.rates,
                     lambda rate: run(name, data, options, rate, TUNING_SEED, max(1, iterations // 3))["ap"])
    runs = [run(name, data, options, rate, seed, iterations) for seed in range(1, options.seeds + 1)]

    def cell(key, digits):
        values = [numbers[key] for numbers in runs]
        return f"{statistics.mean(values):.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})"

    return f"| {data.name} | {name} | {rate} | {cell('ap', 1)} | {cell('ap50', 1)} | " \
           f"{cell('evaluation_ms', 1)} | {cell('training_ms', 1)} | {statistics.mean(n['mib'] for n in runs):.0f} |"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="+", metavar="SET")
    parser.add_argument("--python", required=True, help="interpreter that has torch and torchvision")
    parser.add_argument("--out", type=pathlib.Path, required=True, help="folder of all runs; what it has is not made again")
    parser.add_argument("--program", default=HERE.parents[1] / "build/release/diopter")
    parser.add_argument("--only", choices=list(DETECTORS), help="one of them")
    for name, default in (("iterations", 500), ("seeds", 3), ("threads", 1)):
        parser.add_argument("--" + name, type=int, default=default)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    sets = [Set(text, options) for text in options.sets]
    print("| data | detector | rate | AP | AP50 | ms of a core per picture, evaluation | training | MiB |")
    print("|---|---|---|---|---|---|---|---|")
    for data in sets:
        for name in DETECTORS:
            if options.only in (None, name):
                print(row(name, data, options), flush=True)


if __name__ == "__main__":
    main()
