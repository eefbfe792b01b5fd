#include "tests/retinanet/golden.h"

#include <array>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "generated/cuda_kind.h"
#include "generated/source_dir.h"
#include "kernels/base/json.h"
#include "kernels/base/parallel.h"
#include "kernels/base/philox.h"
#include "tests/support/devices.h"

namespace diopter::test {

namespace {

constexpr int kProjections = 8, kSamples = 128;

std::uint64_t fnv1a(const std::string& name) {
  std::uint64_t value = 0xCBF29CE484222325;
  for (unsigned char c : name) value = (value ^ c) * 0x100000001B3;
  return value;
}

std::vector<std::int64_t> sample_indices(std::int64_t size) {
  std::vector<std::int64_t> indices;
  Philox random(fnv1a("sample"), 0);
  for (std::int64_t i = 0; i < std::min<std::int64_t>(size, kSamples); ++i) {
    indices.push_back(size <= kSamples ? i : static_cast<std::int64_t>((std::uint64_t{random.next()} * size) >> 32));
  }
  return indices;
}

std::array<double, kProjections> projections(const std::vector<float>& values) {
  const std::uint64_t key = fnv1a("signs");
  std::array<double, kProjections> sums{};
  for (std::size_t begin = 0; begin < values.size(); begin += 16) {
    const PhiloxBlock block = philox4x32(key, 0, begin / 16);
    unsigned char signs[16];
    std::memcpy(signs, block.word, sizeof signs);
    for (std::size_t i = begin; i < std::min(begin + 16, values.size()); ++i) {
      const double value = static_cast<double>(values[i]);
      for (int k = 0; k < kProjections; ++k) sums[k] += signs[i - begin] >> k & 1 ? value : -value;
    }
  }
  return sums;
}

bool ends_with(const std::string& name, const char* end) { return name.ends_with(end); }
bool has(const std::string& name, const char* part) { return name.find(part) != std::string::npos; }

/// The values of one tensor in the stored layout, [out, in, kh, kw].
std::vector<float> weight(const std::string& name, const Shape& shape, const ClassLayer& layer) {
  const std::size_t count = static_cast<std::size_t>(shape.size());
  const std::uint64_t stream = has(name, "cls_logits") ? layer.seed : 0;
  if (shape.rank() == 4) {
    double gain = 2;
    if (has(name, "cls_logits")) {
      gain = layer.gain;
    } else if (has(name, "inner_blocks") || has(name, "layer_blocks") || has(name, ".p6.")) {
      gain = 1;
    } else if (has(name, "bbox_reg")) {
      gain = 0.1;
    }
    return formula(name, count, 0, std::sqrt(3 * gain / static_cast<double>(shape.size() / shape[0])), stream);
  }
  if (ends_with(name, "running_var")) return formula(name, count, 1, 0.3);
  if (ends_with(name, "running_mean")) return formula(name, count, 0, 0.2);
  if (ends_with(name, "bn3.weight")) return formula(name, count, 0.2, 0.1);
  if (ends_with(name, ".weight")) return formula(name, count, 0.7, 0.2);
  if (ends_with(name, "cls_logits.bias")) return formula(name, count, layer.bias, 0.2, stream);
  return formula(name, count, 0, 0.1);
}

}  // namespace

std::vector<Device> network_devices() {
#ifdef DIOPTER_HOST_EXECUTOR
  return {Device::cpu};
#else
  return devices();
#endif
}

std::vector<std::string> networks(const std::vector<std::string>& all) {
  if (!kSanitized) return all;
  std::vector<std::string> small;
  for (const std::string& name : all) {
    if (has(name, "resnet18")) small.push_back(name);
  }
  // Not the word that marks a test as skipped: what is left does run.
  std::printf("%zu of %zu networks are left out under sanitizers\n", all.size() - small.size(), all.size());
  return small;
}

std::vector<float> formula(const std::string& name, std::size_t count, double centre, double spread,
                           std::uint64_t stream) {
  std::vector<float> values(count);
  Philox random(fnv1a(name), stream);
  const float c = static_cast<float>(centre), s = static_cast<float>(spread);
  for (float& v : values) v = c + s * (static_cast<float>(random.next() >> 8) * 0x1p-23f - 1);
  return values;
}

Image formula_picture(const std::string& name, int width, int height) {
  Image image;
  image.width = width;
  image.height = height;
  image.rgb.resize(std::size_t{3} * width * height);
  Philox random(fnv1a(name), 0);
  for (std::uint8_t& v : image.rgb) v = static_cast<std::uint8_t>(random.next() >> 24);
  return image;
}

void fill_weights(const Module& module, const ClassLayer& layer, const std::string& prefix) {
  const std::vector<NamedBuffer> state = model_state(module);
  Checkpoint checkpoint;
  std::vector<Tensor> filled(state.size());
  parallel_for(static_cast<std::int64_t>(state.size()), 1, [&](std::int64_t i, std::int64_t) {
    const Shape& s = state[i].tensor.shape();
    const Shape stored = s.rank() == 4 ? Shape{s[0], s[3], s[1], s[2]} : s;
    filled[i] = Tensor::from(stored, weight(prefix + state[i].name, stored, layer));
  });
  for (std::size_t i = 0; i < state.size(); ++i) checkpoint.tensors[state[i].name] = filled[i];
  get_tensors(checkpoint, "", state);
}

std::string checksum(const void* values, std::size_t count) {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < count; ++i) {
    std::uint32_t bits;
    std::memcpy(&bits, static_cast<const char*>(values) + 4 * i, 4);
    sum += bits * (2 * std::uint64_t{i} + 1);
  }
  char text[17];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(sum));
  return text;
}

Fixture::Fixture(const std::string& name)
    : checkpoint_(load_checkpoint(std::string(DIOPTER_SOURCE_DIR) + "/tests/golden/fixtures/" + name + ".safetensors")),
      scalars_(parse_json(checkpoint_.metadata.at("scalars"))) {}

const Tensor& Fixture::tensor(const std::string& name) const {
  const auto found = checkpoint_.tensors.find(name);
  DIOPTER_CHECK(found != checkpoint_.tensors.end(), checkpoint_.file, ": has no ", name);
  return found->second;
}

Difference Fixture::difference(const std::string& name, const std::vector<float>& values) const {
  const nlohmann::json& scalars = scalars_.at(name);
  REQUIRE(values.size() == scalars.at("size").get<std::size_t>());
  const std::vector<float> sample = floats(name + ".sample"), wanted = floats(name + ".projections");
  const std::vector<std::int64_t> indices = sample_indices(static_cast<std::int64_t>(values.size()));
  double largest = 0, squares = 0;
  for (std::size_t i = 0; i < sample.size(); ++i) {
    largest = std::max(largest, std::fabs(static_cast<double>(values[indices[i]]) - static_cast<double>(sample[i])));
  }
  const auto projected = projections(values);
  for (int k = 0; k < kProjections; ++k) squares += std::pow(projected[k] - static_cast<double>(wanted[k]), 2);
  return {largest / scalars.at("max").get<double>(),
          std::sqrt(squares / kProjections) / scalars.at("norm").get<double>()};
}

void Fixture::require_close(const std::string& name, const std::vector<float>& values, double tolerance) const {
  const Difference d = difference(name, values);
  show_difference(name + " (largest)", d.largest);
  show_difference(name + " (norm)", d.norm);
  INFO(name << ": largest difference " << d.largest << ", of the norm " << d.norm);
  REQUIRE(d.largest <= tolerance);
  REQUIRE(d.norm <= tolerance);
}

void show_difference(const std::string& what, double value) {
  if (std::getenv("DIOPTER_SHOW_DIFFERENCES")) std::printf("%-70s %.2e\n", what.c_str(), value);
}

}  // namespace diopter::test
