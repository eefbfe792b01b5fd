#!/usr/bin/env python3
"""Registers, shared memory and resident threads of every kernel, as nvcc makes it: docs/kernels/registers.md.

    tools/kernels/registers.py                                  sm_80 to sm_120, as a table
    tools/kernels/registers.py --arch sm_90 --json FILE         one architecture, written down to compare with later
    tools/kernels/registers.py --arch sm_90 --before FILE       beside what was written down
    tools/kernels/registers.py --source FOLDER                  of another checkout

A row is a kernel with all its instantiations, from the least to the most. Resident threads per multiprocessor follow from
registers and static shared memory, for blocks of 256 threads. A warning of the compiler ends it with 1, and so does a spill.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

# Threads and bytes of shared memory per multiprocessor; all have 4 x 16384 registers (CUDA C++ Programming Guide,
# compute capabilities).
MULTIPROCESSORS = {"sm_80": (2048, 164 << 10), "sm_86": (1536, 100 << 10), "sm_89": (1536, 100 << 10),
                   "sm_90": (2048, 228 << 10), "sm_100": (2048, 228 << 10), "sm_120": (1536, 100 << 10)}
BLOCK = 256

ENTRY = re.compile(r"Compiling entry function '(\S+)' for '(sm_\d+)'")
SPILLS = re.compile(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads")
USED = re.compile(r"Used (\d+) registers(.*)")
SHARED = re.compile(r"(\d+) bytes smem")


def resident_threads(arch, registers, shared):
    most, memory = MULTIPROCESSORS[arch]
    per_quarter = 16384 // (-(-registers // 8) * 8 * 32)  # warps; registers come in eights per thread
    blocks = min(most, 4 * per_quarter * 32) // BLOCK
    return min(blocks, memory // (shared + 1024)) * BLOCK  # a kilobyte per block is the system's


def read_usage(text):
    """[(mangled name, arch, registers, shared memory, spilled bytes)] of what ptxas -v prints."""
    usage, name, arch, spilled = [], None, None, 0
    for line in text.splitlines():
        if match := ENTRY.search(line):
            name, arch = match.groups()
        elif match := SPILLS.search(line):
            spilled = int(match.group(2)) + int(match.group(3))
        elif (match := USED.search(line)) and name:
            shared = SHARED.search(match.group(2))
            usage.append((name, arch, int(match.group(1)), int(shared.group(1)) if shared else 0, spilled))
            name = None
    return usage


def short_name(demangled):
    """The kernel without namespaces, arguments and parameters."""
    name = demangled.replace("(anonymous namespace)::", "")
    name = re.split(r"[<(]", name)[0]
    return name.split()[-1].split("::")[-1]


def compile_file(nvcc, includes, file, archs):
    targets = [f"-gencode=arch=compute_{a[3:]},code={a}" for a in archs]
    command = [nvcc, "-std=c++20", "-O3", *(f"-I{folder}" for folder in includes), "-Xptxas=-v", "-fatbin", *targets,
               "-o", os.devnull, str(file)]
    return subprocess.run(command, capture_output=True, text=True)


def span(values):
    low, high = min(values), max(values)
    return str(low) if low == high else f"{low} - {high}"


def rows_of(usage, names):
    """{(file, kernel): {arch: {"registers": [...], "shared": [...], "threads": [...]}}}"""
    rows = {}
    for file, mangled, arch, registers, shared, _ in usage:
        row = rows.setdefault(f"{file} {short_name(names[mangled])}", {})
        figures = row.setdefault(arch, {"registers": [], "shared": [], "threads": []})
        figures["registers"].append(registers)
        figures["shared"].append(shared)
        figures["threads"].append(resident_threads(arch, registers, shared))
    return rows


def plain_key(key):
    file, kernel = key.split()
    return f"{Path(file).name} {kernel}"


def shown(key):
    file, kernel = key.split()
    return f"{Path(file).stem}: `{kernel}`"


def print_comparison(rows, before, arch):
    print(f"| kernel ({arch}) | instantiations | registers before | now | threads before | now | shared memory before | now |")
    print("|---|---|---|---|---|---|---|---|")
    by_name = {plain_key(key): row for key, row in before.items()}  # files may have moved to another folder
    for key, row in rows.items():
        old, now = by_name.get(plain_key(key), {}).get(arch), row[arch]
        cells = [shown(key), str(len(now["registers"]))]
        for figure in ("registers", "threads", "shared"):
            cells += [span(old[figure]) if old else "", span(now[figure])]
        print("| " + " | ".join(cells) + " |")


def print_table(rows, archs):
    print("| kernel | instantiations | shared memory | " + " | ".join(f"{a}: registers, threads" for a in archs) + " |")
    print("|---|---|---|" + "---|" * len(archs))
    for key, row in rows.items():
        first = row[archs[0]]
        cells = [shown(key), str(len(first["registers"])), span(first["shared"])]
        cells += [f"{span(row[a]['registers'])}, {span(row[a]['threads'])}" for a in archs]
        print("| " + " | ".join(cells) + " |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--arch", default=",".join(MULTIPROCESSORS), help="sm_80,sm_90,... (all)")
    parser.add_argument("--source", default=Path(__file__).resolve().parents[2], type=Path)
    parser.add_argument("--json", metavar="FILE", type=Path)
    parser.add_argument("--before", metavar="FILE", type=Path)
    args = parser.parse_args()
    archs = args.arch.split(",")
    if unknown := [a for a in archs if a not in MULTIPROCESSORS]:
        parser.error(f"--arch takes {', '.join(MULTIPROCESSORS)}, not {unknown[0]}")
    nvcc = shutil.which("nvcc") or shutil.which("/usr/local/cuda/bin/nvcc")
    if not nvcc:
        parser.error("there is no nvcc")
    before = json.loads(args.before.read_text()) if args.before else None

    # Files whose names end in _host are for the host executor only.
    files = sorted(f for f in (args.source / "kernels").rglob("*.cu") if not f.stem.endswith("_host"))
    if not files:
        parser.error(f"{args.source}/kernels holds no .cu")
    generated = next(iter(sorted(args.source.glob("build/*/generated/loss_list.h"))), None)
    if not generated:
        parser.error(f"{args.source}: configure a build first (cmake --preset release): it writes the list of losses")
    includes = [args.source, generated.parent.parent]
    usage, failed = [], False
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        runs = pool.map(lambda file: compile_file(nvcc, includes, file, archs), files)
        for file, run in zip(files, runs):
            if run.returncode or "warning" in run.stdout + run.stderr:
                print(run.stdout + run.stderr, file=sys.stderr)
                failed = True
            place = file.relative_to(args.source)
            for kernel in read_usage(run.stdout + run.stderr):
                usage.append((str(place), *kernel))
                if kernel[-1]:
                    print(f"{place}: {kernel[0]} spills {kernel[-1]} bytes on {kernel[1]}", file=sys.stderr)
                    failed = True

    mangled = sorted({kernel[1] for kernel in usage})
    demangled = subprocess.run(["c++filt"], input="\n".join(mangled), capture_output=True, text=True, check=True)
    rows = rows_of(usage, dict(zip(mangled, demangled.stdout.splitlines())))
    if args.json:
        args.json.write_text(json.dumps(rows, indent=1) + "\n")
    if before is not None:
        print_comparison(rows, before, archs[0])
    else:
        print_table(rows, archs)
    sys.exit(failed)


if __name__ == "__main__":
    main()
