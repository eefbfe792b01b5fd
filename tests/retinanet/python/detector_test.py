"""Detectors from Python: the checkpoint that an older version of the program has written."""

import json
import os
import pathlib
import struct
import tempfile
import unittest

import numpy as np

import diopter

SOURCE = os.environ.get("DIOPTER_SOURCE_DIR", "")
CHECKPOINT = SOURCE + "/tests/compatibility/fixtures/0.1/run/checkpoints/best.safetensors"


def with_setting(section, setting, folder):
    """The checkpoint with one more setting: the text of its configuration is in the head of the safetensors file."""
    data = pathlib.Path(CHECKPOINT).read_bytes()
    (size,) = struct.unpack("<Q", data[:8])
    head = json.loads(data[8 : 8 + size])
    facts = head["__metadata__"]
    facts["config"] = facts["config"].replace(f"[{section}]\n", f"[{section}]\n{setting}\n")
    text = json.dumps(head).encode()
    text += b" " * (-len(text) % 8)
    path = pathlib.Path(folder, "changed.safetensors")
    path.write_bytes(struct.pack("<Q", len(text)) + text + data[8 + size :])
    return path


class Detectors(unittest.TestCase):
    @unittest.skipUnless(SOURCE, "DIOPTER_SOURCE_DIR names no source tree with a checkpoint")
    def test_detects_in_an_array(self):
        picture = np.random.default_rng(1).integers(0, 255, (90, 120, 3), np.uint8)
        with diopter.Detector(pathlib.Path(CHECKPOINT), "cpu") as detector:
            self.assertTrue(detector.classes and all(isinstance(name, str) for name in detector.classes))
            found = detector(picture)
            n = len(found.scores)
            self.assertEqual((found.boxes.shape, found.labels.shape), ((n, 4), (n,)))
            self.assertTrue((np.diff(found.scores) <= 0).all())
            self.assertTrue(((found.labels >= 0) & (found.labels < len(detector.classes))).all())
            again = detector(picture)
            np.testing.assert_array_equal(found.boxes, again.boxes)
            with self.assertRaisesRegex(ValueError, r"picture: is float64 \[90, 120, 3\], must be uint8"):
                detector(picture / 255)
            with self.assertRaisesRegex(ValueError, "picture: is uint8"):
                detector(picture[:, :, 0].copy())
        with self.assertRaisesRegex(ValueError, "detector: 0 is none"):
            detector(picture)

    @unittest.skipUnless(SOURCE, "DIOPTER_SOURCE_DIR names no source tree with a checkpoint")
    def test_pictures_in_tiles_have_more_detections_than_one_view(self):
        picture = np.random.default_rng(1).integers(0, 255, (90, 120, 3), np.uint8)
        with tempfile.TemporaryDirectory() as folder:
            with diopter.Detector(with_setting("input", "tile = 32", folder), "cpu") as detector:
                most = detector._detector.max_detections
                found = detector(picture)
        self.assertGreater(len(found.scores), most)
        self.assertEqual((len(found.boxes), len(found.labels)), (len(found.scores),) * 2)
        self.assertTrue((np.diff(found.scores) <= 0).all() and (found.scores > 0).all())
        self.assertTrue((found.boxes[:, 2:] > found.boxes[:, :2]).all())
        self.assertGreater(found.boxes[:, 2].max(), 64)  # beyond the first tiles

    def test_what_is_no_checkpoint(self):
        with self.assertRaisesRegex(RuntimeError, "/nowhere/best.safetensors"):
            diopter.Detector("/nowhere/best.safetensors")
        with self.assertRaises((ValueError, RuntimeError)):
            diopter.Detector(__file__, "tpu")


if __name__ == "__main__":
    unittest.main()
