#!/usr/bin/env python3
"""torchvision's Faster R-CNN on the backbone and pyramid of diopter's preset `small_sgd`; what two_stage.py compares with.

Everything that is not named below has torchvision's defaults. Pictures lie in memory, brought to a longer side of --side as
the preset does; region proposals have the preset's anchors; optimizer, schedule, clipping and flips are those of the preset
(torch_train.py). Writes OUT/detections.json (of the validation pictures, COCO's results format) and OUT/numbers.json
(processor seconds of training and of the evaluation, which reads the files, and the number of parameters)."""

import argparse
import collections
import json
import math
import pathlib
import time

import torch
from PIL import Image
from torch import nn
from torchvision.models.detection import FasterRCNN
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.transforms.functional import pil_to_tensor

import torch_train as small


class Backbone(nn.Module):
    """As torchvision wants it: maps by name, and the number of their channels."""
    out_channels = small.CHANNELS

    def __init__(self):
        super().__init__()
        self.pyramid = small.Pyramid()

    def forward(self, pictures):
        return collections.OrderedDict((str(i), m) for i, m in enumerate(self.pyramid(pictures)))


def detector(classes, size_factor):
    sizes = tuple(tuple(size_factor * stride * scale for scale in small.SCALES) for stride in small.STRIDES)
    anchors = AnchorGenerator(sizes, (small.RATIOS,) * len(sizes))
    model = FasterRCNN(Backbone(), classes + 1, rpn_anchor_generator=anchors, _skip_resize=True,
                       size_divisible=small.STRIDES[-1])
    model.roi_heads.box_roi_pool.featmap_names = [str(i) for i in range(len(sizes))]
    return model


def read(file, side):
    """A picture in 0..1 whose longer side is at most `side` pixels, and by how much it was scaled."""
    picture = Image.open(file).convert("RGB")
    scale = min(1, side / max(picture.size))
    size = tuple(round(scale * s) for s in picture.size)
    if size != picture.size:
        picture = picture.resize(size, Image.BILINEAR)
    return pil_to_tensor(picture).float() / 255, scale


class Data:
    """Training or validation pictures of a COCO file; labels count from 1, as torchvision's do."""
    def __init__(self, annotations, images):
        truth = json.loads(annotations.read_text())
        self.files = {image["id"]: images / image["file_name"] for image in truth["images"]}
        self.sizes = {image["id"]: (image["width"], image["height"]) for image in truth["images"]}
        self.names = {category["id"]: category["name"] for category in truth["categories"]}
        self.categories = sorted(self.names)
        self.boxes, self.labels = ({key: [] for key in self.files} for _ in range(2))
        for annotation in truth["annotations"]:
            x, y, w, h = annotation["bbox"]
            if annotation.get("iscrowd") or w <= 0 or h <= 0:
                continue
            self.boxes[annotation["image_id"]].append([x, y, x + w, y + h])
            self.labels[annotation["image_id"]].append(1 + self.categories.index(annotation["category_id"]))


def train(model, data, options):
    samples = []
    for key, file in data.files.items():
        picture, scale = read(file, options.side)
        samples.append((picture, torch.tensor(data.boxes[key]).reshape(-1, 4) * scale, torch.tensor(data.labels[key])))
    decayed = [p for p in model.parameters() if p.ndim >= 2]
    others = [p for p in model.parameters() if p.ndim < 2]
    optimizer = torch.optim.SGD([{"params": decayed, "weight_decay": small.DECAY}, {"params": others}], options.lr,
                                small.MOMENTUM)
    generator = torch.Generator().manual_seed(options.seed)
    order = []
    for iteration in range(options.iterations):
        while len(order) < options.batch:
            order += torch.randperm(len(samples), generator=generator).tolist()
        indices, order = order[:options.batch], order[options.batch:]
        pictures, targets = [], []
        for index in indices:
            picture, boxes, labels = samples[index]
            if torch.rand(1, generator=generator) < 0.5:
                picture = picture.flip(-1)
                boxes = torch.stack([picture.shape[-1] - boxes[:, 2], boxes[:, 1], picture.shape[-1] - boxes[:, 0],
                                     boxes[:, 3]], 1)
            pictures.append(picture)
            targets.append({"boxes": boxes, "labels": labels.long()})
        loss = sum(model(pictures, targets).values())
        if not math.isfinite(loss.item()):
            raise SystemExit(f"the loss is {loss.item()} at iteration {iteration + 1}")
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), small.CLIP)
        for group in optimizer.param_groups:
            group["lr"] = small.learning_rate(iteration, options.iterations, options.lr)
        optimizer.step()
        if (iteration + 1) % 20 == 0:
            print(f"{iteration + 1}/{options.iterations} loss {loss.item():.3f}", flush=True)


def detections(model, data, side):
    results = []
    for key, file in data.files.items():
        picture, scale = read(file, side)
        # _skip_resize holds in training only: evaluation would enlarge to 800 pixels.
        model.transform.min_size, model.transform.max_size = (min(picture.shape[-2:]),), max(picture.shape[-2:])
        (found,) = model([picture])
        for (x1, y1, x2, y2), score, label in zip(*((found[k] / (scale if k == "boxes" else 1)).tolist()
                                                    for k in ("boxes", "scores", "labels"))):
            results.append({"image_id": key, "category_id": data.categories[round(label) - 1],
                            "bbox": [x1, y1, x2 - x1, y2 - y1], "score": score})
    return results


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("train", "val", "images", "out"):
        parser.add_argument("--" + name, type=pathlib.Path, required=True)
    for name in ("side", "iterations", "batch", "seed", "threads"):
        parser.add_argument("--" + name, type=int, required=True)
    for name in ("lr", "size-factor"):
        parser.add_argument("--" + name, type=float, required=True)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    training, validation = (Data(file, options.images) for file in (options.train, options.val))
    model = detector(len(training.categories), options.size_factor)
    begin = time.process_time()
    train(model, training, options)
    trained = time.process_time()
    model.eval()
    with torch.inference_mode():
        found = detections(model, validation, options.side)
    evaluated = time.process_time()
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "detections.json").write_text(json.dumps(found))
    (options.out / "numbers.json").write_text(json.dumps({
        "training": trained - begin, "evaluation": evaluated - trained,
        "parameters": sum(p.numel() for p in model.parameters())}))


if __name__ == "__main__":
    main()
