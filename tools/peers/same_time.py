#!/usr/bin/env python3
"""Detectors in the same time: diopter's preset `small` as it is and from scratch (`diopter_scratch`) beside Ultralytics' nano
models, torchvision's SSDlite and RetinaNet from scratch (torch_scratch.py), on the same pictures, evaluated by `diopter evaluate`
on the same validation pictures.

    tools/peers/same_time.py --python VENV/bin/python --out build/same_time SET...
        [--minutes 2 5 10] [--seeds 1] [--with diopter,yolo11n,ssdlite] [--program build/release/diopter]

SET is NAME:TRAIN:VAL:IMAGES:SIDE, with SIDE the peers' input in pixels, and after further colons settings of diopter for the set
(input.tile=256). VENV has torch, torchvision and ultralytics from PyPI.

Time is processor time of a training with one thread: on a machine that does nothing else that is what a clock shows, on others it
is still fair. diopter's is that of its whole process, for as many iterations as fit (found from two short trainings); the peers'
begins with their first step. Every run leaves OUT/NAME/CONTENDER_MINUTES_SEED/result.json and is not made again. The table shows
AP and AP50, means over the seeds, and how many pictures a training saw; OUT/runs.csv has every run.
"""

import argparse
import csv
import itertools
import json
import os
import pathlib
import shutil
import statistics
import sys

from two_stage import measure

HERE = pathlib.Path(__file__).resolve().parent
BATCH = 8


def processor_seconds(command, log):
    os.environ.update(OMP_NUM_THREADS="1", YOLO_OFFLINE="true", YOLO_CONFIG_DIR=str(log.parent.resolve()))
    return measure(command, log)[0]


class Set:
    def __init__(self, text):
        parts = text.split(":")
        if len(parts) < 5:
            sys.exit(f"{text}: no NAME:TRAIN:VAL:IMAGES:SIDE[:SETTING...]")
        self.name, *files, self.side = parts[:5]
        self.settings = parts[5:]
        self.train, self.val, self.images = map(pathlib.Path, files)
        for file in (self.train, self.val, self.images):
            if not file.exists():
                sys.exit(f"{file}: not found")


def diopter(name, data, minutes, options, seed, folder):
    common = ["--device", "cpu", "--threads", 1]
    start = ["model.weights="] if name == "diopter_scratch" else []

    def train(iterations):
        shutil.rmtree(folder / "run", ignore_errors=True)
        settings = [*data.settings, *start, f"train.iterations={iterations}", f"train.batch_size={BATCH}", "train.workers=0",
                    "train.evaluate_every=0", "train.save_every=0"]
        return processor_seconds(
            [options.program, "train", "--preset", "small", *common, "--no-doctor", "--seed", seed, "--train-annotations",
             data.train, "--train-images", data.images, "--out", folder / "run"] + [f"--set={s}" for s in settings],
            folder / "train.log")

    few, more = 10, 40
    short = train(few)
    step = (train(more) - short) / (more - few)
    iterations = max(1, round((60 * minutes - short) / step) + few)
    seconds = train(iterations)
    processor_seconds([options.program, "detect", *common, "--checkpoint", folder / "run/checkpoints/last.safetensors",
                       "--annotations", data.val, "--images", data.images, "--json", folder / "detections.json"],
                      folder / "detect.log")
    return {"seconds": seconds, "pictures": iterations * BATCH}


def peer(name, data, minutes, options, seed, folder):
    processor_seconds([options.python, HERE / "torch_scratch.py", "--model", name, "--train", data.train, "--val", data.val,
                       "--images", data.images, "--side", data.side, "--seconds", 60 * minutes, "--seed", seed,
                       "--threads", 1, "--out", folder], folder / "train.log")
    return json.loads((folder / "numbers.json").read_text())


def run(name, data, minutes, options, seed):
    """A run's numbers: from its folder where it has been made, for good or before this program was ended."""
    folder = options.out / data.name / f"{name}_{minutes:g}_{seed}"
    result = folder / "result.json"
    if not result.exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        numbers = (diopter if name.startswith("diopter") else peer)(name, data, minutes, options, seed, folder)
        processor_seconds([options.program, "evaluate", "--annotations", data.val, "--detections",
                           folder / "detections.json", "--json", folder / "metrics.json"], folder / "evaluate.log")
        metrics = json.loads((folder / "metrics.json").read_text())["stats"]  # COCO's 12 numbers
        numbers.update(AP=100 * metrics[0], AP50=100 * metrics[1])
        partial = folder / "result.part"
        partial.write_text(json.dumps(numbers))
        partial.rename(result)
    numbers = json.loads(result.read_text())
    print(f"{data.name}, {name}, {minutes:g} min, seed {seed}: AP {numbers['AP']:.1f}", file=sys.stderr, flush=True)
    return numbers


def write_runs(out):
    """All runs of the folder, also those of other calls."""
    with open(out / "runs.csv", "w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["set", "detector", "minutes", "seed", "seconds", "pictures", "AP", "AP50"])
        for result in sorted(out.glob("*/*/result.json")):
            numbers = json.loads(result.read_text())
            table.writerow([result.parts[-3], *result.parts[-2].rsplit("_", 2), f"{numbers['seconds']:.0f}",
                            numbers["pictures"], f"{numbers['AP']:.2f}", f"{numbers['AP50']:.2f}"])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="+", metavar="SET")
    parser.add_argument("--python", default=sys.executable, help="interpreter that has torch, torchvision and ultralytics")
    parser.add_argument("--out", type=pathlib.Path, required=True, help="folder of all runs; what it has is not made again")
    parser.add_argument("--program", default=HERE.parents[1] / "build/release/diopter")
    parser.add_argument("--with", dest="contenders", default="diopter,diopter_scratch,yolo11n,yolov8n,ssdlite,retinanet")
    parser.add_argument("--minutes", type=float, nargs="+", default=[2])
    parser.add_argument("--seeds", type=int, default=1)
    options = parser.parse_args()
    sets = [Set(text) for text in options.sets]
    print("| data | detector | seconds | pictures | AP | AP50 |\n|---|---|---|---|---|---|")
    for data, minutes, name in itertools.product(sets, options.minutes, options.contenders.split(",")):
        runs = [run(name, data, minutes, options, seed) for seed in range(1, options.seeds + 1)]
        mean = {key: statistics.mean(numbers[key] for numbers in runs) for key in runs[0]}
        print(f"| {data.name} | {name} | {mean['seconds']:.0f} | {mean['pictures']:.0f} | {mean['AP']:.1f} | "
              f"{mean['AP50']:.1f} |", flush=True)
    write_runs(options.out)


if __name__ == "__main__":
    main()
