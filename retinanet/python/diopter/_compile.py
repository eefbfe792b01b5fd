"""Loss headers as callables."""

from __future__ import annotations

import ctypes
import functools
import os
import pathlib
import re
import subprocess
import tempfile
from typing import Dict, Union

from . import _kernels
from ._arrays import Array

_HERE = pathlib.Path(__file__).parent

class CompiledLoss:
    """A loss that was compiled from its header: loss(inputs, targets, reduction="none", parameter=value, ...).

    inputs, targets   any shape, float32 on the CPU, as for diopter.losses.elementwise_loss
    parameters        their names and defaults
    """

    def __init__(self, library: ctypes.CDLL, name: str):
        self.name = name
        self._library = library
        self._elements = ctypes.cast(library.elements, ctypes.c_void_p).value
        self._soft = bool(library.soft())
        self.parameters: Dict[str, float] = {}
        self._ranges = {}
        text, value, lowest, highest = ctypes.c_char_p(), ctypes.c_float(), ctypes.c_float(), ctypes.c_float()
        whole = ctypes.c_int()
        while library.parameter(len(self.parameters), *map(ctypes.byref, (text, value, lowest, highest, whole))):
            key = text.value.decode()
            self.parameters[key] = value.value
            self._ranges[key] = (lowest.value, highest.value, bool(whole.value))

    def __call__(self, inputs: Array, targets: Array, reduction: str = "none", **parameters: float) -> Array:
        from .losses import apply

        values = {**self.parameters, **parameters}
        for key, value in parameters.items():
            if key not in self.parameters:
                raise TypeError(f"{key}: {self.name} has no such parameter, must be one of: {', '.join(self.parameters)}")
            lowest, highest, whole = self._ranges[key]
            if not lowest <= value <= highest or (whole and value != int(value)):
                number = "a whole number" if whole else "a number"
                raise ValueError(f"{key}: is {value}, must be {number} from {lowest:g} to {highest:g}")

        kernel = functools.partial(_kernels.compiled_loss, self._elements, list(values.values()), self._soft)
        return apply(kernel, inputs, targets, reduction)


def compile(header: Union[str, os.PathLike], compiler: str = "") -> CompiledLoss:
    """Compiles NAME.h, which defines struct diopter::NameLoss as docs/adding_a_loss.md says, for the CPU.

    compiler   of C++20; without: $CXX, or c++

    Raises RuntimeError with what the compiler says, and ValueError for a file whose name is none of a loss.
    """
    path = pathlib.Path(header).resolve()
    name = path.stem
    if path.suffix != ".h" or not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        raise ValueError(f"header: is {str(header)!r}, must be NAME.h, NAME of small letters, digits and _")
    if not path.is_file():
        raise FileNotFoundError(f"header: there is no file {path}")
    loss_type = "".join(part.capitalize() for part in name.split("_")) + "Loss"
    with tempfile.TemporaryDirectory() as folder:
        source, library = pathlib.Path(folder, "loss.cpp"), pathlib.Path(folder, f"{name}.so")
        text = (_HERE / "compiled_loss.cpp.in").read_text()
        for key, value in (("@HEADER@", str(path)), ("@NAME@", name), ("@TYPE@", loss_type)):
            text = text.replace(key, value)
        source.write_text(text)
        command = [compiler or os.environ.get("CXX", "c++"), "-std=c++20", "-O3", "-shared", "-fPIC"]
        command += ["-fno-math-errno", "-fno-trapping-math", "-ffp-contract=off", "-I", str(_HERE / "include")]
        try:
            done = subprocess.run(
                command + [str(source), "-o", str(library)], capture_output=True, text=True, check=False
            )
        except FileNotFoundError:
            raise RuntimeError(f"{command[0]}: there is no such compiler; $CXX names another") from None
        if done.returncode:
            raise RuntimeError(f"{path}: does not compile\n{done.stderr}")
        return CompiledLoss(ctypes.CDLL(str(library)), name)
