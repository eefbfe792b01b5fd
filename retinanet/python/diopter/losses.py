"""Classification losses: of logits with a target each, and of anchors with a class each.

inputs    logits, any shape, float32 (PyTorch: bfloat16, too), contiguous
targets   same shape, float32: 0 or 1; of losses with soft targets from 0 to 1
result    float32: of the same shape ("none"), or one number ("mean", "sum")

Errors: ValueError or TypeError, naming the argument and what it must be; RuntimeError for targets that the loss lacks.
"""

from __future__ import annotations

import functools
import math
from typing import Callable, Tuple

from . import _kernels
from ._arrays import Array, library_of, scale_of
from ._compile import CompiledLoss, compile

__all__ = ["CompiledLoss", "classification_loss", "compile", "elementwise_loss", "sigmoid_focal_loss", "value_and_gradient"]

# kernel(inputs, targets, scale, losses, sum, gradient, stream)
Kernel = Callable[[Array, Array, float, Array, Array, Array, int], None]


def elementwise_loss(inputs: Array, targets: Array, loss: str = "focal", reduction: str = "none") -> Array:
    """A loss of `diopter train --loss`, with its parameters: "focal:gamma=1.5,alpha=0.5", "poly", "varifocal".

    Differentiable with respect to `inputs` in PyTorch. Not for ohem, ohem13, ghm and
    equalized_focal, which need whole steps.
    """
    return apply(functools.partial(_kernels.elementwise_loss, loss), inputs, targets, reduction)


def sigmoid_focal_loss(
    inputs: Array, targets: Array, alpha: float = 0.25, gamma: float = 2, reduction: str = "none"
) -> Array:
    """Focal loss (Lin et al. 2017) with the arguments of torchvision.ops.sigmoid_focal_loss.

    alpha     weight of targets 1, 1 - alpha of targets 0; negative: no weights
    gamma     from 0 to 10

    Targets must be 0 or 1: torchvision takes others as well.
    """
    return apply(_focal_loss(alpha, gamma), inputs, targets, reduction)


@functools.lru_cache(maxsize=64)
def _focal_loss(alpha: float, gamma: float) -> Kernel:
    text = f"focal:gamma={gamma!r},alpha={alpha if alpha >= 0 else -1!r}"
    return functools.partial(_kernels.elementwise_loss, text)


def classification_loss(logits: Array, labels: Array, loss: str = "focal") -> Array:
    """The sum over an image's anchors and classes, for each image: [images] float32.

    logits   [images, anchors, classes] float32 (PyTorch: bfloat16, too)
    labels   [images, anchors] int32, as AnchorGrid.match gives them: class, -1 for background, -2 for ignored

    The targets 0 and 1 are never written out. Differentiable with respect to `logits` in PyTorch.
    """
    library = library_of("logits", logits)
    library_of("labels", labels)
    kernel = functools.partial(_kernels.classification_loss, loss)
    if library.torch and library.grad_enabled() and logits.requires_grad:
        return library.autograd.ClassificationLoss.apply(logits, labels, kernel, library)
    losses = library.empty(logits, logits.shape[:1], "float32")
    kernel(logits, labels, None, None, losses, None, library.stream(logits))
    return library.give(losses)


def value_and_gradient(inputs: Array, targets: Array, loss: str = "focal") -> Tuple[Array, Array]:
    """Losses of each element, and their derivatives with respect to `inputs`: for libraries without autograd."""
    library = library_of("inputs", inputs)
    shape = inputs.shape
    losses, gradient = library.empty(inputs, shape, "float32"), library.empty(inputs, shape, "float32")
    _kernels.elementwise_loss(loss, inputs, targets, 1.0, losses, None, gradient, library.stream(inputs))
    return library.give(losses), library.give(gradient)


def apply(kernel: Kernel, inputs: Array, targets: Array, reduction: str) -> Array:
    """Calls a kernel and reduces what it gives."""
    library = library_of("inputs", inputs)
    none = reduction == "none"
    scale = 1.0 if none else scale_of(reduction, math.prod(inputs.shape))
    if library.torch and library.grad_enabled():
        if getattr(targets, "requires_grad", False):
            raise ValueError("targets: requires a gradient, which this loss does not have for targets")
        if inputs.requires_grad:
            return library.autograd.ElementwiseLoss.apply(inputs, targets, kernel, scale, none, library)
    stream = library.stream(inputs)
    if none:
        losses = library.empty(inputs, inputs.shape, "float32")
        kernel(inputs, targets, scale, losses, None, None, stream)
        return library.give(losses)
    total = library.empty(inputs, (), "float32")
    kernel(inputs, targets, scale, None, total, None, stream)
    return library.number(total)
