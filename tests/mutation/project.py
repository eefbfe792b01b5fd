"""The copy of the project that mutants are built and tested in: a git worktree with build folders of its own."""

import dataclasses
import os
import pathlib
import re
import resource
import shutil
import signal
import subprocess
import time

LAYERS = {  # whose tests notice a mistake: those of the layer itself, then those of the layers above
    "kernels": ["kernels", "engine", "retinanet"],
    "engine": ["engine", "retinanet"],
    "data": ["data", "retinanet"],
    "retinanet": ["retinanet"],
}
LINKER = ["-DCMAKE_EXE_LINKER_FLAGS=-fuse-ld=lld"] if shutil.which("ld.lld") else []  # in a tenth of the time
FLAVOURS = {  # CMake's options, as the presets' of which ccache knows most objects
    "cpu": [*LINKER, "-DCMAKE_BUILD_TYPE=Release", "-DDIOPTER_CUDA=off"],
    "host": [*LINKER, "-DCMAKE_BUILD_TYPE=Release", "-DDIOPTER_CUDA=host"],
}


@dataclasses.dataclass(frozen=True)
class Stage:
    """Tests to run: a program and Catch2's selection of its tests, "" for all."""
    program: str
    tests: str


class Failure(Exception):
    """One line about what keeps mutants from being tested at all."""


def flavour_of(file):
    return "host" if file.endswith((".cu", ".cuh")) else "cpu"


def stages_of(file, tests, above):
    """What to run for a mutant of `file`, the nearest first. `tests`: the test files of the tree. A file's own tests
    are those of its name, as tests mirror the tree; then come those of its folder, its layer and, with `above`, those
    of the layers that are built on it."""
    path = pathlib.PurePosixPath(file)
    layer = path.parts[0]
    # conv2d_host.cu and conv2d_plans.h are about what conv2d_test.cpp is about; comparison_tables.cpp, comparison's.
    stem, own = re.sub(r"_(cuda|host)$", "", path.stem), ""
    while stem and not own:
        name = f"{stem}_test"
        own = name if any(pathlib.PurePosixPath(t).stem == name for t in tests if t.startswith(f"tests/{layer}/")) else ""
        stem = stem.rpartition("_")[0]
    folder = f"tests/{path.parent}/"
    near = sorted({pathlib.PurePosixPath(t).stem for t in tests if t.startswith(folder)} - {own})
    program = f"{layer}_tests"
    stages = [Stage(program, f"[#{own}]")] if own else []
    if near and str(path.parent) != layer:
        stages.append(Stage(program, ",".join(f"[#{name}]" for name in near)))
    stages.append(Stage(program, ""))
    if above and flavour_of(file) == "cpu":
        stages += [Stage(f"{upper}_tests", "") for upper in LAYERS[layer][1:]]
    return stages


class Project:
    def __init__(self, repository, out, jobs, memory_gib):
        self.repository, self.out, self.jobs = pathlib.Path(repository), pathlib.Path(out), jobs
        self.tree, self.scratch = self.out / "tree", self.out / "scratch"
        self.memory = int(memory_gib * 2**30)
        self.baselines, self.configured = {}, set()

    def checkout(self, commit):
        """A clean copy of the commit; what an earlier run built there stays and is built on."""
        self.out.mkdir(parents=True, exist_ok=True)
        git = ["git", "-C", str(self.repository)]
        wanted = subprocess.run([*git, "rev-parse", "--verify", f"{commit}^{{commit}}"], capture_output=True, text=True)
        if wanted.returncode != 0:
            raise Failure(f"{self.repository}: holds no commit {commit}")
        self.commit = wanted.stdout.strip()
        subprocess.run([*git, "worktree", "prune"], check=True)
        if not (self.tree / ".git").exists():
            shutil.rmtree(self.tree, ignore_errors=True)
            command = [*git, "worktree", "add", "--detach", "--force", str(self.tree), self.commit]
        else:
            command = ["git", "-C", str(self.tree), "checkout", "--quiet", "--force", "--detach", self.commit]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            raise Failure(f"{self.tree}: cannot be checked out: {done.stderr.strip().splitlines()[-1]}")

    def files(self, folder, endings):
        listed = subprocess.run(["git", "-C", str(self.tree), "ls-files", folder], capture_output=True, text=True,
                                check=True).stdout.split("\n")
        return [name for name in listed if name.endswith(endings)]

    def read(self, file):
        return (self.tree / file).read_text()

    def write(self, file, text):
        """Writes a file of the copy, unless it is so already: what is written anew is compiled anew."""
        if self.read(file) != text:
            (self.tree / file).write_text(text)

    def run(self, command, limit, environment=None):
        """(exit code, last output, seconds); the exit code is None where the time was up. All processes end with it."""
        def limited():
            resource.setrlimit(resource.RLIMIT_AS, (self.memory, self.memory))
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        start, log = time.monotonic(), self.out / "output.txt"
        with log.open("wb") as output:
            process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                                       start_new_session=True, preexec_fn=limited,
                                       env={**os.environ, **(environment or {})})
            try:
                code = process.wait(limit)
            except subprocess.TimeoutExpired:
                code = None
            finally:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)
                    process.wait()
        with log.open("rb") as output:
            output.seek(max(0, log.stat().st_size - 4000))
            return code, output.read().decode(errors="replace"), time.monotonic() - start

    def build(self, flavour, program, limit=1800):
        """Whether the program can be built, and the compiler's words."""
        folder = self.out / flavour
        if flavour not in self.configured:
            code, output, _ = self.run(["cmake", "-G", "Ninja", "-S", str(self.tree), "-B", str(folder),
                                        *FLAVOURS[flavour]], limit)
            if code != 0:
                raise Failure(f"{folder}: cannot be configured: {output.strip().splitlines()[-1]}")
            self.configured.add(flavour)
        code, output, _ = self.run(["ninja", "-C", str(folder), f"-j{self.jobs}", program], limit)
        return code == 0, output

    def test(self, flavour, stage, limit):
        """(outcome, words): passed, failed, or "too long"."""
        shutil.rmtree(self.scratch, ignore_errors=True)
        self.scratch.mkdir()
        program = self.out / flavour / "tests" / stage.program
        command = [str(program), "--filenames-as-tags", "--abort", *([stage.tests] if stage.tests else [])]
        code, output, seconds = self.run(command, limit, {"TMPDIR": str(self.scratch)})
        outcome = "passed" if code == 0 else "too long" if code is None else "failed"
        return outcome, output, seconds

    def baseline(self, flavour, stage, file, text):
        """Seconds that the stage takes without a mutant, with the file's own text; it must pass then."""
        if (flavour, stage) not in self.baselines:
            self.write(file, text)
            built, output = self.build(flavour, stage.program)
            if not built:
                raise Failure(f"{stage.program} cannot be built without a mutant: {output.strip().splitlines()[-1]}")
            outcome, output, seconds = self.test(flavour, stage, 3600)
            if outcome != "passed":
                (self.out / "baseline.txt").write_text(output)
                raise Failure(f"{stage.program} {stage.tests} fails without a mutant: see {self.out}/baseline.txt")
            self.baselines[flavour, stage] = seconds
        return self.baselines[flavour, stage]
