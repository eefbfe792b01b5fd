"""Cases that peers.py compares: a list for each section, each with the contenders of both sides.

A contender is a function without arguments that makes one measurement and returns {"seconds": ..., ...}; "peak_mib" is
added where there is a meaning to it, "difference" is how far the results of PyTorch are from ours on the same input.
"""

import dataclasses
import json
import shutil
import sys

CLASSES = 91  # of torchvision's COCO models
PRIOR = 0.05  # of inference: half of all scores are above the threshold, and each level has its 1000 candidates
LAYOUTS = {"contiguous": {"layout": "contiguous_format"}, "channels_last": {"layout": "channels_last"}}


@dataclasses.dataclass
class Case:
    section: str
    name: str
    ours: dict                 # name of the contender -> function
    theirs: dict
    series: str = ""           # cases that differ only in `size`, in ascending order
    size: float = 0
    tolerance: float = 1.0     # for "difference"
    once: bool = False         # only about the difference: not timed


# (a) Convolution layers ----------------------------------------------------------------------------------------------

def layers(side):
    """Name, sizes for diopter, stride: the layers of a ResNet and RetinaNet on pictures of `side` pixels."""
    def on_map(stride_before, channels, out, kernel=3, stride=1):
        sizes = {"map": side // stride_before, "in": channels, "out": out, "kernel": kernel, "stride": stride}
        text = f"{kernel}x{kernel} {channels} to {out}" + (f", stride {stride}" if stride > 1 else "")
        return f"{text}, {side // stride_before}^2", sizes, stride

    yield ("stem " + on_map(1, 3, 64, 7, 2)[0], *on_map(1, 3, 64, 7, 2)[1:])
    for stride_before, channels in ((4, 64), (8, 128), (16, 256), (32, 512)):
        yield on_map(stride_before, channels, channels)
    yield on_map(4, 128, 128, 3, 2)
    for stride_before, channels, out in ((4, 64, 256), (4, 256, 64), (8, 128, 512), (8, 512, 128), (16, 1024, 256),
                                         (32, 2048, 512), (32, 2048, 256)):
        yield on_map(stride_before, channels, out, 1)
    for what, out in (("tower", 256), ("classes", 9 * CLASSES), ("boxes", 36)):
        yield f"head, {what}: 3x3 256 to {out}, P3 to P7 of {side}^2", {"side": side, "in": 256, "out": out}, 1


def convolutions(bench):
    passes = {"forward": "forward", "data": "backward, data", "weight": "backward, weight"}
    theirs, types, tolerance = dict(LAYOUTS), ["f32"], 1e-3
    if bench.device == "cuda":
        theirs["bf16, channels_last"] = {"layout": "channels_last", "amp": True}
        types.append("bf16")
        tolerance = 0.03  # their bf16 against our float
    for side in bench.pick([256, 512], quick=[128]):
        for name, sizes, stride in list(layers(side))[:bench.pick(None, quick=2)]:
            for part, text in passes.items():
                if name.startswith("stem") and part == "data":
                    continue  # no one needs it
                yield bench.kernel_case("conv", f"{name}: {text}", "conv2d", {"images": 2, **sizes}, part, "convolution",
                                        {"part": part, "stride": stride}, theirs, tolerance, types=types)


# (b) Networks --------------------------------------------------------------------------------------------------------

def networks(bench, what):
    text = {"step": "training step", "inference": "inference"}[what]
    for backbone in bench.pick(["resnet18", "resnet50"], quick=["resnet18"], short=["resnet50"]):
        if bench.python and bench.device == "cpu":
            yield agreement_case(bench, what, backbone)
        for threads in bench.pick(bench.threads, quick=bench.threads[-1:]):
            for batch in bench.pick(bench.batches if threads == bench.threads[-1] else bench.batches[:1], quick=[2]):
                for side in bench.pick(bench.sides, quick=[128]):
                    for precision, contenders in bench.network_variants(what).items():
                        yield network_case(bench, what, text, backbone, threads, batch, side, precision, *contenders)


def network_case(bench, what, text, backbone, threads, batch, side, precision, ours_further, theirs_further):
    data = bench.data(side, batch)
    # Rounds repeat them anyway: few where a single one takes a minute.
    work = batch * side * side / 2 / 256**2 / threads * (2 if what == "step" else 1)
    repetitions = bench.pick(1 if work > 8 and bench.device == "cpu" else 3, quick=1)
    warm_up = 1 if bench.device == "cpu" else 3  # the second step of a compiled network may compile again
    # Of a GPU the worker that stays tells the memory itself; starting another takes as long as much of the rest.
    ask = bench.torch_alone if bench.device == "cpu" else bench.torch
    sizes = ["--size", side, "--batch", batch, "--classes", CLASSES, "--warm-up", warm_up, "--repetitions", repetitions,
             "--threads", threads]
    # The threads that are allowed do all of the work; beside a GPU others prepare batches.
    network = ["--preset", "torchvision", "--set", f"model.backbone={backbone}", "--set",
               f"train.workers={0 if bench.device == 'cpu' else 8}",
               "--set", f"model.prior={PRIOR if what == 'inference' else 0.01}"]

    def ours(settings):
        return lambda: bench.bench(what, *network, *settings, *sizes, *data.options)

    def theirs(options):
        request = {"task": what, "data": data.folder, "backbone": backbone, "size": side, "classes": CLASSES,
                   "warm_up": warm_up, "repetitions": repetitions, "threads": threads, **options}
        if what == "inference":
            request["prior"] = PRIOR
        return lambda: ask(request)

    about = f"{text}, {precision}" if precision else text
    return Case(what, f"{backbone}, {batch} x {side}^2, {threads} threads: {about}",
                {name: ours(further) for name, further in ours_further.items()},
                {name: theirs(further) for name, further in theirs_further.items()},
                f"{what} {backbone} {batch} {threads} {precision}", side * side)


def agreement_case(bench, what, backbone):
    """Both sides with the same weights on the same two pictures: losses of a step, or detections and their scores."""
    data, side, threads = bench.data(256, 2), 256, bench.threads[-1]
    values = {}

    def ours():
        answer = bench.bench(what, "--preset", "torchvision", "--set", f"model.backbone={backbone}", "--set",
                             f"model.weights={bench.weights(backbone)}", "--set", "augment.flip=0", "--size", side,
                             "--batch", 2, "--classes", CLASSES, "--warm-up", 0, "--repetitions", 1, "--threads", threads,
                             *data.options)
        values["ours"] = answer["values"]
        return answer

    def theirs():
        request = {"task": what, "data": data.folder, "backbone": backbone, "size": side, "classes": CLASSES, "warm_up": 0,
                   "repetitions": 1, "threads": threads, "weights": str(bench.weights(backbone))}
        answer = bench.torch_alone({**request, "prior": PRIOR} if what == "inference" else request)
        difference = max(abs(a - b) / max(abs(a), abs(b)) for a, b in zip(values["ours"], answer["values"]))
        return {**answer, "difference": difference}

    compared = "losses" if what == "step" else "number and scores of detections"
    return Case(what, f"{backbone}: {compared} with equal weights", {"diopter": ours}, {"torchvision": theirs},
                tolerance=1e-3, once=True)


# (c) Whole processes -------------------------------------------------------------------------------------------------

def detect(bench):
    if not bench.python:
        return  # who would make the weights?
    side = bench.pick(512, quick=128)
    for backbone in bench.pick(["resnet18", "resnet50"], quick=["resnet18"]):
        for pictures in bench.pick([1, 100], quick=[1, 3]):
            yield detect_case(bench, backbone, side, pictures)


def detect_case(bench, backbone, side, pictures):
    threads = bench.threads[-1]
    photos = bench.photos(640, 480, bench.pick(100, quick=8))
    files = sorted((photos / "images").iterdir())[:pictures]
    out = bench.folder / "detections"

    def ours():
        shutil.rmtree(out, ignore_errors=True)
        return bench.process([bench.program, "detect", "--checkpoint", bench.checkpoint(backbone, side), *files, "--out", out,
                              "--json", bench.folder / "ours.json", "--device", bench.device, "--threads", threads])

    def theirs():
        shutil.rmtree(out, ignore_errors=True)
        answer = bench.process([bench.python, bench.here / "torch_detect.py", "--weights", bench.weights(backbone),
                                "--backbone", backbone, "--size", side, "--threads", threads, "--device", bench.device,
                                "--out", out, "--json", bench.folder / "theirs.json", *files])
        number = [len(json.loads((bench.folder / f"{who}.json").read_text())) for who in ("ours", "theirs")]
        return {**answer, "difference": abs(number[0] - number[1]) / max(*number, 1)}

    return Case("detect", f"{backbone}, {side} px, pictures: {pictures}", {"diopter detect": ours},
                {"torchvision script": theirs}, f"detect {backbone}", pictures, 0.02)


def train(bench):
    """The preset `small_sgd` on the built-in shapes; a seed each round."""
    data = bench.shapes()
    iterations = bench.pick(1500, quick=60)
    threads = bench.threads[-1]

    def ours():
        out = bench.folder / "train_ours"
        shutil.rmtree(out, ignore_errors=True)
        answer = bench.process([bench.program, "train", "--preset", "small_sgd", "--train-annotations",
                                data / "instances_train.json", "--train-images", data / "images", "--val-annotations",
                                data / "instances_val.json", "--val-images", data / "images", "--out", out, "--seed",
                                bench.round, "--device", bench.device, "--threads", threads, "--set",
                                f"train.iterations={iterations}", "--set", f"train.evaluate_every={iterations // 3}"])
        curve, seconds = [], {}
        for line in (out / "metrics.csv").read_text().splitlines()[1:]:
            columns = line.split(",")
            if columns[1]:
                seconds[columns[0]] = float(columns[1])
            else:
                known = [s for i, s in seconds.items() if int(i) <= int(columns[0])]
                curve.append([int(columns[0]), known[-1], float(columns[10])])
        return {**answer, "ap": curve[-1][2], "curve": curve}

    def theirs(layout):
        def measure():
            out = bench.folder / "train_theirs"
            shutil.rmtree(out, ignore_errors=True)
            answer = bench.process([bench.python, bench.here / "torch_train.py", "--data", data, "--out", out, "--iterations",
                                    iterations, "--evaluate-every", iterations // 3, "--seed", bench.round, "--threads",
                                    threads, "--device", bench.device, "--layout", layout])
            curve = []
            for iteration, seconds in json.loads((out / "times.json").read_text()):
                bench.run([bench.program, "evaluate", "--annotations", data / "instances_val.json", "--detections",
                           out / f"{iteration}.json", "--json", out / "ap.json"])
                curve.append([iteration, seconds, json.loads((out / "ap.json").read_text())["stats"][0]])
            return {**answer, "ap": curve[-1][2], "curve": curve}
        return measure

    yield Case("train", f"shapes 64 px, preset small_sgd, {iterations} iterations of 8", {"diopter train": ours},
               {name: theirs(**layout) for name, layout in LAYOUTS.items()})


# (d) Single stages of detection --------------------------------------------------------------------------------------

def anchors_of(side):
    """Anchors of a picture: 9 a pixel of P3 to P7."""
    total, size = 0, side // 8
    for _ in range(5):
        total += 9 * size * size
        size = (size + 1) // 2
    return total


def match(bench):
    for boxes in bench.pick([10, 100, 1000], quick=[10], short=[100]):
        for side in bench.pick([256, 512, 1024], quick=[256], short=[1024]):
            yield bench.kernel_case("match", f"{boxes} boxes, {anchors_of(side):,} anchors", "match",
                                    {"side": side, "boxes": boxes}, "", "match", {}, bench.operation_variants()["f32"],
                                    1e-3, f"{boxes} boxes", anchors_of(side))


def focal_loss(bench):
    cases = [(classes, side) for classes in (1, 20, 80) for side in (256, 512, 1024)] + [(1200, 256), (1200, 512)]
    for classes, side in bench.pick(cases, quick=[(20, 256)], short=[(80, 1024)]):
        for storage, contenders in bench.operation_variants().items():
            name = f"{anchors_of(side):,} anchors, {classes} classes" + (f", {storage}" if bench.variants else "")
            # Theirs in bf16 rounds the probability, too.
            yield bench.kernel_case("focal", name, "classification_loss", {"side": side, "classes": classes}, "",
                                    "focal_loss", {"classes": classes}, contenders, 1e-3 if storage == "f32" else 0.05,
                                    f"{classes} classes, {storage}", anchors_of(side), types=(storage,))


def nms(bench):
    for classes in bench.pick([1, 80, 1200], quick=[80], short=[80]):
        for boxes in bench.pick([10, 100, 1000, 10_000, 100_000, 200_000], quick=[10, 1000], short=[1000, 10_000]):
            sizes = {"boxes": boxes, "classes": classes, "kept": boxes}
            yield bench.kernel_case("nms", f"{boxes:,} boxes, {classes} classes", "nms", sizes, "", "nms", {},
                                    {"torchvision": {}}, 1e-2, f"{classes} classes", boxes)


def postprocess(bench):
    for classes in bench.pick([3, 91, 1200], quick=[91]):
        for side in bench.pick([256, 512, 1024] if bench.quick or classes < 1000 else [256, 512], quick=[256]):
            yield postprocess_case(bench, classes, side)


def postprocess_case(bench, classes, side):
    threads, file = bench.threads[-1], bench.folder / f"postprocess_{classes}_{side}.safetensors"
    repetitions = bench.pick(9, quick=3)
    options = ["--preset", "torchvision", "--set", "model.backbone=tiny", "--size", side, "--batch", 1, "--classes",
               classes, "--repetitions", repetitions, "--threads", threads]

    def ours():
        return bench.bench("postprocess", *options, *bench.save_once(file))

    def theirs():
        return bench.torch({"task": "postprocess", "file": str(file), "side": side, "images": 1, "classes": classes,
                            "repetitions": bench.pick(5, quick=2), "threads": threads})

    return Case("postprocess", f"{anchors_of(side):,} anchors, {classes} classes", {"diopter": ours},
                {"torchvision": theirs}, f"{classes} classes", anchors_of(side), 1e-3)


def evaluation(bench):
    """Files in, COCO's 12 numbers out, as processes."""
    for pictures, detections in bench.pick([(50, 1000), (500, 20_000), (2000, 200_000), (5000, 500_000)],
                                           quick=[(50, 1000)]):
        yield evaluation_case(bench, pictures, detections)


def evaluation_case(bench, pictures, detections):
    def files():
        folder = bench.folder / f"evaluation_{detections}"
        if not folder.exists():
            folder.mkdir()
            bench.run([sys.executable, bench.here / "coco_case.py", "make", folder, "--pictures", pictures, "--detections",
                       detections])
        return folder

    def ours(*options):
        return lambda: bench.process([bench.program, "evaluate", "--annotations", files() / "truth.json", "--detections",
                                      files() / "found.json", "--json", files() / "ours.json", *options])

    def theirs():
        answer = bench.process([bench.python, bench.here / "coco_case.py", "evaluate", files()])
        numbers = [json.loads((files() / f"{who}.json").read_text())["stats"] for who in ("ours", "theirs")]
        return {**answer, "difference": max(abs(a - b) for a, b in zip(*numbers))}

    return Case("evaluation", f"{detections:,} detections, {pictures:,} pictures, 80 classes",
                {"all threads": ours(), "1 thread": ours("--threads", 1)}, {"pycocotools": theirs}, "evaluation",
                detections, 1e-9)


# (e) Data loading ----------------------------------------------------------------------------------------------------

def loading(bench):
    """JPEG files to normalised batches of 8: decode, flip, resize to a shorter side of 512."""
    data = bench.photos(640, 480, bench.pick(100, quick=8))
    size, batch, batches = bench.pick((512, 8, 25), quick=(128, 2, 4))
    for workers in bench.pick([0, 2], quick=[0]):
        def ours(workers=workers):
            return bench.bench("loading", "--preset", "torchvision", "--set", f"train.workers={workers}", "--size", size,
                               "--set", "input.max_size=1333", "--batch", batch, "--repetitions", batches, "--annotations",
                               data / "instances_train.json", "--images", data / "images", "--threads", 1)

        def theirs(decoder, workers=workers):
            return lambda: bench.torch({"task": "loading", "data": str(data), "size": size, "batch": batch,
                                        "batches": batches, "workers": workers, "decoder": decoder, "threads": 1})

        text = f"{workers} workers" if workers else "in the caller's thread"
        yield Case("loading", f"batches of {batch}, 640 x 480 to {size} px, {text}", {"diopter": ours},
                   {name: theirs(name) for name in ("pillow", "torchvision.io")})


SECTIONS = {
    "conv": convolutions,
    "step": lambda bench: networks(bench, "step"),
    "inference": lambda bench: networks(bench, "inference"),
    "detect": detect,
    "train": train,
    "match": match,
    "focal": focal_loss,
    "nms": nms,
    "postprocess": postprocess,
    "evaluation": evaluation,
    "loading": loading,
}
