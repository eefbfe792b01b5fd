"""Training steps and inference of torchvision's RetinaNet."""

import functools
import json
import math
import pathlib

import torch
from PIL import Image
from torchvision.models.detection import RetinaNet
from torchvision.models.detection.backbone_utils import resnet_fpn_backbone
from torchvision.ops.feature_pyramid_network import LastLevelP6P7
from torchvision.transforms.functional import to_tensor

from torch_timing import peak_memory, repetitions_of


def retinanet(backbone, classes, size, prior=0.01):
    """As retinanet_resnet50_fpn builds it: frozen norms, stem and first stage not trained, P6 from P5."""
    body = resnet_fpn_backbone(backbone_name=backbone, weights=None, trainable_layers=3, returned_layers=[2, 3, 4],
                               extra_blocks=LastLevelP6P7(256, 256))
    model = RetinaNet(body, classes, min_size=size, max_size=size)
    torch.nn.init.constant_(model.head.classification_head.cls_logits.bias, -math.log((1 - prior) / prior))
    return model


def read_data(data, device):
    """Pictures of a COCO set from 0 to 1 and their targets; classes are counted from 0."""
    folder = pathlib.Path(data)
    truth = json.loads((folder / "instances_train.json").read_text())
    index = {category["id"]: i for i, category in enumerate(sorted(truth["categories"], key=lambda c: c["id"]))}
    boxes = {image["id"]: [] for image in truth["images"]}
    labels = {image["id"]: [] for image in truth["images"]}
    for annotation in truth["annotations"]:
        x, y, w, h = annotation["bbox"]
        boxes[annotation["image_id"]].append([x, y, x + w, y + h])
        labels[annotation["image_id"]].append(index[annotation["category_id"]])
    pictures = [to_tensor(Image.open(folder / "images" / image["file_name"]).convert("RGB")).to(device)
                for image in truth["images"]]
    targets = [{"boxes": torch.tensor(boxes[image["id"]], device=device),
                "labels": torch.tensor(labels[image["id"]], device=device)} for image in truth["images"]]
    return pictures, targets


def prepared(device, backbone, size, classes, prior, layout, amp, compiled, tf32, weights):
    torch.backends.cudnn.allow_tf32 = tf32
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    model = retinanet(backbone, classes, size, prior)
    if weights:
        model.load_state_dict(torch.load(weights))
    model.to(device, memory_format=getattr(torch, layout))
    if compiled:  # what surrounds them works on lists of pictures of any size
        model.backbone = torch.compile(model.backbone)
        model.head = torch.compile(model.head)
    return model, functools.partial(torch.autocast, device, torch.bfloat16, enabled=amp)


def step(device, data, backbone, size, classes, warm_up, repetitions, layout="contiguous_format", amp=False,
         compiled=False, tf32=True, weights=None):
    pictures, targets = read_data(data, device)
    model, autocast = prepared(device, backbone, size, classes, 0.01, layout, amp, compiled, tf32, weights)
    model.train()
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.SGD(parameters, lr=1e-5, momentum=0.9, weight_decay=1e-4)
    first = []

    def body():
        with autocast():
            losses = model(pictures, targets)
        optimizer.zero_grad()
        sum(losses.values()).backward()
        optimizer.step()
        if not first:
            first.extend([losses["classification"].item(), losses["bbox_regression"].item()])
            if not all(map(math.isfinite, first)):
                raise ValueError(f"losses are not finite: {first}")

    return {"seconds": repetitions_of(body, device, warm_up, repetitions), "values": first, **peak_memory(device)}


def inference(device, data, backbone, size, classes, prior, warm_up, repetitions, layout="contiguous_format", amp=False,
              compiled=False, tf32=True, weights=None):
    pictures, _ = read_data(data, device)
    model, autocast = prepared(device, backbone, size, classes, prior, layout, amp, compiled, tf32, weights)
    model.eval()
    found = []

    def body():
        with autocast():
            found[:] = model(pictures)

    with torch.inference_mode():
        seconds = repetitions_of(body, device, warm_up, repetitions)
    scores = torch.cat([f["scores"] for f in found])
    return {"seconds": seconds, "values": [len(scores), scores.sum().item()], **peak_memory(device)}


def make_weights(device, backbone, classes, prior, file):
    """Weights for both sides, from a fixed seed. Norms damp each residual branch, as in trained networks: where they are
    identities, activations double from block to block."""
    del device
    torch.manual_seed(0)
    model = retinanet(backbone, classes, 256, prior)
    last = "bn3" if backbone == "resnet50" else "bn2"
    with torch.no_grad():
        for name, buffer in model.named_buffers():
            if name.endswith(last + ".weight"):
                buffer.fill_(0.2)
    torch.save(model.state_dict(), file)
    return {}


TASKS = {"step": step, "inference": inference, "make_weights": make_weights}
