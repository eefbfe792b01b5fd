#include "retinanet/network/fpn.h"

#include <algorithm>
#include <string>

namespace diopter {

namespace {

/// That of C(top) and P(top) which the first level beyond is made of.
template <class T>
T p6_input(P6Source source, const T& c, const T& p) {
  switch (source) {
    case P6Source::c5: return c;
    case P6Source::p5: return p;
  }
  fail("model.p6_from is no source of a level");
}

}  // namespace

Fpn::Fpn(const Config::Model& model, const std::vector<int>& in_channels, InitRandom& random)
    : p6_from_(model.p6_from) {
  const int width = model.fpn_channels;
  const auto conv = [&](int in, int kernel, int stride) {
    return std::make_unique<Conv2d>(
        in, width, Conv2d::Options{.kernel = kernel, .stride = stride, .init = Init::kaiming_uniform(1)}, random);
  };
  for (std::size_t i = 0; i < in_channels.size(); ++i) {
    inner_.push_back(conv(in_channels[i], 1, 1));
    layer_.push_back(conv(width, 3, 1));
    add_module("inner_blocks." + std::to_string(i) + ".0", *inner_.back());
    add_module("layer_blocks." + std::to_string(i) + ".0", *layer_.back());
  }
  const int top = model.min_level + static_cast<int>(in_channels.size()) - 1;
  for (int level = top + 1; level <= model.max_level; ++level) {
    extra_.push_back(conv(level == top + 1 ? p6_input(p6_from_, in_channels.back(), width) : width, 3, 2));
    add_module("extra_blocks.p" + std::to_string(level), *extra_.back());
  }
}

Pyramid Fpn::operator()(const std::vector<Variable>& maps) const {
  std::vector<Variable> levels(maps.size());
  Variable inner;
  for (std::size_t i = maps.size(); i-- > 0;) {
    const Variable lateral = (*inner_[i])(maps[i]);
    inner = inner.defined() ? add(lateral, upsample(inner, lateral)) : lateral;
    levels[i] = (*layer_[i])(inner);
  }
  for (std::size_t i = 0; i < extra_.size(); ++i) {
    const Variable x = i > 0 ? relu(levels.back()) : p6_input(p6_from_, maps.back(), levels.back());
    levels.push_back((*extra_[i])(x));
  }
  return concat_levels(levels);
}

}  // namespace diopter
