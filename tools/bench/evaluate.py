#!/usr/bin/env python3
"""Times `diopter evaluate` against pycocotools on a made-up data set of the size of COCO val2017.

    tools/bench/evaluate.py [--rounds 5] [--venv DIR] [--program build/release/diopter] [--json OUT]

Both read the same two JSON files and compute COCO's 12 numbers, as programs of their own and in turns. Shown are the
medians of wall-clock time, of processor time (which suffers less from other work on the machine) and of peak memory;
the numbers must agree to 1e-9. Needs pycocotools: --venv names a virtual environment that has it; without, one is made
in the temporary folder and pycocotools is installed there from PyPI.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time
import venv

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
IMAGES, CATEGORIES, OBJECTS, DETECTIONS = 5000, 80, 36000, 500000
TOLERANCE = 1e-9
REFERENCE = """
import contextlib, io, json, sys, time
start = time.perf_counter()
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
with contextlib.redirect_stdout(io.StringIO()):
    truth = COCO(sys.argv[1])
    found = truth.loadRes(sys.argv[2])
    loaded = time.perf_counter()
    evaluation = COCOeval(truth, found, "bbox")
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
json.dump({"stats": list(evaluation.stats), "compute_s": time.perf_counter() - loaded}, open(sys.argv[3], "w"))
"""
MAKE_CASE = """
import json, sys
import numpy as np
images, categories, objects, detections = map(int, sys.argv[2:6])
random = np.random.default_rng(2017)
# Sizes and the uneven frequency of the classes resemble those of COCO.
frequency = 1 / (np.arange(categories) + 3.0)
image = random.integers(1, images + 1, objects)
category = random.choice(categories, objects, p=frequency / frequency.sum()) + 1
size = np.exp(random.normal(4.0, 1.1, (objects, 2))).clip(4, 400)
corner = random.uniform(0, 1, (objects, 2)) * (np.array([640, 480]) - size).clip(0)
box = np.round(np.concatenate([corner, size], 1), 2)
crowd = random.uniform(size=objects) < 0.01
area = np.round(0.7 * box[:, 2] * box[:, 3], 2)
annotations = [{"id": i + 1, "image_id": int(image[i]), "category_id": int(category[i]), "bbox": box[i].tolist(),
                "area": float(area[i]), "iscrowd": int(crowd[i])} for i in range(objects)]
pictures = [{"id": i + 1, "file_name": f"{i + 1:012d}.jpg", "width": 640, "height": 480} for i in range(images)]
json.dump({"images": pictures, "categories": [{"id": k + 1, "name": f"class {k + 1}"} for k in range(categories)],
           "annotations": annotations}, open(sys.argv[1] + "/truth.json", "w"))
# A third lies near an object, mostly with its class; the rest is background of low score, in images that have objects.
origin = random.integers(0, objects, detections)
near = random.uniform(size=detections) < 0.33
right = near & (random.uniform(size=detections) < 0.9)
found = np.where(right, category[origin], random.integers(1, categories + 1, detections))
spread = random.choice([0.03, 0.1, 0.3], detections)[:, None]
w_h = size[origin] * np.exp(random.normal(0, 1, (detections, 2)) * spread)
x_y = np.where(near[:, None], corner[origin] + random.normal(0, 1, (detections, 2)) * spread * size[origin],
               random.uniform(0, 1, (detections, 2)) * 400)
score = np.where(near, random.beta(3, 2, detections), random.beta(1, 8, detections))
boxes = np.round(np.concatenate([x_y, w_h], 1), 2)
json.dump([{"image_id": int(image[origin[i]]), "category_id": int(found[i]), "bbox": boxes[i].tolist(),
            "score": float(np.round(score[i], 5))} for i in range(detections)], open(sys.argv[1] + "/found.json", "w"))
"""


def python_with_pycocotools(folder):
    python = pathlib.Path(folder) / "bin/python"
    if not python.exists():
        venv.create(folder, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "pycocotools"], check=True)
    return python


def run(command):
    """Wall-clock seconds, processor seconds and peak memory in MiB of a process."""
    start = time.perf_counter()
    process = subprocess.Popen(list(map(str, command)), stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"{command[0]} ended with {process.returncode}")
    return time.perf_counter() - start, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--venv", help="virtual environment with pycocotools")
    parser.add_argument("--program", default=REPOSITORY / "build/release/diopter")
    parser.add_argument("--json", help="write the figures to this file")
    options = parser.parse_args()

    with tempfile.TemporaryDirectory(prefix="diopter-bench-") as folder:
        python = python_with_pycocotools(options.venv or folder + "/venv")
        sizes = map(str, (IMAGES, CATEGORIES, OBJECTS, DETECTIONS))
        subprocess.run([python, "-c", MAKE_CASE, folder, *sizes], check=True)
        truth, found = folder + "/truth.json", folder + "/found.json"
        ours = [options.program, "evaluate", "--annotations", truth, "--detections", found,
                "--json", folder + "/ours.json"]
        commands = {
            "pycocotools": [python, "-c", REFERENCE, truth, found, folder + "/theirs.json"],
            "diopter evaluate": ours,
            "diopter evaluate --threads 1": [*ours, "--threads", "1"],
            "with --errors --bootstrap 1000": [*ours, "--errors", "--bootstrap", "1000"],
        }
        samples = {name: [] for name in commands}
        compute = []
        for round_number in range(options.rounds):
            for name, command in commands.items():
                print(f"round {round_number + 1}/{options.rounds}: {name}", file=sys.stderr)
                samples[name].append(run(command))
            compute.append(json.load(open(folder + "/theirs.json"))["compute_s"])
        stats = [json.load(open(f"{folder}/{who}.json"))["stats"] for who in ("ours", "theirs")]

    difference = max(abs(a - b) for a, b in zip(*stats))
    columns = ["seconds", "processor_s", "peak_mib"]
    figures = {name: dict(zip(columns, map(statistics.median, zip(*runs)))) for name, runs in samples.items()}
    reference = figures["pycocotools"]
    print(f"{IMAGES} images, {CATEGORIES} categories, {OBJECTS} objects, {DETECTIONS} detections; "
          f"medians of {options.rounds} rounds\n")
    print("| program | time | times faster | processor time | times less | peak memory |\n|---|---|---|---|---|---|")
    for name, f in figures.items():
        f["times_faster"] = reference["seconds"] / f["seconds"]
        f["times_less_processor"] = reference["processor_s"] / f["processor_s"]
        print(f"| {name} | {f['seconds']:.2f} s | {f['times_faster']:.1f} | {f['processor_s']:.2f} s "
              f"| {f['times_less_processor']:.1f} | {f['peak_mib']:.0f} MiB |")
    figures["pycocotools"]["after_reading_s"] = statistics.median(compute)
    print(f"\npycocotools after reading the files: {statistics.median(compute):.2f} s; AP {stats[0][0]:.4f}; "
          f"largest difference of the 12 numbers: {difference:.1e}")
    if options.json:
        result = {"figures": figures, "largest_difference": difference}
        pathlib.Path(options.json).write_text(json.dumps(result, indent=1) + "\n")
    if difference > TOLERANCE:
        sys.exit(f"the numbers differ by {difference}")


if __name__ == "__main__":
    main()
