#!/usr/bin/env bash
# Formats every source of the project as .clang-format says.
#   tools/format.sh            changes the files
#   tools/format.sh --check    changes nothing; fails and shows the places when something would be changed
# clang-format 14 is the version that counts: others break a few lines elsewhere.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

case ${1-} in
  "") options=(-i) ;;
  --check) options=(--dry-run --Werror) ;;
  *) echo "format.sh: unknown argument '$1' (known is --check)" >&2; exit 2 ;;
esac
program=clang-format-14
if ! command -v "$program" >/dev/null; then
  echo "format.sh: $program is not installed (tools/setup.sh --dev installs it)" >&2
  exit 1
fi
git ls-files -z '*.h' '*.cpp' '*.cu' '*.cuh' | xargs -0 -P 2 -n 40 "$program" "${options[@]}"
