#!/usr/bin/env python3
"""Reads what `diopter detect --export` wrote by other programs' readers, and compares the boxes with those of --json.

    VENV/bin/python tools/peers/read_exports.py FOLDER --score S

FOLDER has detections.json (--json), pictures, and of detections with a score of at least S any of: labelstudio.json, read by label-studio-sdk's converter (predictions
accepted as annotations, as the program does it); cvat.xml, by datumaro; yolo and voc, by supervision. VENV has these from
PyPI. A line per reader: boxes, and the largest difference of an edge in pixels. Ends with 1 when a box is missing, has
another class, or differs by more than 0.001 pixels; by datumaro 0.005, since it rounds to hundredths.
"""

import argparse
import json
import pathlib
import shutil
import sys
import tempfile



def expected(folder, score):
    """{picture: [(class, x1, y1, x2, y2), ...]}"""
    boxes = {}
    for found in json.loads((folder / "detections.json").read_text()):
        if found["score"] < score:
            continue
        x, y, w, h = found["bbox"]
        boxes.setdefault(pathlib.Path(found["file_name"]).name, []).append((found["category"], x, y, x + w, y + h))
    return boxes


def label_studio(folder):
    from label_studio_sdk.converter import Converter
    tasks = json.loads((folder / "labelstudio.json").read_text())
    names = sorted({label for task in tasks for prediction in task["predictions"] for result in prediction["result"]
                    for label in result["value"]["rectanglelabels"]})
    config = ('<View><Image name="image" value="$image"/><RectangleLabels name="label" toName="image">'
              + "".join(f'<Label value="{name}"/>' for name in names) + "</RectangleLabels></View>")
    for number, task in enumerate(tasks, 1):
        accepted = [{"id": number, "result": prediction["result"], "was_cancelled": False} for prediction in task["predictions"]]
        task.update(id=number, annotations=accepted)
    with tempfile.TemporaryDirectory() as scratch:
        file, out = pathlib.Path(scratch, "tasks.json"), pathlib.Path(scratch, "coco")
        file.write_text(json.dumps(tasks))
        Converter(config, str(folder), download_resources=False).convert_to_coco(str(file), str(out), is_dir=False)
        coco = json.loads((out / "result.json").read_text())
    categories = {c["id"]: c["name"] for c in coco["categories"]}
    # The converter puts a hash before each name.
    pictures = {image["id"]: pathlib.Path(image["file_name"]).name.split("__", 1)[-1] for image in coco["images"]}
    boxes = {}
    for a in coco["annotations"]:
        x, y, w, h = a["bbox"]
        boxes.setdefault(pictures[a["image_id"]], []).append((categories[a["category_id"]], x, y, x + w, y + h))
    return boxes


def cvat(folder):
    from datumaro import Dataset
    with tempfile.TemporaryDirectory() as scratch:
        shutil.copy(folder / "cvat.xml", pathlib.Path(scratch, "annotations.xml"))
        shutil.copytree(folder / "pictures", pathlib.Path(scratch, "images"))
        data = Dataset.import_from(scratch, "cvat")
        names = [label.name for label in data.categories()[next(iter(data.categories()))]]
        return {item.id + ".png": [(names[a.label], a.points[0], a.points[1], a.points[2], a.points[3])
                                   for a in item.annotations] for item in data if item.annotations}


def of_supervision(data):
    boxes = {}
    for path, _, found in data:
        for corners, label in zip(found.xyxy.tolist(), found.class_id.tolist()):
            boxes.setdefault(pathlib.Path(path).name, []).append((data.classes[label], *corners))
    return boxes


def yolo(folder):
    import supervision
    names = (folder / "yolo" / "classes.txt").read_text().split("\n")
    with tempfile.TemporaryDirectory() as scratch:
        yaml = pathlib.Path(scratch, "data.yaml")
        yaml.write_text("names:\n" + "".join(f"- {json.dumps(name)}\n" for name in names if name))
        return of_supervision(supervision.DetectionDataset.from_yolo(
            str(folder / "pictures"), str(folder / "yolo"), str(yaml)))


def voc(folder):
    import supervision
    return of_supervision(supervision.DetectionDataset.from_pascal_voc(str(folder / "pictures"), str(folder / "voc")))


READERS = {"labelstudio.json": ("label-studio-sdk", label_studio, 1e-3), "cvat.xml": ("datumaro", cvat, 5.1e-3),
           "yolo": ("supervision, YOLO", yolo, 1e-3), "voc": ("supervision, VOC", voc, 1e-3)}


def difference(found, boxes):
    """The largest of an edge; None where pictures, classes or numbers of boxes differ."""
    if {picture for picture in found if found[picture]} != set(boxes):
        return None
    largest = 0.0
    for picture, own in boxes.items():
        theirs = sorted(found[picture])
        own = sorted(own)
        if [b[0] for b in theirs] != [b[0] for b in own]:
            return None
        largest = max([largest] + [abs(a - b) for one, other in zip(theirs, own) for a, b in zip(one[1:], other[1:])])
    return largest


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--score", type=float, required=True, help="that of diopter detect")
    options = parser.parse_args()
    folder, boxes = options.folder, expected(options.folder, options.score)
    count, status = sum(map(len, boxes.values())), 0
    for file, (reader, read, tolerance) in READERS.items():
        if not (folder / file).exists():
            continue
        try:
            found = read(folder)
        except ImportError as error:
            print(f"{file}: skipped, {error}")
            continue
        off = difference(found, boxes)
        same = off is not None and off <= tolerance
        status |= not same
        print(f"{file}, {reader}: {sum(map(len, found.values()))} of {count} boxes, " +
              ("other pictures, classes or numbers of boxes" if off is None else f"edges differ by at most {off:.2g} pixels"))
    return status


if __name__ == "__main__":
    sys.exit(main())
