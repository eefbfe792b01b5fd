#!/usr/bin/env bash
# The wheel of the Python package, built as a stranger builds it and tested without the source tree.
#   wheel.sh SOURCE SCRATCH TEST_PYTHON
# SCRATCH is emptied. TEST_PYTHON: a Python 3.9 or newer. Ends with 77 and says why where PyPI cannot be reached, and
# unless DIOPTER_TEST_WHEEL is set: the build takes minutes.
set -euo pipefail
source=$(realpath "$1") scratch=$2 python=$3
skip() { echo "SKIPPED: $*"; exit 77; }

[[ -n ${DIOPTER_TEST_WHEEL-} ]] || skip "DIOPTER_TEST_WHEEL is not set (minutes of compiling)"

rm -rf "$scratch" && mkdir -p "$scratch"
scratch=$(realpath "$scratch")
"$python" -m venv "$scratch/build_environment" || skip "this Python makes no environments"
"$scratch/build_environment/bin/pip" -q install build 2>"$scratch/pip.log" ||
  skip "PyPI cannot be reached: $(tail -n 1 "$scratch/pip.log")"
# Only what is committed or staged belongs to the source tree.
mkdir "$scratch/tree" && git -C "$source" ls-files -z | (cd "$source" && xargs -0 cp --parents -t "$scratch/tree")
"$scratch/build_environment/bin/python" -m build --wheel --outdir "$scratch/wheels" "$scratch/tree"
rm -rf "$scratch/tree"

"$python" -m venv "$scratch/environment"
"$scratch/environment/bin/pip" -q install "$scratch"/wheels/diopter-*.whl
cp -r "$source/tests/retinanet/python" "$scratch/tests"
mkdir -p "$scratch/given/docs" "$scratch/given/tests/compatibility" "$scratch/given/tests/examples"
cp "$source/docs/python.md" "$scratch/given/docs"
cp -r "$source/tests/compatibility/fixtures" "$scratch/given/tests/compatibility"
cp -r "$source/tests/examples/losses" "$source/tests/examples/python" "$scratch/given/tests/examples"
cd "$scratch/tests"
version=$(sed -n 's/^project(diopter VERSION \([0-9.]*\).*/\1/p' "$source/CMakeLists.txt")
"$scratch/environment/bin/python" -c "import diopter; assert diopter.__version__ == '$version', diopter.__version__"
DIOPTER_SOURCE_DIR=$scratch/given "$scratch/environment/bin/python" -m unittest discover -v -p '*_test.py'
