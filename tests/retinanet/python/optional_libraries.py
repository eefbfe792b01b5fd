"""Libraries that tests may go without: those that need them are skipped, and say so."""

import importlib
import unittest


def library(name):
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


torch = library("torch")
torchvision = library("torchvision") if torch else None
needs_torch = unittest.skipUnless(torch, "PyTorch is not installed")
needs_torchvision = unittest.skipUnless(torchvision, "torchvision is not installed")
