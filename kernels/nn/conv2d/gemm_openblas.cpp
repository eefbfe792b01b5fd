#include <cblas.h>

#include "kernels/base/libraries.h"
#include "kernels/nn/conv2d/gemm.h"

namespace diopter {

std::string blas_library() { return openblas_get_config(); }

void cpu::gemm(Transposed at, Transposed bt, std::int64_t m, std::int64_t n, std::int64_t k, const float* a,
               std::int64_t lda, const float* b, std::int64_t ldb, float beta, float* c, std::int64_t ldc) {
  static const bool one_thread = (openblas_set_num_threads(1), true);
  static_cast<void>(one_thread);
  const auto flag = [](Transposed t) { return t == Transposed::yes ? CblasTrans : CblasNoTrans; };
  cblas_sgemm(CblasRowMajor, flag(at), flag(bt), static_cast<int>(m), static_cast<int>(n), static_cast<int>(k), 1.0f, a,
              static_cast<int>(lda), b, static_cast<int>(ldb), beta, c, static_cast<int>(ldc));
}

}  // namespace diopter
