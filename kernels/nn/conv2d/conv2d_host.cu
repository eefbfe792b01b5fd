// The convolutions of a build where the host executor stands in for a GPU: one "kernel" of one thread that calls the
// CPU implementation. Launched like the others, it takes its place in the order of the stream, and in captured graphs.
#include "kernels/nn/conv2d/conv2d.h"
#include "kernels/toolkit/launch.cuh"

namespace diopter::cuda {

namespace {

template <class T, class Y>
__global__ void forward_kernel(Conv2dForwardArgs<T, Y> args) {
  cpu::conv2d_forward(args);
}

template <class T>
__global__ void backward_data_kernel(Conv2dShape shape, const T* dz, const T* w, T* dx) {
  cpu::conv2d_backward_data(shape, dz, w, dx);
}

template <class T>
__global__ void backward_weight_kernel(Conv2dShape shape, const T* dz, const T* x, float* dw) {
  cpu::conv2d_backward_weight(shape, dz, x, dw);
}

}  // namespace

void allow_tf32(bool) {}

template <class T>
void conv2d_forward(const Conv2dForwardArgs<T>& args) {
  validate(args.shape);
  launch(forward_kernel<T, T>, {.grid = 1, .block = 1}, args);
}

void conv2d_forward(const Conv2dForwardArgs<bf16, float>& args) {
  validate(args.shape);
  launch(forward_kernel<bf16, float>, {.grid = 1, .block = 1}, args);
}

template <class T>
void conv2d_backward_data(const Conv2dShape& shape, const T* dz, const T* w, T* dx) {
  validate(shape);
  launch(backward_data_kernel<T>, {.grid = 1, .block = 1}, shape, dz, w, dx);
}

template <class T>
void conv2d_backward_weight(const Conv2dShape& shape, const T* dz, const T* x, float* dw) {
  validate(shape);
  launch(backward_weight_kernel<T>, {.grid = 1, .block = 1}, shape, dz, x, dw);
}

template void conv2d_forward(const Conv2dForwardArgs<float>&);
template void conv2d_forward(const Conv2dForwardArgs<bf16>&);
template void conv2d_backward_data(const Conv2dShape&, const float*, const float*, float*);
template void conv2d_backward_data(const Conv2dShape&, const bf16*, const bf16*, bf16*);
template void conv2d_backward_weight(const Conv2dShape&, const float*, const float*, float*);
template void conv2d_backward_weight(const Conv2dShape&, const bf16*, const bf16*, float*);

}  // namespace diopter::cuda
