"""Numbers that the engine's tests compute as well: tests/retinanet/golden.h is the same in C++.

Everything follows from Philox4x32-10 (Salmon et al. 2011) with the FNV-1a hash of a name as its key, so that weights,
pictures and head outputs need not be stored."""

import numpy as np

PROJECTIONS = 8
SAMPLES = 128


def fnv1a(name):
    value = 0xCBF29CE484222325
    for byte in name.encode():
        value = (value ^ byte) * 0x100000001B3 % 2**64
    return value


def philox_blocks(key, stream, count):
    """The first `count` blocks of four words: uint32 [count, 4]."""
    counter = np.arange(count, dtype=np.uint64)
    low = np.uint64(0xFFFFFFFF)
    c = [counter & low, counter >> np.uint64(32),
         np.full(count, stream % 2**32, np.uint64), np.full(count, stream >> 32, np.uint64)]
    k0, k1 = key % 2**32, key >> 32
    for _ in range(10):
        p0, p1 = c[0] * np.uint64(0xD2511F53), c[2] * np.uint64(0xCD9E8D57)
        c = [(p1 >> np.uint64(32)) ^ c[1] ^ np.uint64(k0), p1 & low,
             (p0 >> np.uint64(32)) ^ c[3] ^ np.uint64(k1), p0 & low]
        k0, k1 = (k0 + 0x9E3779B9) % 2**32, (k1 + 0xBB67AE85) % 2**32
    return np.stack(c, axis=1).astype(np.uint32)


def words(name, stream, count):
    """uint32 [count]"""
    return philox_blocks(fnv1a(name), stream, (count + 3) // 4).reshape(-1)[:count]


def uniform(name, count, centre=0.0, spread=1.0, stream=0):
    """float32 [count]: centre + spread * u, u in [-1, 1), every operation rounded to float32."""
    u = (words(name, stream, count) >> 8).astype(np.float32) * np.float32(2**-23) - np.float32(1)
    return np.float32(centre) + np.float32(spread) * u


def weight(name, shape, cls_gain=1.0, cls_bias=-4.0, seed=0):
    """A parameter or running statistic by its name in torchvision's state_dict: float32 of `shape` [out, in, kh, kw].

    Convolutions keep the mean square of activations that went through a ReLU. Norms damp each residual branch, so that
    activations stay near unit variance, and those at the end of a bottleneck do so more: else rounding errors grow from
    block to block where norms follow the batch's statistics. cls_gain, cls_bias and seed are of the last classification layer."""
    count = int(np.prod(shape))
    stream = seed if "cls_logits" in name else 0
    if len(shape) == 4:
        gain = 2.0
        if "cls_logits" in name:
            gain = cls_gain
        elif "inner_blocks" in name or "layer_blocks" in name or ".p6." in name:
            gain = 1.0
        elif "bbox_reg" in name:
            gain = 0.1
        values = uniform(name, count, 0.0, np.sqrt(3 * gain / (count // shape[0])), stream)
    elif name.endswith("running_var"):
        values = uniform(name, count, 1.0, 0.3)
    elif name.endswith("running_mean"):
        values = uniform(name, count, 0.0, 0.2)
    elif name.endswith("bn3.weight"):
        values = uniform(name, count, 0.2, 0.1)
    elif name.endswith(".weight"):
        values = uniform(name, count, 0.7, 0.2)
    elif name.endswith("cls_logits.bias"):
        values = uniform(name, count, cls_bias, 0.2, stream)
    else:
        values = uniform(name, count, 0.0, 0.1)
    return values.reshape(shape)


def picture(name, height, width):
    """uint8 [height, width, 3]"""
    return (words(name, 0, height * width * 3) >> 24).astype(np.uint8).reshape(height, width, 3)


def sample_indices(size):
    """Elements of a tensor of `size` elements that are stored; all of them where they are few."""
    if size <= SAMPLES:
        return np.arange(size)
    return ((words("sample", 0, SAMPLES).astype(np.uint64) * np.uint64(size)) >> np.uint64(32)).astype(np.int64)


def projections(values):
    """Sums of the elements with random signs: float64 [PROJECTIONS]. The mean square of the projections of a difference
    estimates its squared norm over *all* elements."""
    values = values.reshape(-1)
    signs = philox_blocks(fnv1a("signs"), 0, (values.size + 15) // 16).reshape(-1).view(np.uint8)[: values.size]
    return np.array([np.where(signs >> k & 1, values, -values).sum() for k in range(PROJECTIONS)])


def checksum(values):
    """Of the bits of float32 or int32 values and their places."""
    bits = np.ascontiguousarray(values).reshape(-1).view(np.uint32).astype(np.uint64)
    odd = np.arange(bits.size, dtype=np.uint64) * np.uint64(2) + np.uint64(1)
    return f"{int(np.sum(bits * odd, dtype=np.uint64)):016x}"
