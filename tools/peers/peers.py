#!/usr/bin/env python3
"""Times diopter against PyTorch, torchvision and pycocotools on the same machine, in turns, and writes a table.

    tools/peers/peers.py [--only step,nms] [--rounds 5] [--quick] [--device cuda] [--python VENV/bin/python]

Every round measures every case once, ours and theirs one after the other; shown are medians over the rounds and the
median of the rounds' ratios. Without --python a virtual environment is made in build/peers/venv and the peers are
installed there from PyPI. What exactly is compared stands in tools/peers/README.md.
"""

import argparse
import contextlib
import datetime
import json
import math
import os
import pathlib
import platform
import resource
import subprocess
import sys
import tempfile
import time
import venv

import report
from sections import LAYOUTS, SECTIONS, Case

HERE = pathlib.Path(__file__).resolve().parent
REPOSITORY = HERE.parents[1]
PACKAGES = ["torch", "torchvision", "pycocotools", "pillow"]


class Failure(Exception):
    """A measurement that came to nothing; the others go on."""


class Data:
    """A synthetic COCO set with one batch of pictures."""
    def __init__(self, folder):
        self.folder = str(folder)
        self.options = ["--annotations", folder / "instances_train.json", "--images", folder / "images"]


class Worker:
    """A Python process that has loaded torch and answers requests (torch_worker.py)."""

    def __init__(self, bench, threads):
        environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}
        self.process = subprocess.Popen([bench.python, HERE / "torch_worker.py"], stdin=subprocess.PIPE, text=True,
                                        stdout=subprocess.PIPE, env=environment, preexec_fn=bench.limit_memory)

    def ask(self, request):
        try:
            self.process.stdin.write(json.dumps(request) + "\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            raise Failure("the PyTorch process died; was there enough memory?")
        answer = json.loads(line)
        if "error" in answer:
            raise Failure(answer["error"])
        return answer

    def end(self):
        """Peak resident size in MiB."""
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        if self.process.returncode is not None:  # it had died and was noticed
            return 0.0
        _, status, usage = os.wait4(self.process.pid, 0)
        self.process.returncode = os.waitstatus_to_exitcode(status)
        return usage.ru_maxrss / 1024


class Bench:
    """Environment of the cases: both programs, data made once, the options."""

    def __init__(self, options, folder, python):
        self.options, self.folder, self.python = options, folder, python
        self.program, self.here = options.program, HERE
        self.device, self.quick, self.short = options.device, options.quick, options.short
        self.variants = options.variants or options.device == "cuda"
        self.threads, self.sides, self.batches = options.threads, options.sizes, options.batches
        self.round = 1
        self.workers = {}
        memory = dict(line.split(":") for line in open("/proc/meminfo"))
        available = int(memory["MemAvailable"].split()[0]) * 1024 * 9 // 10
        # A GPU's driver reserves more addresses than there is memory.
        self.memory_limit = resource.RLIM_INFINITY if options.device == "cuda" else available

    def pick(self, usual, quick, short=None):
        """By the options --quick and --short; without a value for it, short is as usual."""
        return quick if self.quick else short if self.short and short is not None else usual

    def limit_memory(self):
        """A case that needs more memory than there is fails, instead of making the machine swap or kill others."""
        resource.setrlimit(resource.RLIMIT_DATA, (self.memory_limit, self.memory_limit))

    def process(self, command):
        """Wall-clock seconds and peak memory of a process, start-up included."""
        with tempfile.TemporaryFile() as errors:
            start = time.perf_counter()
            process = subprocess.Popen(list(map(str, command)), stdout=subprocess.DEVNULL, stderr=errors,
                                       preexec_fn=self.limit_memory)
            _, status, usage = os.wait4(process.pid, 0)
            seconds = time.perf_counter() - start
            process.returncode = os.waitstatus_to_exitcode(status)
            if process.returncode != 0:
                errors.seek(0)
                lines = errors.read().decode(errors="replace").split("\n")
                last = next((line for line in reversed(lines) if line.strip()), "")
                raise Failure(f"{pathlib.Path(str(command[0])).name} ended with {process.returncode}: {last}")
        return {"seconds": seconds, "peak_mib": usage.ru_maxrss / 1024, "processor_s": usage.ru_utime + usage.ru_stime}

    run = process

    def bench(self, what, *options):
        """`diopter bench`: times from the program, memory from the system unless it is about a GPU."""
        file = self.folder / "times.json"
        answer = self.process([self.program, "bench", what, *options, "--device", self.device, "--json", file])
        times = json.loads(file.read_text())
        peak = times["peak_memory_mib"] if self.device == "cuda" else answer["peak_mib"]
        return {"seconds": times["median_ms"] / 1000, "peak_mib": peak, "values": times["values"]}

    def torch(self, request):
        """An answer of the worker that stays for the whole run."""
        threads = request["threads"]
        worker = self.workers.get(threads)
        if worker is None or worker.process.poll() is not None:
            worker = self.workers[threads] = Worker(self, threads)
        return worker.ask({"device": self.device, **request})

    def torch_alone(self, request):
        """An answer of a process of its own, with its peak memory."""
        worker = Worker(self, request["threads"])
        try:
            answer = worker.ask({"device": self.device, **request})
        finally:
            peak = worker.end()
        return {"peak_mib": peak, **answer}

    def kernel_case(self, section, name, kernel, sizes, part, task, arguments, contenders, tolerance, series="", size=0,
                    types=("f32",)):
        """A kernel of ours against an operation of theirs on the same input, which ours, in the first of the types,
        writes in the first round. contenders: name -> further arguments."""
        size_text = ",".join(f"{n}={v}" for n, v in sizes.items())
        file = self.folder / f"{kernel}_{part}_{size_text}_{types[0]}.safetensors"
        threads, repetitions = self.threads[-1], self.pick(5, quick=2)

        def ours(storage):
            def run():
                out = self.folder / "times.json"
                save = self.save_once(file) if storage == types[0] else []
                self.process([self.program, "kernels", "bench", kernel, "--type", storage, "--case", part, "--size",
                              size_text, "--repetitions", repetitions, "--json", out, "--device", self.device, "--threads",
                              threads, *save])
                return {"seconds": json.loads(out.read_text())[-1]["microseconds"] * 1e-6}
            return run

        def theirs(further):
            return lambda: self.torch({"task": task, "file": str(file), "threads": threads, "repetitions": repetitions,
                                       **arguments, **further})

        return Case(section, name, {storage: ours(storage) for storage in types},
                    {contender: theirs(further) for contender, further in contenders.items()}, series, size, tolerance)

    def save_once(self, file):
        return ["--save", file] if self.python and not file.exists() else []

    def operation_variants(self):
        """Type of ours -> contenders of theirs: name -> further arguments of an operation in torch_kernels.py."""
        if not self.variants:
            return {"f32": {"torchvision": {}}}
        return {"f32": {"eager": {}, "compile": {"compiled": True}},
                "bf16": {"autocast": {"amp": True}, "compile, autocast": {"amp": True, "compiled": True}}}

    def network_variants(self, what):
        """Precision -> contenders of ours: name -> further options; and of theirs: name -> further arguments."""
        if not self.variants:
            return {"": ({"float": []}, {name: dict(layout) for name, layout in LAYOUTS.items()})}
        amp = {"layout": "channels_last", "amp": True}
        theirs = {"autocast": amp, "compile, autocast": {**amp, "compiled": True}}
        if self.device == "cpu":  # bf16 of ours is for GPUs
            return {"float": ({"float": []}, {"eager": {}}), "bf16": ({"float": []}, theirs)}
        bf16 = ["--set", "train.precision=bf16", "--set", "detect.precision=bf16"]
        ours = {"bf16": bf16}
        if what == "step":
            ours["bf16, graph"] = [*bf16, "--set", "train.cuda_graph=true"]
        return {"float": ({"float": []}, {"eager": {"tf32": False}}), "bf16": (ours, theirs)}

    # Data, made when first asked for.

    def made(self, name, command):
        folder = self.folder / name
        if not folder.exists():
            self.run([*command, "--out", folder])
        return folder

    def data(self, side, pictures):
        return Data(self.made(f"data_{side}_{pictures}",
                              [self.program, "shapes", "--train", pictures, "--val", 0, "--size", side, "--objects", 7, 7,
                               "--object-size", 0.08, 0.3, "--empty", 0]))

    def shapes(self):
        sizes = self.pick(["--train", 1000, "--val", 200], quick=["--train", 40, "--val", 8])
        return self.made("shapes", [self.program, "shapes", *sizes, "--size", 64, "--seed", 1])

    def photos(self, width, height, number):
        """A COCO set of JPEG files; of square PNG files where there is no Python to make those."""
        source = self.made(f"squares_{number}", [self.program, "shapes", "--train", number, "--val", 0, "--size",
                                                 max(width, height), "--objects", 7, 7, "--object-size", 0.08, 0.3,
                                                 "--noise", 0.03])
        if not self.python:
            return source
        folder = self.folder / f"photos_{number}"
        if not folder.exists():
            self.torch({"task": "make_photos", "source": str(source), "folder": str(folder), "width": width,
                        "height": height, "threads": self.threads[-1]})
        return folder

    def weights(self, backbone):
        """The same for both sides; needs PyTorch."""
        file = self.folder / f"{backbone}.pth"
        if not file.exists():
            self.torch({"task": "make_weights", "backbone": backbone, "classes": 91, "prior": 0.05, "file": str(file),
                        "threads": self.threads[-1]})
        return file

    def checkpoint(self, backbone, side):
        file = self.folder / f"{backbone}_{side}.safetensors"
        if not file.exists():
            self.run([self.program, "convert", self.weights(backbone), file, "--set", "model.norm_eps=1e-5", "--set",
                      f"input.min_sizes=[{side}]"])
        return file


def python_with_peers(options):
    """The interpreter that is named, or the one of a virtual environment that is made now."""
    if options.ours_only:
        return None
    if options.python:
        return options.python
    folder = REPOSITORY / "build/peers/venv"
    python = folder / "bin/python"
    if not python.exists():
        print(f"installing {', '.join(PACKAGES)} into {folder}", file=sys.stderr)
        venv.create(folder, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *options.pip, *PACKAGES], check=True)
    return python


def machine(options):
    def first_line(*command):
        with contextlib.suppress(FileNotFoundError):  # git, where only the program was brought
            return subprocess.run(command, capture_output=True, text=True, cwd=REPOSITORY).stdout.split("\n")[0]
        return "unknown"

    names = [line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")]
    return {"processor": names[0] if names else platform.machine(), "processors": os.cpu_count(),
            "system": platform.platform(), "load": list(os.getloadavg()), "device": options.device,
            "diopter": first_line(options.program, "--version"),
            "commit": first_line("git", "rev-parse", "--short", "HEAD")}


def hopeless(contenders, name):
    """Whether a contender was more than a quarter slower than another of its side in every round so far: further ones
    would be a waste."""
    mine = contenders[name]
    return len(mine) > 0 and any(len(runs) >= len(mine) and all(m["seconds"] > 1.25 * other["seconds"]
                                                                for m, other in zip(mine, runs))
                                 for runs in contenders.values())


def measure(bench, cases, options, write):
    """Runs all rounds; `write` is called after each case with what there is."""
    results = [{"case": case, "ours": {n: [] for n in case.ours}, "theirs": {n: [] for n in case.theirs}, "failures": {},
                "left_out": []} for case in cases]
    end = time.monotonic() + (options.seconds or math.inf)
    for bench.round in range(1, options.rounds + 1):
        for result in results:
            case = result["case"]
            if case.once and bench.round > 1:
                continue
            contenders = [("ours", name, run) for name, run in case.ours.items()]
            if bench.python:
                contenders += [("theirs", name, run) for name, run in case.theirs.items()]
            if bench.round % 2 == 0:
                contenders.reverse()
            text = []
            for side, name, run in contenders:
                if name in result["failures"] or bench.round > 2 and hopeless(result[side], name):
                    continue
                if time.monotonic() > end:
                    result["left_out"] += [name] if not result[side][name] else []
                    continue
                try:
                    answer = run()
                    result[side][name].append({"round": bench.round, **answer})
                    text.append(f"{name} {report.time_text(answer['seconds'])}")
                except Failure as failure:
                    result["failures"][name] = str(failure)
                    text.append(f"{name} FAILED: {failure}")
            print(f"{datetime.datetime.now():%H:%M:%S} round {bench.round}/{options.rounds} {case.section}: {case.name}: "
                  f"{', '.join(text) or 'no time left'}", file=sys.stderr)
            write(results)
    for worker in bench.workers.values():
        worker.end()
    return results


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default=",".join(SECTIONS), help="sections, separated by commas: " + ", ".join(SECTIONS))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="few and small cases, 1 round: to see that everything runs")
    parser.add_argument("--short", action="store_true", help="one case a section, of a size as in training; 1 round")
    parser.add_argument("--seconds", type=float, help="nothing is begun after this time")
    parser.add_argument("--variants", action="store_true", help="PyTorch eagerly, with autocast to bf16 and compiled, as "
                        "always with --device cuda; in the sections focal, match, step and inference")
    parser.add_argument("--sizes", default="256,512,800", help="pictures' sides in the sections step and inference")
    parser.add_argument("--batches", default="2,8", help="pictures per batch there; with fewer threads only the first")
    parser.add_argument("--threads", default="1,2", help="of step and inference; the last is for all other sections")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--python", help="interpreter with torch, torchvision, pycocotools and pillow")
    parser.add_argument("--pip", nargs="*", default=[], help="further arguments for pip, e.g. --pip=--index-url=URL")
    parser.add_argument("--ours-only", action="store_true", help="without the peers: only our side is timed")
    parser.add_argument("--program", type=pathlib.Path, default=REPOSITORY / "build/release/diopter")
    parser.add_argument("--work", help="folder for data (about 4 GB); by default a temporary one")
    parser.add_argument("--out", type=pathlib.Path, default=REPOSITORY / "build/peers/results",
                        help="OUT.json and OUT.md are written")
    options = parser.parse_args()
    options.only = options.only.split(",")
    for name in options.only:
        if name not in SECTIONS:
            parser.error(f"unknown section '{name}', it is one of {', '.join(SECTIONS)}")
    options.sizes = [int(s) for s in options.sizes.split(",")]
    options.batches = [int(b) for b in options.batches.split(",")]
    options.threads = [int(t) for t in options.threads.split(",")]
    options.program = options.program.resolve()
    if not options.program.exists():
        parser.error(f"{options.program}: not built yet (cmake --preset release && cmake --build --preset release)")
    if options.quick or options.short:
        options.rounds = 1
    return options


def main():
    options = arguments()
    python = python_with_peers(options)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    start = time.time()
    with tempfile.TemporaryDirectory(prefix="diopter-peers-", dir=options.work) as folder:
        bench = Bench(options, pathlib.Path(folder), python)
        about = {"date": f"{datetime.datetime.now():%Y-%m-%d %H:%M}", "machine": machine(options),
                 "rounds": options.rounds, "quick": options.quick}
        if about["machine"]["load"][0] > 0.5:
            print(f"the machine is busy (load {about['machine']['load'][0]:.1f}): ratios will be wrong", file=sys.stderr)
        if python:
            about["versions"] = bench.torch({"task": "versions", "threads": options.threads[-1]})
        cases = [case for name in options.only for case in SECTIONS[name](bench)]

        def write(results):
            about["seconds"] = time.time() - start
            summary = report.summarise(about, results)
            options.out.with_suffix(".json").write_text(json.dumps(summary, indent=1) + "\n")
            options.out.with_suffix(".md").write_text(report.markdown(summary))

        results = measure(bench, cases, options, write)
    print(options.out.with_suffix(".md").read_text())
    failed = [r for r in results if r["failures"]] + report.too_different(results)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    try:
        main()
    except Failure as failure:
        sys.exit(f"peers.py: {failure}")
    except KeyboardInterrupt:
        sys.exit(130)
