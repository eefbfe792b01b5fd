// Streams, events, captured graphs, memory and errors, on a GPU and on the host executor alike.
#include <cuda_runtime_api.h>

#include <algorithm>
#include <cstring>
#include <thread>

#include "kernels/base/check.h"
#include "kernels/device/cuda_check.h"
#include "kernels/device/graph.h"
#include "kernels/device/memory.h"
#include "kernels/device/stream.h"
#include "kernels/toolkit/dispatch.h"
#include "tests/kernels/host_executor/language_kernels.h"
#include "tests/support/catch.h"

namespace diopter::test {

namespace {

bool no_device() {
  const std::string problem = cuda::device_problem();
  if (!problem.empty()) skip(problem);
  return !problem.empty();
}

constexpr int kN = 1000;

/// kN ints on the device, zero at first.
struct Numbers {
  int* data = static_cast<int*>(cuda::allocate(kN * sizeof(int)));
  Numbers() { cuda::zero(data, kN * sizeof(int)); }
  ~Numbers() { cuda::deallocate(data); }
  std::vector<int> download() const {
    std::vector<int> values(kN);
    cuda::copy_to_host(values.data(), data, kN * sizeof(int));
    return values;
  }
};

std::vector<int> all(int value) { return std::vector<int>(kN, value); }

/// Message of what the call throws, or "".
template <class Body>
std::string message_of(Body body) {
  try {
    body();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("cuda streams: work on one stream is done in order") {
  if (no_device()) return;
  Numbers a, b;
  add_to(a.data, kN, 3);
  cuda::copy(b.data, a.data, kN * sizeof(int));
  add_to(a.data, kN, 4);
  add_to(b.data, kN, 10);
  CHECK(a.download() == all(7));
  CHECK(b.download() == all(13));
}

TEST_CASE("cuda streams: an event orders one stream behind another") {
  if (no_device()) return;
  Numbers a, b;
  cuda::Stream side;
  cuda::Event filled, copied;
  for (int i = 1; i <= 5; ++i) {
    add_to(a.data, kN, 1);
    filled.record();
    {
      cuda::StreamScope scope(side);
      filled.wait();
      cuda::copy(b.data, a.data, kN * sizeof(int));
      add_to(b.data, kN, 100);
      copied.record();
    }
    copied.wait();
    CHECK(b.download() == all(i + 100));
  }
}

TEST_CASE("cuda streams: scopes nest, and each thread has a stream of its own") {
  if (no_device()) return;
  const cudaStream_t usual = cuda::stream();
  cuda::Stream first, second;
  {
    cuda::StreamScope outer(first);
    CHECK(cuda::stream() == first.reference().get());
    {
      cuda::StreamScope inner(second);
      CHECK(cuda::stream() == second.reference().get());
    }
    CHECK(cuda::stream() == first.reference().get());
  }
  CHECK(cuda::stream() == usual);
  cudaStream_t other = usual;
  std::thread([&] { other = cuda::stream(); }).join();
  CHECK(other != usual);
}

TEST_CASE("cuda streams: memory allocated by a thread may be freed by another, after the thread is gone") {
  if (no_device()) return;
  const std::size_t before = cuda::allocated_bytes();
  int* made = nullptr;
  std::thread([&] {
    made = static_cast<int*>(cuda::allocate(kN * sizeof(int)));
    cuda::zero(made, kN * sizeof(int));
    cuda::synchronize();
  }).join();
  add_to(made, kN, 5);
  std::vector<int> values(kN);
  cuda::copy_to_host(values.data(), made, kN * sizeof(int));
  CHECK(values == all(5));
  cuda::deallocate(made);
  CHECK(cuda::allocated_bytes() == before);
}

TEST_CASE("cuda streams: host threads copy and launch at the same time") {
  if (no_device()) return;
  std::vector<std::vector<int>> results(4);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([t, &result = results[static_cast<std::size_t>(t)]] {
      Numbers numbers;
      for (int i = 0; i < 20; ++i) add_to(numbers.data, kN, t);
      result = numbers.download();
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (int t = 0; t < 4; ++t) CHECK(results[static_cast<std::size_t>(t)] == all(20 * t));
}

TEST_CASE("cuda streams: page-locked memory") {
  if (no_device()) return;
  auto* staging = static_cast<int*>(cuda::allocate_pinned(kN * sizeof(int)));
  Numbers a;
  for (int i = 0; i < kN; ++i) staging[i] = 3;
  cuda::queue_copy_from_host(a.data, staging, kN * sizeof(int));
  cuda::synchronize();
  for (int i = 0; i < kN; ++i) staging[i] = 4;
  CHECK(a.download() == all(3));
  cuda::deallocate_pinned(staging);
}

TEST_CASE("cuda streams: events measure time") {
  if (no_device()) return;
  cuda::Event start, end;
  Numbers a;
  start.record();
  for (int i = 0; i < 10; ++i) add_to(a.data, kN, 1);
  end.record();
  end.synchronize();
  CHECK(end.milliseconds_since(start) >= 0.0f);
  CHECK(end.milliseconds_since(start) < 60000.0f);
}

TEST_CASE("cuda graphs: what is captured runs at each launch, and only then") {
  if (no_device()) return;
  Numbers a, b;
  cuda::Stream side;
  cudaGraph_t graph = nullptr;
  cudaGraphExec_t executable = nullptr;
  CHECK(!cuda::capturing());
  REQUIRE(cudaStreamBeginCapture(cuda::stream(), cudaStreamCaptureModeThreadLocal) == cudaSuccess);
  CHECK(cuda::capturing());
  auto* scratch = static_cast<int*>(cuda::allocate(kN * sizeof(int)));
  add_to(a.data, kN, 1);
  cuda::copy(scratch, a.data, kN * sizeof(int));
  cuda::Event fork, join;
  fork.record();
  {
    cuda::StreamScope scope(side);
    fork.wait();
    add_to(scratch, kN, 10);
    cuda::copy(b.data, scratch, kN * sizeof(int));
    join.record();
  }
  join.wait();
  cuda::deallocate(scratch);
  REQUIRE(cudaStreamEndCapture(cuda::stream(), &graph) == cudaSuccess);
  CHECK(!cuda::capturing());
  CHECK(a.download() == all(0));
  REQUIRE(cudaGraphInstantiate(&executable, graph, 0) == cudaSuccess);
  for (int i = 1; i <= 3; ++i) {
    REQUIRE(cudaGraphLaunch(executable, cuda::stream()) == cudaSuccess);
    CHECK(a.download() == all(i));
    CHECK(b.download() == all(i + 10));
  }
  CHECK(cudaGraphExecDestroy(executable) == cudaSuccess);
  CHECK(cudaGraphDestroy(graph) == cudaSuccess);
}

TEST_CASE("cuda graphs: a capture may begin with a fork") {
  if (no_device()) return;
  Numbers a, b;
  cuda::Stream side;
  cudaGraph_t graph = nullptr;
  cudaGraphExec_t executable = nullptr;
  cuda::synchronize();
  REQUIRE(cudaStreamBeginCapture(cuda::stream(), cudaStreamCaptureModeThreadLocal) == cudaSuccess);
  cuda::Event fork, join;
  fork.record();
  {
    cuda::StreamScope scope(side);
    fork.wait();
    add_to(a.data, kN, 1);
    join.record();
  }
  add_to(b.data, kN, 2);
  join.wait();
  REQUIRE(cudaStreamEndCapture(cuda::stream(), &graph) == cudaSuccess);
  REQUIRE(cudaGraphInstantiate(&executable, graph, 0) == cudaSuccess);
  REQUIRE(cudaGraphLaunch(executable, cuda::stream()) == cudaSuccess);
  CHECK(a.download() == all(1));
  CHECK(b.download() == all(2));
  CHECK(cudaGraphExecDestroy(executable) == cudaSuccess);
  CHECK(cudaGraphDestroy(graph) == cudaSuccess);
}

TEST_CASE("cuda graphs: a call that waits spoils a capture") {
  if (no_device()) return;
  cudaGraph_t graph = nullptr;
  REQUIRE(cudaStreamBeginCapture(cuda::stream(), cudaStreamCaptureModeThreadLocal) == cudaSuccess);
  CHECK(message_of([] { cuda::synchronize(); }).find("cudaErrorStreamCaptureUnsupported") != std::string::npos);
  CHECK(cudaStreamEndCapture(cuda::stream(), &graph) == cudaErrorStreamCaptureInvalidated);
  cudaGetLastError();
  Numbers a;
  CHECK(a.download() == all(0));
}

TEST_CASE("cuda errors: a refused launch names its line, and leaves nothing behind") {
  if (no_device()) return;
  Numbers a;
  int line = 0;
  const std::string message = message_of([&] { launch_too_many_threads(a.data, &line); });
  CHECK(message.find("language_kernels.cu:" + std::to_string(line)) != std::string::npos);
  CHECK(message.find("cudaErrorInvalidConfiguration") != std::string::npos);
  CHECK(cudaGetLastError() == cudaSuccess);
  add_to(a.data, kN, 2);
  CHECK(a.download() == all(2));
}

TEST_CASE("cuda errors: a failed call is named, with file and line") {
  if (no_device()) return;
  const int line = __LINE__ + 1;
  const std::string message = message_of([] { cuda::check(cudaSetDevice(1000), "cudaSetDevice"); });
  CHECK(message.find("cudaSetDevice failed at ") == 0);
  CHECK(message.find("streams_test.cpp:" + std::to_string(line)) != std::string::npos);
  CHECK(message.find("cudaErrorInvalidDevice") != std::string::npos);
}

TEST_CASE("cuda errors: out of memory says how much was wanted, free and held") {
  if (no_device()) return;
  Numbers a;
  const std::string message = message_of([] { cuda::allocate(std::size_t{1} << 50); });
  CHECK(message.find("1073741824 MiB wanted") != std::string::npos);
  CHECK(message.find("MiB free") != std::string::npos);
  CHECK(message.find("MiB held by this process") != std::string::npos);
  add_to(a.data, kN, 2);
  CHECK(a.download() == all(2));
}

TEST_CASE("cuda memory: what is allocated is counted") {
  if (no_device()) return;
  const std::size_t before = cuda::allocated_bytes();
  cuda::reset_peak_bytes();
  void* first = cuda::allocate(1 << 20);
  void* second = cuda::allocate(1 << 19);
  CHECK(cuda::allocated_bytes() == before + (3 << 19));
  cuda::deallocate(first);
  CHECK(cuda::allocated_bytes() == before + (1 << 19));
  CHECK(cuda::peak_bytes() == before + (3 << 19));
  cuda::reset_peak_bytes();
  CHECK(cuda::peak_bytes() == before + (1 << 19));
  cuda::deallocate(second);
  CHECK(cuda::allocate(0) == nullptr);
  cuda::deallocate(nullptr);
  CHECK(cuda::allocated_bytes() == before);
}

TEST_CASE("cuda memory: what was copied from the host may be changed at once") {
  if (no_device()) return;
  Numbers a;
  std::vector<int> host = all(3);
  cuda::copy_from_host(a.data, host.data(), kN * sizeof(int));
  std::fill(host.begin(), host.end(), 4);
  CHECK(a.download() == all(3));
}

TEST_CASE("cuda memory: what the process has freed, in any size, is found again before there is none left") {
  if (no_device()) return;
  const auto free_bytes = [] {
    std::size_t free = 0, total = 0;
    REQUIRE(cudaMemGetInfo(&free, &total) == cudaSuccess);
    return free;
  };
  cuda::trim();
  const std::size_t eighth = free_bytes() / 8;
  if (!kHasGpu && eighth > 1 << 27) return skip("the executor's device is large: DIOPTER_EXECUTOR_MEMORY=256");
  for (const std::size_t eighths : {5, 6, 7}) cuda::deallocate(cuda::allocate(eighths * eighth));
  const auto use = [&] {
    void* memory = cuda::allocate(6 * eighth);
    cuda::zero(memory, 6 * eighth);
    cuda::deallocate(memory);
  };
  auto work = cuda::capture_graph(use);
  work();
  work = nullptr;
  CHECK(free_bytes() > 7 * eighth);  // of the graph nothing is left
  use();
  cuda::capture_graph(use)();
  if (kHasGpu) return;  // there recording takes no memory yet
  CHECK(message_of([] {
          cuda::capture_graph([] { cuda::allocate(std::size_t{1} << 50); });
        }).find("out of GPU memory") != std::string::npos);
}

TEST_CASE("cuda device: described in one line") {
  if (no_device()) return;
  cuda::stream();
  CHECK(cuda::device_description().find("sm_") != std::string::npos);
}

}  // namespace diopter::test
