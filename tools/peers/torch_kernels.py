"""Single operations in PyTorch and torchvision, on the inputs that `diopter kernels bench --save FILE` wrote, and by how
much their results differ from those in the file."""

from types import SimpleNamespace

import torch
import torch.nn.functional as F
from torchvision.models.detection._utils import BoxCoder, Matcher
from torchvision.models.detection.retinanet import RetinaNet, RetinaNetClassificationHead
from torchvision.ops import batched_nms, box_iou

from torch_timing import launches_of, read_safetensors, relative_difference, share_different


def level_maps(rows, levels, layout):
    """[rows, channels], level after level, as maps [N, C, H, W]."""
    maps, begin = [], 0
    for n, h, w in levels:
        end = begin + n * h * w
        maps.append(rows[begin:end].view(n, h, w, -1).permute(0, 3, 1, 2).contiguous(memory_format=layout))
        begin = end
    return maps


def level_rows(maps):
    return torch.cat([m.permute(0, 2, 3, 1).reshape(-1, m.shape[1]) for m in maps])


def convolution(device, file, part, stride, layout, repetitions, amp=False):
    """part: forward with bias and ReLU, data (gradient of the input) or weight (of the weights, summed over levels)."""
    layout = getattr(torch, layout)
    saved = {name: t.to(device) for name, t in read_safetensors(file).items()}
    levels = saved["levels"].tolist()
    dtype = torch.bfloat16 if amp else torch.float32
    w = saved["w"].permute(0, 3, 1, 2).contiguous(memory_format=layout).to(dtype)
    padding, kernel = w.shape[2] // 2, w.shape[2]
    x = [m.to(dtype) for m in level_maps(saved["x"], levels, layout)]
    if part == "forward":
        bias = saved["bias"].to(dtype)

        def body():
            return [torch.relu_(F.conv2d(m, w, bias, stride, padding)) for m in x]
    else:
        out_levels = [(n, *((size + 2 * padding - kernel) // stride + 1 for size in (h, w))) for n, h, w in levels]
        dy = [m.to(dtype) for m in level_maps(saved["dy"], out_levels, layout)]
        wanted = [part == "data", part == "weight", False]

        def body():
            gradients = [torch.ops.aten.convolution_backward(g, m, w, None, [stride] * 2, [padding] * 2, [1, 1], False,
                                                             [0, 0], 1, wanted) for g, m in zip(dy, x)]
            if part == "data":
                return [g[0] for g in gradients]
            total = gradients[0][1]
            for g in gradients[1:]:
                total += g[1]
            return total

    with torch.inference_mode():
        result = body()
        if part == "weight":
            difference = relative_difference(result.permute(0, 2, 3, 1), saved["dw"])
        else:
            difference = relative_difference(level_rows(result), saved["y" if part == "forward" else "dx"])
        return {"seconds": launches_of(body, device, repetitions), "difference": difference}


def maybe_compiled(function, compiled):
    return torch.compile(function) if compiled else function


def match(device, file, repetitions, compiled=False):
    """IoU matrix and Matcher, as torchvision's RetinaNet.compute_loss assigns anchors; anchors are there already."""
    saved = {name: t.to(device) for name, t in read_safetensors(file).items()}
    matcher = Matcher(0.5, 0.4, allow_low_quality_matches=True)
    assign = maybe_compiled(lambda boxes, anchors: matcher(box_iou(boxes, anchors)), compiled)

    def body():
        return assign(saved["boxes"], saved["anchors"])

    labels = saved["labels"][0]
    expected = torch.where(labels >= 0, saved["matches"][0], labels)
    with torch.inference_mode():
        return {"seconds": launches_of(body, device, repetitions), "difference": share_different(body(), expected)}


def focal_loss(device, file, classes, repetitions, compiled=False, amp=False):
    """RetinaNetClassificationHead.compute_loss of one picture, and its gradient; amp: under autocast, as for logits in
    bf16."""
    saved = {name: t.to(device) for name, t in read_safetensors(file).items()}
    logits = saved["logits"].reshape(1, -1, classes).requires_grad_()
    matched = saved["labels"][0].long()  # as if box k were the one of class k
    head = SimpleNamespace(BETWEEN_THRESHOLDS=Matcher.BETWEEN_THRESHOLDS)
    targets = [{"labels": torch.arange(classes, device=device)}]
    loss_of = maybe_compiled(
        lambda x: RetinaNetClassificationHead.compute_loss(head, targets, {"cls_logits": x}, [matched]), compiled)

    def body():
        logits.grad = None
        with torch.autocast(device, torch.bfloat16, enabled=amp):
            loss = loss_of(logits)
        loss.backward()
        return loss

    loss = body()
    # torchvision divides both by the number of positives; the benchmark of diopter multiplies the gradient with a scale.
    positives = max(1, int((matched >= 0).sum()))
    gradient = logits.grad.reshape(saved["gradient"].shape) * positives * saved["scale"].item()
    difference = max(relative_difference(loss * positives, saved["losses"]),
                     relative_difference(gradient, saved["gradient"]))
    return {"seconds": launches_of(body, device, repetitions), "difference": difference}


def nms(device, file, repetitions):
    saved = {name: t.to(device) for name, t in read_safetensors(file).items()}

    def body():
        return batched_nms(saved["boxes"], saved["scores"], saved["labels"], 0.5)

    expected = saved["keep"].flatten()[:int(saved["kept"])]
    with torch.inference_mode():
        return {"seconds": launches_of(body, device, repetitions), "difference": share_different(body(), expected)}


def postprocess(device, file, side, images, classes, repetitions):
    """RetinaNet.postprocess_detections. The difference is that of the detections' scores and boxes, picture by picture."""
    saved = {name: t.to(device) for name, t in read_safetensors(file).items()}
    cells, size = 9, side // 8
    pixels = []
    for _ in range(5):
        pixels.append(size * size)
        size = (size + 1) // 2
    rows = [images * p for p in pixels]
    heads = {name: [part.reshape(images, -1, values) for part in saved[key].split(rows)]
             for name, key, values in (("cls_logits", "logits", classes), ("bbox_regression", "deltas", 4))}
    anchors = [list(saved["anchors"].split([p * cells for p in pixels]))] * images
    model = SimpleNamespace(score_thresh=0.05, topk_candidates=1000, nms_thresh=0.5, detections_per_img=300,
                            box_coder=BoxCoder((1.0, 1.0, 1.0, 1.0)))

    def body():
        return RetinaNet.postprocess_detections(model, heads, anchors, [(side, side)] * images)

    with torch.inference_mode():
        found = body()
        if [len(f["scores"]) for f in found] != saved["counts"].tolist():
            difference = 1.0
        else:
            difference = max(relative_difference(torch.cat([f[name] for f in found]), saved[name])
                             for name in ("scores", "boxes"))
        return {"seconds": launches_of(body, device, repetitions), "difference": difference}


TASKS = {"convolution": convolution, "match": match, "focal_loss": focal_loss, "nms": nms, "postprocess": postprocess}
