"""Arrays of any library: outputs like inputs, and the stream that they are computed on."""

from __future__ import annotations

import sys
from typing import Any, Callable, Sequence

Array = Any  # of NumPy, PyTorch, JAX, CuPy or another library that speaks DLPack


def is_torch(array: Array) -> bool:
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(array, torch.Tensor)


def needs_gradient(*arrays: Array) -> bool:
    """Whether torch.autograd wants to know of what is computed from these."""
    torch = sys.modules.get("torch")
    return torch is not None and torch.is_grad_enabled() and any(is_torch(a) and a.requires_grad for a in arrays)


def check_is_array(name: str, array: Array) -> None:
    if not hasattr(array, "__dlpack__"):
        raise TypeError(f"{name}: is a {type(array).__name__}, must be an array (NumPy, PyTorch, DLPack)")


class Outputs:
    """Arrays of the library of `like`, on its device, that a kernel writes.

    Arrays of JAX are never written to: there the kernel writes arrays of NumPy, which become JAX's without a copy.
    """

    def __init__(self, like: Array):
        self.torch = sys.modules["torch"] if is_torch(like) else None
        self.give: Callable[[Array], Array] = lambda array: array
        if self.torch:
            self.device = like.device
            return
        if type(like).__module__.startswith("jax"):
            import jax.numpy
            import numpy

            self.namespace, self.give, self.device = numpy, jax.numpy.from_dlpack, None
            return
        namespace = getattr(like, "__array_namespace__", None)
        if namespace is None:
            import numpy

            self.namespace, self.device = numpy, None
        else:
            self.namespace, self.device = namespace(), getattr(like, "device", None)

    def empty(self, shape: Sequence[int], dtype: str = "float32") -> Array:
        if self.torch:
            return self.torch.empty(shape, dtype=getattr(self.torch, dtype), device=self.device)
        return self.namespace.empty(tuple(shape), dtype=getattr(self.namespace, dtype), device=self.device)

    def array(self, values: Sequence[int], dtype: str) -> Array:
        """A small array of these values."""
        if self.torch:
            return self.torch.tensor(values, dtype=getattr(self.torch, dtype), device=self.device)
        return self.namespace.asarray(values, dtype=getattr(self.namespace, dtype), device=self.device)

    def concatenate(self, arrays: Sequence[Array]) -> Array:
        if self.torch:
            return self.torch.cat(list(arrays))
        return self.namespace.concat([self.namespace.asarray(a) for a in arrays])

    def integers(self, name: str, array: Array, dtype: str) -> Array:
        """As int32 or int64. Raises ValueError for numbers that the type does not have."""
        if self.torch:
            cast = array.to(getattr(self.torch, dtype))
        else:
            array = self.namespace.asarray(array)
            cast = self.namespace.astype(array, getattr(self.namespace, dtype))
        if cast.dtype != array.dtype and bool((self.torch or self.namespace).any(cast != array)):
            raise ValueError(f"{name}: has numbers that are none of {dtype}")
        return cast


def stream_of(array: Array) -> int:
    """The current stream of the array's library, as an address; 0 on the CPU."""
    if is_torch(array):
        return sys.modules["torch"].cuda.current_stream(array.device).cuda_stream if array.is_cuda else 0
    if type(array).__module__.startswith("cupy"):
        import cupy

        return cupy.cuda.get_current_stream().ptr
    return 0


def reduced(losses: Array, reduction: str) -> Array:
    if reduction == "none":
        return losses
    return losses.mean() if reduction == "mean" else losses.sum()


def check_reduction(reduction: str) -> None:
    if reduction not in ("none", "mean", "sum"):
        raise ValueError(f'reduction: is {reduction!r}, must be "none", "mean" or "sum"')
