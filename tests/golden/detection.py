"""Detections from pictures: the whole of torchvision's RetinaNet, ResNet-50, both structures, and ResNet-18.

The seed of the last classification layer is searched such that no score, no IoU and no order is so close to a threshold
that rounding decides: see clearance()."""

import torch
from torchvision.ops import box_iou

import models
from fixture import Fixture

CLASSES = 91

# Batches of pictures (height, width), the rule for their sizes, and the last classification layer; its seed is the first
# that is tried.
CASES = {
    "resnet50.v1": dict(structure="v1", backbone="resnet50", min_size=192, max_size=320, gain=3.0, bias=-9.3, seed=0,
                        batches=[[(150, 200), (240, 135)], [(97, 130)]]),
    "resnet50.v2": dict(structure="v2", backbone="resnet50", min_size=160, max_size=260, gain=16.0, bias=-9.0, seed=12,
                        batches=[[(120, 90), (100, 180)], [(301, 200)]]),
    "resnet18.v1": dict(structure="v1", backbone="resnet18", min_size=96, max_size=160, gain=1.4, bias=-9.3, seed=0,
                        batches=[[(75, 100), (90, 60)]]),
}


def fill_class_layer(model, case, seed):
    prefix = "head.classification_head.cls_logits."
    models.fill(model.head.classification_head.cls_logits, prefix, cls_gain=case["gain"], cls_bias=case["bias"], seed=seed)


def build(case, seed, dtype):
    model = models.build(case["structure"], case["backbone"], CLASSES, min_size=case["min_size"], max_size=case["max_size"])
    models.fill(model)
    fill_class_layer(model, case, seed)
    return model.to(dtype).eval()


class Run:
    """A forward pass with what happened inside."""

    def __init__(self, model, sizes, dtype):
        caught = {}
        hooks = [model.backbone.register_forward_hook(lambda m, i, o: caught.update(features=list(o.values()))),
                 model.head.register_forward_hook(lambda m, i, o: caught.update(head=o))]
        pictures = [models.picture_tensor(f"detection.{h}x{w}", h, w, dtype) for h, w in sizes]
        with torch.no_grad():
            self.detections = model(pictures)
            images, _ = model.transform(pictures)
        for hook in hooks:
            hook.remove()
        self.images = images
        self.features = caught["features"]
        self.anchors = model.anchor_generator(images, self.features)[0]
        self.logits = models.head_levels(caught["head"]["cls_logits"], self.features, CLASSES)
        self.deltas = models.head_levels(caught["head"]["bbox_regression"], self.features, 4)
        self.head = caught["head"]


def clearance(model, run, image):
    """The smallest distances from a tie: of scores from the threshold, at the cut to 1000 candidates, between detections
    that follow one another and at the cut to 300 (all scores); of IoUs within a class from the NMS threshold."""
    scores, boxes, labels, margins = [], [], [], []
    start = 0
    for level in run.logits:
        flat = torch.sigmoid(torch.from_numpy(level[image]).flatten())
        margins.append((flat - model.score_thresh).abs().min().item())
        keep = torch.where(flat > model.score_thresh)[0]
        order = flat[keep].argsort(descending=True)
        if len(order) > model.topk_candidates:
            cut = flat[keep[order[model.topk_candidates - 1:model.topk_candidates + 1]]]
            margins.append((cut[0] - cut[1]).item())
        chosen = keep[order[:model.topk_candidates]]
        anchor = chosen // CLASSES + start
        start += flat.numel() // CLASSES
        scores.append(flat[chosen])
        labels.append(chosen % CLASSES)
        boxes.append(model.box_coder.decode_single(run.head["bbox_regression"][image][anchor], run.anchors[anchor]))
    scores, labels = torch.cat(scores), torch.cat(labels)
    h, w = run.images.image_sizes[image]
    boxes = torch.cat(boxes).clamp(min=0)
    boxes = torch.stack([boxes[:, 0].clamp(max=w), boxes[:, 1].clamp(max=h), boxes[:, 2].clamp(max=w),
                         boxes[:, 3].clamp(max=h)], dim=1)
    overlaps = box_iou(boxes, boxes)
    same = (labels[:, None] == labels[None]) & ~torch.eye(len(labels), dtype=torch.bool)
    iou = (overlaps[same].nan_to_num(0) - model.nms_thresh).abs().min().item() if same.any() else 1.0
    # Every candidate that NMS keeps, the cut included.
    kept = torch.ops.torchvision.nms(boxes + labels[:, None].to(boxes) * 1e4, scores, model.nms_thresh)
    followers = scores[kept][: model.detections_per_img + 1]
    if len(followers) > 1:
        margins.append((followers[:-1] - followers[1:]).min().item())
    return min(margins), iou, len(scores), len(kept)


def make(folder):
    for name, case in CASES.items():
        model = build(case, 0, torch.float64)
        for seed in range(case["seed"], case["seed"] + 100):
            fill_class_layer(model, case, seed)
            runs, clear = [], True
            for sizes in case["batches"]:
                run = Run(model, sizes, torch.float64)
                for image in range(len(sizes)):
                    score, iou, candidates, kept = clearance(model, run, image)
                    print(f"{name} seed {seed}: {candidates} candidates, {kept} kept, clear by {score:.1e} and {iou:.1e}")
                    clear = clear and score > 5e-7 and iou > 1e-5
                if not clear:
                    break
                runs.append(run)
            if clear:
                break
        assert clear, name
        write(folder, name, case, seed, runs)


def write(folder, name, case, seed, runs):
    fixture = Fixture("head outputs by level and final detections of torchvision's RetinaNet")
    fixture.scalars |= {"seed": seed, "gain": case["gain"], "bias": case["bias"], "min_size": case["min_size"],
                        "max_size": case["max_size"], "batches": case["batches"]}
    model = build(case, seed, torch.float32)
    for b, (sizes, exact) in enumerate(zip(case["batches"], runs)):
        rough = Run(model, sizes, torch.float32)
        for level in range(5):
            fixture.digest(f"{b}.logits.{level}", exact.logits[level], rough.logits[level])
            fixture.digest(f"{b}.deltas.{level}", exact.deltas[level], rough.deltas[level])
        for i, (a, r) in enumerate(zip(exact.detections, rough.detections)):
            key = f"{b}.{i}"
            fixture.put(key + ".boxes", a["boxes"].numpy())
            fixture.put(key + ".scores", a["scores"].numpy())
            fixture.put(key + ".labels", a["labels"].numpy())
            same = len(a["labels"]) == len(r["labels"]) and bool((a["labels"] == r["labels"]).all())
            fixture.scalars[key] = {"count": len(a["labels"]), "float32_same_labels": same}
            if same:
                fixture.scalars[key] |= {"float32_score_error": float((a["scores"] - r["scores"]).abs().max()),
                                         "float32_box_error": float((a["boxes"] - r["boxes"]).abs().max())}
    fixture.write(folder, "detection_" + name.replace(".", "_"))
