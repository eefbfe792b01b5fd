"""Classification losses: against formulas in double, torchvision, and themselves in other libraries."""

import pathlib
import tempfile
import unittest

import numpy as np

import diopter
from optional_libraries import library, needs_torch, needs_torchvision, torch, torchvision


def some_logits(shape=(7, 50), seed=1):
    random = np.random.default_rng(seed)
    inputs = random.normal(0, 3, shape).astype(np.float32)
    targets = (random.random(shape) < 0.2).astype(np.float32)
    return inputs, targets


def focal(x, t, alpha, gamma):
    x, t = x.astype(np.float64), t.astype(np.float64)
    p = 1 / (1 + np.exp(-x))
    p_t = p * t + (1 - p) * (1 - t)
    weight = alpha * t + (1 - alpha) * (1 - t) if alpha >= 0 else 1
    return weight * (1 - p_t) ** gamma * -np.log(p_t)


class FocalLoss(unittest.TestCase):
    def test_is_the_formula(self):
        x, t = some_logits()
        for alpha, gamma in ((0.25, 2), (0.5, 1.5), (-1, 0), (-0.3, 3)):
            expected = focal(x, t, alpha, gamma)
            losses = diopter.sigmoid_focal_loss(x, t, alpha, gamma)
            self.assertIsInstance(losses, np.ndarray)
            self.assertEqual((losses.shape, losses.dtype), (x.shape, np.float32))
            np.testing.assert_allclose(losses, expected, rtol=1e-5, atol=1e-6)
            for reduction, value in (("sum", expected.sum()), ("mean", expected.mean())):
                self.assertAlmostEqual(
                    float(diopter.sigmoid_focal_loss(x, t, alpha, gamma, reduction)) / value, 1, delta=1e-5
                )

    def test_gradient_is_the_difference_quotient(self):
        x, t = some_logits()
        losses, gradient = diopter.losses.value_and_gradient(x, t, "focal:gamma=1.5")
        np.testing.assert_array_equal(losses, diopter.sigmoid_focal_loss(x, t, gamma=1.5))
        step = 1e-5
        measured = (focal(x + np.float64(step), t, 0.25, 1.5) - focal(x - np.float64(step), t, 0.25, 1.5)) / (2 * step)
        np.testing.assert_allclose(gradient, measured, atol=1e-5)

    def test_of_nothing_and_of_one_number(self):
        empty = np.zeros((0, 3), np.float32)
        self.assertEqual(diopter.sigmoid_focal_loss(empty, empty).shape, (0, 3))
        self.assertEqual(float(diopter.sigmoid_focal_loss(empty, empty, reduction="mean")), 0)
        one = np.array(0.5, np.float32)
        self.assertEqual(diopter.sigmoid_focal_loss(one, np.array(1, np.float32)).shape, ())

    def test_what_is_refused(self):
        x, t = some_logits()
        refused = (
            (ValueError, "inputs: is float64", lambda: diopter.sigmoid_focal_loss(x.astype(np.float64), t)),
            (ValueError, "targets: is int64", lambda: diopter.sigmoid_focal_loss(x, t.astype(np.int64))),
            (ValueError, r"targets: has the shape \[50, 7\]", lambda: diopter.sigmoid_focal_loss(x, t.reshape(50, 7))),
            (ValueError, "inputs: has gaps", lambda: diopter.sigmoid_focal_loss(x[:, ::2], t[:, ::2])),
            (ValueError, "inputs: has gaps", lambda: diopter.sigmoid_focal_loss(x.T, t.T)),
            (TypeError, "inputs: is a list", lambda: diopter.sigmoid_focal_loss([1.0], t)),
            (TypeError, "targets: is a list", lambda: diopter.sigmoid_focal_loss(x, [1.0])),
            (ValueError, "targets: is null", lambda: diopter.sigmoid_focal_loss(x, None)),
            (ValueError, "reduction: is 'max'", lambda: diopter.sigmoid_focal_loss(x, t, reduction="max")),
            (ValueError, "gamma", lambda: diopter.sigmoid_focal_loss(x, t, gamma=11)),
            (ValueError, "ohem selects", lambda: diopter.losses.elementwise_loss(x, t, "ohem")),
            (ValueError, "the nearest is focal", lambda: diopter.losses.elementwise_loss(x, t, "focl")),
            (RuntimeError, "element 0 is 0.5", lambda: diopter.sigmoid_focal_loss(x, t * 0 + 0.5)),
        )
        for error, words, call in refused:
            with self.subTest(words), self.assertRaisesRegex(error, words):
                call()

    def test_soft_targets(self):
        x, t = some_logits()
        self.assertTrue((diopter.losses.elementwise_loss(x, t * 0.7, "varifocal") > 0).all())


class LossesOfAnchors(unittest.TestCase):
    def setUp(self):
        random = np.random.default_rng(3)
        self.logits = random.normal(0, 3, (3, 40, 4)).astype(np.float32)
        self.labels = random.integers(-2, 4, (3, 40)).astype(np.int32)
        self.targets = np.zeros_like(self.logits)
        for place in zip(*np.nonzero(self.labels >= 0)):
            self.targets[place + (self.labels[place],)] = 1

    def test_is_the_sum_over_anchors_that_are_not_ignored(self):
        dense = diopter.losses.elementwise_loss(self.logits, self.targets, "focal:gamma=1.5")
        expected = (dense * (self.labels != -2)[:, :, None]).sum((1, 2), np.float64)
        losses = diopter.losses.classification_loss(self.logits, self.labels, "focal:gamma=1.5")
        self.assertEqual(losses.dtype, np.float32)
        np.testing.assert_allclose(losses, expected, rtol=1e-5)

    @needs_torch
    def test_gradient(self):
        x, labels = torch.from_numpy(self.logits).requires_grad_(), torch.from_numpy(self.labels)
        weights = torch.tensor([1.0, 0.0, -2.5])
        (diopter.losses.classification_loss(x, labels) * weights).sum().backward()
        dense = torch.from_numpy(self.logits).requires_grad_()
        losses = diopter.sigmoid_focal_loss(dense, torch.from_numpy(self.targets))
        (losses * (labels != -2).unsqueeze(2) * weights.reshape(3, 1, 1)).sum().backward()
        torch.testing.assert_close(x.grad, dense.grad)
        with torch.no_grad():
            self.assertFalse(diopter.losses.classification_loss(x, labels).requires_grad)

    def test_what_is_refused(self):
        refused = (
            (ValueError, r"logits: is float32 \[3, 40\]", lambda: diopter.losses.classification_loss(self.logits[:, :, 0].copy(), self.labels)),
            (ValueError, "labels: is int64", lambda: diopter.losses.classification_loss(self.logits, self.labels.astype(np.int64))),
            (TypeError, "labels: is a list", lambda: diopter.losses.classification_loss(self.logits, [0])),
            (ValueError, "ohem selects", lambda: diopter.losses.classification_loss(self.logits, self.labels, "ohem")),
        )
        for error, words, call in refused:
            with self.subTest(words), self.assertRaisesRegex(error, words):
                call()


class OtherLibraries(unittest.TestCase):
    def check(self, make, take):
        x, t = some_logits()
        expected = diopter.sigmoid_focal_loss(x, t)
        losses = diopter.sigmoid_focal_loss(make(x), make(t))
        self.assertIs(type(losses), type(make(x)))
        np.testing.assert_array_equal(take(losses), expected)
        self.assertEqual(
            float(diopter.sigmoid_focal_loss(make(x), make(t), reduction="mean")),
            float(diopter.sigmoid_focal_loss(x, t, reduction="mean")),
        )

    @unittest.skipUnless(library("array_api_strict"), "array_api_strict is not installed")
    def test_the_array_api(self):
        strict = library("array_api_strict")
        self.check(strict.asarray, np.from_dlpack)

    @unittest.skipUnless(library("jax"), "JAX is not installed")
    def test_jax(self):
        self.check(library("jax").numpy.asarray, np.asarray)

    @needs_torch
    def test_torch(self):
        self.check(torch.from_numpy, lambda tensor: tensor.numpy())


@needs_torch
class Autograd(unittest.TestCase):
    def setUp(self):
        self.inputs, self.targets = (torch.from_numpy(a) for a in some_logits())

    def gradient_of(self, loss, factor=1.0, dtype=None):
        x = self.inputs.clone().to(dtype or torch.float32).requires_grad_()
        value = loss(x, self.targets)
        (value * factor).sum().backward()
        return value.detach(), x.grad

    @needs_torchvision
    def test_is_torchvision_s(self):
        for arguments in ({}, {"alpha": 0.5, "gamma": 1.5}, {"alpha": -1}):
            for reduction in ("none", "sum", "mean"):
                ours = self.gradient_of(
                    lambda x, t: diopter.sigmoid_focal_loss(x, t, reduction=reduction, **arguments), 0.3
                )
                theirs = self.gradient_of(
                    lambda x, t: torchvision.ops.sigmoid_focal_loss(x, t, reduction=reduction, **arguments), 0.3
                )
                for a, b in zip(ours, theirs):
                    torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-5)

    def test_without_gradients(self):
        x = self.inputs.clone().requires_grad_()
        with torch.no_grad():
            self.assertFalse(diopter.sigmoid_focal_loss(x, self.targets, reduction="sum").requires_grad)
            # Nothing is recorded: targets may be what they like.
            self.assertFalse(diopter.sigmoid_focal_loss(x, self.targets.clone().requires_grad_()).requires_grad)
        for reduction in ("none", "sum", "mean"):
            with torch.inference_mode():
                expected = diopter.sigmoid_focal_loss(self.inputs, self.targets, reduction=reduction)
            value = diopter.sigmoid_focal_loss(x, self.targets, reduction=reduction)
            self.assertTrue(value.requires_grad)
            self.assertTrue(torch.equal(value, expected))
        self.assertFalse(diopter.sigmoid_focal_loss(self.inputs, self.targets).requires_grad)

    def test_a_weight_for_each_element(self):
        weights = torch.rand(self.inputs.shape)
        _, gradient = self.gradient_of(lambda x, t: diopter.sigmoid_focal_loss(x, t), weights)
        _, of_sum = self.gradient_of(lambda x, t: diopter.sigmoid_focal_loss(x, t, reduction="sum"))
        torch.testing.assert_close(gradient, weights * of_sum)

    def test_bfloat16(self):
        value, gradient = self.gradient_of(
            lambda x, t: diopter.sigmoid_focal_loss(x, t, reduction="sum"), dtype=torch.bfloat16
        )
        self.assertEqual((value.dtype, gradient.dtype), (torch.float32, torch.bfloat16))
        _, exact = self.gradient_of(lambda x, t: diopter.sigmoid_focal_loss(x, t, reduction="sum"))
        torch.testing.assert_close(gradient.float(), exact, rtol=0.1, atol=0.02)

    def test_going_back_twice_through_a_graph_that_is_kept(self):
        x = self.inputs.clone().requires_grad_()
        loss = diopter.sigmoid_focal_loss(x, self.targets, reduction="sum")
        loss.backward(retain_graph=True)
        once = x.grad.clone()
        loss.backward()
        torch.testing.assert_close(x.grad, 2 * once)

    def test_what_is_refused(self):
        x = self.inputs.clone().requires_grad_()
        with self.assertRaisesRegex(ValueError, "targets: requires a gradient"):
            diopter.sigmoid_focal_loss(x, self.targets.clone().requires_grad_())
        with self.assertRaisesRegex(ValueError, "inputs: is float64"):
            diopter.sigmoid_focal_loss(x.double(), self.targets)
        with self.assertRaisesRegex(ValueError, "inputs: is float16"):
            diopter.sigmoid_focal_loss(x.half(), self.targets)
        with self.assertRaisesRegex(ValueError, "inputs: has gaps"):
            diopter.sigmoid_focal_loss(x.t(), self.targets.t())
        meta = torch.empty(3, device="meta")
        with self.assertRaises((ValueError, BufferError, RuntimeError)):
            diopter.sigmoid_focal_loss(meta, meta)

    def test_no_copy_is_made(self):
        """A kernel that is given a view writes the tensor's own memory, and reads it."""
        x, t = self.inputs, self.targets
        losses = torch.full_like(x, -1)
        address = losses.data_ptr()
        diopter._kernels.elementwise_loss("ce", x, t, 1.0, losses)
        self.assertEqual(losses.data_ptr(), address)
        np.testing.assert_array_equal(losses.numpy(), diopter.losses.elementwise_loss(x.numpy(), t.numpy(), "ce"))
        before = losses.clone()
        x.add_(1)
        diopter._kernels.elementwise_loss("ce", x, t, 1.0, losses)
        self.assertTrue((losses != before).any())


_HEADER = """
#pragma once
#include "kernels/detection/logistic.h"
#include "kernels/detection/pointwise_loss.h"
namespace diopter {
/// weight * softplus of the logit of being wrong.
struct WeightedLogitLoss {
  static constexpr const char* source = "none";
  float weight = 3.0f;
  static constexpr LossParameter<WeightedLogitLoss> parameters[] = {{"weight", &WeightedLogitLoss::weight, 0, 10, "factor"}};
  template <class T>
  DIOPTER_HD ValueAndDerivative<T> operator()(T x, bool positive) const {
    const Logistic<T> l = AccurateLogistic{}(positive ? -x : x);
    return {T(weight) * l.softplus, T(weight) * (positive ? -l.sigmoid : l.sigmoid)};
  }
};
}
"""


class CompiledLosses(unittest.TestCase):
    def compile(self, text, name="weighted_logit.h", compiler=""):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, name)
            path.write_text(text)
            return diopter.losses.compile(path, compiler)

    def test_a_header_becomes_a_function(self):
        loss = self.compile(_HEADER)
        self.assertEqual(loss.parameters, {"weight": 3.0})
        x, t = some_logits((200, 300))  # several pieces
        entropy = diopter.losses.elementwise_loss(x, t, "ce")
        np.testing.assert_allclose(loss(x, t), 3 * entropy, rtol=1e-6)
        np.testing.assert_allclose(loss(x, t, weight=0.5), 0.5 * entropy, rtol=1e-6)
        np.testing.assert_allclose(float(loss(x, t, "sum", weight=1)), entropy.astype(np.float64).sum(), rtol=1e-5)
        with self.assertRaisesRegex(TypeError, "gamma: weighted_logit has no such parameter"):
            loss(x, t, gamma=1)
        with self.assertRaisesRegex(ValueError, "weight: is 11, must be a number from 0 to 10"):
            loss(x, t, weight=11)
        with self.assertRaisesRegex(ValueError, "targets: element 0 is 0.5"):
            loss(x[:1], t[:1] * 0 + np.float32(0.5))
        with self.assertRaisesRegex(ValueError, "inputs: must be float32 on the CPU"):
            loss(x.astype(np.float64), t)
        if torch:
            tensor = torch.from_numpy(x).requires_grad_()
            loss(tensor, torch.from_numpy(t), "sum", weight=1).backward()
            np.testing.assert_allclose(tensor.grad, diopter.losses.value_and_gradient(x, t, "ce")[1], atol=1e-6)

    def test_what_does_not_compile(self):
        with self.assertRaisesRegex(RuntimeError, "WeightedLogitLoss"):
            self.compile(_HEADER.replace("WeightedLogitLoss", "OtherLoss"))
        with self.assertRaisesRegex(ValueError, "must be NAME.h"):
            self.compile(_HEADER, "Weighted.hpp")
        with self.assertRaisesRegex(FileNotFoundError, "header: there is no file"):
            diopter.losses.compile("/nowhere/missing.h")
        with self.assertRaisesRegex(RuntimeError, "no such compiler"):
            self.compile(_HEADER, compiler="no-such-compiler")


if __name__ == "__main__":
    unittest.main()
