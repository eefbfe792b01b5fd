"""Compares detections by onnxruntime with those of `diopter detect --json`; for tests/tools/export_test.cpp.

python3 compare.py check MODEL                  onnx.checker and shape inference; prints the opset
python3 compare.py compare MODEL JSON BATCH PICTURE...
        the same pictures, BATCH at a time: as many detections, with the same classes, scores within 1e-4, boxes within
        0.05 pixels of the picture. Detections whose scores are within 1e-4 may have changed places. Prints what was
        compared, and the largest differences.
"""
import json
import os
import sys

import detect


def check(model):
    import onnx
    read = onnx.load(model)
    onnx.checker.check_model(read, full_check=True)
    inferred = onnx.shape_inference.infer_shapes(read, check_type=True, strict_mode=True, data_prop=True)
    assert len(inferred.graph.value_info) > len(read.graph.value_info)
    print("opset", read.opset_import[0].version)


def apart(a, b):
    """Differences of two detections: of the scores, of the corners."""
    return abs(a[1] - b[1]), max(abs(p - q) for p, q in zip(a[2], b[2]))


def close(a, b):
    score, corner = apart(a, b)
    return a[0] == b[0] and score <= 1e-4 and corner <= 0.05


def compare(model, results, batch, files):
    theirs = {file: [] for file in files}
    names = {os.path.basename(file): file for file in files}
    for row in json.load(open(results)):
        x, y, w, h = row["bbox"]
        theirs[names[os.path.basename(row["file_name"])]].append((row["category"], row["score"], (x, y, x + w, y + h)))
    ours = {}
    for first in range(0, len(files), batch):
        part = files[first:first + batch]
        ours.update(zip(part, detect.detect(model, part)))
    total, largest = 0, (0.0, 0.0)
    for file in files:
        a, left = ours[file], list(theirs[file])
        assert len(a) == len(left), f"{file}: {len(a)} detections, not {len(left)}"
        for i, one in enumerate(a):
            near = [j for j in range(len(left)) if close(one, left[j])]
            assert near, f"{file}: detection {i} is {one}, not {left[0]}"
            difference = apart(one, left.pop(near[0]))
            largest = tuple(map(max, largest, difference))
        total += len(a)
    assert total >= len(files), f"only {total} detections: nothing was compared"
    print(f"{len(files)} pictures, {total} detections, scores {largest[0]:.2g}, boxes {largest[1]:.2g}")


if __name__ == "__main__":
    if sys.argv[1] == "check":
        check(sys.argv[2])
    else:
        compare(sys.argv[2], sys.argv[3], int(sys.argv[4]), sys.argv[5:])
