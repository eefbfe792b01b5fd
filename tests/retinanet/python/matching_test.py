"""Anchors and matching: against torchvision and a few boxes by hand."""

import unittest

import numpy as np

import diopter
from optional_libraries import needs_torchvision, torch, torchvision


def small_grid():
    """2 x 3 anchors of 8 x 8 pixels, 8 apart."""
    return diopter.AnchorGrid([(2, 3)], [(8, 8)], [[(-4, -4, 4, 4)]], offset=0.5)


class Matching(unittest.TestCase):
    def test_by_hand(self):
        grid = small_grid()
        self.assertEqual(len(grid), 6)
        anchors = grid.anchors(np.zeros(0, np.float32))
        self.assertEqual(anchors[4].tolist(), [8, 8, 16, 16])
        boxes = [np.array([[8, 8, 16, 16], [0, 0, 8, 5]], np.float32), np.zeros((0, 4), np.float32)]
        matches = grid.match(boxes, [np.array([3, 7]), np.zeros(0, np.int64)])
        self.assertEqual(matches.labels.tolist(), [[7, -1, -1, -1, 3, -1], [-1] * 6])
        self.assertEqual(matches.boxes.tolist(), [[1, -1, -1, -1, 0, -1], [-1] * 6])
        self.assertEqual(matches.positives.tolist(), [2, 0])
        strict = grid.match(boxes, [np.array([3, 7]), np.zeros(0, np.int64)], foreground_iou=0.7, background_iou=0.6)
        self.assertEqual(strict.labels[0].tolist(), [-2, -1, -1, -1, 3, -1])
        kind = grid.match(boxes, [np.array([3, 7]), np.zeros(0, np.int64)], 0.7, 0.6, low_quality=True)
        self.assertEqual(kind.labels[0].tolist(), [7, -1, -1, -1, 3, -1])

    def test_the_calls_for_a_gpu_do_the_same(self):
        """With arrays of the host, which the kernel behind them takes as well."""
        grid = small_grid()
        boxes = [np.array([[8, 8, 16, 16], [0, 0, 8, 5]], np.float32), np.array([[1, 1, 9, 9]], np.float32)]
        labels = [np.array([3, 7]), np.array([1])]
        kinds = [lambda a: a] if hasattr(np, "astype") else []
        kinds += [torch.from_numpy] if torch else []
        for kind in kinds:
            arrays = [list(map(kind, boxes)), list(map(kind, labels))]
            of_gpu = grid._match_on_gpu(diopter._arrays.library_of("", arrays[0][0]), *arrays, (0.5, 0.4, True, 0.5))
            for ours, host in zip(of_gpu, grid.match(*arrays, low_quality=True)):
                self.assertEqual(ours.tolist(), host.tolist())

    def test_integers_of_every_type(self):
        box = np.array([[0, 0, 8, 8]], np.float32)
        for kind in "bhilqBHILQ":
            self.assertEqual(small_grid().match([box], [np.array([5], kind)]).labels[0, 0], 5)

    def test_what_is_refused(self):
        grid, box = small_grid(), np.array([[0, 0, 8, 8]], np.float32)
        refused = (
            ("boxes, labels: are of 1 and 0", lambda: grid.match([box], [])),
            ("boxes, labels: are of 0 and 0", lambda: grid.match([], [])),
            (r"labels\[0\]: is int64 \[2\], must be .* \[1\]", lambda: grid.match([box], [np.array([1, 2])])),
            (r"boxes\[0\]: is float64", lambda: grid.match([box.astype(np.float64)], [np.array([1])])),
            (r"labels\[1\]: has numbers", lambda: grid.match([box, box], [np.array([1]), np.array([2**33])])),
            ("background_iou", lambda: grid.match([box], [np.array([1])], 0.3, 0.4)),
            ("must have as many levels", lambda: diopter.AnchorGrid([(2, 3)], [], [])),
            ("grid->levels", lambda: diopter.AnchorGrid([], [], []).anchors(box)),
            ("as many boxes for each", lambda: diopter.AnchorGrid([(1, 1)] * 2, [(8, 8)] * 2, [[], [(0, 0, 1, 1)]])),
        )
        for words, call in refused:
            with self.subTest(words), self.assertRaisesRegex(ValueError, words):
                call()

    @needs_torchvision
    def test_the_grid_of_retinanet_and_its_matches_are_torchvision_s(self):
        from torchvision.models.detection.anchor_utils import AnchorGenerator
        from torchvision.models.detection.image_list import ImageList

        height, width = 200, 256
        grid = diopter.AnchorGrid.retinanet((height, width))
        sizes = tuple((x, int(x * 2 ** (1 / 3)), int(x * 2 ** (2 / 3))) for x in (32, 64, 128, 256, 512))
        generator = AnchorGenerator(sizes, ((0.5, 1.0, 2.0),) * 5)
        images = torch.zeros(1, 3, height, width)
        maps = [torch.zeros(1, 8, -(-height // 2**l), -(-width // 2**l)) for l in range(3, 8)]
        (expected,) = generator(ImageList(images, [(height, width)]), maps)
        anchors = grid.anchors(images)
        torch.testing.assert_close(anchors, expected, rtol=0, atol=0)

        random = np.random.default_rng(1)
        corners = random.uniform(0, 150, (6, 2))
        boxes = torch.from_numpy(np.hstack([corners, corners + random.uniform(20, 100, (6, 2))]).astype(np.float32))
        matcher = torchvision.models.detection._utils.Matcher(0.5, 0.4, allow_low_quality_matches=True)
        wanted = matcher(torchvision.ops.box_iou(boxes, anchors))
        matches = grid.match([boxes], [torch.arange(6)], low_quality=True)
        torch.testing.assert_close(matches.boxes[0].long().clamp(min=-1), wanted.clamp(min=-1))
        self.assertTrue(((matches.labels[0] == -2) == (wanted == -2)).all())
        self.assertEqual(int(matches.positives[0]), int((wanted >= 0).sum()))


if __name__ == "__main__":
    unittest.main()
