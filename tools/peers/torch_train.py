#!/usr/bin/env python3
"""The preset `small_sgd` of diopter in PyTorch: model, losses, optimizer, schedule and data; what peers.py times
`diopter train` against.

Written for speed as one would write it for small pictures of one size: all of them lie in memory as tensors, anchors are
computed once, losses are those of the whole batch at once. Writes OUT/ITERATION.json (detections on the validation
pictures, COCO's results format) and OUT/times.json ([[iteration, seconds since the start], ...])."""

import argparse
import json
import math
import pathlib
import time

START = time.perf_counter()

import torch
import torch.nn.functional as F
from PIL import Image
from torch import nn
from torchvision.models.detection._utils import BoxCoder, Matcher
from torchvision.ops import batched_nms, box_iou, clip_boxes_to_image, generalized_box_iou_loss, sigmoid_focal_loss
from torchvision.transforms.functional import normalize, pil_to_tensor

WIDTH, CHANNELS, DEPTH, GROUPS = 16, 32, 2, 8
STRIDES = (4, 8, 16)
SCALES, RATIOS, SIZE_FACTOR = (1.0, 2 ** (1 / 3), 2 ** (2 / 3)), (0.5, 1.0, 2.0), 3.0
CELLS = len(SCALES) * len(RATIOS)
PRIOR = 0.01
BATCH, LR, MOMENTUM, DECAY, CLIP = 8, 0.1, 0.9, 1e-4, 10.0
WARM_UP, WARM_UP_FACTOR, MILESTONES = 50, 0.1, (0.7, 0.9)


def conv(inputs, outputs, kernel=3, stride=1, bias=False):
    return nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=bias)


class Block(nn.Module):
    """ResNet's basic block with group norms; the residual branch starts at zero."""
    def __init__(self, inputs, outputs):
        super().__init__()
        self.conv1, self.norm1 = conv(inputs, outputs, stride=2), nn.GroupNorm(GROUPS, outputs)
        self.conv2, self.norm2 = conv(outputs, outputs), nn.GroupNorm(GROUPS, outputs)
        self.shortcut = nn.Sequential(conv(inputs, outputs, 1, 2), nn.GroupNorm(GROUPS, outputs))
        nn.init.zeros_(self.norm2.weight)

    def forward(self, x):
        y = F.relu(self.norm1(self.conv1(x)), inplace=True)
        return F.relu(self.norm2(self.conv2(y)) + self.shortcut(x), inplace=True)


class Subnet(nn.Module):
    def __init__(self, values, bias):
        super().__init__()
        layers = []
        for _ in range(DEPTH):
            layers += [conv(CHANNELS, CHANNELS), nn.GroupNorm(GROUPS, CHANNELS), nn.ReLU(inplace=True)]
        self.layers, self.values = nn.Sequential(*layers, conv(CHANNELS, CELLS * values, bias=True)), values
        for layer in self.layers:
            if isinstance(layer, nn.Conv2d):
                nn.init.normal_(layer.weight, std=0.01)
        nn.init.constant_(self.layers[-1].bias, bias)

    def forward(self, maps):
        return torch.cat([self.layers(m).permute(0, 2, 3, 1).reshape(len(m), -1, self.values) for m in maps], 1)


class Pyramid(nn.Module):
    """Backbone and pyramid: maps of CHANNELS channels with the strides STRIDES."""
    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(conv(3, WIDTH, stride=2), nn.GroupNorm(GROUPS, WIDTH), nn.ReLU(inplace=True))
        widths = (2 * WIDTH, 4 * WIDTH, 4 * WIDTH)
        self.stages = nn.ModuleList(Block(i, o) for i, o in zip((WIDTH, *widths), widths))
        for layer in (*self.stem.modules(), *self.stages.modules()):
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
        self.inner = nn.ModuleList(conv(w, CHANNELS, 1, bias=True) for w in widths)
        self.layer = nn.ModuleList(conv(CHANNELS, CHANNELS, bias=True) for _ in widths)
        for layer in (*self.inner, *self.layer):
            nn.init.kaiming_uniform_(layer.weight, a=1)
            nn.init.zeros_(layer.bias)

    def forward(self, pictures):
        x, maps = self.stem(pictures), []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        inner, pyramid = None, []
        for m, lateral, layer in zip(reversed(maps), reversed(self.inner), reversed(self.layer)):
            m = lateral(m)
            inner = m if inner is None else m + F.interpolate(inner, m.shape[-2:])
            pyramid.insert(0, layer(inner))
        return pyramid


class Detector(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.pyramid = Pyramid()
        self.classes, self.boxes = Subnet(classes, -math.log((1 - PRIOR) / PRIOR)), Subnet(4, 0.0)

    def forward(self, pictures):
        maps = self.pyramid(pictures)
        return self.classes(maps), self.boxes(maps)


def anchors_of(side):
    """[anchors, 4], level after level, and the number of anchors of each."""
    levels = []
    for stride in STRIDES:
        sizes = [(SIZE_FACTOR * stride * s / math.sqrt(r), SIZE_FACTOR * stride * s * math.sqrt(r))
                 for r in RATIOS for s in SCALES]
        cells = torch.tensor([[-w / 2, -h / 2, w / 2, h / 2] for w, h in sizes])
        centres = torch.arange(side // stride) * stride
        y, x = torch.meshgrid(centres, centres, indexing="ij")
        levels.append((torch.stack([x, y, x, y], -1).reshape(-1, 1, 4) + cells).reshape(-1, 4))
    return torch.cat(levels), [len(level) for level in levels]


class Data:
    def __init__(self, folder, part, device):
        truth = json.loads((folder / f"instances_{part}.json").read_text())
        self.ids = [image["id"] for image in truth["images"]]
        self.categories = sorted(category["id"] for category in truth["categories"])
        place = {key: i for i, key in enumerate(self.ids)}
        boxes, labels = [[] for _ in self.ids], [[] for _ in self.ids]
        for annotation in truth["annotations"]:
            x, y, w, h = annotation["bbox"]
            boxes[place[annotation["image_id"]]].append([x, y, x + w, y + h])
            labels[place[annotation["image_id"]]].append(self.categories.index(annotation["category_id"]))
        self.boxes = [torch.tensor(b, device=device).reshape(-1, 4) for b in boxes]
        self.labels = [torch.tensor(l, dtype=torch.int64, device=device) for l in labels]
        self.pictures = torch.stack([
            normalize(pil_to_tensor(Image.open(folder / "images" / image["file_name"]).convert("RGB")).float() / 255,
                      [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]) for image in truth["images"]]).to(device)
        self.side = self.pictures.shape[-1]

    def batch(self, indices, generator):
        """Pictures, boxes and labels, every other picture flipped."""
        flips = torch.rand(len(indices), generator=generator) < 0.5
        pictures, boxes = self.pictures[indices], []
        for i, (index, flip) in enumerate(zip(indices, flips)):
            b = self.boxes[index]
            if flip:
                pictures[i] = pictures[i].flip(-1)
                b = torch.stack([self.side - b[:, 2], b[:, 1], self.side - b[:, 0], b[:, 3]], 1)
            boxes.append(b)
        return pictures, boxes, [self.labels[index] for index in indices]


def losses(logits, deltas, anchors, boxes, labels, matcher, coder):
    """Focal loss and GIoU loss, divided by the positives of the batch."""
    targets = torch.zeros_like(logits)
    counted = torch.ones(logits.shape[:2], dtype=torch.bool, device=logits.device)
    predicted, wanted = [], []
    for i, (b, l) in enumerate(zip(boxes, labels)):
        if len(b) == 0:
            continue
        matched = matcher(box_iou(b, anchors))
        positive = torch.where(matched >= 0)[0]
        targets[i, positive, l[matched[positive]]] = 1
        counted[i] = matched != Matcher.BETWEEN_THRESHOLDS
        predicted.append(coder.decode_single(deltas[i, positive], anchors[positive]))
        wanted.append(b[matched[positive]])
    classification = sigmoid_focal_loss(logits[counted], targets[counted], reduction="sum")
    if not predicted:
        return classification
    predicted, wanted = torch.cat(predicted), torch.cat(wanted)
    return (classification + generalized_box_iou_loss(predicted, wanted, reduction="sum")) / max(1, len(wanted))


def detections(model, data, anchors, level_sizes, coder):
    """Of all pictures, in COCO's results format: at most 100 each, 1000 candidates per level, scores from 0.05."""
    results = []
    for begin in range(0, len(data.ids), 16):
        logits, deltas = model(data.pictures[begin:begin + 16])
        for key, l, d in zip(data.ids[begin:], logits, deltas):
            boxes, scores, labels = [], [], []
            for l_level, d_level, a_level in zip(*(t.split(level_sizes) for t in (l, d, anchors))):
                score = l_level.sigmoid().flatten()
                index = torch.where(score > 0.05)[0]
                score, order = score[index].topk(min(1000, len(index)))
                index = index[order]
                anchor = index // l.shape[1]
                decoded = coder.decode_single(d_level[anchor], a_level[anchor])
                boxes.append(clip_boxes_to_image(decoded, (data.side, data.side)))
                scores.append(score)
                labels.append(index % l.shape[1])
            boxes, scores, labels = map(torch.cat, (boxes, scores, labels))
            keep = batched_nms(boxes, scores, labels, 0.5)[:100]
            for (x1, y1, x2, y2), score, label in zip(*(t[keep].tolist() for t in (boxes, scores, labels))):
                results.append({"image_id": key, "category_id": data.categories[label],
                                "bbox": [x1, y1, x2 - x1, y2 - y1], "score": score})
    return results


def learning_rate(iteration, iterations, rate=LR):
    rate *= 0.1 ** sum(iteration >= round(m * iterations) for m in MILESTONES)
    return rate * (WARM_UP_FACTOR + (1 - WARM_UP_FACTOR) * iteration / WARM_UP) if iteration < WARM_UP else rate


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=pathlib.Path, required=True, help="folder of diopter shapes")
    parser.add_argument("--out", type=pathlib.Path, required=True)
    for name in ("iterations", "evaluate-every", "seed", "threads"):
        parser.add_argument("--" + name, type=int, required=True)
    parser.add_argument("--device", required=True)
    parser.add_argument("--layout", choices=["contiguous_format", "channels_last"], default="contiguous_format")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    options.out.mkdir(parents=True)
    layout = getattr(torch, options.layout)
    training, validation = (Data(options.data, part, options.device) for part in ("train", "val"))
    for data in (training, validation):
        data.pictures = data.pictures.contiguous(memory_format=layout)
    model = Detector(len(training.categories)).to(options.device, memory_format=layout)
    matcher, coder = Matcher(0.5, 0.4, allow_low_quality_matches=True), BoxCoder((1.0, 1.0, 1.0, 1.0))
    anchors, level_sizes = anchors_of(training.side)
    anchors = anchors.to(options.device)
    decayed = [p for p in model.parameters() if p.ndim == 4]
    others = [p for p in model.parameters() if p.ndim != 4]
    optimizer = torch.optim.SGD([{"params": decayed, "weight_decay": DECAY}, {"params": others}], LR, MOMENTUM)
    generator = torch.Generator().manual_seed(options.seed)
    order, times = [], []
    for iteration in range(options.iterations):
        if len(order) < BATCH:
            order += torch.randperm(len(training.ids), generator=generator).tolist()
        indices, order = order[:BATCH], order[BATCH:]
        pictures, boxes, labels = training.batch(indices, generator)
        loss = losses(*model(pictures), anchors, boxes, labels, matcher, coder)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), CLIP)
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(iteration, options.iterations)
        optimizer.step()
        done = iteration + 1
        if done % options.evaluate_every == 0 or done == options.iterations:
            if not math.isfinite(loss.item()):
                raise SystemExit(f"the loss is {loss.item()} at iteration {done}")
            times.append([done, time.perf_counter() - START])
            model.eval()
            with torch.inference_mode():
                found = detections(model, validation, anchors, level_sizes, coder)
            model.train()
            (options.out / f"{done}.json").write_text(json.dumps(found))
    torch.save(model.state_dict(), options.out / "model.pth")
    (options.out / "times.json").write_text(json.dumps(times))


if __name__ == "__main__":
    main()
