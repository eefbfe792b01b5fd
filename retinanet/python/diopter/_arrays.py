"""Arrays of any library: outputs like inputs, and the stream that they are computed on."""

from __future__ import annotations

import sys
from typing import Any, Dict, Sequence

from . import _kernels

Array = Any  # of NumPy, PyTorch, JAX, CuPy or another library that speaks DLPack


class Library:
    """A library of arrays with the array API: what is asked of it for arrays of one type."""

    torch: Any = None  # the module, for its tensors

    def __init__(self, namespace: Any):
        self.namespace = namespace
        self.gives_what_it_makes = type(self).give is Library.give

    def empty(self, like: Array, shape: Sequence[int], dtype: str) -> Array:
        """An array on the device of `like` for a kernel to write: "float32", "int32" or "int64"."""
        return self.namespace.empty(
            tuple(shape), dtype=getattr(self.namespace, dtype), device=getattr(like, "device", None)
        )

    def make(self, shape: Sequence[int], dtype: str) -> Array:
        """The same on the host, for kernels that make their outputs."""
        return self.namespace.empty(shape, dtype=getattr(self.namespace, dtype))

    def give(self, array: Array) -> Array:
        """What the caller gets of an array that `empty` made."""
        return array

    number = give  # the same of one without dimensions

    def stream(self, array: Array) -> int:
        """The current stream, as an address; 0 on the CPU, and where kernels can ask the library themselves."""
        return 0

    # For arrays on a GPU.

    def array(self, like: Array, values: Sequence[int], dtype: str) -> Array:
        """A small array of these values."""
        return self.namespace.asarray(values, dtype=getattr(self.namespace, dtype), device=like.device)

    def concatenate(self, arrays: Sequence[Array]) -> Array:
        return self.namespace.concat(list(arrays))

    def integers(self, name: str, array: Array, dtype: str) -> Array:
        """As int32 or int64. Raises ValueError for numbers that the type does not have."""
        cast = self.namespace.astype(array, getattr(self.namespace, dtype))
        if cast.dtype != array.dtype and bool(self.namespace.any(cast != array)):
            raise ValueError(f"{name}: has numbers that are none of {dtype}")
        return cast


class NumPy(Library):
    def __init__(self) -> None:
        import numpy

        super().__init__(numpy)
        self._empty = self.make = numpy.empty
        self._types = {name: numpy.dtype(name) for name in ("float32", "int32", "int64")}

    def empty(self, like: Array, shape: Sequence[int], dtype: str) -> Array:
        return self._empty(shape, self._types[dtype])

    def number(self, array: Array) -> Array:
        return array[()]


class Jax(NumPy):
    """Arrays of JAX are never written to: the kernel writes arrays of NumPy, which become JAX's without a copy."""

    def give(self, array: Array) -> Array:
        import jax.numpy

        return jax.numpy.from_dlpack(array)

    number = give


class CuPy(Library):
    def stream(self, array: Array) -> int:
        return self.namespace.cuda.get_current_stream().ptr


class Torch(Library):
    def __init__(self, torch: Any):
        super().__init__(torch)
        self.torch = torch
        self.grad_enabled = torch.is_grad_enabled
        from . import _autograd

        self.autograd = _autograd
        if hasattr(torch.Tensor, "__dlpack_c_exchange_api__"):  # a third of the time
            self.empty = _kernels.empty

    def empty(self, like: Array, shape: Sequence[int], dtype: str) -> Array:
        return self.torch.empty(shape, dtype=getattr(self.torch, dtype), device=like.device)

    def stream(self, array: Array) -> int:
        return self.torch.cuda.current_stream(array.device).cuda_stream if array.is_cuda else 0

    def array(self, like: Array, values: Sequence[int], dtype: str) -> Array:
        return self.torch.tensor(values, dtype=getattr(self.torch, dtype), device=like.device)

    def concatenate(self, arrays: Sequence[Array]) -> Array:
        return self.torch.cat(list(arrays))

    def integers(self, name: str, array: Array, dtype: str) -> Array:
        cast = array.to(getattr(self.torch, dtype))
        if cast.dtype != array.dtype and bool((cast != array).any()):
            raise ValueError(f"{name}: has numbers that are none of {dtype}")
        return cast


_libraries: Dict[type, Library] = {}  # by type of array


def library_of(name: str, array: Array) -> Library:
    """That of the argument `name`. Raises TypeError for what is no array."""
    library = _libraries.get(type(array))
    if library is None:
        library = _libraries[type(array)] = _library_of(name, array)
    return library


def _library_of(name: str, array: Array) -> Library:
    if not hasattr(array, "__dlpack__"):
        raise TypeError(f"{name}: is a {type(array).__name__}, must be an array (NumPy, PyTorch, DLPack)")
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(array, torch.Tensor):
        return Torch(torch)
    module = type(array).__module__
    if module.startswith("jax"):
        return Jax()
    if module.startswith("cupy"):
        return CuPy(sys.modules["cupy"])
    if module.startswith("numpy") or not hasattr(array, "__array_namespace__"):
        return NumPy()
    return Library(array.__array_namespace__())


def scale_of(reduction: str, count: int) -> float:
    """What a sum of `count` losses is multiplied by. Raises ValueError for what is no reduction."""
    if reduction == "mean":
        return 1.0 / max(count, 1)
    if reduction not in ("none", "sum"):
        raise ValueError(f'reduction: is {reduction!r}, must be "none", "mean" or "sum"')
    return 1.0
