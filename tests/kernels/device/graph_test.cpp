#include "kernels/device/graph.h"

#include "generated/cuda_kind.h"
#include "kernels/nn/elementwise.h"
#include "tests/support/catch.h"
#include "tests/support/device_buffer.h"
#include "tests/support/files.h"

#ifdef DIOPTER_WITH_CUDA
#include <cuda_runtime_api.h>

#include "kernels/device/scratch.h"
#endif

namespace diopter {
namespace {

using namespace test;

constexpr std::int64_t kElements = 1000;

TEST_CASE("recorded work: does the same at each run, with what its inputs hold then") {
  const Device device = GENERATE(from_range(devices()));
  INFO(device_name(device));
  DeviceBuffer<float> x(device, std::vector<float>(kElements, 1)), y(device, std::vector<float>(kElements, 5));
  const auto work = DIOPTER_DISPATCH(device, capture_graph, [&] {
    DIOPTER_DISPATCH(device, add, kElements, x.data(), y.data(), y.data());
    DIOPTER_DISPATCH(device, copy, x.data(), y.data(), kElements * sizeof(float));
  });
  CHECK(y.download() == std::vector<float>(kElements, 5));  // nothing is done yet
  float expected_x = 1, expected_y = 5;
  for (int i = 0; i < 3; ++i) {
    work();
    expected_x = expected_y = expected_y + expected_x;
  }
  CHECK(x.download() == std::vector<float>(kElements, expected_x));
  CHECK(y.download() == std::vector<float>(kElements, expected_y));
}

#ifdef DIOPTER_WITH_CUDA

void add_one(float* x) {
  const cuda::Scratch<float> one(kElements);
  cuda::fill(kElements, 1.0f, one.data());
  cuda::add(kElements, static_cast<const float*>(one.data()), static_cast<const float*>(x), x);
}

TEST_CASE("recorded work: has memory of its own, which goes with it") {
  if (!has_cuda()) return;
  DeviceBuffer<float> x(Device::cuda, std::vector<float>(kElements));
  const std::size_t before = cuda::allocated_bytes();
  auto work = cuda::capture_graph([&] { add_one(x.data()); });
  for (int i = 0; i < 3; ++i) work();
  CHECK(x.download() == std::vector<float>(kElements, 3));
  CHECK(cuda::allocated_bytes() == before);
  work();
  work = nullptr;  // waits for the run
  CHECK(x.download() == std::vector<float>(kElements, 4));
}

TEST_CASE("recorded work: what cannot be recorded is an error, and the device works on") {
  if (!has_cuda()) return;
  DeviceBuffer<float> x(Device::cuda, std::vector<float>(kElements));
  std::vector<float> host(kElements, 7);
  const auto refused = [&](const std::function<void()>& queue) {
    const std::string message = error_of([&] { cuda::capture_graph(queue); });
    add_one(x.data());
    return message;
  };
  CHECK(contains(refused([&] { cuda::copy_from_host(x.data(), host.data(), kElements * sizeof(float)); }),
                 "a copy of 4000 bytes from the host cannot be part of recorded work"));
  CHECK(contains(refused([&] { cuda::synchronize(); }), "cudaErrorStreamCaptureUnsupported"));
  CHECK(refused([] { fail("changed its mind"); }) == "changed its mind");
  void* kept = nullptr;
  CHECK(contains(refused([&] { kept = cuda::allocate(100); }), "it must free what it allocates"));
  cuda::deallocate(kept);
  CHECK(cudaGetLastError() == cudaSuccess);  // the graph that it belonged to is gone: it could not be freed
  CHECK(x.download() == std::vector<float>(kElements, 4));
}

TEST_CASE("recorded work: frees nothing that is not its own") {
  if (!has_cuda()) return;
  DeviceBuffer<float> x(Device::cuda, std::vector<float>(kElements));
  const cuda::Stream side;
  const std::size_t before = cuda::allocated_bytes();
  void *here = cuda::allocate(100), *beside = nullptr;
  {
    const cuda::StreamScope scope(side);
    beside = cuda::allocate(100);
  }
  CHECK(contains(error_of([&] { cuda::capture_graph([&] { cuda::deallocate(here); }); }), "and nothing else"));
  // The side stream stays out of the recording: it works at once.
  const std::string message = error_of([&] {
    cuda::capture_graph([&] {
      cuda::deallocate(beside);
      const cuda::StreamScope scope(side);
      CHECK(!cuda::capturing());
      cuda::synchronize();
    });
  });
  CHECK(contains(message, "recorded work freed memory that was allocated on another stream"));
  CHECK(cuda::allocated_bytes() == before);
  CHECK(cudaGetLastError() == cudaSuccess);
  cuda::capture_graph([&] { add_one(x.data()); })();
  CHECK(x.download() == std::vector<float>(kElements, 1));
}

#endif

}  // namespace
}  // namespace diopter
