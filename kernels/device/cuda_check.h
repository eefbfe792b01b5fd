// Errors of the CUDA runtime become exceptions that name the call, the file and the line.
#pragma once

#include <cuda_runtime_api.h>

namespace diopter::cuda {

/// Throws Error unless `status` is cudaSuccess: check(cudaMemsetAsync(...), "cudaMemsetAsync").
/// `call` is what the message names; without it, file and line have to do.
void check(cudaError_t status, const char* call = nullptr, const char* file = __builtin_FILE(),
           int line = __builtin_LINE());

/// For destructors, which have nobody to tell: a failed call leaves nothing that cudaGetLastError would give to others,
/// cuDNN among them.
void ignore(cudaError_t status) noexcept;

}  // namespace diopter::cuda
