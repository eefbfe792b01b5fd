"""Pictures as the network sees them: torchvision's GeneralizedRCNNTransform."""

import numpy as np
import torch
from torchvision.models.detection.transform import GeneralizedRCNNTransform

import models
from fixture import Fixture

MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]

# Height and width of the picture, shorter and longer side at most.
CASES = [(120, 160, 200, 333), (97, 130, 200, 333), (60, 200, 128, 213), (213, 100, 80, 133), (64, 64, 64, 64), (33, 50, 800, 133)]


def transformed(cases, dtype):
    """The batch [N, H, W, 3] of pictures of one rule, and their sizes before padding."""
    transform = GeneralizedRCNNTransform(cases[0][2], cases[0][3], MEAN, STD).eval()
    pictures = [models.picture_tensor(f"input.{h}x{w}", h, w, dtype) for h, w, _, _ in cases]
    batch, _ = transform(pictures)
    return models.channels_last(batch.tensors), batch.image_sizes


def make(folder):
    fixture = Fixture("pictures resized and normalised; sizes as the rule of current versions (float64) and of old ones and "
                      "TorchScript (float32) gives them")
    for case in CASES:
        values, sizes = transformed([case], torch.float64)
        name = "x".join(str(n) for n in case)
        fixture.digest(name, values, transformed([case], torch.float32)[0])
        fixture.scalars[name] |= {"case": case, "resized": list(sizes[0]), "padded": list(values.shape[1:3])}
    values, sizes = transformed(CASES[:2], torch.float64)
    fixture.digest("batch", values, transformed(CASES[:2], torch.float32)[0])

    # Sizes of every shorter side, for one ratio: floor(side * scale) with the scale in float64 and in float32.
    transform = GeneralizedRCNNTransform(800, 1333, MEAN, STD).eval()
    sizes = {"float64": [], "float32": []}
    scripted = torch.jit.script(transform)
    shapes = [(short, short * 4 // 3) for short in range(200, 1100, 3)] + [(480, 640), (333, 500), (426, 640), (375, 500)]
    for height, width in shapes:
        picture = torch.zeros(3, height, width)
        for rule, resize in [("float64", transform.resize), ("float32", scripted.resize)]:
            sizes[rule].append(list(resize(picture, None)[0].shape[1:]))
    fixture.put("sizes.pictures", np.array(shapes))
    for rule, values in sizes.items():
        fixture.put(f"sizes.{rule}", np.array(values))
    fixture.scalars["sizes"] = {"pictures": len(shapes),
                                "different": sum(a != b for a, b in zip(sizes["float64"], sizes["float32"]))}
    fixture.write(folder, "inputs")
