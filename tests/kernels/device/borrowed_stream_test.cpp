#include "kernels/device/borrowed_stream.h"

#include <vector>

#include "generated/cuda_kind.h"
#include "kernels/device/memory.h"
#include "kernels/device/stream.h"
#include "tests/support/catch.h"
#include "tests/support/devices.h"

using namespace diopter;

TEST_CASE("borrowed stream: on the CPU there is none") { CHECK(cpu::borrow_stream(nullptr) == nullptr); }

#ifdef DIOPTER_WITH_CUDA
TEST_CASE("borrowed stream: work goes there while it is borrowed, and memory is freed there") {
  if (!test::has_cuda()) return test::skip("no CUDA device");
  const cudaStream_t own = cuda::stream();
  const cuda::Stream other;
  const bool default_stream = GENERATE(false, true);
  const cudaStream_t stream = default_stream ? nullptr : other.reference().get();
  std::vector<int> values{1, 2, 3};
  {
    const auto borrowed = cuda::borrow_stream(stream);
    CHECK(cuda::stream() == stream);
    void* memory = cuda::allocate(12);
    cuda::zero(memory, 12);
    cuda::copy_to_host(values.data(), memory, 12);
    {
      const auto inner = cuda::borrow_stream(own);
      CHECK(cuda::stream() == own);
    }
    CHECK(cuda::stream() == stream);
    cuda::deallocate(memory);
    cuda::synchronize();
  }
  CHECK(values == std::vector<int>{0, 0, 0});
  CHECK(cuda::stream() == own);
}
#endif
