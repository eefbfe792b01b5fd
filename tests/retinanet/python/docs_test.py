"""The blocks of docs/python.md run."""

import os
import pathlib
import re
import shutil
import tempfile
import unittest

from optional_libraries import torchvision

SOURCE = os.environ.get("DIOPTER_SOURCE_DIR", "")


@unittest.skipUnless(SOURCE, "DIOPTER_SOURCE_DIR names no source tree")
class Page(unittest.TestCase):
    def test_its_blocks_run(self):
        source = pathlib.Path(SOURCE)
        blocks = re.findall(r"```python\n(.*?)```", (source / "docs/python.md").read_text(), re.S)
        self.assertGreater(len(blocks), 4)
        before = os.getcwd()
        with tempfile.TemporaryDirectory() as folder:
            try:
                os.chdir(folder)
                os.symlink(source / "tests", "tests")
                shutil.copy(source / "tests/compatibility/fixtures/0.1/run/checkpoints/best.safetensors", ".")
                for block in blocks:
                    if "import torch" in block and not torchvision:
                        continue
                    with self.subTest(block):
                        exec(compile(block, "docs/python.md", "exec"), {})
            finally:
                os.chdir(before)


if __name__ == "__main__":
    unittest.main()
