#include <oneapi/dnnl/dnnl.h>

#include <string>

#include "kernels/base/check.h"
#include "kernels/base/libraries.h"
#include "kernels/nn/conv2d/gemm.h"

extern "C" void omp_set_num_threads(int);  // of the OpenMP runtime that oneDNN brings along

namespace diopter {

std::string blas_library() {
  const dnnl_version_t& v = *dnnl_version();
  return "oneDNN " + std::to_string(v.major) + '.' + std::to_string(v.minor) + '.' + std::to_string(v.patch);
}

void cpu::gemm(Transposed at, Transposed bt, std::int64_t m, std::int64_t n, std::int64_t k, const float* a,
               std::int64_t lda, const float* b, std::int64_t ldb, float beta, float* c, std::int64_t ldc) {
  // OpenMP's number of threads belongs to the thread that asks; Diopter's threads are outside.
  thread_local const bool one_thread = (omp_set_num_threads(1), true);
  static_cast<void>(one_thread);
  const auto letter = [](Transposed t) { return t == Transposed::yes ? 'T' : 'N'; };
  const dnnl_status_t status = dnnl_sgemm(letter(at), letter(bt), m, n, k, 1.0f, a, lda, b, ldb, beta, c, ldc);
  DIOPTER_CHECK(status == dnnl_success, "oneDNN's sgemm of ", m, "x", n, "x", k, ": status ", static_cast<int>(status));
}

}  // namespace diopter
