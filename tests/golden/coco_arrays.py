"""Makes fixtures/coco_arrays.json: small cases with hashes of all cells of pycocotools' precision, scores and recall.

    python3 -m venv venv && venv/bin/pip install numpy pycocotools==2.0.11
    venv/bin/python tests/golden/coco_arrays.py

The cells are compared to the last bit: a hash (FNV-1a, kernels/base/hash.h) of the arrays' bytes is enough. Beside it
stand COCO's numbers of the case by the same settings: AP and AR over all thresholds, all areas.
"""

import contextlib
import io
import json
import pathlib

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

COCO_AREAS = [["all", 0, 1e10], ["small", 0, 1024], ["medium", 1024, 9216], ["large", 9216, 1e10]]
SETTINGS = {
    "coco": {"iou": [0.5, 0.95, 0.05], "areas": COCO_AREAS, "max_detections": [1, 10, 100]},
    "crowded": {"iou": [0.5, 0.95, 0.05], "areas": COCO_AREAS, "max_detections": [1, 10, 100, 300]},
    "tiny": {"iou": [0.1, 0.9, 0.1], "areas": [["all", 0, 1e10], ["tiny", 0, 256], ["rest", 256, 1e10]],
             "max_detections": [2, 5]},
    "strict": {"iou": [0.75, 1.0, 0.05], "areas": [["all", 0, 1e10]], "max_detections": [7]},
}


def make_case(seed, images, categories, objects, background):
    """Objects of all sizes in pictures whose ids descend, some of them crowds; detections with equal scores."""
    random = np.random.default_rng(seed)
    annotations, detections = [], []
    for n in range(objects):
        image, category = int(random.integers(images)) * 7 + 3, int(random.integers(1, categories + 1))
        size = [4, 16, 32, 60, 96, 150][int(random.integers(6))]
        box = [float(v) for v in (*random.integers(0, 300, 2), size, size)]
        annotations.append({"id": n + 1, "image_id": image, "category_id": category, "bbox": box,
                            "area": box[2] * box[3], "iscrowd": int(n % 9 == 4)})
        for _ in range(int(random.integers(4))):
            moved = [box[0] + round(float(random.normal(0, size / 12)) * 4) / 4, box[1], box[2], box[3]]
            detections.append({"image_id": image, "category_id": category, "bbox": moved,
                               "score": int(random.integers(1, 64)) / 64})
    for _ in range(background):
        side = float(random.integers(4, 120))
        detections.append({"image_id": int(random.integers(images)) * 7 + 3,
                           "category_id": int(random.integers(1, categories + 1)),
                           "bbox": [*map(float, random.integers(0, 300, 2)), side, side],
                           "score": int(random.integers(1, 64)) / 128})
    order = random.permutation(len(detections))
    return {"images": [{"id": i * 7 + 3} for i in reversed(range(images))],
            "categories": [{"id": k + 1} for k in range(categories + 1)],  # the last one has nothing
            "annotations": annotations, "detections": [detections[i] for i in order]}


def fnv1a(array):
    value = 0xCBF29CE484222325
    for byte in np.ascontiguousarray(array, np.float64).tobytes():
        value = ((value ^ byte) * 0x100000001B3) % 2**64
    return f"{value:016x}"


def evaluate(case, settings):
    first, last, step = settings["iou"]
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = {key: case[key] for key in ("images", "categories", "annotations")}
        truth.createIndex()
        evaluation = COCOeval(truth, truth.loadRes(case["detections"]), "bbox")
        evaluation.params.iouThrs = np.linspace(first, last, round((last - first) / step) + 1)
        evaluation.params.areaRngLbl = [name for name, *_ in settings["areas"]]
        evaluation.params.areaRng = [ends for _, *ends in settings["areas"]]
        evaluation.params.maxDets = settings["max_detections"]
        evaluation.evaluate()
        evaluation.accumulate()
    cells = evaluation.eval
    precision, recall = cells["precision"][:, :, :, 0, -1], cells["recall"][:, :, 0, -1]
    return {**settings, "shape": list(cells["precision"].shape),
            **{name: fnv1a(cells[name]) for name in ("precision", "scores", "recall")},
            "AP": float(np.mean(precision[precision > -1])), "AR": float(np.mean(recall[recall > -1]))}


def main():
    cases = {"small": make_case(1, images=5, categories=3, objects=60, background=40),
             "crowded": make_case(2, images=2, categories=2, objects=160, background=400)}
    for case in cases.values():
        case["settings"] = {name: evaluate(case, settings) for name, settings in SETTINGS.items()}
    text = json.dumps(cases, separators=(",", ":")).replace("},{", "},\n{")
    (pathlib.Path(__file__).parent / "fixtures" / "coco_arrays.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
