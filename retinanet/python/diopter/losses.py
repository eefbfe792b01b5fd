"""Classification losses of logits with a target each.

inputs    logits, any shape, float32 (PyTorch: bfloat16, too), contiguous
targets   same shape, float32: 0 or 1; of losses with soft targets from 0 to 1
result    float32: of the same shape ("none"), or one number ("mean", "sum")

Errors: ValueError or TypeError, naming the argument and what it must be; RuntimeError for targets that the loss lacks.
"""

from __future__ import annotations

from typing import Callable, Tuple

from . import _kernels
from ._arrays import Array, Outputs, check_is_array, check_reduction, needs_gradient, stream_of
from ._compile import CompiledLoss, compile

__all__ = ["CompiledLoss", "compile", "elementwise_loss", "sigmoid_focal_loss", "value_and_gradient"]

# kernel(inputs, targets, scale, losses, sum, gradient)
Kernel = Callable[[Array, Array, float, Array, Array, Array], None]


def _kernel_of(loss: str, like: Array) -> Kernel:
    stream = stream_of(like)

    def kernel(inputs: Array, targets: Array, scale: float, losses: Array, total: Array, gradient: Array) -> None:
        _kernels.elementwise_loss(loss, inputs, targets, scale, losses, total, gradient, stream)

    return kernel


def elementwise_loss(inputs: Array, targets: Array, loss: str = "focal", reduction: str = "none") -> Array:
    """A loss of `diopter train --loss`, with its parameters: "focal:gamma=1.5,alpha=0.5", "poly", "varifocal".

    Differentiable with respect to `inputs` in PyTorch. Not for ohem, ohem13 and ghm, which need whole steps.
    """
    check_is_array("inputs", inputs)
    return apply(_kernel_of(loss, inputs), inputs, targets, reduction)


def sigmoid_focal_loss(
    inputs: Array, targets: Array, alpha: float = 0.25, gamma: float = 2, reduction: str = "none"
) -> Array:
    """Focal loss (Lin et al. 2017) with the arguments of torchvision.ops.sigmoid_focal_loss.

    alpha     weight of targets 1, 1 - alpha of targets 0; negative: no weights
    gamma     from 0 to 10

    Targets must be 0 or 1: torchvision takes others as well.
    """
    check_is_array("inputs", inputs)
    return apply(_kernel_of(f"focal:gamma={gamma!r},alpha={alpha if alpha >= 0 else -1!r}", inputs), inputs, targets, reduction)


def value_and_gradient(inputs: Array, targets: Array, loss: str = "focal") -> Tuple[Array, Array]:
    """Losses of each element, and their derivatives with respect to `inputs`: for libraries without autograd."""
    check_is_array("inputs", inputs)
    outputs = Outputs(inputs)
    losses, gradient = outputs.empty(inputs.shape), outputs.empty(inputs.shape)
    _kernel_of(loss, inputs)(inputs, targets, 1.0, losses, None, gradient)
    return outputs.give(losses), outputs.give(gradient)


def apply(kernel: Kernel, inputs: Array, targets: Array, reduction: str) -> Array:
    """Calls a kernel and reduces what it gives."""
    check_reduction(reduction)
    none = reduction == "none"
    count = 1
    for size in inputs.shape:
        count *= size
    scale = 1.0 / count if reduction == "mean" and count else 1.0
    if needs_gradient(targets):
        raise ValueError("targets: requires a gradient, which this loss does not have for targets")
    if needs_gradient(inputs):
        from ._autograd import ElementwiseLoss

        return ElementwiseLoss.apply(inputs, targets, kernel, scale, none)
    outputs = Outputs(inputs)
    result = outputs.empty(inputs.shape if none else (1,))
    kernel(inputs, targets, scale, result if none else None, None if none else result, None)
    result = outputs.give(result)
    return result if none else result[0] * scale
