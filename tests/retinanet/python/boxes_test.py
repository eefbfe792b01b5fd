"""Overlaps, suppression and losses of boxes: against formulas and torchvision."""

import unittest

import numpy as np

import diopter
from optional_libraries import needs_torch, needs_torchvision, torch, torchvision

LOSSES = ("generalized_box_iou_loss", "distance_box_iou_loss", "complete_box_iou_loss")


def some_boxes(n, seed):
    random = np.random.default_rng(seed)
    corners = random.uniform(0, 30, (n, 2))
    return np.hstack([corners, corners + random.uniform(1, 15, (n, 2))]).astype(np.float32)


def iou(a, b):
    sides = np.minimum(a[:, None, 2:], b[None, :, 2:]) - np.maximum(a[:, None, :2], b[None, :, :2])
    inside = sides.clip(0).prod(-1)
    area_a, area_b = ((boxes[:, 2:] - boxes[:, :2]).prod(-1) for boxes in (a, b))
    return inside / (area_a[:, None] + area_b[None] - inside)


def greedy(boxes, scores, classes, threshold):
    overlaps, kept = iou(boxes.astype(np.float64), boxes.astype(np.float64)), []
    for i in np.argsort(-scores, kind="stable"):
        if all(overlaps[i, k] <= threshold or classes[i] != classes[k] for k in kept):
            kept.append(int(i))
    return kept


class Overlaps(unittest.TestCase):
    def test_of_each_with_each(self):
        a, b = some_boxes(40, 1), some_boxes(30, 2)
        np.testing.assert_allclose(diopter.box_iou(a, b), iou(a, b), atol=1e-6)
        self.assertEqual(diopter.box_iou(a[:0], b).shape, (0, 30))

    def test_what_is_refused(self):
        a = some_boxes(3, 1)
        with self.assertRaisesRegex(ValueError, r"boxes2: is float32 \[3, 3\], must be float32 \[\*, 4\]"):
            diopter.box_iou(a, a[:, :3].copy())
        with self.assertRaisesRegex(TypeError, "boxes1: is a list"):
            diopter.box_iou([[0, 0, 1, 1]], a)


class Suppression(unittest.TestCase):
    def test_keeps_what_the_rule_keeps(self):
        boxes = some_boxes(200, 3)
        scores = np.random.default_rng(4).random(200).astype(np.float32).round(2)  # some are equal
        classes = np.random.default_rng(5).integers(0, 4, 200)
        kept = diopter.nms(boxes, scores, 0.4)
        self.assertEqual(kept.dtype, np.int64)
        self.assertEqual(kept.tolist(), greedy(boxes, scores, classes * 0, 0.4))
        self.assertEqual(diopter.batched_nms(boxes, scores, classes, 0.4).tolist(), greedy(boxes, scores, classes, 0.4))
        self.assertEqual(diopter.nms(boxes[:0], scores[:0], 0.5).tolist(), [])

    def test_what_is_refused(self):
        boxes, scores = some_boxes(3, 1), np.ones(3, np.float32)
        refused = (
            ("iou_threshold: is 1.5", lambda: diopter.nms(boxes, scores, 1.5)),
            ("scores: is float64", lambda: diopter.nms(boxes, scores.astype(np.float64), 0.5)),
            ("scores: is float32", lambda: diopter.nms(boxes, scores[:2], 0.5)),
            (r"boxes: is float32 \[3\], must be float32 \[\*, 4\]", lambda: diopter.nms(scores, scores, 0.5)),
            (r"idxs: is int64 \[2\], must be .* \[3\]", lambda: diopter.batched_nms(boxes, scores, np.zeros(2, np.int64), 0.5)),
            ("idxs: is float32", lambda: diopter.batched_nms(boxes, scores, scores, 0.5)),
            ("idxs: has numbers", lambda: diopter.batched_nms(boxes, scores, np.array([0, 1, 2**40]), 0.5)),
            ("idxs: has numbers", lambda: diopter.batched_nms(boxes, scores, np.array([0, 1, 2**31], np.uint32), 0.5)),
        )
        for words, call in refused:
            with self.subTest(words), self.assertRaisesRegex(ValueError, words):
                call()

    def test_the_calls_for_a_gpu_do_the_same(self):
        """With arrays of the host, which the kernels behind them take as well."""
        boxes, scores = some_boxes(200, 3), np.random.default_rng(4).random(200).astype(np.float32)
        classes = np.random.default_rng(5).integers(0, 4, 200)
        kinds = [lambda a: a] if hasattr(np, "astype") else []
        kinds += [torch.from_numpy] if torch else []
        for kind in kinds:
            arrays = [kind(a) for a in (boxes, scores, classes)]
            of_gpu = diopter.boxes._suppressed_on_gpu(diopter._arrays.library_of("", arrays[0]), *arrays, 0.4)
            self.assertEqual(of_gpu.tolist(), diopter.batched_nms(*arrays, 0.4).tolist())
            with self.assertRaisesRegex(ValueError, "idxs: has numbers"):
                arrays[2] = arrays[2] + 2**40
                diopter.boxes._suppressed_on_gpu(diopter._arrays.library_of("", arrays[0]), *arrays, 0.4)

    @needs_torchvision
    def test_is_torchvision_s(self):
        boxes = torch.from_numpy(some_boxes(500, 6))
        scores, classes = torch.rand(500), torch.randint(0, 5, (500,))
        for threshold in (0.0, 0.3, 0.5, 0.9):
            ours = diopter.nms(boxes, scores, threshold)
            self.assertEqual(ours.dtype, torch.int64)
            self.assertEqual(ours.tolist(), torchvision.ops.nms(boxes, scores, threshold).tolist())
            self.assertEqual(
                diopter.batched_nms(boxes, scores, classes, threshold).tolist(),
                torchvision.ops.batched_nms(boxes, scores, classes, threshold).tolist(),
            )


class PairLosses(unittest.TestCase):
    def test_generalized_iou_is_the_formula(self):
        a, b = some_boxes(50, 7), some_boxes(50, 8)
        hull = np.maximum(a[:, 2:], b[:, 2:]) - np.minimum(a[:, :2], b[:, :2])
        overlap = np.diag(iou(a, b))
        union = ((a[:, 2:] - a[:, :2]).prod(1) + (b[:, 2:] - b[:, :2]).prod(1)) / (1 + overlap)
        expected = 1 - overlap + 1 - union / hull.prod(1)
        losses = diopter.generalized_box_iou_loss(a, b)
        np.testing.assert_allclose(losses, expected, atol=1e-5)
        self.assertAlmostEqual(float(diopter.generalized_box_iou_loss(a, b, "mean")), expected.mean(), places=5)
        self.assertAlmostEqual(float(diopter.generalized_box_iou_loss(a, b, "sum")), expected.sum(), places=3)

    def test_of_no_boxes(self):
        none = np.zeros((0, 4), np.float32)
        for name in LOSSES:
            for reduction in ("sum", "mean"):
                self.assertEqual(float(getattr(diopter, name)(none, none, reduction)), 0)

    def test_what_is_refused(self):
        a, b = some_boxes(5, 1), some_boxes(4, 1)
        with self.assertRaisesRegex(ValueError, r"boxes2: is float32 \[4, 4\], must be float32 \[5, 4\]"):
            diopter.complete_box_iou_loss(a, b)
        with self.assertRaisesRegex(ValueError, "epsilon: is 0"):
            diopter.complete_box_iou_loss(a, a, eps=0)
        with self.assertRaisesRegex(ValueError, "reduction: is 'all'"):
            diopter.complete_box_iou_loss(a, a, "all")

    @needs_torchvision
    def test_are_torchvision_s(self):
        for name in LOSSES:
            for reduction in ("none", "sum", "mean"):
                results = []
                for library in (diopter, torchvision.ops):
                    a, b = (torch.from_numpy(some_boxes(60, seed)).requires_grad_() for seed in (9, 10))
                    loss = getattr(library, name)(a, b, reduction=reduction)
                    with torch.no_grad():  # the same without what is recorded
                        alone = getattr(library, name)(a, b, reduction=reduction)
                        self.assertTrue(torch.equal(alone, loss) and not alone.requires_grad)
                    (loss * torch.linspace(0.5, 1.5, loss.numel()).reshape(loss.shape)).sum().backward()
                    results.append((loss.detach(), a.grad, b.grad))
                for ours, theirs in zip(*results):
                    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)

    @needs_torch
    def test_boxes_that_need_no_gradient_get_none(self):
        a, b = torch.from_numpy(some_boxes(5, 1)).requires_grad_(), torch.from_numpy(some_boxes(5, 2))
        diopter.distance_box_iou_loss(a, b, "sum").backward()
        self.assertIsNotNone(a.grad)
        self.assertFalse(diopter.distance_box_iou_loss(b, b).requires_grad)


if __name__ == "__main__":
    unittest.main()
