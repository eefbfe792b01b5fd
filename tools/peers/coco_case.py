#!/usr/bin/env python3
"""A made-up evaluation case in COCO's formats, and what other programs answer to it.

    coco_case.py make FOLDER --pictures 5000 --categories 80 --detections 500000    writes truth.json and found.json
    coco_case.py evaluate FOLDER [--with hotcoco]    reads them with pycocotools or another and writes theirs.json
    coco_case.py evaluate FOLDER [--with hotcoco] --cells FILE [--at-once 20]
                                                     writes all cells with numpy.savez; some categories at a time, since
                                                     pycocotools needs memory for categories times pictures
"""

import argparse
import contextlib
import importlib
import io
import itertools
import json
import math
import pathlib
import random


def make(folder, pictures, categories, detections):
    """7 objects per picture. Sizes and the uneven frequency of the classes resemble those of COCO."""
    rng = random.Random(2017)
    frequency = list(itertools.accumulate(1 / (k + 3) for k in range(categories)))
    numbers = range(1, categories + 1)
    objects = []
    for i in range(7 * pictures):
        w, h = (min(max(math.exp(rng.gauss(4.0, 1.1)), 4), 400) for _ in range(2))
        box = [rng.uniform(0, 640 - w), rng.uniform(0, 480 - h), w, h]
        objects.append({"id": i + 1, "image_id": rng.randrange(pictures) + 1,
                        "category_id": rng.choices(numbers, cum_weights=frequency)[0],
                        "bbox": [round(v, 2) for v in box], "area": round(0.7 * w * h, 2),
                        "iscrowd": int(rng.random() < 0.01)})
    found = []
    for _ in range(detections):
        origin = rng.choice(objects)  # background has a low score and lies in pictures with objects, too
        near = rng.random() < 0.33
        category = origin["category_id"] if near and rng.random() < 0.9 else rng.randrange(categories) + 1
        spread = rng.choice([0.03, 0.1, 0.3])
        x, y, w, h = origin["bbox"]
        place = ([x + rng.gauss(0, spread) * w, y + rng.gauss(0, spread) * h] if near
                 else [rng.uniform(0, 400), rng.uniform(0, 400)])
        box = [*place, w * math.exp(rng.gauss(0, spread)), h * math.exp(rng.gauss(0, spread))]
        score = rng.betavariate(3, 2) if near else rng.betavariate(1, 8)
        found.append({"image_id": origin["image_id"], "category_id": category, "bbox": [round(v, 2) for v in box],
                      "score": round(score, 5)})
    truth = {"images": [{"id": i + 1, "file_name": f"{i + 1:012d}.jpg", "width": 640, "height": 480}
                        for i in range(pictures)],
             "categories": [{"id": k + 1, "name": f"class {k + 1}"} for k in range(categories)], "annotations": objects}
    (folder / "truth.json").write_text(json.dumps(truth))
    (folder / "found.json").write_text(json.dumps(found))


def load(folder, package):
    """Class COCOeval of the package, truth and detections."""
    module = importlib.import_module(package)
    if not hasattr(module, "COCO"):  # pycocotools has modules for its classes
        module.COCO = importlib.import_module(f"{package}.coco").COCO
        module.COCOeval = importlib.import_module(f"{package}.cocoeval").COCOeval
    truth = module.COCO(str(folder / "truth.json"))
    return module.COCOeval, truth, truth.loadRes(str(folder / "found.json"))


def evaluate(folder, package):
    kind, truth, found = load(folder, package)
    evaluation = kind(truth, found, "bbox")
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    (folder / "theirs.json").write_text(json.dumps({"stats": [float(v) for v in evaluation.stats]}))


def write_cells(folder, package, file, at_once):
    """precision [T, R, K, A, M], scores [T, R, K, A, M] and recall [T, K, A, M]: those of a category K are by themselves."""
    import numpy
    kind, truth, found = load(folder, package)
    categories = sorted(truth.getCatIds())
    cells = {"precision": [], "scores": [], "recall": []}
    for begin in range(0, len(categories), at_once or len(categories)):
        evaluation = kind(truth, found, "bbox")
        if at_once:
            evaluation.params.catIds = categories[begin:begin + at_once]
        evaluation.evaluate()
        evaluation.accumulate()
        for name, parts in cells.items():
            parts.append(numpy.asarray(evaluation.eval[name]))
    numpy.savez(file, **{name: numpy.concatenate(parts, axis=-3) for name, parts in cells.items()})


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["make", "evaluate"])
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--pictures", type=int, default=5000)
    parser.add_argument("--categories", type=int, default=80)
    parser.add_argument("--detections", type=int, default=500_000)
    parser.add_argument("--with", dest="package", default="pycocotools")
    parser.add_argument("--cells")
    parser.add_argument("--at-once", type=int, default=0, help="categories; 0: all")
    options = parser.parse_args()
    if options.what == "make":
        make(options.folder, options.pictures, options.categories, options.detections)
        return
    with contextlib.redirect_stdout(io.StringIO()):
        if options.cells:
            write_cells(options.folder, options.package, options.cells, options.at_once)
        else:
            evaluate(options.folder, options.package)


if __name__ == "__main__":
    main()
