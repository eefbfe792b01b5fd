"""Detections of a model that `diopter export` wrote, by onnxruntime: python3 detect.py model.onnx PICTURE...

Prints them as `diopter detect --json` does. The pictures make one batch.
"""
import json
import math
import sys

import numpy as np
import onnxruntime
from PIL import Image, ImageOps


def resized_size(width, height, rule):
    """Width and height at the network's input, by the model's metadata "input"."""
    shorter, longer, most = min(width, height), max(width, height), rule["max_size"]
    if rule["resize"] == "exact":
        return most, most
    if rule["resize"] == "longer_side":
        half = longer if rule["round"] else 0
        size = [(2 * side * most + half) // (2 * longer) for side in (width, height)]
    elif rule["round"]:
        scale = rule["min_size"] / shorter
        size = [rule["min_size"] if side == shorter else side * scale for side in (width, height)]
        if max(size) > most:
            size = [side * (most / max(size)) for side in size]
        size = [int(side + 0.5) for side in size]
    else:
        def ratio(a, b):
            return float(np.float32(1) / np.float32(b) * np.float32(a)) if rule["float_scale"] else a / b
        scale = min(ratio(rule["min_size"], shorter), ratio(most, longer))
        size = [math.floor(side * scale) for side in (width, height)]
    if not rule["enlarge"] and (size[0] > width or size[1] > height):
        size = [width, height]
    return max(1, size[0]), max(1, size[1])


def between_rows(x, rows):
    """Bilinear along the first axis: half-pixel centres, no antialiasing."""
    at = np.maximum(0, (np.arange(rows) + 0.5) * (len(x) / rows) - 0.5)
    low = np.minimum(at.astype(int), len(x) - 1)
    weight = (at - low).astype(np.float32).reshape(-1, 1, 1)
    return (1 - weight) * x[low] + weight * x[np.minimum(low + 1, len(x) - 1)]


def prepared(picture, rule):
    """[height, width, 3] of 0..255 as the model's input wants it; bytes where the network was trained on bytes."""
    width, height = resized_size(*picture.size, rule)
    if (width, height) == picture.size:
        return np.asarray(picture)
    if rule["filter"] == "pillow":
        return np.asarray(picture.resize((width, height), Image.BILINEAR))
    columns = between_rows(np.asarray(picture, np.float32).transpose(1, 0, 2), width).transpose(1, 0, 2)
    return between_rows(columns, height)


def detect(model, files):
    """For each picture its detections, best first: [(class, score, (x1, y1, x2, y2)), ...]."""
    session = onnxruntime.InferenceSession(model)
    facts = session.get_modelmeta().custom_metadata_map
    rule, classes = json.loads(facts["input"]), json.loads(facts["classes"])
    if rule["tile"]:
        raise NotImplementedError("the model takes tiles: this program does not cut pictures")
    pictures = [ImageOps.exif_transpose(Image.open(file)).convert("RGB") for file in files]
    inputs = [prepared(picture, rule) for picture in pictures]

    # Pictures lie at the upper left of their batch; what is in the rest of it does not matter.
    batch = np.zeros((len(inputs), max(len(x) for x in inputs), max(x.shape[1] for x in inputs), 3), np.float32)
    for room, x in zip(batch, inputs):
        room[:len(x), :x.shape[1]] = x
    images = np.rint(batch).astype(np.uint8) if rule["type"] == "uint8" else batch.transpose(0, 3, 1, 2) / 255
    boxes, scores, labels, counts = session.run(["boxes", "scores", "labels", "counts"], {
        "images": images,
        "sizes": np.array([x.shape[:2] for x in inputs]),                      # height, width
        "original_sizes": np.array([p.size[::-1] for p in pictures])})         # boxes are of these pictures
    return [[(classes[label], float(score), tuple(map(float, box)))
             for label, score, box in zip(labels[n, :count], scores[n, :count], boxes[n, :count])]
            for n, count in enumerate(counts)]


if __name__ == "__main__":
    found = detect(sys.argv[1], sys.argv[2:])
    print(json.dumps([{"file_name": file, "category": name, "score": score,
                       "bbox": [box[0], box[1], box[2] - box[0], box[3] - box[1]]}
                      for file, of_picture in zip(sys.argv[2:], found) for name, score, box in of_picture], indent=1))
