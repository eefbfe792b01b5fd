#!/usr/bin/env python3
"""Whether each source compiles by itself, through clang: builds by folders (cmake/Unity.cmake) hide a missing #include.

    tests/structure/includes.py [--build FOLDER] [--jobs N] [FOLDER or FILE...]

Of everything without a folder. --build has compile_commands.json, build/includes without, which is then configured.
Ends with 1 when a file does not compile.
"""

import argparse
import json
import os
import shlex
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def configure(build):
    # clang cannot read the precompiled headers that GCC's builds name in their commands.
    for command in (["cmake", "--preset", "release", "-B", build, "-DCMAKE_DISABLE_PRECOMPILE_HEADERS=ON"],
                    ["cmake", "--build", build, "--target", "generated_headers"]):
        subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL, check=True)


def commands(build, places):
    """{file: (folder, command)}; a file that several programs are built from once."""
    found = {}
    for entry in json.loads((build / "compile_commands.json").read_text()):
        file = Path(entry["directory"], entry["file"]).resolve()
        wanted = (file.is_relative_to(place) for place in places) if places else (not file.is_relative_to(ROOT / "build"),)
        if file in found or not any(wanted):
            continue
        words = shlex.split(entry["command"])
        compiler = next(i for i, word in enumerate(words) if Path(word).name in ("c++", "g++", "clang++"))
        output = words.index("-o")
        flags = words[compiler + 1 : output] + words[output + 2 :]
        found[file] = (entry["directory"], ["clang++", "-fsyntax-only", "-w", *(flag for flag in flags if flag != "-c")])
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=Path)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("places", nargs="*", type=lambda text: Path(text).resolve())
    options = parser.parse_args()
    build = options.build or ROOT / "build/includes"
    if not options.build:
        configure(build)
    files = commands(build, options.places)
    if not files:
        parser.error("no source lies there")

    def errors_of(file):
        folder, command = files[file]
        run = subprocess.run(command, cwd=folder, capture_output=True, text=True)
        lines = run.stderr.splitlines()
        return ([line for line in lines if " error: " in line] or [f"{file}: {lines}"]) if run.returncode else []

    wrong = 0
    with ThreadPoolExecutor(options.jobs) as pool:
        for errors in pool.map(errors_of, files):
            wrong += bool(errors)
            print(*errors[:3], sep="\n", end="\n" if errors else "", flush=True)
    print(f"{len(files)} files, {wrong} of them do not compile by themselves")
    sys.exit(wrong > 0)


if __name__ == "__main__":
    main()
