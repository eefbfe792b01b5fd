#!/usr/bin/env python3
"""A detector of torchvision or Ultralytics, trained from scratch for so many seconds of one processor; what same_time.py
compares with. Nothing is downloaded.

ssdlite     torchvision's ssdlite320_mobilenet_v3_large: 320 pixels, whatever --side says
retinanet   torchvision's RetinaNet with resnet_fpn_backbone("resnet18"), anchors of sides from --side / 20 on
yolov8n, yolo11n, ...   Ultralytics' model of that .yaml, with its own augmentation, optimizer and schedule; the number of
            epochs is what fits, found from the time of the first two

torchvision's two have 8 pictures a step, AdamW (rate 1e-3, weight decay 0.05), gradients clipped to a norm of 10, a warm-up of a
twentieth of the time and a cosine schedule over the time, random flips; everything else as torchvision has it. Writes
OUT/detections.json (of the validation pictures, COCO's results format) and OUT/numbers.json."""

import argparse
import json
import math
import pathlib
import time

import torch
from PIL import Image

from torch_faster_rcnn import Data

BATCH, RATE, DECAY, CLIP, WARM_UP = 8, 1e-3, 0.05, 10.0, 0.05


def result(key, category, x1, y1, x2, y2, score):
    return {"image_id": key, "category_id": category, "bbox": [x1, y1, x2 - x1, y2 - y1], "score": score}


# ---- torchvision

def torchvision_model(name, classes, side):
    from torchvision.models import detection
    if name == "ssdlite":
        return detection.ssdlite320_mobilenet_v3_large(weights=None, weights_backbone=None, num_classes=classes + 1)
    from torchvision.models.detection.anchor_utils import AnchorGenerator
    from torchvision.models.detection.backbone_utils import resnet_fpn_backbone
    from torchvision.ops.feature_pyramid_network import LastLevelP6P7
    backbone = resnet_fpn_backbone(backbone_name="resnet18", weights=None, trainable_layers=5, returned_layers=[2, 3, 4],
                                   norm_layer=torch.nn.BatchNorm2d, extra_blocks=LastLevelP6P7(256, 256))
    sizes = tuple(tuple(side / 20 * 2 ** (level + third / 3) for third in range(3)) for level in range(5))
    return detection.RetinaNet(backbone, classes + 1, min_size=side, max_size=side,
                               anchor_generator=AnchorGenerator(sizes, ((0.5, 1.0, 2.0),) * 5))


def read(file):
    from torchvision.transforms.functional import pil_to_tensor
    return pil_to_tensor(Image.open(file).convert("RGB")).float() / 255


def train_torchvision(options, training, validation):
    model = torchvision_model(options.model, len(training.categories), options.side)
    samples = [(read(training.files[key]), torch.tensor(training.boxes[key]).reshape(-1, 4),
                torch.tensor(training.labels[key]).long()) for key in training.files]
    optimizer = torch.optim.AdamW(model.parameters(), RATE, weight_decay=DECAY)
    generator = torch.Generator().manual_seed(options.seed)
    order, steps, begin = [], 0, time.process_time()
    while (share := (time.process_time() - begin) / options.seconds) < 1:
        while len(order) < BATCH:
            order += torch.randperm(len(samples), generator=generator).tolist()
        indices, order = order[:BATCH], order[BATCH:]
        pictures, targets = [], []
        for index in indices:
            picture, boxes, labels = samples[index]
            if torch.rand(1, generator=generator) < 0.5:
                picture, width = picture.flip(-1), picture.shape[-1]
                boxes = torch.stack([width - boxes[:, 2], boxes[:, 1], width - boxes[:, 0], boxes[:, 3]], 1)
            pictures.append(picture)
            targets.append({"boxes": boxes, "labels": labels})
        loss = sum(model(pictures, targets).values())
        if not math.isfinite(loss.item()):
            raise SystemExit(f"the loss is {loss.item()} at step {steps + 1}")
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP)
        for group in optimizer.param_groups:
            group["lr"] = RATE * min(1, share / WARM_UP, (1 + math.cos(math.pi * share)) / 2)
        optimizer.step()
        steps += 1
    trained = time.process_time() - begin
    model.eval()
    found = []
    with torch.inference_mode():
        for key, file in validation.files.items():
            (output,) = model([read(file)])
            for box, label, score in zip(*(output[k].tolist() for k in ("boxes", "labels", "scores"))):
                found.append(result(key, validation.categories[label - 1], *box, score))
    return found, {"seconds": trained, "pictures": steps * BATCH}


# ---- Ultralytics

def write_yolo(folder, parts):
    """The set as Ultralytics reads it: links to the pictures, a text of labels beside each, data.yaml."""
    for part, data in parts.items():
        for kind in ("images", "labels"):
            (folder / kind / part).mkdir(parents=True, exist_ok=True)
        for key, file in data.files.items():
            link = folder / "images" / part / file.name
            if not link.exists():
                link.symlink_to(file.resolve())
            width, height = data.sizes[key]
            (folder / "labels" / part / f"{file.stem}.txt").write_text("".join(
                f"{label - 1} {(x1 + x2) / 2 / width} {(y1 + y2) / 2 / height} {(x2 - x1) / width} {(y2 - y1) / height}\n"
                for (x1, y1, x2, y2), label in zip(data.boxes[key], data.labels[key])))
    names = [data.names[c] for c in data.categories]
    text = json.dumps({"path": str(folder.resolve()), "train": "images/train", "val": "images/val", "names": names})
    (folder / "data.yaml").write_text(text)  # JSON is YAML, too
    return folder / "data.yaml"


def train_ultralytics(options, training, validation):
    from ultralytics import YOLO
    data = write_yolo(options.out / "data", {"train": training, "val": validation})

    def fit(name, epochs):
        """The model after so many epochs, and the processor seconds of its training."""
        model, clock = YOLO(f"{options.model}.yaml"), []
        for event in ("on_train_epoch_start", "on_train_epoch_end"):
            model.add_callback(event, lambda trainer: clock.append(time.process_time()))
        model.train(data=str(data), epochs=epochs, imgsz=options.side, batch=BATCH, device="cpu", workers=0, cache="ram",
                    seed=options.seed, pretrained=False, val=False, plots=False, amp=False, verbose=False,
                    project=str(options.out.resolve()), name=name, exist_ok=True)
        return clock[-1] - clock[0]

    epochs = max(1, round(options.seconds / (fit("times", 2) / 2)))
    trained = fit("run", epochs)
    model, found = YOLO(options.out / "run/weights/last.pt"), []
    for key, file in validation.files.items():
        (output,) = model.predict(str(file), imgsz=options.side, conf=0.001, max_det=100, device="cpu", verbose=False)
        for box, label, score in zip(output.boxes.xyxy.tolist(), output.boxes.cls.tolist(), output.boxes.conf.tolist()):
            found.append(result(key, training.categories[int(label)], *box, score))
    return found, {"seconds": trained, "pictures": epochs * len(training.files)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    for name in ("train", "val", "images", "out"):
        parser.add_argument("--" + name, type=pathlib.Path, required=True)
    for name in ("side", "seed", "threads"):
        parser.add_argument("--" + name, type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True, help="processor time of the training")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    options.out.mkdir(parents=True, exist_ok=True)
    training, validation = (Data(file, options.images) for file in (options.train, options.val))
    train = train_torchvision if options.model in ("ssdlite", "retinanet") else train_ultralytics
    found, numbers = train(options, training, validation)
    (options.out / "detections.json").write_text(json.dumps(found))
    (options.out / "numbers.json").write_text(json.dumps(numbers))


if __name__ == "__main__":
    main()
