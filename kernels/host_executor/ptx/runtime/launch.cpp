// The CUDA runtime calls of objects that nvcc made: they register their kernels under the names that PTX has, and
// launch them with arguments that nvcc's own code has put together. The limits of a launch are a GPU's.
#include <cuda_runtime_api.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "kernels/host_executor/limits.h"
#include "kernels/host_executor/ptx/runtime/kernel.h"
#include "kernels/host_executor/ptx/runtime/memory.h"
#include "kernels/host_executor/runtime.h"

#undef blockDim  // a member of cudaLaunchConfig_t, too
#undef gridDim

namespace diopter::host_executor::ptx {

namespace {

/// What a process knows of kernels. Filled before main().
struct Kernels {
  std::map<std::string, Kernel> by_name;
  std::map<const void*, std::string> names;           // by the address that host code has for a kernel
  std::map<const void*, std::size_t> dynamic_shared;  // bytes that were asked for with cudaFuncSetAttribute
  std::mutex mutex;                                   // of dynamic_shared
};

Kernels& kernels() {
  static auto* all = new Kernels;
  return *all;
}

/// Null when nvcc's code has not registered the function.
const Kernel* find(const void* function) {
  const auto name = kernels().names.find(function);
  if (name == kernels().names.end()) return nullptr;
  const auto kernel = kernels().by_name.find(name->second);
  if (kernel != kernels().by_name.end()) return &kernel->second;
  std::fprintf(stderr, "host executor: kernel %s was registered, but its PTX was not translated\n",
               name->second.c_str());
  std::abort();
}

std::size_t static_shared(const Kernel& kernel) {
  std::size_t bytes = 0;
  for (const SharedVariable& variable : kernel.shared) {
    bytes = (bytes + variable.alignment - 1) / variable.alignment * variable.alignment + variable.bytes;
  }
  return bytes;
}

std::size_t allowed_dynamic_shared(const void* function, const Kernel& kernel) {
  std::lock_guard lock(kernels().mutex);
  const auto asked = kernels().dynamic_shared.find(function);
  if (asked != kernels().dynamic_shared.end()) return asked->second;
  return kUsualShared - std::min(static_shared(kernel), kUsualShared);
}

struct KernelCall {
  const Kernel& kernel;
  Arguments arguments;
};

KernelCall make_call(const Kernel& kernel, std::size_t dynamic_shared, void* const* values) {
  KernelCall call{kernel, {{}, 0, dynamic_shared}};
  std::size_t& offset = call.arguments.parameter_bytes;
  for (const Parameter& parameter : kernel.parameters) {
    offset = (offset + parameter.alignment - 1) / parameter.alignment * parameter.alignment;
    call.arguments.parameters.resize((offset + parameter.bytes + 7) / 8);
    std::memcpy(reinterpret_cast<char*>(call.arguments.parameters.data()) + offset, *values++, parameter.bytes);
    offset += parameter.bytes;
  }
  return call;
}

void run(const void* arguments) {
  const KernelCall& call = *static_cast<const KernelCall*>(arguments);
  forget_old_allocations();
  call.kernel.body(call.arguments);
}

[[noreturn]] void refuse(const char* what) {
  std::fprintf(stderr,
               "host executor: %s in code compiled by nvcc; kernels/toolkit/launch.cuh says what may be there\n", what);
  std::abort();
}

}  // namespace

void add_kernel(Kernel kernel) { kernels().by_name.emplace(kernel.name, std::move(kernel)); }

}  // namespace diopter::host_executor::ptx

using namespace diopter::host_executor;

extern "C" {

cudaError_t cudaLaunchKernelExC(const cudaLaunchConfig_t* config, const void* function, void** values) {
  const ptx::Kernel* kernel = ptx::find(function);
  if (!kernel) return result(cudaErrorInvalidDeviceFunction);
  if (config->numAttrs != 0) return result(cudaErrorNotSupported);
  const dim3 block = config->blockDim;
  const std::uint64_t threads = std::uint64_t{block.x} * block.y * block.z;
  const std::size_t dynamic = config->dynamicSmemBytes;
  if ((kernel->most_threads != 0 && threads > kernel->most_threads) ||
      dynamic > ptx::allowed_dynamic_shared(function, *kernel)) {
    return result(cudaErrorInvalidValue);
  }
  return enqueue_grid({config->gridDim, block, dynamic, kernel->file, kernel->line, "written"}, config->stream,
                      ptx::run, std::make_shared<const ptx::KernelCall>(ptx::make_call(*kernel, dynamic, values)));
}

cudaError_t cudaFuncGetAttributes(cudaFuncAttributes* attributes, const void* function) {
  const ptx::Kernel* kernel = ptx::find(function);
  if (!kernel) return result(cudaErrorInvalidDeviceFunction);
  *attributes = {};
  attributes->sharedSizeBytes = ptx::static_shared(*kernel);
  attributes->maxDynamicSharedSizeBytes = static_cast<int>(ptx::allowed_dynamic_shared(function, *kernel));
  attributes->maxThreadsPerBlock = static_cast<int>(kernel->most_threads != 0 ? kernel->most_threads : kMaxThreads);
  return cudaSuccess;
}

cudaError_t cudaFuncSetAttribute(const void* function, cudaFuncAttribute attribute, int value) {
  const ptx::Kernel* kernel = ptx::find(function);
  if (!kernel) return result(cudaErrorInvalidDeviceFunction);
  if (attribute != cudaFuncAttributeMaxDynamicSharedMemorySize) return result(cudaErrorNotSupported);
  if (value < 0 || ptx::static_shared(*kernel) + static_cast<std::size_t>(value) > kMostShared) {
    return result(cudaErrorInvalidValue);
  }
  std::lock_guard lock(ptx::kernels().mutex);
  ptx::kernels().dynamic_shared[function] = static_cast<std::size_t>(value);
  return cudaSuccess;
}

// What nvcc's code calls before main(), after it, and for what this project does not have.

void** __cudaRegisterFatBinary(void* binary) { return static_cast<void**>(binary); }
void __cudaRegisterFatBinaryEnd(void**) {}
void __cudaUnregisterFatBinary(void**) {}

void __cudaRegisterFunction(void**, const char* function, char*, const char* name, int, uint3*, uint3*, dim3*, dim3*,
                            int*) {
  ptx::kernels().names[function] = name;
}

void __cudaRegisterVar(void**, char*, char*, const char*, int, std::size_t, int, int) {
  ptx::refuse("a variable of the device");
}
unsigned __cudaPushCallConfiguration(dim3, dim3, std::size_t, void*) { ptx::refuse("a launch with <<<>>>"); }
cudaError_t __cudaPopCallConfiguration(dim3*, dim3*, std::size_t*, void*) { ptx::refuse("a launch with <<<>>>"); }
cudaError_t __cudaGetKernel(cudaKernel_t*, const void*) { ptx::refuse("a call of a kernel"); }
cudaError_t __cudaLaunchKernel(cudaKernel_t, dim3, dim3, void**, std::size_t, cudaStream_t) {
  ptx::refuse("a call of a kernel");
}

}  // extern "C"
