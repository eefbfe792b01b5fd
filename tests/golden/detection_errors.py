"""Makes fixtures/detection_errors.json: small cases with their breakdown of errors and precision-recall curves.

    python3 -m venv venv && venv/bin/pip install numpy pycocotools==2.0.11 tidecv==1.0.1
    venv/bin/python tests/golden/detection_errors.py

The numbers come from the plain reference below, which follows the definitions in data/metrics/detection_errors.h. Where those
are the same as in tidecv, the program of the paper's authors, the two must agree, or nothing is written. The first case
also holds precision and score at COCO's recall points, from pycocotools.
"""

import collections
import contextlib
import io
import json
import pathlib

import numpy as np
import tidecv
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

KINDS = ["confusion", "localisation", "both", "duplicate", "background", "missed"]
FOREGROUND, BACKGROUND = 0.5, 0.1


def make_case(seed, images, objects, categories, crowds, silent_category):
    """Objects, and detections that err in all ways. Scores are distinct; numbers of objects are not round."""
    random = np.random.default_rng(seed)
    annotations, detections = [], []

    def rect(x, y, w, h):
        return [float(np.round(v * 4) / 4) for v in (x, y, max(w, 4), max(h, 4))]

    def detect(image, category, box, spread):
        x, y, w, h = box
        dx, dy, dw, dh = random.normal(0, spread, 4)
        box = rect(x + dx * w, y + dy * h, w * np.exp(dw), h * np.exp(dh))
        detections.append({"image_id": image, "category_id": category, "bbox": box})

    for n in range(objects):
        image, category = int(random.integers(1, images + 1)), int(random.integers(1, categories + 1))
        box = rect(*random.uniform(0, 150, 2), *random.uniform(10, 80, 2))
        annotations.append({"id": n + 1, "image_id": image, "category_id": category, "bbox": box,
                            "area": box[2] * box[3], "iscrowd": int(n < crowds)})
        for _ in range(int(random.choice(4, p=[0.2, 0.4, 0.25, 0.15]))):
            wrong = random.uniform() < 0.4
            detect(image, int(random.integers(1, categories + 1)) if wrong else category, box,
                   random.choice([0.05, 0.15, 0.4]))
        if random.uniform() < 0.3:
            detect(image, int(random.integers(1, categories + 1)), rect(*random.uniform(0, 200, 2), 30, 30), 0.1)
    if silent_category:  # one object, no detection
        annotations.append({"id": objects + 1, "image_id": 1, "category_id": categories + 1, "bbox": [1, 2, 30, 40],
                            "area": 1200, "iscrowd": 0})
    scores = random.permutation(len(detections)) + 1
    for detection, score in zip(detections, scores):
        detection["score"] = float(score) / 1024
    return {"images": [{"id": i + 1, "file_name": f"{i + 1}.png", "width": 256, "height": 256} for i in range(images)],
            "categories": [{"id": k + 1, "name": f"c{k + 1}"} for k in range(categories + silent_category)],
            "annotations": annotations, "detections": detections}


def iou(a, b, crowd=False):
    w = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    h = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    if w <= 0 or h <= 0:
        return 0.0
    return w * h / (a[2] * a[3] if crowd else a[2] * a[3] + b[2] * b[3] - w * h)


def average_precision(points, objects, recalls):
    """AP of (score, hit) pairs; None when the category has nothing left."""
    if objects == 0:
        return 0.0 if points else None
    hit = np.array([p[1] for p in sorted(points, key=lambda p: -p[0])], dtype=float)
    if len(hit) == 0:
        return 0.0
    hits = np.cumsum(hit)
    precision = np.maximum.accumulate((hits / np.arange(1, len(hit) + 1))[::-1])[::-1]
    at = np.searchsorted(hits / objects, recalls, side="left")
    return float(np.mean([precision[i] if i < len(hit) else 0.0 for i in at]))


def reference(case, recalls=np.linspace(0, 1, 101)):
    categories = [c["id"] for c in case["categories"]]
    truths = [a for a in case["annotations"] if not a["iscrowd"]]
    crowds = [a for a in case["annotations"] if a["iscrowd"]]
    order = sorted(range(len(case["detections"])), key=lambda i: -case["detections"][i]["score"])
    matched, kind, claim, hits, ignored = {}, {}, {}, set(), set()
    for i in order:
        d = case["detections"][i]
        free = [(iou(d["bbox"], g["bbox"]), g["id"]) for g in truths
                if g["image_id"] == d["image_id"] and g["category_id"] == d["category_id"] and g["id"] not in matched]
        if free and max(free)[0] >= FOREGROUND:
            matched[max(free)[1]] = i
            hits.add(i)
        elif any(g["image_id"] == d["image_id"] and g["category_id"] == d["category_id"] and
                 iou(d["bbox"], g["bbox"], True) >= FOREGROUND for g in crowds):
            ignored.add(i)
    for i in order:
        if i in hits or i in ignored:
            continue
        d = case["detections"][i]
        here = [(iou(d["bbox"], g["bbox"]), g) for g in truths if g["image_id"] == d["image_id"]]
        largest = lambda part: max(part, key=lambda p: p[0], default=(0.0, None))
        own = largest([p for p in here if p[1]["category_id"] == d["category_id"]])
        other = largest([p for p in here if p[1]["category_id"] != d["category_id"]])
        if BACKGROUND <= own[0] <= FOREGROUND:
            kind[i], claim[i] = "localisation", own[1]
        elif other[0] >= FOREGROUND:
            kind[i], claim[i] = "confusion", other[1]
        elif own[0] >= FOREGROUND:
            kind[i] = "duplicate"
        elif max(own[0], other[0]) <= BACKGROUND:
            kind[i] = "background"
        else:
            kind[i] = "both"
    best = {}
    for i in order:  # by descending score
        if i in claim and claim[i]["id"] not in matched:
            best.setdefault(claim[i]["id"], i)
    lost = [g for g in truths if g["id"] not in matched]
    missed = [g for g in lost if g["id"] not in best]

    def aps(fixed_kind=None, drop_false_positives=False, without=()):
        points, objects = collections.defaultdict(list), collections.Counter(g["category_id"] for g in truths)
        for g in without:
            objects[g["category_id"]] -= 1
        for i in order:
            if i in ignored:
                continue
            d = case["detections"][i]
            if i in hits or (kind[i] != fixed_kind and not drop_false_positives):
                points[d["category_id"]].append((d["score"], i in hits))
            elif not drop_false_positives and i in claim and best.get(claim[i]["id"]) == i:
                points[claim[i]["category_id"]].append((d["score"], True))
        had = {g["category_id"] for g in truths}
        return {c: average_precision(points[c], objects[c], recalls) for c in categories if c in had}

    def mean(values):
        values = [v for v in values.values() if v is not None]
        return sum(values) / len(values) if values else 0.0

    base = aps()
    fixed = {k: aps(k) for k in KINDS[:-1]}
    fixed["missed"] = aps(without=missed)
    fixed["false_positives"] = aps(drop_false_positives=True)
    fixed["false_negatives"] = aps(without=lost)

    def count(name, category=None):
        if name in ("missed", "false_negatives"):
            return sum(category in (None, g["category_id"]) for g in (missed if name == "missed" else lost))
        return sum((name == "false_positives" or k == name) and
                   category in (None, case["detections"][i]["category_id"]) for i, k in kind.items())

    names = KINDS + ["false_positives", "false_negatives"]
    result = {"all": {"AP50": mean(base) if base else -1}}
    result["all"].update({n: [count(n), mean(fixed[n]) - mean(base)] for n in names})
    for c in categories:
        result[str(c)] = {"AP50": base.get(c, -1)}
        result[str(c)].update({n: [count(n, c), (fixed[n][c] - base[c]) if fixed[n].get(c) is not None else 0.0]
                               for n in names})
    return result


def check_with_tidecv(case):
    expected = reference(case, [i / 100 for i in range(101)])  # some differ from linspace in the last bit
    truth, found = tidecv.Data("truth"), tidecv.Data("found")
    for image in case["images"]:
        truth.add_image(image["id"], image["file_name"])
    for a in case["annotations"]:
        truth.add_ground_truth(a["image_id"], a["category_id"], a["bbox"])
    for d in case["detections"]:
        found.add_detection(d["image_id"], d["category_id"], d["score"], d["bbox"])
    run = tidecv.TIDE().evaluate(truth, found, mode=tidecv.TIDE.BOX)
    names = {"Cls": "confusion", "Loc": "localisation", "Both": "both", "Dupe": "duplicate", "Bkg": "background",
             "Miss": "missed", "FalsePos": "false_positives", "FalseNeg": "false_negatives"}
    assert abs(run.ap / 100 - expected["all"]["AP50"]) < 1e-12
    gains = {**run.fix_main_errors(), **run.fix_special_errors()}
    for error, gain in gains.items():
        assert abs(gain / 100 - expected["all"][names[error.short_name]][1]) < 1e-12, error.short_name
    for error, count in run.count_errors().items():
        assert count == expected["all"][names[error.short_name]][0], error.short_name


def curves(case):
    """{category: {position of the IoU threshold: [precision [101], score [101]]}} of pycocotools."""
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = {k: case[k] for k in ("images", "categories", "annotations")}
        truth.createIndex()
        evaluation = COCOeval(truth, truth.loadRes(case["detections"]), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
    numbers = lambda key, t, k: [max(0.0, float(v)) for v in evaluation.eval[key][t, :, k, 0, 2]]
    return {str(c["id"]): {str(t): [numbers("precision", t, k), numbers("scores", t, k)] for t in (0, 5)}
            for k, c in enumerate(case["categories"])}


def main():
    cases = {"mixed": make_case(1, 9, 37, 3, 0, False), "silent_category": make_case(2, 5, 23, 2, 0, True),
             "one_category": make_case(3, 4, 19, 1, 0, False), "crowds": make_case(4, 6, 31, 3, 6, False)}
    for name, case in cases.items():
        case["errors"] = reference(case)
        if name != "crowds":  # there, detections within crowds are errors of tidecv's
            check_with_tidecv(case)
    cases["mixed"]["curves"] = curves(cases["mixed"])
    text = json.dumps(cases, separators=(",", ":")).replace('],"', '],\n"').replace("},{", "},\n{")
    (pathlib.Path(__file__).parent / "fixtures" / "detection_errors.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
