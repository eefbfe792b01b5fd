#!/usr/bin/env bash
# Installs what building Diopter needs, through apt-get and only what is missing. Run on Debian 12.
#   tools/setup.sh                  compiler, CMake, libraries
#   tools/setup.sh --dev            also clang with its formatter and clang-tidy, ccache and gnuplot, and in
#                                   build/python_environment what the Python package and its tests need of PyPI (80 MB)
#   tools/setup.sh --mpi            also OpenMPI, for training by several processes
#   tools/setup.sh --cuda-headers   also NVIDIA's headers for the host executor, where there is no toolkit, and those of
#                                   cudnn-frontend, from their Python wheels (14 MB) into build/wheels
#   tools/setup.sh --cuda           also what a build for a GPU needs and the installed CUDA Toolkit
#                                   lacks: cuDNN (some 400 MB), cudnn-frontend and NVRTC, from their wheels into build/wheels
#   tools/setup.sh --cuda-if-gpu    --cuda where nvidia-smi shows a GPU and there is nvcc; nothing elsewhere
# Nothing is contacted when everything is there. DIOPTER_CUDA_WHEELS in the environment names another folder for wheels,
# DIOPTER_PYTHON_ENVIRONMENT another one for Python's.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

packages=(g++ cmake ninja-build libopenblas-dev libtbb-dev libstb-dev libjpeg62-turbo-dev libpng-dev libtiff-dev
          libwebp-dev nlohmann-json3-dev libpugixml-dev libtomlplusplus-dev libcli11-dev libboost-dev libzip-dev
          libexpat1-dev libonnx-dev libprotobuf-dev protobuf-compiler catch2)
if [[ $HOSTTYPE == x86_64 ]]; then packages+=(libdnnl-dev); fi  # faster than OpenBLAS; not everywhere else in Debian
toolkit=${CUDA_HOME:-/usr/local/cuda}
nvcc=$(command -v nvcc || command -v "$toolkit/bin/nvcc" || true)

cuda_headers=false cuda=false python=false
for argument in "$@"; do
  case $argument in
    --dev) packages+=(clang clang-format clang-tidy ccache gnuplot-nox) python=true ;;
    --mpi) packages+=(openmpi-bin libopenmpi-dev) ;;
    --cuda-headers) cuda_headers=true ;;
    --cuda) cuda=true ;;
    --cuda-if-gpu) if [[ -n $nvcc ]] && nvidia-smi -L 2>/dev/null | grep -q '^GPU '; then cuda=true; fi ;;
    *) echo "setup.sh: unknown argument '$argument' (known are --dev, --mpi, --cuda, --cuda-if-gpu and --cuda-headers)" >&2
       exit 2 ;;
  esac
done
if $cuda && [[ -z $nvcc ]]; then
  echo "setup.sh: --cuda needs nvcc: install the CUDA Toolkit 12.8 or newer first" >&2
  exit 1
fi
if $cuda || $cuda_headers; then
  if ! python3 -m pip --version >/dev/null 2>&1; then packages+=(python3-pip); fi
fi
environment=${DIOPTER_PYTHON_ENVIRONMENT:-build/python_environment}
if $python && [[ ! -e $environment/complete ]]; then  # Debian has these apart from python3
  python3 -c 'import ensurepip' 2>/dev/null || packages+=(python3-venv)
  python3 -c 'import os, sysconfig; os.stat(sysconfig.get_path("include") + "/Python.h")' 2>/dev/null ||
    packages+=(python3-dev)
fi

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
  echo "setup.sh: this system has no apt; install by other means what these Debian packages hold: ${packages[*]}" >&2
  exit 1
fi

missing=()
for package in "${packages[@]}"; do
  status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
  [[ $status == installed ]] || missing+=("$package")
done
install_missing() {
  local through root=()
  if [[ $(id -u) -eq 0 ]]; then
    through=root
  elif command -v sudo >/dev/null; then
    through=sudo root=(sudo)
  else
    echo "setup.sh: packages are missing, and this is neither root nor is there sudo. As root, run:" >&2
    echo "  apt-get update && apt-get install -y --no-install-recommends ${missing[*]}" >&2
    exit 1
  fi
  echo "setup: installing with apt-get (as $through): ${missing[*]}"
  "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q update
  "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends "${missing[@]}"
}

# Unpacks Python wheels where cmake/Cuda.cmake looks, unless FILE is there already.
fetch_wheels() {  # FILE WHEEL...
  local folder=${DIOPTER_CUDA_WHEELS:-build/wheels} wheel
  local file=$folder/$1
  shift
  if compgen -G "$file" >/dev/null; then return; fi
  echo "setup: fetching $* with pip into $folder"
  mkdir -p "$folder"
  python3 -m pip download -q --no-deps --dest "$folder" "$@"
  for wheel in "$folder"/*.whl; do
    python3 -m zipfile -e "$wheel" "$folder"
    rm "$wheel"
  done
}

if [[ ${#missing[@]} -eq 0 ]]; then
  echo "setup: all ${#packages[@]} packages are installed"
else
  install_missing
  echo "setup: done"
fi
# Where cmake/Python.cmake looks first. Without PyPI the rest of the project is built and tested all the same.
if $python && [[ ! -e $environment/complete ]]; then
  echo "setup: fetching nanobind, NumPy and what else the tests use with pip into $environment"
  if python3 -m venv "$environment" && "$environment/bin/python" -m pip install -q "nanobind>=2.4" numpy \
      onnx onnxruntime pillow tensorboard; then
    touch "$environment/complete"
  else
    echo "setup: the Python package will not be built, and tests that need these are skipped: pip cannot fetch them" >&2
  fi
fi

# Versions of the wheels: those that the project was built with.
frontend=nvidia-cudnn-frontend==1.32.0
if $cuda_headers; then
  fetch_wheels include/cudnn_frontend.h "$frontend"
  if [[ ! -f $toolkit/include/cuda_runtime.h ]]; then
    fetch_wheels 'nvidia/*/include/cuda_runtime.h' nvidia-cuda-runtime nvidia-cuda-crt
  fi
  echo "setup: the CUDA headers are in place"
fi

installed() {  # FOLDER FILE: in the toolkit, or by a package of the system
  local folder
  for folder in "$toolkit/$1" "${nvcc%/bin/nvcc}/$1" "/usr/$1" "/usr/$1/*-linux-gnu"; do
    if compgen -G "$folder/$2" >/dev/null; then return; fi
  done
  return 1
}
if $cuda; then
  major=$("$nvcc" --version | sed -n 's/.*release \([0-9]*\)\..*/\1/p')
  case $major in
    12) cudnn=nvidia-cudnn-cu12==9.19.0.56 nvrtc=nvidia-cuda-nvrtc-cu12==12.8.93 ;;
    13) cudnn=nvidia-cudnn-cu13==9.19.0.56 nvrtc=nvidia-cuda-nvrtc==13.0.88 ;;
    *) echo "setup.sh: --cuda knows the CUDA Toolkits 12 and 13, $nvcc is of '$major'" >&2; exit 1 ;;
  esac
  installed include cudnn_frontend.h || fetch_wheels include/cudnn_frontend.h "$frontend"
  installed include cudnn.h || fetch_wheels 'nvidia/*/include/cudnn.h' "$cudnn"
  installed 'lib*' 'libnvrtc.so*' || fetch_wheels 'nvidia/*/lib/libnvrtc.so*' "$nvrtc"
  echo "setup: what a build for the GPU needs is in place"
fi
