// Stands in for the matrix products of builds with ThreadSanitizer, which cannot see into a library that was built
// without it.
#include "kernels/nn/conv2d/gemm.h"

void diopter::cpu::gemm(Transposed at, Transposed bt, std::int64_t m, std::int64_t n, std::int64_t k, const float* a,
                        std::int64_t lda, const float* b, std::int64_t ldb, float beta, float* c, std::int64_t ldc) {
  const bool a_columns = at == Transposed::yes, b_columns = bt == Transposed::yes;
  for (std::int64_t i = 0; i < m; ++i) {
    for (std::int64_t j = 0; j < n; ++j) {
      float sum = 0.0f;
      for (std::int64_t l = 0; l < k; ++l) {
        sum += (a_columns ? a[l * lda + i] : a[i * lda + l]) * (b_columns ? b[j * ldb + l] : b[l * ldb + j]);
      }
      c[i * ldc + j] = sum + (beta == 0.0f ? 0.0f : beta * c[i * ldc + j]);
    }
  }
}
