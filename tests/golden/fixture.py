"""Fixture files: safetensors with what the references computed; scalars as JSON in the metadata entry "scalars"."""

import json

import numpy as np
import safetensors.numpy

import formula


def relative_error(actual, expected):
    """max|a - b| / max|b|"""
    return float(np.abs(actual - expected).max() / max(np.abs(expected).max(), 1e-30)) if expected.size else 0.0


class Fixture:
    def __init__(self, about):
        self.tensors, self.scalars = {}, {"about": about}

    def put(self, name, values):
        """A whole tensor: float32, int32 or uint8 as stored."""
        values = np.asarray(values)
        kinds = {"f": np.float32, "i": np.int32, "u": np.uint8, "b": np.uint8}
        self.tensors[name] = np.ascontiguousarray(values.astype(kinds[values.dtype.kind]))

    def digest(self, name, values, float32_values):
        """A sample, random projections, norm and maximum of a float64 tensor; and how far float32 is from it."""
        values = np.ascontiguousarray(values, dtype=np.float64).reshape(-1)
        float32_values = np.asarray(float32_values, dtype=np.float64).reshape(-1)
        difference = float32_values - values
        norm = float(np.linalg.norm(values))
        self.put(name + ".sample", values[formula.sample_indices(values.size)])
        self.put(name + ".projections", formula.projections(values))
        self.scalars[name] = {"size": int(values.size), "norm": norm, "max": float(np.abs(values).max()),
                              "float32_max_error": relative_error(float32_values, values),
                              "float32_norm_error": float(np.linalg.norm(difference)) / max(norm, 1e-30)}

    def write(self, folder, name):
        path = folder / (name + ".safetensors")
        safetensors.numpy.save_file(self.tensors, path, {"scalars": json.dumps(self.scalars, sort_keys=True)})
        print(f"{path.name}: {path.stat().st_size} bytes, {len(self.tensors)} tensors")
