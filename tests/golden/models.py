"""torchvision's RetinaNets with the weights of formula.py."""

from functools import partial

import torch
from torchvision.models import resnet
from torchvision.models.detection import RetinaNet
from torchvision.models.detection.backbone_utils import _resnet_fpn_extractor
from torchvision.models.detection.retinanet import RetinaNetHead, _default_anchorgen
from torchvision.ops.feature_pyramid_network import LastLevelP6P7
from torchvision.ops.misc import FrozenBatchNorm2d

import formula


def build(structure, backbone="resnet50", classes=91, trainable=3, **options):
    """structure v1: frozen norms, P6 from P5, plain heads; v2: batch norms, P6 from C5, group norms in the heads, GIoU.
    As retinanet_resnet50_fpn(_v2) builds them when the backbone was trained."""
    norm = FrozenBatchNorm2d if structure == "v1" else torch.nn.BatchNorm2d
    body = getattr(resnet, backbone)(weights=None, norm_layer=norm)
    p6_channels = 256 if structure == "v1" else body.fc.in_features
    fpn = _resnet_fpn_extractor(body, trainable, returned_layers=[2, 3, 4], extra_blocks=LastLevelP6P7(p6_channels, 256))
    if structure == "v1":
        return RetinaNet(fpn, classes, **options)
    anchors = _default_anchorgen()
    head = RetinaNetHead(256, anchors.num_anchors_per_location()[0], classes, norm_layer=partial(torch.nn.GroupNorm, 32))
    head.regression_head._loss_type = "giou"
    return RetinaNet(fpn, classes, anchor_generator=anchors, head=head, **options)


def fill(module, prefix="", **weight_options):
    """Sets every parameter and running statistic by the formula; `prefix` completes the names."""
    with torch.no_grad():
        for name, tensor in module.state_dict().items():
            if not name.endswith("num_batches_tracked"):
                tensor.copy_(torch.from_numpy(formula.weight(prefix + name, tuple(tensor.shape), **weight_options)))
    return module


def channels_last(tensor):
    """[N, C, H, W] -> numpy [N, H, W, C], the engine's layout."""
    return tensor.detach().permute(0, 2, 3, 1).contiguous().numpy()


def head_levels(outputs, features, values):
    """The head's [N, anchors, values] cut into levels, each [N, H, W, cells * values]."""
    cells = outputs.shape[1] // sum(f.shape[2] * f.shape[3] for f in features)
    sizes = [f.shape[2] * f.shape[3] * cells for f in features]
    return [part.reshape(f.shape[0], f.shape[2], f.shape[3], cells * values).detach().numpy()
            for part, f in zip(outputs.split(sizes, dim=1), features)]


def picture_tensor(name, height, width, dtype):
    """A picture of the formula as torchvision's models take it: [3, height, width] from 0 to 1."""
    return torch.from_numpy(formula.picture(name, height, width)).permute(2, 0, 1).to(dtype) / 255
