"""Makes tests/golden/fixtures/*.safetensors. See README.md.

    python make_fixtures.py            # all of them, some minutes
    python make_fixtures.py losses     # some of them"""

import importlib
import pathlib
import sys

MODULES = ["anchors", "matching", "losses", "inputs", "backbones", "detection", "training", "detectron2"]


def main():
    folder = pathlib.Path(__file__).parent / "fixtures"
    folder.mkdir(exist_ok=True)
    wanted = sys.argv[1:] or MODULES
    unknown = set(wanted) - set(MODULES)
    if unknown:
        sys.exit(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(MODULES)}")
    for name in wanted:
        importlib.import_module(name).make(folder)


if __name__ == "__main__":
    main()
