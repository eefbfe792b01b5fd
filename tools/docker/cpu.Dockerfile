# Diopter for the CPU: docker build -f tools/docker/cpu.Dockerfile -t diopter .
#   docker run --rm -v "$PWD:/data" -w /data diopter train ...
FROM debian:12 AS build
COPY . /source
WORKDIR /source
RUN apt-get update && tools/setup.sh && apt-get install -y --no-install-recommends dpkg-dev
RUN cmake --preset release -DDIOPTER_TESTS=OFF && cmake --build --preset release \
  && cpack --config build/release/CPackConfig.cmake -G DEB -B /packages

FROM debian:12-slim
COPY --from=build /packages/diopter_*.deb /packages/
RUN apt-get update && apt-get install -y --no-install-recommends /packages/diopter_*.deb \
  && rm -rf /packages /var/lib/apt/lists/*
ENTRYPOINT ["diopter"]
