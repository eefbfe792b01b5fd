#!/usr/bin/env python3
"""Weights through diopter and back are the same bits: torchvision's RetinaNets with random weights, saved with
torch.save, through `diopter convert` twice, into load_state_dict(strict=True).

Run by a developer with PyTorch, torchvision and safetensors in a virtual environment:
  python3 tests/golden/check_round_trip.py build/release/diopter
"""
import pathlib
import subprocess
import sys
import tempfile

import torch
from safetensors.torch import load_file
from torchvision.models import resnet18, resnet50
from torchvision.models.detection import RetinaNet, retinanet_resnet50_fpn, retinanet_resnet50_fpn_v2
from torchvision.models.detection.backbone_utils import _resnet_fpn_extractor
from torchvision.ops import misc
from torchvision.ops.feature_pyramid_network import LastLevelP6P7


def with_frozen_norms(resnet, classes):
    """What retinanet_resnet50_fpn builds when it is given weights."""
    backbone = resnet(weights=None, norm_layer=misc.FrozenBatchNorm2d)
    pyramid = _resnet_fpn_extractor(backbone, 3, returned_layers=[2, 3, 4], extra_blocks=LastLevelP6P7(256, 256))
    return RetinaNet(pyramid, classes)


MODELS = {
    "v1": lambda: retinanet_resnet50_fpn(weights=None, weights_backbone=None),
    "v2": lambda: retinanet_resnet50_fpn_v2(weights=None, weights_backbone=None),
    "v2 with 5 classes": lambda: retinanet_resnet50_fpn_v2(weights=None, weights_backbone=None, num_classes=5),
    "v1 with frozen norms": lambda: with_frozen_norms(resnet50, 91),
    "resnet18 with frozen norms": lambda: with_frozen_norms(resnet18, 7),
}


def fill(model):
    """Random numbers in every entry, the running values and counts included."""
    generator = torch.Generator().manual_seed(1)
    for name, tensor in model.state_dict().items():
        if name.endswith("num_batches_tracked"):
            tensor.fill_(1234)
        else:
            tensor.copy_(torch.randn(tensor.shape, generator=generator))
            if name.endswith("running_var"):
                tensor.abs_()


def old_spelling(state):
    """The names that torchvision used before 0.13, under which the published v1 weights are stored."""
    renamed = {}
    for name, tensor in state.items():
        parts = name.split(".")
        if "_blocks" in name and "extra" not in name:
            del parts[4]
        if len(parts) == 6 and parts[2] == "conv":
            parts[3:5] = [str(2 * int(parts[3]))]
        renamed[".".join(parts)] = tensor
    return renamed


def convert(program, *arguments):
    subprocess.run([program, "convert", *map(str, arguments)], check=True, stdout=subprocess.DEVNULL)


def bits(tensor):
    return tensor.contiguous().flatten().view(torch.uint8)


def check(program, folder, name, make, save):
    source, target = make(), make()
    fill(source)
    state = source.state_dict()
    save(state, folder / "in.pth")
    convert(program, folder / "in.pth", folder / "diopter.safetensors")
    convert(program, folder / "diopter.safetensors", folder / "out.safetensors", "--to", "torchvision")
    target.load_state_dict(load_file(folder / "out.safetensors"), strict=True)
    for key, tensor in target.state_dict().items():
        assert tensor.dtype == state[key].dtype and torch.equal(bits(tensor), bits(state[key])), f"{name}: {key} differs"
    print(f"{name}: {len(state)} tensors, bit-equal")


def main():
    torch.manual_seed(0)
    ways = {
        "": torch.save,
        ", older file format": lambda state, file: torch.save(state, file, _use_new_zipfile_serialization=False),
        ", in a training checkpoint": lambda state, file: torch.save(
            {"model": state, "optimizer": torch.optim.SGD([torch.zeros(2)], 0.1).state_dict(), "epoch": 3}, file),
    }
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for model, make in MODELS.items():
            for way, save in ways.items():
                check(sys.argv[1], folder, model + way, make, save)
        check(sys.argv[1], folder, "v1, older names", MODELS["v1 with frozen norms"],
              lambda state, file: torch.save(old_spelling(state), file))


if __name__ == "__main__":
    main()
