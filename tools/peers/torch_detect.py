#!/usr/bin/env python3
"""Detection in picture files with torchvision, as a script does it: what peers.py times `diopter detect` against.

Reads weights, decodes pictures, detects, draws what has a score of at least 0.5, writes the pictures and a JSON file."""

import argparse
import json
import pathlib

import torch
from torchvision.io import ImageReadMode, decode_image, write_jpeg
from torchvision.models.detection import RetinaNet
from torchvision.models.detection.backbone_utils import resnet_fpn_backbone
from torchvision.ops.feature_pyramid_network import LastLevelP6P7
from torchvision.utils import draw_bounding_boxes

BATCH = 2  # as the preset of diopter
SCORE = 0.5


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("weights", "backbone", "device", "out", "json"):
        parser.add_argument("--" + name, required=True)
    parser.add_argument("--size", type=int, required=True, help="of the shorter side")
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("pictures", nargs="+")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    state = torch.load(options.weights)
    classes = state["head.classification_head.cls_logits.weight"].shape[0] // 9
    body = resnet_fpn_backbone(backbone_name=options.backbone, weights=None, trainable_layers=3, returned_layers=[2, 3, 4],
                               extra_blocks=LastLevelP6P7(256, 256))
    model = RetinaNet(body, classes, min_size=options.size)
    model.load_state_dict(state)
    model.eval().to(options.device)

    out = pathlib.Path(options.out)
    out.mkdir(parents=True, exist_ok=True)
    results = []
    for begin in range(0, len(options.pictures), BATCH):
        files = options.pictures[begin:begin + BATCH]
        pictures = [decode_image(file, ImageReadMode.RGB) for file in files]
        with torch.inference_mode():
            detections = model([picture.to(options.device) / 255 for picture in pictures])
        for i, (file, picture, found) in enumerate(zip(files, pictures, detections)):
            boxes, scores, labels = (found[key].cpu() for key in ("boxes", "scores", "labels"))
            shown = scores >= SCORE
            texts = [f"{label} {score:.2f}" for label, score in zip(labels[shown], scores[shown])]
            drawn = draw_bounding_boxes(picture, boxes[shown], texts)
            write_jpeg(drawn, str(out / pathlib.Path(file).name), quality=90)
            for (x1, y1, x2, y2), score, label in zip(boxes.tolist(), scores.tolist(), labels.tolist()):
                results.append({"image_id": begin + i + 1, "file_name": file, "category_id": label,
                                "bbox": [x1, y1, x2 - x1, y2 - y1], "score": score})
    pathlib.Path(options.json).write_text(json.dumps(results))


if __name__ == "__main__":
    main()
