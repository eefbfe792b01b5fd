// Elementwise operations, the shortest way: one element in double. The fast versions:
// kernels/nn/elementwise.{h,cpp,cu}.
#pragma once

#include <cmath>

namespace diopter::plain {

inline double relu(double x) { return x > 0 ? x : 0; }
inline double relu_backward(double y, double dy) { return y > 0 ? dy : 0; }

inline double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }
inline double sigmoid_backward(double y, double dy) { return dy * y * (1 - y); }

/// Update of an exponential moving average y.
inline double lerp(double weight, double x, double y) { return (1 - weight) * y + weight * x; }

}  // namespace diopter::plain
