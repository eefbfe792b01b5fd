"""Arrays of all libraries: what outputs are made of, and that nothing is copied."""

import gc
import unittest

import numpy as np

import diopter
from diopter import _arrays, _kernels
from optional_libraries import needs_torch, torch


def resident_megabytes():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096 / 1e6


class NumPy(unittest.TestCase):
    def test_kernels_read_and_write_the_arrays_themselves(self):
        x, t, losses = np.linspace(-2, 2, 6, dtype=np.float32), np.zeros(6, np.float32), np.full(6, -1, np.float32)
        inner = losses[1:4]  # a view: its memory is that of losses
        _kernels.elementwise_loss("ce", x[1:4], t[1:4], 1.0, inner)
        np.testing.assert_array_equal(losses[[0, 4, 5]], -1)
        np.testing.assert_array_equal(losses[1:4], diopter.losses.elementwise_loss(x, t, "ce")[1:4])

    def test_what_kernels_cannot_write(self):
        x, losses = np.zeros(3, np.float32), np.zeros(3, np.float32)
        losses.flags.writeable = False
        x.flags.writeable = False  # inputs may be constant
        with self.assertRaisesRegex(TypeError, "losses: is a numpy.ndarray, must be an array that can be written"):
            _kernels.elementwise_loss("ce", x, x, 1.0, losses)
        self.assertEqual(diopter.losses.elementwise_loss(x, x, "ce").shape, (3,))

    def test_elements_that_have_no_dlpack_type(self):
        x = np.zeros(3, np.float32)
        for strange in (np.zeros(3, ">f4"), np.zeros(3, "c8"), np.zeros(3, "S4"), np.zeros(3, [("a", "f4")])):
            with self.subTest(strange.dtype), self.assertRaises((ValueError, TypeError)):
                diopter.losses.elementwise_loss(strange, x)
        packed = np.zeros(3, [("a", "u1"), ("b", "f4")])["b"]  # five bytes apart, which no stride of elements is
        with self.assertRaises((ValueError, TypeError)):
            diopter.losses.elementwise_loss(packed, x)


@needs_torch
class Torch(unittest.TestCase):
    def test_outputs_are_made_without_a_call_of_python(self):
        like = torch.zeros(3)
        for shape in ((), (0,), (5,), (2, 0, 3), (3, 4, 5), torch.Size([7])):
            for name in ("float32", "int32", "int64"):
                made = _kernels.empty(like, shape, name)
                self.assertEqual((type(made), made.shape), (torch.Tensor, torch.Size(shape)))
                self.assertEqual((made.dtype, made.device), (getattr(torch, name), like.device))
                self.assertEqual(made.data_ptr() % 64 if made.numel() else 0, 0)
                self.assertTrue(made.is_contiguous() and not made.requires_grad)
                made.fill_(3)
                self.assertTrue((made == 3).all())
        with self.assertRaises(TypeError):
            _kernels.empty(like, (1,), "float16")
        with self.assertRaises(TypeError):
            _kernels.empty(np.zeros(3), (1,), "float32")
        for shape in ((-1,), (2**62,), (2**40, 2**40)):
            with self.assertRaises(MemoryError):
                _kernels.empty(like, shape, "float32")

    def test_the_memory_of_outputs_is_given_back(self):
        like = torch.zeros(1)

        def use(times):
            for _ in range(times):
                _kernels.empty(like, (1 << 18,), "float32").fill_(1)
            gc.collect()
            return resident_megabytes()

        before = use(10)
        self.assertLess(use(300) - before, 50)  # 300 MB in all

    def test_versions_without_the_exchange_in_c(self):
        library = _arrays.Torch(torch)
        made = _arrays.Torch.empty(library, torch.zeros(1), (2, 3), "int64")
        self.assertEqual((made.shape, made.dtype), (torch.Size([2, 3]), torch.int64))


class AnyLibrary(unittest.TestCase):
    def test_types_are_remembered_by_the_library_that_they_are_of(self):
        x = np.zeros(3, np.float32)
        self.assertIs(_arrays.library_of("x", x), _arrays.library_of("y", x + 1))
        with self.assertRaisesRegex(TypeError, "x: is a list"):
            _arrays.library_of("x", [1.0])
        with self.assertRaisesRegex(TypeError, "x: is a list"):  # nor is that what is no array
            _arrays.library_of("x", [1.0])


if __name__ == "__main__":
    unittest.main()
