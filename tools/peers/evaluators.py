#!/usr/bin/env python3
"""Times `diopter evaluate` against three COCO evaluators on the same files, in turns, and compares all cells.

    tools/peers/evaluators.py --python VENV/bin/python [--program build/release/diopter] [--rounds 5] [--folder DIR]

VENV has pycocotools, ultrafast-pycocotools, hotcoco and safetensors from PyPI. Each measurement is a whole process, which
starts, reads two files and gives COCO's 12 numbers; it may use one or two processors (its affinity). Shown are medians: time,
processor time, largest resident memory. The cases are made by coco_case.py when they are not in the folder.
"""

import argparse
import os
import pathlib
import statistics
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
CASES = {"1,000": (50, 80, 1000), "500,000": (5000, 80, 500_000), "733,000": (5000, 80, 733_000),
         "1,200,000": (80_000, 365, 1_200_000)}  # detections: pictures, categories, detections
PARTS = {"pycocotools": ["--at-once", "20"]}  # it would take over 23 GiB for the last case
PEERS = ["pycocotools", "ultrafast_pycocotools", "hotcoco"]


def measure(command, processors):
    start = time.perf_counter()
    process = subprocess.Popen(list(map(str, command)), stdout=subprocess.DEVNULL,
                               preexec_fn=lambda: os.sched_setaffinity(0, processors))
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    if status != 0:
        sys.exit(f"{command[0]}: failed")
    return seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def compare_cells(python, commands, peers, folder):
    """What of precision, scores and recall each peer has otherwise than ours."""
    script = """
import sys, numpy, safetensors.numpy
ours = safetensors.numpy.load_file(sys.argv[1])
theirs = numpy.load(sys.argv[2])
for name in ("precision", "scores", "recall"):
    a, b = ours[name], numpy.asarray(theirs[name]).reshape(ours[name].shape)
    if not numpy.array_equal(a, b):
        print(f"{name}: {(a != b).sum()} of {a.size} cells differ, by up to {abs(a - b).max():.1e}", end="; ")
"""
    measure([*commands["diopter"], "--arrays", folder / "cells.safetensors"], os.sched_getaffinity(0))
    differences = {}
    for peer in peers:
        measure([*commands[peer], "--cells", folder / "cells.npz", *PARTS.get(peer, [])], os.sched_getaffinity(0))
        differences[peer] = subprocess.run([python, "-c", script, folder / "cells.safetensors", folder / "cells.npz"],
                                           check=True, capture_output=True, text=True).stdout.rstrip("; ")
    return differences


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", required=True, help="interpreter that has the peers")
    parser.add_argument("--program", default=HERE.parents[1] / "build/release/diopter")
    parser.add_argument("--folder", type=pathlib.Path, default=HERE.parents[1] / "build/evaluators",
                        help="of the cases")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES)[1:])
    parser.add_argument("--processors", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--without", nargs="+", choices=PEERS, default=[], help="pycocotools takes minutes")
    parser.add_argument("--cells", nargs="*", choices=PEERS, help="compare all cells, once for each case, with these; "
                        "without a name, with those that are timed")
    options = parser.parse_args()
    print("| detections | processors | program | time | processor time | memory |\n|---|---|---|---|---|---|")
    for name in options.cases:
        pictures, categories, detections = CASES[name]
        folder = options.folder / str(detections)
        if not folder.exists():
            folder.mkdir(parents=True)
            subprocess.run([sys.executable, HERE / "coco_case.py", "make", folder, "--pictures", str(pictures),
                            "--categories", str(categories), "--detections", str(detections)], check=True)
        commands = {"diopter": [options.program, "evaluate", "--annotations", folder / "truth.json", "--detections",
                                folder / "found.json"]}
        for peer in PEERS:
            commands[peer] = [options.python, HERE / "coco_case.py", "evaluate", folder, "--with", peer]
        for count in options.processors:
            processors = sorted(os.sched_getaffinity(0))[:count]
            runs = {program: [] for program in commands if program not in options.without}
            for _ in range(options.rounds):
                for program, measured in runs.items():
                    measured.append(measure(commands[program], processors))
            for program, measured in runs.items():
                seconds, busy, memory = (statistics.median(values) for values in zip(*measured))
                print(f"| {name} | {count} | {program} | {seconds:.2f} s | {busy:.2f} s | {memory:.0f} MiB |", flush=True)
        if options.cells is not None:
            peers = options.cells or [peer for peer in PEERS if peer not in options.without]
            for peer, difference in compare_cells(options.python, commands, peers, folder).items():
                print(f"cells of {peer}: {difference or 'all equal'}", flush=True)


if __name__ == "__main__":
    main()
