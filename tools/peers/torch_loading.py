"""Training batches from JPEG files with a DataLoader: decode, flip, resize, normalise, put together."""

import json
import pathlib
import random
import time

import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset, RandomSampler
from torchvision.io import ImageReadMode, decode_image
from torchvision.transforms.v2 import functional as F

MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]


def with_pillow(file, flip, size):
    picture = Image.open(file).convert("RGB")
    scale = size / min(picture.size)
    picture = picture.resize((int(picture.width * scale), int(picture.height * scale)), Image.Resampling.BILINEAR)
    if flip:
        picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    return F.pil_to_tensor(picture), scale


def with_torchvision(file, flip, size):
    picture = decode_image(file, ImageReadMode.RGB)
    scale = size / min(picture.shape[1:])
    picture = F.resize(picture, [int(picture.shape[1] * scale), int(picture.shape[2] * scale)], antialias=False)
    return (F.horizontal_flip(picture) if flip else picture), scale


class Pictures(Dataset):
    def __init__(self, data, size, decode):
        folder = pathlib.Path(data)
        truth = json.loads((folder / "instances_train.json").read_text())
        self.files = {image["id"]: str(folder / "images" / image["file_name"]) for image in truth["images"]}
        self.widths = {image["id"]: image["width"] for image in truth["images"]}
        self.boxes = {key: [] for key in self.files}
        for annotation in truth["annotations"]:
            x, y, w, h = annotation["bbox"]
            self.boxes[annotation["image_id"]].append([x, y, x + w, y + h])
        self.keys, self.size, self.decode = list(self.files), size, decode

    def __len__(self):
        return len(self.keys)

    def __getitem__(self, index):
        key, flip = self.keys[index], random.random() < 0.5
        picture, scale = self.decode(self.files[key], flip, self.size)
        boxes = torch.tensor(self.boxes[key]).reshape(-1, 4)
        if flip:
            x1, y1, x2, y2 = boxes.unbind(1)
            boxes = torch.stack([self.widths[key] - x2, y1, self.widths[key] - x1, y2], 1)
        return F.normalize(F.to_dtype(picture, torch.float32, scale=True), MEAN, STD), boxes * scale


def collate(samples):
    """Padded with zeros to multiples of 32."""
    pictures, boxes = zip(*samples)
    height, width = (-(-max(p.shape[axis] for p in pictures) // 32) * 32 for axis in (1, 2))
    batch = torch.zeros(len(pictures), 3, height, width)
    for place, picture in zip(batch, pictures):
        place[:, :picture.shape[1], :picture.shape[2]] = picture
    return batch, boxes


def loading(device, data, size, batch, batches, workers, decoder):
    """workers: processes beside this one; 0: this one makes the batches."""
    del device
    if workers > 0:
        torch.set_num_threads(1)
    pictures = Pictures(data, size, with_pillow if decoder == "pillow" else with_torchvision)
    warm_up = 2 * workers + 1  # more than what the workers hold ready
    sampler = RandomSampler(pictures, replacement=True, num_samples=batch * (warm_up + batches + 4 * workers))
    iterator = iter(DataLoader(pictures, batch, sampler=sampler, num_workers=workers, collate_fn=collate))
    for _ in range(warm_up):
        next(iterator)
    start = time.perf_counter()
    for _ in range(batches):
        next(iterator)
    return {"seconds": (time.perf_counter() - start) / batches}


def make_photos(device, source, folder, width, height):
    """JPEG files from the upper left of the PNG files of a set."""
    del device
    source, folder = pathlib.Path(source), pathlib.Path(folder)
    truth = json.loads((source / "instances_train.json").read_text())
    (folder / "images").mkdir(parents=True)
    for image in truth["images"]:
        picture = Image.open(source / "images" / image["file_name"]).convert("RGB").crop((0, 0, width, height))
        image.update(file_name=pathlib.Path(image["file_name"]).stem + ".jpg", width=width, height=height)
        picture.save(folder / "images" / image["file_name"], quality=90)
    kept = []
    for annotation in truth["annotations"]:
        x, y, w, h = annotation["bbox"]
        w, h = min(w, width - x), min(h, height - y)
        if w >= 2 and h >= 2:
            kept.append({**annotation, "bbox": [x, y, w, h], "area": w * h})
    (folder / "instances_train.json").write_text(json.dumps({**truth, "annotations": kept}))
    return {}


TASKS = {"loading": loading, "make_photos": make_photos}
