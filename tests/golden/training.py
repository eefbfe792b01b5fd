"""Five steps of SGD, both structures: losses, the gradient of every parameter in the first step, parameters and running
statistics after the last.

v1 has frozen norms and trains layer2 .. layer4, pyramid and heads, all with weight decay. v2 trains everything, norms by
the batch's statistics and without weight decay. A batch has three pictures, the last without boxes.

Where the input of a ReLU is as small as a rounding error, float32 may take the other side of its kink: torchvision's own
gradients in float32 are then 1e-3 and more away from float64, whatever computes them. The pictures are small, and their
seed is searched such that no such input occurs in the first step: see kink_distance()."""

import numpy as np
import torch
from torchvision.models.detection.image_list import ImageList

import formula
import models
import scenes
from fixture import Fixture

IMAGES, STEPS, CLASSES, TILE = 3, 5, 11, 16
MOMENTUM, CLS_BIAS = 0.9, -4.0
DECAY = 0.05  # so large that it shows after five steps
CLEAR = 2.5e-6

# `seed` of the pictures is the first that is tried.
CASES = {
    "v1": dict(backbone="resnet50", trainable=3, gain=0.02, lr=2e-4, height=64, width=32, seed=24),
    "v2": dict(backbone="resnet50", trainable=5, gain=2.0, lr=1e-4, height=32, width=64, seed=25),
    "v1_resnet18": dict(backbone="resnet18", trainable=3, gain=0.05, lr=2e-4, height=64, width=96, seed=20),
}


def boxes_of(case, step, image):
    return scenes.random_boxes(f"training.boxes.{step}.{image}", 0 if image == IMAGES - 1 else 3 + image, 12, 30,
                               case["height"], case["width"])


def batch(case, step, dtype):
    """Normalised pictures [N, 3, H, W], tiles of one colour with noise, and their targets. (Noise alone has no structure
    that reaches C5: batch norms would divide by next to nothing, and gradients would be 1e-2 away in float32.)"""
    height, width = case["height"], case["width"]
    tiles = (IMAGES, height // TILE, width // TILE, 3)
    colours = formula.uniform(f"training.tiles.{step}", int(np.prod(tiles)), 0, 2, case["seed"]).reshape(tiles)
    noise = formula.uniform(f"training.noise.{step}", IMAGES * height * width * 3, 0, 0.5, case["seed"])
    pixels = colours.repeat(TILE, axis=1).repeat(TILE, axis=2) + noise.reshape(IMAGES, height, width, 3)
    images = torch.from_numpy(pixels).permute(0, 3, 1, 2).to(dtype)
    targets = []
    for i in range(IMAGES):
        boxes = boxes_of(case, step, i)
        targets.append({"boxes": torch.from_numpy(boxes).to(dtype), "labels": torch.from_numpy(scenes.labels_of(boxes, CLASSES))})
    return images, targets


def build(name, case, dtype):
    model = models.build(name[:2], case["backbone"], CLASSES, trainable=case["trainable"])
    return models.fill(model, cls_gain=case["gain"], cls_bias=CLS_BIAS).to(dtype).train()


def kink_distance(model, case):
    """The smallest |x| / rms(x) of all inputs x of ReLUs that gradients flow through, in the first step."""
    smallest = []

    def look(module, inputs):
        x = inputs[0].detach()
        if inputs[0].requires_grad:
            smallest.append((x.abs().min() / x.square().mean().sqrt()).item())

    hooks = [m.register_forward_pre_hook(look) for m in model.modules() if isinstance(m, torch.nn.ReLU)]
    model.head(list(model.backbone(batch(case, 0, torch.float64)[0]).values()))
    for hook in hooks:
        hook.remove()
    return min(smallest)


def parameter_groups(model, structure):
    """Parameters that are trained, those of norms apart: v2's recipe gives them no weight decay."""
    norms, others = [], []
    for module in model.modules():
        is_norm = isinstance(module, (torch.nn.BatchNorm2d, torch.nn.GroupNorm))
        (norms if is_norm else others).extend(p for p in module.parameters(recurse=False) if p.requires_grad)
    groups = [{"params": others, "weight_decay": DECAY}, {"params": norms, "weight_decay": 0.0}]
    return groups if structure == "v2" else groups[:1]


def train(name, case, dtype):
    """Losses of each step, gradients of the first, and the state after the last, by name."""
    structure, model = name[:2], build(name, case, dtype)
    optimizer = torch.optim.SGD(parameter_groups(model, structure), lr=case["lr"], momentum=MOMENTUM)
    losses, gradients = [], {}
    for step in range(STEPS):
        images, targets = batch(case, step, dtype)
        features = list(model.backbone(images).values())
        anchors = model.anchor_generator(ImageList(images, [(case["height"], case["width"])] * IMAGES), features)
        found = model.compute_loss(targets, model.head(features), anchors)
        optimizer.zero_grad()
        sum(found.values()).backward()
        losses.append([found["classification"].item(), found["bbox_regression"].item()])
        if step == 0:
            gradients = {n: p.grad.numpy().copy() for n, p in model.named_parameters() if p.requires_grad}
        optimizer.step()
    trained = {n for n, p in model.named_parameters() if p.requires_grad}
    state = {n: t.detach().numpy() for n, t in model.state_dict().items()
             if n in trained or (structure == "v2" and "running" in n)}
    return losses, gradients, state


def search_seed(name, case):
    """The first seed of the pictures from case["seed"] on that is clear of kinks."""
    model = build(name, case, torch.float64)  # its running statistics change, but a step in training does not read them
    for seed in range(case["seed"], case["seed"] + 300):
        case = case | {"seed": seed}
        distance = kink_distance(model, case)
        print(f"{name} seed {seed}: {distance:.1e} from a kink")
        if distance > CLEAR:
            return case, distance
    raise RuntimeError(name)


def make(folder):
    for name, case in CASES.items():
        case, distance = search_seed(name, case)
        fixture = Fixture("losses (classification, box) of five steps; gradient.NAME: of the first step; after.NAME: parameters "
                          "and running statistics after the last")
        fixture.scalars |= case | {"bias": CLS_BIAS, "classes": CLASSES, "momentum": MOMENTUM, "weight_decay": DECAY,
                                   "images": IMAGES, "kink_distance": distance}
        losses, gradients, state = train(name, case, torch.float64)
        losses32, gradients32, state32 = train(name, case, torch.float32)
        fixture.scalars["losses"] = losses
        fixture.scalars["losses_float32_error"] = float((np.abs(np.array(losses32) - losses) / losses).max())
        fixture.put("boxes", np.concatenate([boxes_of(case, step, i) for step in range(STEPS) for i in range(IMAGES)]))
        for parameter, gradient in gradients.items():
            fixture.digest("gradient." + parameter, gradient, gradients32[parameter])
        for parameter, values in state.items():
            start = formula.weight(parameter, values.shape, cls_gain=case["gain"], cls_bias=CLS_BIAS)
            fixture.digest("after." + parameter, values, state32[parameter])
            fixture.scalars["after." + parameter]["update_norm"] = float(np.linalg.norm(values - start))
        shares = [fixture.scalars["after." + p]["update_norm"] / fixture.scalars["after." + p]["norm"] for p in gradients]
        errors = [fixture.scalars["gradient." + p]["float32_norm_error"] for p in gradients]
        after = [fixture.scalars["after." + p]["float32_max_error"] for p in state]
        print(f"losses {losses}\nparameters moved by {min(shares):.1e} to {max(shares):.1e} of their norm; torchvision in float32: "
              f"losses {fixture.scalars['losses_float32_error']:.1e}, gradients {max(errors):.1e}, parameters {max(after):.1e}")
        fixture.write(folder, "training_" + name)
