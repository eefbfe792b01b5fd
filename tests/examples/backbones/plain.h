// Plain backbone: per level one 3x3 convolution of stride 2 with its norm and ReLU. Width channels after the first,
// twice as many after each further one.
#pragma once

#include "retinanet/network/backbone.h"

namespace diopter {

class PlainBackbone : public Backbone {
 public:
  PlainBackbone(const Config::Model& model, int last_level, InitRandom& random) : width_(model.width) {
    for (int level = 1; level <= last_level; ++level) {
      const int in = level == 1 ? 3 : width_at(level - 1), out = width_at(level);
      const Conv2d::Options options{.kernel = 3, .stride = 2, .bias = false, .init = Init::kaiming_normal_fan_out()};
      convs_.push_back(std::make_unique<Conv2d>(in, out, options, random));
      norms_.push_back(
          std::make_unique<Norm>(model.norm, out, model.groups, false, static_cast<float>(model.norm_eps)));
      add_module("conv" + std::to_string(level), *convs_.back());
      add_module("bn" + std::to_string(level), *norms_.back());
      if (level > model.freeze_stages) continue;
      convs_.back()->freeze();
      norms_.back()->freeze();
    }
  }

  std::vector<Variable> operator()(const Variable& images) const override {
    std::vector<Variable> maps;
    Variable x = images;
    for (std::size_t i = 0; i < convs_.size(); ++i) {
      x = conv_norm(*convs_[i], *norms_[i], x, true);
      if (i > 0) maps.push_back(x);  // from C2 on
    }
    return maps;
  }

  int channels(int level) const override { return width_at(level); }

 private:
  int width_at(int level) const { return width_ << (level - 1); }

  int width_;
  std::vector<std::unique_ptr<Conv2d>> convs_;
  std::vector<std::unique_ptr<Norm>> norms_;
};

}  // namespace diopter
