"""torchvision's RetinaNet with Diopter's focal loss, matching and non-maximum suppression, beside itself.

    PYTHONPATH=build/release/python python3 tests/examples/python/torchvision_retinanet.py [--rounds 5] [--threads 1]

Needs PyTorch and torchvision. Prints medians of processor time of rounds in turns: a training step, and the losses of it.
"""

import argparse
import statistics
import time

import torch
import torchvision
from torchvision.models.detection import RetinaNet
from torchvision.models.detection.backbone_utils import resnet_fpn_backbone

import diopter


class FastRetinaNet(RetinaNet):
    """For the anchors of torchvision's default generator."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.anchor_generator.register_forward_pre_hook(self.remember_size)

    def remember_size(self, _, arguments):
        self.grid = diopter.AnchorGrid.retinanet(arguments[0].tensors.shape[-2:])

    def compute_loss(self, targets, head_outputs, anchors):
        boxes, labels = ([target[key] for target in targets] for key in ("boxes", "labels"))
        matches = self.grid.match(boxes, labels, low_quality=True)
        losses = diopter.losses.classification_loss(head_outputs["cls_logits"], matches.labels)
        return {
            "classification": (losses / matches.positives.clamp(min=1)).mean(),
            "bbox_regression": self.head.regression_head.compute_loss(
                targets, head_outputs, anchors, list(matches.boxes.long())
            ),
        }


def use_nms():
    """From here on every detector of torchvision suppresses with Diopter's kernel."""
    torchvision.ops.boxes.batched_nms = diopter.batched_nms


def models(size=320, classes=91, seed=1):
    """The same weights in torchvision's model and in the fast one, with a ResNet-18."""
    built = []
    for kind in (RetinaNet, FastRetinaNet):
        torch.manual_seed(seed)
        backbone = resnet_fpn_backbone(
            backbone_name="resnet18", weights=None, trainable_layers=5, returned_layers=[2, 3, 4],
            extra_blocks=torchvision.ops.feature_pyramid_network.LastLevelP6P7(256, 256))  # fmt: skip
        built.append(kind(backbone, classes, min_size=size, max_size=size))
    return built


def pictures_with_targets(count=2, size=320, classes=91, objects=12, seed=1):
    torch.manual_seed(seed)
    targets = []
    for _ in range(count):
        corner = torch.rand(objects, 2) * (size - 120)
        boxes = torch.cat([corner, corner + 20 + torch.rand(objects, 2) * 100], 1)
        targets.append({"boxes": boxes, "labels": torch.randint(1, classes, (objects,))})
    return [torch.rand(3, size, size) for _ in range(count)], targets


def seconds(call):
    begin = time.process_time()
    call()
    return time.process_time() - begin


def step(model, pictures, targets):
    model.train()
    model.zero_grad()
    sum(model(pictures, targets).values()).backward()


def loss_alone(model, pictures, targets):
    """A function that computes the losses and their gradients for the head's outputs, and nothing else."""
    model.train()
    seen = {}
    compute, model.compute_loss = model.compute_loss, lambda *arguments: seen.update(arguments=arguments) or {}
    model(pictures, targets)
    model.compute_loss = compute
    of_targets, outputs, anchors = seen["arguments"]
    leaves = {name: output.detach().requires_grad_() for name, output in outputs.items()}

    def call():
        for leaf in leaves.values():
            leaf.grad = None
        sum(model.compute_loss(of_targets, leaves, anchors).values()).backward()

    return call


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    pair, (pictures, targets) = models(), pictures_with_targets()
    cases = [
        ("a training step, forward and backward", [lambda m=m: step(m, pictures, targets) for m in pair]),
        ("of it the losses with matching", [loss_alone(m, pictures, targets) for m in pair]),
    ]
    print("| ResNet-18, 2 pictures of 320 x 320, 91 classes | with Diopter | torchvision | times faster |\n|---|---|---|---|")
    for what, (theirs, ours) in cases:
        theirs(), ours()  # the first call is slower
        times = [(seconds(theirs), seconds(ours)) for _ in range(options.rounds)]
        ratios = sorted(a / b for a, b in times)
        a, b = (statistics.median(column) * 1e3 for column in zip(*times))
        print(f"| {what} | {b:.1f} ms | {a:.1f} ms | **{statistics.median(ratios):.2f}** ({ratios[0]:.2f} to {ratios[-1]:.2f}) |")


if __name__ == "__main__":
    main()
