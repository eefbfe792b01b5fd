// Stands in for OpenBLAS in builds with ThreadSanitizer, which cannot see into a library that was built without it.
#include <cblas.h>

extern "C" {

void openblas_set_num_threads(int) {}

/// C = alpha op(A) op(B) + beta C, row-major.
void cblas_sgemm(CBLAS_ORDER, CBLAS_TRANSPOSE transpose_a, CBLAS_TRANSPOSE transpose_b, blasint m, blasint n, blasint k,
                 float alpha, const float* a, blasint lda, const float* b, blasint ldb, float beta, float* c,
                 blasint ldc) {
  const bool at = transpose_a == CblasTrans, bt = transpose_b == CblasTrans;
  for (blasint i = 0; i < m; ++i) {
    for (blasint j = 0; j < n; ++j) {
      float sum = 0.0f;
      for (blasint l = 0; l < k; ++l) sum += (at ? a[l * lda + i] : a[i * lda + l]) * (bt ? b[j * ldb + l] : b[l * ldb + j]);
      c[i * ldc + j] = alpha * sum + (beta == 0.0f ? 0.0f : beta * c[i * ldc + j]);
    }
  }
}

}  // extern "C"
