#!/usr/bin/env python3
"""Cuts COCO sets into square tiles, for detectors that have none of their own.

    tools/peers/cut_tiles.py IMAGES OUT SIDE ANNOTATIONS...

writes OUT/images/*.png and, under their own names, the annotations. Tiles lie side by side; the last of a row or column ends with
its picture and overlaps the one before; a smaller picture is one tile. Boxes are cut, and belong to every tile that has half of
their area. Needs Pillow from PyPI.
"""

import itertools
import json
import math
import pathlib
import sys

from PIL import Image

KEPT_SHARE = 0.5


def starts(length, side):
    """First pixel of each tile."""
    number = max(1, math.ceil(length / side))
    return [max(0, min(i * side, length - side)) for i in range(number)]


def cut_box(box, left, top, width, height):
    """What of [x, y, width, height] lies in the tile, seen from there; None where that is less than half of it."""
    x, y = max(box[0], left), max(box[1], top)
    w, h = min(box[0] + box[2], left + width) - x, min(box[1] + box[3], top + height) - y
    if w <= 0 or h <= 0 or w * h < KEPT_SHARE * box[2] * box[3]:
        return None
    return [x - left, y - top, w, h]


def cut(annotations, folder, out, side):
    truth = json.loads(annotations.read_text())
    images, boxes = [], []
    for picture in truth["images"]:
        pixels = Image.open(folder / picture["file_name"]).convert("RGB")
        stem = str(pathlib.Path(picture["file_name"]).with_suffix("")).replace("/", "_")
        own = [a for a in truth["annotations"] if a["image_id"] == picture["id"]]
        for top, left in itertools.product(starts(pixels.height, side), starts(pixels.width, side)):
            width, height = min(side, pixels.width - left), min(side, pixels.height - top)
            name = f"{stem}_{left}_{top}.png"
            pixels.crop((left, top, left + width, top + height)).save(out / "images" / name)
            images.append({"id": len(images) + 1, "width": width, "height": height, "file_name": name})
            for annotation in own:
                if box := cut_box(annotation["bbox"], left, top, width, height):
                    boxes.append({"id": len(boxes) + 1, "image_id": len(images), "bbox": box, "area": box[2] * box[3],
                                  "category_id": annotation["category_id"], "iscrowd": annotation.get("iscrowd", 0)})
    (out / annotations.name).write_text(
        json.dumps({"categories": truth["categories"], "images": images, "annotations": boxes}))
    print(f"{out / annotations.name}: {len(images)} tiles of {len(truth['images'])} pictures, "
          f"{len(boxes)} boxes of {len(truth['annotations'])}")


def main():
    if len(sys.argv) < 5:
        sys.exit(__doc__)
    folder, out, side = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), int(sys.argv[3])
    (out / "images").mkdir(parents=True, exist_ok=True)
    for annotations in sys.argv[4:]:
        cut(pathlib.Path(annotations), folder, out, side)


if __name__ == "__main__":
    main()
