"""torchvision's RetinaNet with our loss, matching and suppression: the losses, gradients and detections of torchvision's."""

import importlib.util
import os
import unittest
from unittest import mock

from optional_libraries import needs_torchvision, torch, torchvision

import diopter

SOURCE = os.environ.get("DIOPTER_SOURCE_DIR", "")


def example():
    path = os.path.join(SOURCE, "tests/examples/python/torchvision_retinanet.py")
    module = importlib.util.module_from_spec(importlib.util.spec_from_file_location("example", path))
    module.__spec__.loader.exec_module(module)
    return module


@needs_torchvision
@unittest.skipUnless(SOURCE, "DIOPTER_SOURCE_DIR names no source tree")
class TorchvisionsRetinaNet(unittest.TestCase):
    def test_losses_and_gradients(self):
        theirs, ours = example().models(64, 5)
        for objects in (4, 0):  # and pictures without objects
            pictures, targets = example().pictures_with_targets(2, 160, 5, objects)
            for target in targets:
                target["boxes"] = target["boxes"].clone() * 0.4
            losses = []
            for model in (theirs, ours):
                model.train().zero_grad()
                losses.append(model(pictures, targets))
                sum(losses[-1].values()).backward()
            for key in ("classification", "bbox_regression"):
                torch.testing.assert_close(losses[1][key], losses[0][key], rtol=1e-5, atol=1e-6)
            for (name, a), (_, b) in zip(theirs.named_parameters(), ours.named_parameters()):
                if a.grad is not None:
                    torch.testing.assert_close(b.grad, a.grad, rtol=1e-3, atol=1e-6, msg=name)

    def test_detections(self):
        theirs, ours = (model.eval() for model in example().models(96, 5))
        for model in (theirs, ours):  # random weights find nothing: spread the logits
            torch.nn.init.normal_(model.head.classification_head.cls_logits.weight, std=0.4, generator=torch.manual_seed(3))
        pictures, _ = example().pictures_with_targets(2, 96, 5)
        with torch.no_grad():
            expected = theirs(pictures)
            with mock.patch.object(torchvision.ops.boxes, "batched_nms"):
                example().use_nms()
                self.assertIs(torchvision.ops.boxes.batched_nms, diopter.batched_nms)
                found = ours(pictures)
        for a, b in zip(expected, found):
            self.assertGreater(len(a["scores"]), 20)
            for key in a:
                torch.testing.assert_close(b[key], a[key])


if __name__ == "__main__":
    unittest.main()
