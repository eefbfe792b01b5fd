# Diopter for NVIDIA GPUs: docker build -f tools/docker/cuda.Dockerfile -t diopter-cuda .
#   docker run --rm --gpus all -v "$PWD:/data" -w /data diopter-cuda train ... --device cuda
# The image keeps the toolkit: the program is linked with its libraries.
FROM nvidia/cuda:13.0.0-devel-ubuntu24.04
COPY . /source
WORKDIR /source
RUN apt-get update && apt-get install -y --no-install-recommends python3-pip git && tools/setup.sh --cuda
RUN cmake --preset cuda -DDIOPTER_TESTS=OFF -DCMAKE_CUDA_ARCHITECTURES="80-real;90" \
  && cmake --build --preset cuda --target diopter && ln -s /source/build/cuda/diopter /usr/local/bin/diopter
ENTRYPOINT ["diopter"]
