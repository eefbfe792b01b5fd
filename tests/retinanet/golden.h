// Golden fixtures (tests/golden, made with PyTorch and torchvision): reading them, the formula that weights and inputs
// come from, and the comparison of a tensor with what is stored of it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "data/pictures/image.h"
#include "engine/files/checkpoint.h"
#include "kernels/base/json.h"
#include "kernels/nn/conv2d/conv2d.h"
#include "tests/support/catch.h"

namespace diopter::test {

/// Where networks are compared: the CPU and a GPU; the host executor is too slow for them.
std::vector<Device> network_devices();

/// How the CPU convolves while this is alive, and how close to torchvision the network then is.
class Convolutions {
 public:
  /// exact: no Winograd.
  explicit Convolutions(bool exact) : exact_(exact) { cpu::allow_winograd(!exact); }
  ~Convolutions() { cpu::allow_winograd(true); }
  Convolutions(const Convolutions&) = delete;

  const char* name() const { return exact_ ? "exact" : "default"; }
  double map() const { return exact_ ? 2e-5 : 1e-4; }  // feature maps and head outputs, of the largest value
  double score() const { return exact_ ? 3e-5 : 1e-4; }
  double box() const { return exact_ ? 0.02 : 0.1; }  // pixels

 private:
  bool exact_;
};

/// The networks that a test compares: all of them, under sanitizers those with a ResNet-18.
std::vector<std::string> networks(const std::vector<std::string>& all);

/// count uniform floats, centre + spread * u with u in [-1, 1), from the Philox stream of a name: formula.py's uniform.
std::vector<float> formula(const std::string& name, std::size_t count, double centre = 0, double spread = 1,
                           std::uint64_t stream = 0);

/// A picture of random pixels: formula.py's picture.
Image formula_picture(const std::string& name, int width, int height);

/// Distribution of the weights of the last classification layer of a network.
struct ClassLayer {
  double gain = 1, bias = -4;
  std::uint64_t seed = 0;
};

/// Sets every parameter and running statistic by its name: formula.py's weight. `prefix` completes the names.
void fill_weights(const Module& module, const ClassLayer& layer = {}, const std::string& prefix = "");

/// Position-dependent checksum of the bits of 32-bit values, as 16 hexadecimal digits.
std::string checksum(const void* values, std::size_t count);

/// How far a tensor is from the reference.
struct Difference {
  double largest;  // max|a - b| / max|b| over the stored sample
  double norm;     // |a - b| / |b|, estimated over all elements from random projections
};

/// A file of tests/golden/fixtures.
class Fixture {
 public:
  explicit Fixture(const std::string& name);

  const nlohmann::json& scalars() const { return scalars_; }
  std::vector<float> floats(const std::string& name) const { return tensor(name).to_vector<float>(); }
  std::vector<std::uint8_t> bytes(const std::string& name) const { return tensor(name).to_vector<std::uint8_t>(); }
  std::vector<std::int32_t> integers(const std::string& name) const { return tensor(name).to_vector<std::int32_t>(); }

  /// Compares with the digest of that name; fails when the number of elements differs.
  Difference difference(const std::string& name, const std::vector<float>& values) const;
  /// Requires both differences to be at most `tolerance`, and prints them when DIOPTER_SHOW_DIFFERENCES is set.
  void require_close(const std::string& name, const std::vector<float>& values, double tolerance) const;

 private:
  const Tensor& tensor(const std::string& name) const;

  Checkpoint checkpoint_;
  nlohmann::json scalars_;
};

/// Prints a measured difference when DIOPTER_SHOW_DIFFERENCES is set: how the numbers of docs/parity.md are found.
void show_difference(const std::string& what, double value);

}  // namespace diopter::test
