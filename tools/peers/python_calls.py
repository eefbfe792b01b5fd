#!/usr/bin/env python3
"""Calls of the Python package beside torchvision's, in turns: focal loss with its gradient, NMS, matching, box losses; and
what a call costs by itself, with arrays of one element.

    PYTHONPATH=build/release/python python3 tools/peers/python_calls.py [--rounds 11] [--threads 2] [--overhead]

Needs PyTorch and torchvision. Prints medians; "times faster" is the median of the rounds' ratios, from least to most. Times of calls
are processor time, the least of 25 rounds.
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
    """(function, its arguments, of one element)"""
    x, t, box, score = torch.randn(1), torch.zeros(1), torch.tensor([[0.0, 0.0, 1.0, 1.0]]), torch.rand(1)
    label = torch.zeros(1, dtype=torch.int64)
    grid = diopter.AnchorGrid([(1, 1)], [(8, 8)], [[(-4, -4, 4, 4)]])
    for reduction in ("none", "sum", "mean"):
        yield f"`sigmoid_focal_loss`, {reduction}", diopter.sigmoid_focal_loss, (x, t, 0.25, 2, reduction)
    yield '`losses.elementwise_loss`, "poly"', diopter.losses.elementwise_loss, (x, t, "poly")
    yield "`losses.value_and_gradient`", diopter.losses.value_and_gradient, (x, t)
    for reduction in ("none", "mean"):
        yield f"`generalized_box_iou_loss`, {reduction}", diopter.generalized_box_iou_loss, (box, box, reduction)
    yield "`box_iou`", diopter.box_iou, (box, box)
    yield "`nms`", diopter.nms, (box, score, 0.5)
    yield "`batched_nms`", diopter.batched_nms, (box, score, label, 0.5)
    yield "`AnchorGrid.anchors`", grid.anchors, (box,)
    yield "`AnchorGrid.match`", grid.match, ([box], [label])


def as_numpy(argument):
    if isinstance(argument, list):
        return [as_numpy(one) for one in argument]
    return argument.numpy() if isinstance(argument, torch.Tensor) else argument


class Nothing(torch.autograd.Function):
    """What PyTorch itself takes for an operation that is written in Python."""

    @staticmethod
    def forward(ctx, x):
        return x.view_as(x)

    @staticmethod
    def backward(ctx, of_result):
        return of_result


class NothingKept(torch.autograd.Function):
    """The same for one like ours: six arguments, of which a tensor is kept for going back."""

    @staticmethod
    def forward(ctx, x, targets, kernel, scale, none, library):
        ctx.save_for_backward(targets)
        return x.view_as(x)

    @staticmethod
    def backward(ctx, of_result):
        return of_result, None, None, None, None, None


def with_gradients():
    """(operation, call) of one element that needs a gradient, forward"""
    x, t = torch.randn(1).requires_grad_(), torch.zeros(1)
    other = torch.tensor([[0.0, 0.0, 1.0, 1.0]])
    boxes = other.clone().requires_grad_()
    yield "an operation in Python that does nothing", lambda: Nothing.apply(x)
    yield "the same of six arguments, which keeps a tensor", lambda: NothingKept.apply(x, t, None, 1.0, True, None)
    yield "an addition of PyTorch", lambda: x + t
    yield "`sigmoid_focal_loss`", lambda: diopter.sigmoid_focal_loss(x, t)
    yield "`generalized_box_iou_loss`", lambda: diopter.generalized_box_iou_loss(boxes, other)


def processor_microseconds(call, calls=2000):
    """The least of 25 rounds: what else the machine does only adds."""

    def once():
        begin = time.process_time()
        for _ in range(calls):
            call()
        return (time.process_time() - begin) / calls * 1e6

    return min(once() for _ in range(25))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--overhead", action="store_true", help="the second and third table only")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if not options.overhead:
        print("| what | diopter | torchvision | times faster |\n|---|---|---|---|")
    for what, ours, theirs in () if options.overhead else pairs():
        a, b, ratio, least, most = in_turns(ours, theirs, options.rounds)
        print(f"| {what} | {a * 1e3:.3g} ms | {b * 1e3:.3g} ms | **{ratio:.2f}** ({least:.2f} to {most:.2f}) |")
    print("\n| microseconds of a call, one element | NumPy | PyTorch |\n|---|---|---|")
    for what, function, arguments in overhead():
        times = [
            processor_microseconds(lambda a=tuple(map(convert, arguments)): function(*a))
            for convert in (as_numpy, lambda argument: argument)
        ]
        print(f"| {what} | {times[0]:.2f} | {times[1]:.2f} |")
    print("\n| recorded for going back | PyTorch |\n|---|---|")
    for what, call in with_gradients():
        print(f"| {what} | {processor_microseconds(call):.2f} |")


if __name__ == "__main__":
    main()
