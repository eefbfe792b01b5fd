#include "kernels/nn/elementwise.h"

#include "kernels/base/parallel.h"
#include "kernels/toolkit/widest_vectors.h"

namespace diopter::cpu {

namespace {

constexpr std::int64_t kGrain = 1 << 15;

/// y[i] = f(i), in parallel.
template <class T, class F>
void generate(std::int64_t n, T* y, F f) {
  parallel_for(n, kGrain, [=](std::int64_t begin, std::int64_t end) {
    with_widest_vectors([=] {
      for (std::int64_t i = begin; i < end; ++i) y[i] = T(f(i));
    });
  });
}

}  // namespace

template <class T>
void activation_forward(Activation activation, std::int64_t n, const T* x, T* y) {
  with_activation(activation, [=](auto f) { generate(n, y, [=](std::int64_t i) { return f.forward(float(x[i])); }); });
}

template <class T>
void activation_backward(Activation activation, std::int64_t n, const T* y, const T* dy, T* dx) {
  with_activation(activation, [=](auto f) {
    generate(n, dx, [=](std::int64_t i) { return f.backward(float(y[i]), float(dy[i])); });
  });
}

template <class T>
void add(std::int64_t n, const T* a, const T* b, T* y) {
  generate(n, y, [=](std::int64_t i) { return float(a[i]) + float(b[i]); });
}

template <class T>
void scale(std::int64_t n, const float* factor, const T* x, T* y) {
  generate(n, y, [x, f = *factor](std::int64_t i) { return f * float(x[i]); });
}

void lerp(std::int64_t n, const float* weight, const float* x, float* y) {
  generate(n, y, [x, y, w = *weight](std::int64_t i) { return interpolate(y[i], x[i], w); });
}

template <class T>
void fill(std::int64_t n, float value, T* y) {
  generate(n, y, [=](std::int64_t) { return value; });
}

template <class From, class To>
void cast(std::int64_t n, const From* x, To* y) {
  generate(n, y, [=](std::int64_t i) { return float(x[i]); });
}

template void activation_forward(Activation, std::int64_t, const float*, float*);
template void activation_forward(Activation, std::int64_t, const bf16*, bf16*);
template void activation_backward(Activation, std::int64_t, const float*, const float*, float*);
template void activation_backward(Activation, std::int64_t, const bf16*, const bf16*, bf16*);
template void add(std::int64_t, const float*, const float*, float*);
template void add(std::int64_t, const bf16*, const bf16*, bf16*);
template void scale(std::int64_t, const float*, const float*, float*);
template void scale(std::int64_t, const float*, const bf16*, bf16*);
template void fill(std::int64_t, float, float*);
template void fill(std::int64_t, float, bf16*);
template void cast(std::int64_t, const float*, float*);
template void cast(std::int64_t, const float*, bf16*);
template void cast(std::int64_t, const bf16*, float*);
template void cast(std::int64_t, const bf16*, bf16*);

}  // namespace diopter::cpu
