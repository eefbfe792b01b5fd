#!/usr/bin/env python3
"""Writes tests/golden/torch_files: small files of PyTorch and NumPy for the tests of the reader (engine/files/torch_file.h).

Run by a developer with PyTorch and NumPy in a virtual environment; tests only read the files:
  python3 tests/golden/make_torch_files.py

Every value is a quarter of an integer that follows from its place, so that the tests know it and every type holds it.
"""
import collections
import pathlib
import pickle

import numpy
import torch

FOLDER = pathlib.Path(__file__).parent / "torch_files"


def ramp(*shape, start=0):
    count = int(numpy.prod(shape))
    return (torch.arange(start, start + count, dtype=torch.float32) / 4).reshape(shape)


def tensors():
    whole = ramp(4, 3)
    return collections.OrderedDict(
        f32=ramp(2, 3, 1, 2),
        f64=ramp(5, start=-2).double(),
        f16=ramp(5, start=-2).half(),
        bf16=ramp(5, start=-2).bfloat16(),
        i64=torch.tensor([-3, 2**31 - 1]),
        i32=torch.tensor([[-3, 7]], dtype=torch.int32),
        scalar=torch.tensor(2.5),
        empty=torch.zeros(0, 4),
        transposed=whole.t(),
        rows=whole[1:3],  # in the storage of `transposed`
        columns=whole[:, 1],
        expanded=torch.tensor([1.5]).expand(3),
        parameter=torch.nn.Parameter(ramp(2, 2)),
    )


def arrays(order):
    return {
        "f32": numpy.asarray(ramp(2, 3), order=order),
        "f64": numpy.arange(-2, 3) / 4,
        "f16": (numpy.arange(-2, 3) / 4).astype(numpy.float16),
        "i64": numpy.array([-3, 2**31 - 1]),
        "scalar": numpy.array(2.5, dtype=numpy.float32),
        "empty": numpy.zeros((0, 4), dtype=numpy.float32),
        "lr": numpy.float64(0.25),  # no array: passed over
        "steps": [1, 2],
    }


def main():
    FOLDER.mkdir(exist_ok=True)
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.BatchNorm2d(2))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    model(torch.ones(1, 1, 4, 4)).sum().backward()
    optimizer.step()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(ramp(*parameter.shape))
    training = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": 3, "loss": 0.5, "best": None,
                "done": False, "__author__": "a test"}

    torch.save(tensors(), FOLDER / "tensors.pth")
    torch.save(tensors(), FOLDER / "tensors_old.pth", _use_new_zipfile_serialization=False)
    torch.save(training, FOLDER / "training.pth")
    for protocol, order in ((2, "C"), (4, "F"), (5, "C")):
        with open(FOLDER / f"arrays_{protocol}.pkl", "wb") as file:
            pickle.dump({"model": arrays(order), "__author__": "a test"}, file, protocol=protocol)


if __name__ == "__main__":
    main()
