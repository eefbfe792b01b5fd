#include "retinanet/weights/class_rows.h"

#include <algorithm>
#include <cstdint>

#include "kernels/base/text.h"

namespace diopter {

namespace {

/// For each of the wanted classes where the known ones have it; -1 for nowhere.
std::vector<std::int64_t> places(const std::vector<std::string>& known, const std::vector<std::string>& wanted) {
  std::vector<std::int64_t> all;
  for (const std::string& name : wanted) {
    const auto found = std::find(known.begin(), known.end(), name);
    all.push_back(found == known.end() ? -1 : found - known.begin());
  }
  return all;
}

bool fit(const Tensor& stored, std::int64_t known, const Tensor& own, std::int64_t wanted) {
  const Shape &from = stored.shape(), &to = own.shape();
  if (stored.dtype() != DType::f32 || own.dtype() != DType::f32 || from.rank() == 0 || from.rank() != to.rank())
    return false;
  for (int i = 1; i < from.rank(); ++i) {
    if (from[i] != to[i]) return false;
  }
  return from[0] % known == 0 && from[0] / known * wanted == to[0];
}

}  // namespace

NamedTensors with_class_rows(const NamedTensors& stored, const std::vector<std::string>& known, const NamedTensors& own,
                             const std::vector<std::string>& wanted) {
  NamedTensors result;
  if (known.empty() || wanted.empty()) return result;
  const std::vector<std::int64_t> from = places(known, wanted);
  for (const auto& [name, layer] : own) {
    const auto found = stored.find(name);
    if (found == stored.end() || !fit(found->second, std::ssize(known), layer, std::ssize(wanted))) continue;
    std::vector<float> values = layer.to_vector<float>();
    const std::vector<float> other = found->second.to_vector<float>();
    const std::int64_t row = std::ssize(values) / layer.shape()[0];
    for (std::int64_t i = 0; i < layer.shape()[0]; ++i) {
      const std::int64_t cell = i / std::ssize(wanted), place = from[static_cast<std::size_t>(i % std::ssize(wanted))];
      if (place < 0) continue;
      std::copy_n(other.begin() + (cell * std::ssize(known) + place) * row, row, values.begin() + i * row);
    }
    result[name] = Tensor::from(layer.shape(), values);
  }
  return result;
}

std::string describe_class_rows(const std::vector<std::string>& known, const std::vector<std::string>& wanted) {
  std::vector<std::string> kept, fresh;
  for (const std::string& name : wanted)
    (std::find(known.begin(), known.end(), name) == known.end() ? fresh : kept).push_back(name);
  if (kept.empty()) {
    constexpr std::size_t kFew = 10;
    const std::string others = known.size() > kFew ? std::to_string(known.size()) + " others" : quoted_list(known);
    return "has none of the classes " + quoted_list(wanted) + " but " + others +
           "; the last classification layer starts afresh";
  }
  if (fresh.empty() && known.size() == wanted.size())
    return "has the classes in another order; the rows of the last classification layer follow their names";
  return "has other classes; of the last classification layer the rows of " + quoted_list(kept) + " are kept" +
         (fresh.empty() ? "" : ", those of " + quoted_list(fresh) + " start afresh");
}

}  // namespace diopter
