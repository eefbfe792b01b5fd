#include "data/shapes/quick_normals.h"

#include <array>
#include <boost/math/distributions/normal.hpp>

namespace diopter {

namespace {

using Quantiles = std::array<float, std::size_t{1} << QuickNormals::kIndexBits>;

const Quantiles& quantiles() {
  static const Quantiles table = [] {
    Quantiles values{};
    const boost::math::normal distribution;
    for (std::size_t i = 0; i < values.size(); ++i) {
      const double share = (static_cast<double>(i) + 0.5) / static_cast<double>(values.size());
      values[i] = static_cast<float>(quantile(distribution, share));
    }
    return values;
  }();
  return table;
}

}  // namespace

QuickNormals::QuickNormals(std::uint64_t seed, std::uint64_t stream)
    : random_(seed, stream), quantiles_(quantiles().data()) {}

}  // namespace diopter
