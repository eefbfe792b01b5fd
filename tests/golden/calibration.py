"""Calibration and best operating points of detections, in NumPy: a reference of its own for diopter evaluate.

    python3 tests/golden/calibration.py TRUTH.json DETECTIONS.json

Prints JSON: ECE, temperature, ECE_at_temperature, and the operating points of largest F1, over all classes and by class.
Detections are matched at IoU 0.5 as COCO does it: by descending score, at most 100 of a class and picture, each with the
free object of largest overlap; what only overlaps a crowd does not count.
"""

import json
import sys

import numpy as np

IOU, MOST, BINS = 0.5, 100, 10


def overlaps(box, boxes, crowd):
    """Intersection over union of [x, y, w, h] with rows of the same; over the first box's area for crowds."""
    if len(boxes) == 0:
        return np.zeros(0)
    sides = np.minimum(box[:2] + box[2:], boxes[:, :2] + boxes[:, 2:]) - np.maximum(box[:2], boxes[:, :2])
    intersection = np.prod(np.clip(sides, 0, None), axis=1)
    area = np.prod(box[2:])
    return intersection / np.where(crowd, area, area + np.prod(boxes[:, 2:], axis=1) - intersection)


def match(detections, objects):
    """(score, hit) of the detections of a class in a picture that count."""
    detections = sorted(detections, key=lambda d: -d["score"])[:MOST]
    boxes = np.array([o["bbox"] for o in objects], dtype=float).reshape(-1, 4)
    crowd = np.array([bool(o.get("iscrowd", 0)) for o in objects], dtype=bool)
    free = ~crowd
    counted = []
    for detection in detections:
        iou = overlaps(np.array(detection["bbox"], dtype=float), boxes, crowd)
        candidates = np.where(free, iou, -1)
        if len(iou) and candidates.max() >= IOU:
            free[candidates.argmax()] = False
            counted.append((detection["score"], 1))
        elif not (len(iou) and (iou * crowd).max() >= IOU):
            counted.append((detection["score"], 0))
    return counted


def expected_error(scores, hits):
    bins = np.minimum((scores * BINS).astype(int), BINS - 1)
    count = np.bincount(bins, minlength=BINS)
    gaps = np.bincount(bins, weights=scores, minlength=BINS) - np.bincount(bins, weights=hits, minlength=BINS)
    return float(np.abs(gaps).sum() / count.sum())


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def logits(scores):
    p = np.clip(scores, 1e-9, 1 - 1e-9)
    return np.log(p) - np.log1p(-p)


def temperature(scores, hits):
    """By Newton's method on the cross-entropy as a function of 1 / T, which is convex."""
    z, factor = logits(scores), 1.0
    for _ in range(100):
        p = sigmoid(factor * z)
        factor -= np.sum(z * (p - hits)) / np.sum(z * z * p * (1 - p))
    return 1 / factor


def best_point(scores, hits, objects):
    values = np.unique(scores)[::-1]
    taken = np.array([np.sum(scores >= value) for value in values])
    found = np.array([np.sum(hits[scores >= value]) for value in values])
    f1 = 2 * found / (taken + objects)
    best = int(np.argmax(f1))  # of equal ones the highest score
    return {"score": float(values[best]), "F1": float(f1[best])}


def main(truth_file, detections_file):
    with open(truth_file) as file:
        truth = json.load(file)
    with open(detections_file) as file:
        detections = json.load(file)
    counted, objects = {}, {}
    for category in truth["categories"]:
        key = category["id"]
        own = [a for a in truth["annotations"] if a["category_id"] == key]
        objects[key] = sum(not a.get("iscrowd", 0) for a in own)
        counted[key] = []
        for image in truth["images"]:
            of_image = [d for d in detections if (d["image_id"], d["category_id"]) == (image["id"], key)]
            counted[key] += match(of_image, [a for a in own if a["image_id"] == image["id"]])
    pairs = np.array([pair for of_class in counted.values() for pair in of_class], dtype=float)
    scores, hits = pairs[:, 0], pairs[:, 1]
    best = temperature(scores, hits)
    classes = {c["name"]: best_point(*np.array(counted[c["id"]]).T, objects[c["id"]]) for c in truth["categories"]}
    print(json.dumps({"ECE": expected_error(scores, hits), "temperature": float(best),
                      "ECE_at_temperature": expected_error(sigmoid(logits(scores) / best), hits),
                      "all": best_point(scores, hits, sum(objects.values())), "classes": classes}))


if __name__ == "__main__":
    main(*sys.argv[1:])
