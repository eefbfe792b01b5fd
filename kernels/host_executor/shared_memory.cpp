// The __shared__ variables of a block. In check flavours each is memory of its own, of exactly its size and filled with
// NaN, so that sanitizers see it like any other array.
#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "kernels/host_executor/options.h"
#include "kernels/host_executor/worker.h"

namespace diopter::host_executor {

void* Worker::fresh_shared(const void* key, std::size_t bytes, std::size_t alignment) {
  void* memory;
  if (posix_memalign(&memory, std::max<std::size_t>(alignment, 16), bytes) != 0) std::abort();
  fill_fresh(memory, bytes);
  shared_.push_back({key, memory});
  shared_bytes_ += bytes;
  if (shared_bytes_ > kMostShared) {
    fail(text("shared memory of ", shared_bytes_, " bytes, where a block has ", kMostShared),
         {grid_->shape.file, grid_->shape.line});
  }
  return memory;
}

void* Worker::shared_variable(const void* key, std::size_t bytes, std::size_t alignment) {
  for (const SharedVariable& variable : shared_) {
    if (variable.key == key) return variable.memory;
  }
  race_detector::As as(race_detector::executor());
  return fresh_shared(key, bytes, alignment);
}

void Worker::free_shared() {
  for (const SharedVariable& variable : shared_) std::free(variable.memory);
  shared_.clear();
  shared_bytes_ = 0;
}

}  // namespace diopter::host_executor

#if defined(DIOPTER_EXECUTOR_CHECK) && defined(__clang__)
/// What clang -femulated-tls calls for each access to a thread-local variable; .cu files have no other such variables
/// than __shared__ ones. The control block begins with size and alignment.
extern "C" void* __emutls_get_address(void* control) {
  auto* worker = diopter::host_executor::Worker::current();
  if (!worker) {
    std::fputs("host executor: a thread-local variable of a .cu file is used outside of kernels\n", stderr);
    std::abort();
  }
  const auto* word = static_cast<const std::size_t*>(control);
  return worker->shared_variable(control, word[0], word[1]);
}
#endif
