#!/usr/bin/env python3
"""Plants single-line mistakes in the project, one at a time, and counts how many of them a test notices.

    tests/mutation/run.py [--count 300] [--seed 1] [--resume] [PATH...]

PATH: files or folders to plant in; by default all of kernels, engine, data and retinanet. Mutants come from
tests/mutation/list.txt and, for the rest of --count, by rule (rules.py); those of tests/mutation/equivalent.txt, which no
test can notice, are left out. Everything happens in a copy of the last commit under --out: the working tree is not
touched, whenever the run is ended. docs/mutation.md explains the report.
"""

import argparse
import collections
import json
import pathlib
import sys
import time

import rules
from project import LAYERS, Failure, Project, flavour_of, stages_of

HERE = pathlib.Path(__file__).resolve().parent
LEFT_OUT = ("kernels/host_executor/", "kernels/plain/", "_cudnn.cpp", "_cublas.cpp", "_cuda.cpp", "parallel_serial.cpp",
            "gemm_openblas.cpp", "handles", "libraries.cpp")
CAUGHT = ("killed", "too long")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("paths", nargs="*", help="files or folders; default: kernels engine data retinanet")
    parser.add_argument("--count", type=int, default=300, help="mutants altogether")
    parser.add_argument("--seed", type=int, default=1, help="which of the mutants by rule")
    parser.add_argument("--list", default=str(HERE / "list.txt"), help="mutants that are always planted; '' for none")
    parser.add_argument("--equivalent", default=str(HERE / "equivalent.txt"), help="mutants that are never planted")
    parser.add_argument("--patience", type=float, default=20, help="seconds beyond four times the usual for tests")
    parser.add_argument("--commit", default="HEAD", help="what is planted in")
    parser.add_argument("--resume", action="store_true", help="keep the results that --out holds")
    parser.add_argument("--no-layers-above", action="store_true", help="only the tests of the mutant's own layer")
    parser.add_argument("--minutes", type=float, default=0, help="begin no further mutant after so long; 0: no limit")
    parser.add_argument("--jobs", type=int, default=1, help="of the compiler, side by side")
    parser.add_argument("--memory-gib", type=float, default=8, help="limit for each process")
    parser.add_argument("--repository", default=str(HERE.parents[1]))
    parser.add_argument("--out", help="default: build/mutation in the repository")
    return parser.parse_args()


def listed(file):
    return rules.parse_list(pathlib.Path(file).read_text(), file) if file else []


def chosen(project, options, equivalent):
    """The mutants to plant, those of one file together: the next one's build compiles little then."""
    paths = options.paths or list(LAYERS)
    files = sorted({file for path in paths for file in project.files(path, (".h", ".cpp", ".cu", ".cuh"))
                    if file.split("/")[0] in LAYERS and not any(part in file for part in LEFT_OUT)})
    if not files:
        raise Failure(f"{' '.join(paths)}: no sources to plant mutants in")
    planned = [rules.placed(m, project.read(m.file)) for m in listed(options.list) if m.file in files]
    by_rule = [mutant for file in files for mutant in rules.mutants_of(file, project.read(file))]
    known = {mutant.key for mutant in planned + equivalent}
    drawn = rules.sample([m for m in by_rule if m.key not in known], max(0, options.count - len(planned)), options.seed)
    return sorted(planned[:options.count] + drawn, key=lambda m: (flavour_of(m.file), m.file, m.line, m.new))


def plant(project, mutant, tests, above, patience):
    """The result of one mutant; the file is as it was afterwards."""
    text = project.read(mutant.file)
    flavour = flavour_of(mutant.file)
    stages = stages_of(mutant.file, tests, above)
    result = {"key": mutant.key, "file": mutant.file, "line": mutant.line, "old": mutant.old, "new": mutant.new,
              "rule": mutant.rule}
    try:
        changed = rules.applied(mutant, text)
    except ValueError as error:
        return {**result, "outcome": "not found", "by": str(error)}
    try:
        for stage in stages:
            limit = patience + 4 * project.baseline(flavour, stage, mutant.file, text)
            project.write(mutant.file, changed)
            built, output = project.build(flavour, stage.program)
            if not built:
                return {**result, "outcome": "did not build", "by": last_error(output)}
            outcome, output, _ = project.test(flavour, stage, limit)
            if outcome != "passed":
                by = f"{stage.program} {stage.tests}".strip()
                return {**result, "outcome": "too long" if outcome == "too long" else "killed", "by": by}
    finally:
        project.write(mutant.file, text)
    return {**result, "outcome": "survived", "by": ""}


def last_error(output):
    errors = [line for line in output.split("\n") if "error" in line]
    return errors[0][:200] if errors else output.strip().split("\n")[-1][:200]


def summary(results, equivalent):
    """The report as text and as JSON."""
    counts = collections.Counter(result["outcome"] for result in results)
    caught = sum(counts[outcome] for outcome in CAUGHT)
    score = caught / max(1, caught + counts["survived"])
    lines = [f"{caught + counts['survived']} mutants, {caught} caught ({counts['too long']} of them ran too long): "
             f"{100 * score:.1f} %", f"{counts['did not build']} did not build, {counts['not found']} were not found, "
             f"{len(equivalent)} are listed as equivalent", ""]
    by_layer = {}
    for layer in LAYERS:
        for cuda in (False, True):
            of_layer = [r for r in results if r["file"].split("/")[0] == layer and (flavour_of(r["file"]) == "host") == cuda]
            tried = [r for r in of_layer if r["outcome"] in CAUGHT + ("survived",)]
            if tried:
                name = layer + (" (.cu)" if cuda else "")
                by_layer[name] = [sum(r["outcome"] in CAUGHT for r in tried), len(tried)]
                lines.append(f"{name:<16} {by_layer[name][0]:>4} of {by_layer[name][1]:>4}")
    survivors = [r for r in results if r["outcome"] == "survived"]
    if survivors:
        lines += ["", "survived"]
        lines += [f"  {r['file']}:{r['line']}: {r['rule']}\n    - {r['old']}\n    + {r['new']}" for r in survivors]
    lines += [f"not found  {r['file']}: {r['by']}" for r in results if r["outcome"] == "not found"]
    return "\n".join(lines) + "\n", {"score": score, "counts": counts, "layers": by_layer, "mutants": results}


def write_report(project, results, equivalent):
    text, data = summary(results, equivalent)
    (project.out / "report.txt").write_text(text)
    (project.out / "report.json").write_text(json.dumps({"commit": project.commit, **data}, indent=1) + "\n")
    return text


def main():
    options = arguments()
    repository = pathlib.Path(options.repository).resolve()
    project = Project(repository, pathlib.Path(options.out or repository / "build/mutation").resolve(), options.jobs,
                      options.memory_gib)
    log = project.out / "results.jsonl"
    try:
        project.checkout(options.commit)
        equivalent = listed(options.equivalent)
        mutants = chosen(project, options, equivalent)
        if log.exists() and not options.resume:
            log.unlink()
        known = {}
        if log.exists():
            known = {result["key"]: result for result in map(json.loads, log.read_text().splitlines())}
        tests = project.files("tests", ("_test.cpp",))
        start = time.monotonic()
        for number, mutant in enumerate(mutants, 1):
            if mutant.key in known:
                continue
            if options.minutes and time.monotonic() - start > 60 * options.minutes:
                break
            result = plant(project, mutant, tests, not options.no_layers_above, options.patience)
            known[mutant.key] = result
            with log.open("a") as lines:
                lines.write(json.dumps(result) + "\n")
            print(f"{number}/{len(mutants)} {result['outcome']}: {mutant}", flush=True)
        print("\n" + write_report(project, list(known.values()), equivalent), end="")
    except (Failure, ValueError, OSError) as error:
        print(f"run.py: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nrun.py: go on with the same command and --resume", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
