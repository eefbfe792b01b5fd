"""Kernels in torch.autograd: they compute loss and gradient in one pass, so that going back is one product."""

from __future__ import annotations

from typing import Any, Callable, Optional

import torch
from torch.autograd.function import once_differentiable

from ._arrays import Library


class ElementwiseLoss(torch.autograd.Function):
    """Losses as the inputs, or scale times their sum."""

    @staticmethod
    def forward(ctx: Any, inputs: torch.Tensor, targets: torch.Tensor, kernel: Callable, scale: float, none: bool,
                library: Library):  # fmt: skip
        gradient, result = torch.empty_like(inputs), library.empty(inputs, inputs.shape if none else (), "float32")
        losses, total = (result, None) if none else (None, result)
        kernel(inputs, targets, scale, losses, total, gradient, library.stream(inputs))
        ctx.save_for_backward(gradient)
        return result

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, of_result: torch.Tensor):
        (gradient,) = ctx.saved_tensors
        return (of_result * gradient).to(gradient.dtype), None, None, None, None, None


class ClassificationLoss(torch.autograd.Function):
    """Losses [images] of logits [images, anchors, classes] and labels [images, anchors]."""

    @staticmethod
    def forward(ctx: Any, logits: torch.Tensor, labels: torch.Tensor, kernel: Callable, library: Library):
        gradient, losses = torch.empty_like(logits), library.empty(logits, logits.shape[:1], "float32")
        kernel(logits, labels, None, None, losses, gradient, library.stream(logits))
        ctx.save_for_backward(gradient)
        return losses

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, of_losses: torch.Tensor):
        (gradient,) = ctx.saved_tensors
        return (of_losses.reshape(-1, 1, 1) * gradient).to(gradient.dtype), None, None, None


class BoxPairLoss(torch.autograd.Function):
    """Losses [n] of boxes [n, 4] with boxes [n, 4], or scale times their sum.

    kernel(boxes1, boxes2, scale, of_first, of_second) -> result, and the gradients that are wanted"""

    @staticmethod
    def forward(ctx: Any, boxes1: torch.Tensor, boxes2: torch.Tensor, kernel: Callable, scale: Optional[float]):
        result, first, second = kernel(boxes1, boxes2, scale, *ctx.needs_input_grad[:2])
        ctx.save_for_backward(first, second)
        ctx.scale = scale
        return result

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, of_result: torch.Tensor):
        factor = of_result.unsqueeze(1) if ctx.scale is None else of_result * ctx.scale
        first, second = (None if g is None else factor * g for g in ctx.saved_tensors)
        return first, second, None, None
