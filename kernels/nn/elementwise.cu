#include "kernels/nn/elementwise.h"

#include "kernels/nn/packed.cuh"

namespace diopter::cuda {

namespace {

constexpr int kThreads = 256;

/// y[i] = f(x[i], ...). Each thread takes a few neighbouring elements of every array, 16 bytes of the widest. No shared
/// memory; each element stands alone, so nothing depends on an order. x may be y: a thread reads before it writes.
template <class F, class Y, class... X>
__global__ void __launch_bounds__(kThreads) map_kernel(std::int64_t n, F f, Y* y, const X*... x) {
  constexpr int N = kTogether<Y, X...>;
  const std::int64_t i = thread_index() * N, count = n - i;  // `count` may be less than N at the end
  if (count <= 0) return;
  const auto apply = [&](const auto&... in) {
    Packed<Y, N> out;
#pragma unroll
    for (int j = 0; j < N; ++j) out[j] = to<Y>(f(float(in[j])...));
    write(y + i, count, out);
  };
  apply(read<N>(x + i, count)...);
}

template <class F, class Y, class... X>
void map(std::int64_t n, F f, Y* y, const X*... x) {
  constexpr int N = kTogether<Y, X...>;
  launch(map_kernel<F, Y, X...>, {.grid = blocks_for((n + N - 1) / N, kThreads), .block = kThreads}, n, f, y, x...);
}

template <class F>
struct Forward {
  __device__ float operator()(float x) const { return F::forward(x); }
};
template <class F>
struct Backward {
  __device__ float operator()(float y, float dy) const { return F::backward(y, dy); }
};
struct Add {
  __device__ float operator()(float a, float b) const { return a + b; }
};
struct Scale {
  const float* factor;
  __device__ float operator()(float x) const { return *factor * x; }
};
struct Lerp {
  const float* weight;
  __device__ float operator()(float x, float y) const { return interpolate(y, x, *weight); }
};
struct Fill {
  float value;
  __device__ float operator()() const { return value; }
};
struct Identity {
  __device__ float operator()(float x) const { return x; }
};

}  // namespace

template <class T>
void activation_forward(Activation activation, std::int64_t n, const T* x, T* y) {
  with_activation(activation, [=](auto f) { map(n, Forward<decltype(f)>{}, y, x); });
}

template <class T>
void activation_backward(Activation activation, std::int64_t n, const T* y, const T* dy, T* dx) {
  with_activation(activation, [=](auto f) { map(n, Backward<decltype(f)>{}, dx, y, dy); });
}

template <class T>
void add(std::int64_t n, const T* a, const T* b, T* y) {
  map(n, Add{}, y, a, b);
}

template <class T>
void scale(std::int64_t n, const float* factor, const T* x, T* y) {
  map(n, Scale{factor}, y, x);
}

void lerp(std::int64_t n, const float* weight, const float* x, float* y) {
  map<Lerp, float, float, float>(n, {weight}, y, x, y);
}

template <class T>
void fill(std::int64_t n, float value, T* y) {
  map(n, Fill{value}, y);
}

template <class From, class To>
void cast(std::int64_t n, const From* x, To* y) {
  map(n, Identity{}, y, x);
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

}  // namespace diopter::cuda
