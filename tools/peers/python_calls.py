#!/usr/bin/env python3
"""Calls of the Python package beside torchvision's, in turns: focal loss with its gradient, NMS, matching, box losses; and
what a call costs by itself, with arrays of one element.

    PYTHONPATH=build/release/python python3 tools/peers/python_calls.py [--rounds 11] [--threads 2]

Needs PyTorch and torchvision. Prints medians; "times faster" is the median of the rounds' ratios, from least to most.
"""

import argparse
import statistics
import time

import numpy as np
import torch
import torchvision
from torchvision.models.detection._utils import Matcher

import diopter


def some_boxes(n, size, seed):
    random = np.random.default_rng(seed)
    corners = random.uniform(0, size, (n, 2))
    return torch.from_numpy(np.hstack([corners, corners + random.uniform(8, 128, (n, 2))]).astype(np.float32))


def pairs():
    """(what, ours, theirs) as functions without arguments."""
    logits = (torch.randn(2, 76725, 80) - 5).requires_grad_()
    targets = (torch.rand(2, 76725, 80) < 2e-4).float()

    def focal(library):
        logits.grad = None
        library.sigmoid_focal_loss(logits, targets, reduction="sum").backward()

    yield "sigmoid_focal_loss and gradient, 2 x 76,725 x 80", lambda: focal(diopter), lambda: focal(torchvision.ops)

    boxes, scores, classes = some_boxes(5000, 800, 1), torch.rand(5000), torch.randint(0, 80, (5000,))
    for library_name in ("nms", "batched_nms"):
        arguments = (boxes, scores, 0.5) if library_name == "nms" else (boxes, scores, classes, 0.5)
        yield (
            f"{library_name}, 5,000 boxes",
            lambda name=library_name, a=arguments: getattr(diopter, name)(*a),
            lambda name=library_name, a=arguments: getattr(torchvision.ops, name)(*a),
        )

    grid = diopter.AnchorGrid.retinanet((800, 800))
    anchors, truth, labels = grid.anchors(boxes), some_boxes(12, 700, 2), torch.zeros(12, dtype=torch.int64)
    matcher = Matcher(0.5, 0.4, allow_low_quality_matches=True)
    yield (
        f"matching, {len(grid):,} anchors, 12 boxes",
        lambda: grid.match([truth], [labels], low_quality=True),
        lambda: matcher(torchvision.ops.box_iou(truth, anchors)),
    )

    first, second = some_boxes(20000, 800, 3).requires_grad_(), some_boxes(20000, 800, 4)

    def giou(library):
        first.grad = None
        library.generalized_box_iou_loss(first, second, reduction="sum").backward()

    yield "generalized_box_iou_loss and gradient, 20,000 pairs", lambda: giou(diopter), lambda: giou(torchvision.ops)

    one, zero = torch.randn(1), torch.zeros(1)
    yield (
        "sigmoid_focal_loss of one element",
        lambda: diopter.sigmoid_focal_loss(one, zero),
        lambda: torchvision.ops.sigmoid_focal_loss(one, zero),
    )


def seconds(call, repeats):
    begin = time.perf_counter()
    for _ in range(repeats):
        call()
    return (time.perf_counter() - begin) / repeats


def in_turns(ours, theirs, rounds):
    repeats = [max(1, int(0.02 / seconds(call, 1))) for call in (ours, theirs)]
    times = [[seconds(call, n) for call, n in zip((ours, theirs), repeats)] for _ in range(rounds)]
    ratios = sorted(b / a for a, b in times)
    a, b = (statistics.median(column) for column in zip(*times))
    return a, b, statistics.median(ratios), ratios[0], ratios[-1]


def overhead():
    """Microseconds of processor time of a kernel's call with arrays of one element."""
    x, t, losses = torch.randn(1), torch.zeros(1), torch.empty(1)
    box, iou = torch.tensor([[0.0, 0.0, 1.0, 1.0]]), torch.empty(1, 1)
    for kind, take in (("PyTorch", lambda a: a), ("NumPy", lambda a: a.numpy())):
        arrays = [take(a) for a in (x, t, losses)]
        boxes = [take(a) for a in (box, box, iou)]
        yield f"elementwise_loss, {kind}", lambda a=arrays: diopter._kernels.elementwise_loss("focal", a[0], a[1], 1.0, a[2])
        yield f"box_iou, {kind}", lambda b=boxes: diopter._kernels.box_iou(*b)


def processor_microseconds(call, calls=20000):
    def once():
        begin = time.process_time()
        for _ in range(calls):
            call()
        return (time.process_time() - begin) / calls * 1e6

    return statistics.median(once() for _ in range(7))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print("| what | diopter | torchvision | times faster |\n|---|---|---|---|")
    for what, ours, theirs in pairs():
        a, b, ratio, least, most = in_turns(ours, theirs, options.rounds)
        print(f"| {what} | {a * 1e3:.3g} ms | {b * 1e3:.3g} ms | **{ratio:.2f}** ({least:.2f} to {most:.2f}) |")
    print("\n| call of a kernel, one element | microseconds |\n|---|---|")
    for what, call in overhead():
        print(f"| {what} | {processor_microseconds(call):.2f} |")


if __name__ == "__main__":
    main()
