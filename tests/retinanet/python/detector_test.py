"""Detectors from Python: the checkpoint that an older version of the program has written."""

import os
import pathlib
import unittest

import numpy as np

import diopter

SOURCE = os.environ.get("DIOPTER_SOURCE_DIR", "")
CHECKPOINT = SOURCE + "/tests/compatibility/fixtures/0.1/run/checkpoints/best.safetensors"


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

    def test_what_is_no_checkpoint(self):
        with self.assertRaisesRegex(RuntimeError, "/nowhere/best.safetensors"):
            diopter.Detector("/nowhere/best.safetensors")
        with self.assertRaises((ValueError, RuntimeError)):
            diopter.Detector(__file__, "tpu")


if __name__ == "__main__":
    unittest.main()
