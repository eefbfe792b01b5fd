#!/usr/bin/env python3
"""Runs a RetinaNet checkpoint through torchvision and through diopter and prints, picture by picture, how far the numbers
are apart, layer by layer.

    python3 -m venv ~/compare && ~/compare/bin/pip install torch torchvision safetensors numpy pillow
    ~/compare/bin/python tools/peers/compare_with_torchvision.py retinanet_resnet50_fpn_coco-eeacb38b.pth photos/*.jpg

CHECKPOINT is a state_dict of torchvision's RetinaNet (.pth, or .safetensors), v1 or v2, with a ResNet of
retinanet/network/backbones. Layers are compared on the input that diopter made of the picture, so that each line shows the
networks alone; the line "input" shows how far torchvision's own input is from it (decoders of JPEG files differ by some
units of 255)."""

import argparse
import pathlib
import subprocess
import sys
import tempfile
import tomllib

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "golden"))

import numpy as np
import safetensors
import safetensors.torch
import torch
from PIL import Image, ImageOps
from torchvision.models.detection.image_list import ImageList

import models


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", metavar="CHECKPOINT")
    parser.add_argument("images", metavar="IMAGE", nargs="+")
    parser.add_argument("--diopter", default=ROOT / "build" / "release" / "diopter", help="the program")
    parser.add_argument("--device", default="auto", help="diopter's device: auto, cpu or cuda")
    parser.add_argument("--float32", action="store_true", help="torchvision in float32, as it is used, not in float64")
    return parser.parse_args()


def load_state(file):
    if file.endswith(".safetensors"):
        return safetensors.torch.load_file(file)
    state = torch.load(file, map_location="cpu", weights_only=True)
    return state.get("model", state)


def torchvision_model(state, config, dtype):
    """With the settings of the converted checkpoint, which are what diopter uses."""
    structure = "v2" if "head.classification_head.conv.0.1.weight" in state else "v1"
    detect, sizes = config["detect"], config["input"]
    classes = state["head.classification_head.cls_logits.bias"].numel() // 9
    model = models.build(structure, config["model"]["backbone"], classes, min_size=sizes["min_sizes"][-1], max_size=sizes["max_size"],
                         score_thresh=detect["score_threshold"], nms_thresh=detect["nms_iou"],
                         detections_per_img=detect["max_detections"], topk_candidates=detect["top_k"])
    missing, surplus = model.load_state_dict(state, strict=False)
    wrong = [k for k in missing + surplus if not k.endswith("num_batches_tracked")]
    if wrong:
        sys.exit(f"torchvision's model and the checkpoint differ in {wrong[0]}")
    eps = config["model"].get("norm_eps", 1e-5)
    for module in model.backbone.body.modules():
        if hasattr(module, "running_var"):
            module.eps = eps
    return model.to(dtype).eval()


def run_torchvision(model, pixels, size, original):
    """Every layer, [1, h, w, channels], and the detections, for an input [1, H, W, 3] that is ready."""
    layers = {}
    with torch.no_grad():
        images = torch.from_numpy(pixels).permute(0, 3, 1, 2)
        maps = list(model.backbone.body(images).values())
        features = list(model.backbone(images).values())
        head = model.head(features)
        anchors = model.anchor_generator(ImageList(images, [size]), features)
        counts = [f.shape[2] * f.shape[3] * 9 for f in features]
        split = {k: list(v.split(counts, dim=1)) for k, v in head.items()}
        found = model.postprocess_detections(split, [list(anchors[0].split(counts))], [size])
        found = model.transform.postprocess(found, [size], [original])[0]
    classes = head["cls_logits"].shape[2]
    for name, group in (("C", maps), ("P", features)):
        layers |= {f"{name}{level}": models.channels_last(m) for level, m in enumerate(group, 3)}
    for name, key, values in (("logits", "cls_logits", classes), ("deltas", "bbox_regression", 4)):
        layers |= {f"{name}.P{level}": x for level, x in enumerate(models.head_levels(head[key], features, values), 3)}
    return layers, {k: v.numpy() for k, v in found.items()}


def print_difference(name, ours, theirs):
    difference = np.abs(ours.astype(np.float64) - theirs)
    print(f"  {name:<12} {difference.max() / max(np.abs(theirs).max(), 1e-30):>12.1e} "
          f"{np.linalg.norm(difference) / max(np.linalg.norm(theirs), 1e-30):>12.1e}")


def print_detections(ours, theirs):
    """Detections of one label with almost the same box belong together, the best scores first."""
    pairs, free = [], set(range(len(ours["labels"])))
    for i, (label, box) in enumerate(zip(theirs["labels"], theirs["boxes"])):
        near = [j for j in free if ours["labels"][j] == label and np.abs(ours["boxes"][j] - box).max() < 1]
        if near:
            best = min(near, key=lambda j: np.abs(ours["boxes"][j] - box).max())
            free.remove(best)
            pairs.append((best, i))
    print(f"  detections: {len(theirs['labels'])} of torchvision, {len(ours['labels'])} of diopter, {len(pairs)} the same", end="")
    if pairs:
        a, b = map(list, zip(*pairs))
        print(f"; scores differ by {np.abs(ours['scores'][a] - theirs['scores'][b]).max():.1e} at most, "
              f"boxes by {np.abs(ours['boxes'][a] - theirs['boxes'][b]).max():.1e} pixels", end="")
    print()


def main():
    options = arguments()
    dtype = torch.float32 if options.float32 else torch.float64
    with tempfile.TemporaryDirectory() as folder:
        converted, dump = f"{folder}/converted.safetensors", f"{folder}/dump.safetensors"
        subprocess.run([options.diopter, "convert", options.checkpoint, converted], check=True)
        with safetensors.safe_open(converted, "np") as file:
            config = tomllib.loads(file.metadata()["config"])
        model = torchvision_model(load_state(options.checkpoint), config, dtype)
        for image in options.images:
            subprocess.run([options.diopter, "detect", "--checkpoint", converted, "--out", f"{folder}/drawn", "--dump", dump,
                            "--device", options.device, image], check=True, stdout=subprocess.DEVNULL)
            ours = {k.removeprefix("1/"): v.numpy() for k, v in safetensors.torch.load_file(dump).items()}
            (width, height), (full_width, full_height) = ours["sizes"][0].astype(int), ours["original_sizes"][0].astype(int)
            print(f"{image}: {full_width}x{full_height}, resized to {width}x{height}\n  {'':<12} max|a-b|/max|b|  |a-b|/|b|")
            rgb = np.asarray(ImageOps.exif_transpose(Image.open(image)).convert("RGB"))
            with torch.no_grad():
                own = model.transform([torch.from_numpy(rgb.copy()).permute(2, 0, 1).to(dtype) / 255])[0]
            if models.channels_last(own.tensors).shape == ours["input"].shape:
                print_difference("input", ours["input"], models.channels_last(own.tensors))
            else:
                print(f"  torchvision's input is {tuple(own.tensors.shape[2:])}, diopter's {ours['input'].shape[1:3]}")
            layers, found = run_torchvision(model, ours["input"].astype(dtype_name(dtype)), (height, width),
                                            (full_height, full_width))
            for name, values in layers.items():
                print_difference(name, ours[name], values)
            print_detections(ours, found)


def dtype_name(dtype):
    return str(dtype).removeprefix("torch.")


if __name__ == "__main__":
    main()
