"""Kernels in torch.autograd: they compute loss and gradient in one pass, so that going back is one product."""

from __future__ import annotations

from typing import Any, Callable, Optional

import torch
from torch.autograd.function import once_differentiable


class ElementwiseLoss(torch.autograd.Function):
    """Losses as the inputs, or their sum."""

    @staticmethod
    def forward(ctx: Any, inputs: torch.Tensor, targets: torch.Tensor, kernel: Callable, scale: float, none: bool):
        gradient = torch.empty_like(inputs) if ctx.needs_input_grad[0] else None
        result = torch.empty(inputs.shape if none else (1,), dtype=torch.float32, device=inputs.device)
        kernel(inputs, targets, scale, result if none else None, None if none else result, gradient)
        if gradient is not None:
            ctx.save_for_backward(gradient)
        return result if none else result[0] * scale

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, of_result: torch.Tensor):
        (gradient,) = ctx.saved_tensors
        return (of_result * gradient).to(gradient.dtype), None, None, None, None


class BoxPairLoss(torch.autograd.Function):
    """Losses [n] of boxes [n, 4] with boxes [n, 4]."""

    @staticmethod
    def forward(ctx: Any, boxes1: torch.Tensor, boxes2: torch.Tensor, kernel: Callable):
        def gradient(of: int) -> Optional[torch.Tensor]:
            return torch.empty_like(boxes1) if ctx.needs_input_grad[of] else None

        losses = torch.empty(boxes1.shape[:1], dtype=torch.float32, device=boxes1.device)
        of_first, of_second = gradient(0), gradient(1)
        kernel(boxes1, boxes2, losses, of_first)
        if of_second is not None:  # the losses are the same for boxes that are exchanged
            kernel(boxes2, boxes1, losses, of_second)
        ctx.save_for_backward(of_first, of_second)
        return losses

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, of_losses: torch.Tensor):
        factor = of_losses.unsqueeze(1)
        first, second = (None if g is None else factor * g for g in ctx.saved_tensors)
        return first, second, None
