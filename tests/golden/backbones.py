"""Feature maps C3, C4, C5 of each backbone and the pyramid P3 .. P7 above it, with both sources of P6."""

import torch

import formula
import models
from fixture import Fixture

HEIGHT, WIDTH = 96, 136


def maps(model, dtype):
    """C3, C4, C5 and P3 .. P7, [N, H, W, C] each."""
    model.to(dtype).eval()
    images = torch.from_numpy(formula.uniform("backbones.images", 2 * HEIGHT * WIDTH * 3, 0, 2)
                              .reshape(2, HEIGHT, WIDTH, 3)).permute(0, 3, 1, 2).to(dtype)
    with torch.no_grad():
        found = list(model.backbone.body(images).values()) + list(model.backbone(images).values())
    return [models.channels_last(m) for m in found]


def make(folder):
    fixture = Fixture("C3, C4, C5, P3, P4, P5, P6, P7 of two pictures of 96 x 136")
    for backbone in ("resnet18", "resnet34", "resnet50", "resnet101"):
        for structure in ("v1", "v2"):
            model = models.fill(models.build(structure, backbone, classes=2))
            exact = maps(model, torch.float64)
            models.fill(model.float())
            rough = maps(model, torch.float32)
            for level, a, b in zip(("C3", "C4", "C5", "P3", "P4", "P5", "P6", "P7"), exact, rough):
                if structure == "v1" or level in ("P6", "P7"):
                    fixture.digest(f"{backbone}.{structure}.{level}", a, b)
    fixture.write(folder, "backbones")
