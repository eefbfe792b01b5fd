"""Timing on the PyTorch side, and reading of what `diopter` saved."""

import json
import statistics
import time

import torch

TYPES = {"F32": torch.float32, "I32": torch.int32, "U8": torch.uint8, "BF16": torch.bfloat16}


def wait_for(device):
    if device == "cuda":
        torch.cuda.synchronize()


def launches_of(body, device, repetitions, wanted=0.02):
    """Median seconds of a call, as `diopter kernels bench` takes it: series of calls of about 20 ms each."""
    def seconds(launches):
        start = time.perf_counter()
        for _ in range(launches):
            body()
        wait_for(device)
        return (time.perf_counter() - start) / launches

    seconds(1)
    launches = int(min(max(wanted / seconds(1), 1), 1000))
    return statistics.median(seconds(launches) for _ in range(repetitions))


def repetitions_of(body, device, warm_up, repetitions):
    """Median seconds of a call that ends with its results on the host."""
    for _ in range(warm_up):
        body()
    wait_for(device)
    samples = []
    for _ in range(repetitions):
        start = time.perf_counter()
        body()
        wait_for(device)
        samples.append(time.perf_counter() - start)
    return statistics.median(samples)


def peak_memory(device):
    """What a measurement says about memory besides the resident size that its process had: MiB allocated on the GPU."""
    return {"peak_mib": torch.cuda.max_memory_allocated() / 2**20} if device == "cuda" else {}


def read_safetensors(file):
    """The tensors of a file, by name."""
    with open(file, "rb") as stream:
        header = json.loads(stream.read(int.from_bytes(stream.read(8), "little")))
        data = bytearray(stream.read())
    tensors = {}
    for name, entry in header.items():
        if name != "__metadata__":
            begin, end = entry["data_offsets"]
            values = torch.frombuffer(data, dtype=TYPES[entry["dtype"]], offset=begin,
                                      count=(end - begin) // TYPES[entry["dtype"]].itemsize)
            tensors[name] = values.reshape(entry["shape"])
    return tensors


def relative_difference(found, expected):
    """Largest difference, of the largest value."""
    found, expected = found.detach().double().cpu(), expected.detach().double().cpu()
    return ((found - expected).abs().max() / expected.abs().max().clamp_min(1e-30)).item()


def share_different(found, expected):
    """Share of integers that are not the same."""
    found, expected = found.cpu().long(), expected.cpu().long()
    if found.shape != expected.shape:
        return 1.0
    return (found != expected).double().mean().item() if found.numel() else 0.0
