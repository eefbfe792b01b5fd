"""Losses and their gradients with respect to the head's outputs, for outputs that the formula gives."""

import torch
from torchvision.models.detection._utils import _box_loss
from torchvision.models.detection.retinanet import RetinaNetHead
from torchvision.ops import sigmoid_focal_loss

import formula
import scenes
from anchors import grid_sizes, torchvision_anchors
from fixture import Fixture
from matching import match

CELLS, CLASSES = 9, 7
IMAGES = ["scattered", "empty", "crowded"]


def outputs(kind, values, centre, spread, dtype):
    """Head outputs, one leaf a level [N, H, W, cells * values], and together as torchvision has them [N, anchors, values]."""
    leaves = []
    for level, (h, w) in enumerate(grid_sizes(scenes.HEIGHT, scenes.WIDTH)):
        shape = (len(IMAGES), h, w, CELLS * values)
        numbers = formula.uniform(f"losses.{kind}.{level}", len(IMAGES) * h * w * CELLS * values, centre, spread)
        leaves.append(torch.from_numpy(numbers.reshape(shape)).to(dtype).requires_grad_())
    return leaves, torch.cat([leaf.reshape(len(IMAGES), -1, values) for leaf in leaves], dim=1)


def make(folder):
    fixture = Fixture("losses and gradients; the mean over images of (sum / positives of the image) unless named otherwise")
    anchors = torch.from_numpy(torchvision_anchors(scenes.HEIGHT, scenes.WIDTH))
    boxes = [torch.from_numpy(scenes.all_scenes()[name]) for name in IMAGES]
    labels = [torch.from_numpy(scenes.labels_of(b, CLASSES)) for b in boxes]
    matched = [match(b, anchors, True) for b in boxes]
    head = RetinaNetHead(256, CELLS, CLASSES)

    def focal_sums(logits, alpha, gamma):
        sums = []
        for x, m, label in zip(logits, matched, labels):
            target = torch.zeros_like(x)
            target[m >= 0, label[m[m >= 0]]] = 1
            sums.append(sigmoid_focal_loss(x[m != -2], target[m != -2], alpha=alpha, gamma=gamma, reduction="sum"))
        return sums

    def box_sums(deltas, kind, beta):
        return [_box_loss(kind, head.regression_head.box_coder, anchors.to(x.dtype)[m >= 0], b.to(x.dtype)[m[m >= 0]],
                          x[m >= 0], {"beta": beta}) for x, m, b in zip(deltas, matched, boxes)]

    def targets(dtype):
        return [{"boxes": b.to(dtype), "labels": l} for b, l in zip(boxes, labels)]

    positives = [int((m >= 0).sum()) for m in matched]
    fixture.scalars["positives"] = positives

    def per_image(sums):
        return sum(s / max(1, n) for s, n in zip(sums, positives)) / len(sums)

    logits_of = lambda dtype: outputs("logits", CLASSES, -2.0, 6.0, dtype)
    deltas_of = lambda dtype: outputs("deltas", 4, 0.0, 1.0, dtype)
    cases = {
        "focal": (logits_of, lambda x: head.classification_head.compute_loss(targets(x.dtype), {"cls_logits": x}, matched)),
        "cross_entropy": (logits_of, lambda x: per_image(focal_sums(x, -1, 0))),
        "focal_half": (logits_of, lambda x: per_image(focal_sums(x, 0.5, 0.5))),
        "smooth_l1": (deltas_of, lambda x: per_image(box_sums(x, "smooth_l1", 1 / 9))),
    }
    for kind in ("l1", "giou", "diou", "ciou"):
        def run(x, kind=kind):
            head.regression_head._loss_type = kind
            return head.regression_head.compute_loss(targets(x.dtype), {"bbox_regression": x},
                                                     [anchors.to(x.dtype)] * len(IMAGES), matched)
        cases[kind] = (deltas_of, run)

    for name, (inputs, loss) in cases.items():
        values, gradients = [], []
        for dtype in (torch.float64, torch.float32):
            leaves, joined = inputs(dtype)
            value = loss(joined)
            value.backward()
            values.append(value.item())
            gradients.append(torch.cat([leaf.grad.reshape(-1) for leaf in leaves]).numpy())
        fixture.scalars[name] = {"loss": values[0], "float32_error": abs(values[1] - values[0]) / values[0]}
        fixture.digest(name + ".gradient", gradients[0], gradients[1])

    # The other normalisers: the paper divides by the positives of the batch, Detectron2 by a moving average of them.
    total = max(1, sum(positives))
    classification = sum(focal_sums(logits_of(torch.float64)[1], 0.25, 2.0)).item()
    box = sum(box_sums(deltas_of(torch.float64)[1], "l1", 0.0)).item()
    fixture.scalars["batch"] = {"classification": classification / total, "box": box / total}
    average, steps = 100.0, []
    for _ in range(3):
        average = 0.9 * average + 0.1 * total
        steps.append({"classification": classification / average, "box": box / average})
    fixture.scalars["ema"] = steps
    fixture.write(folder, "losses")
