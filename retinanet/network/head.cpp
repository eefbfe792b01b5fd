#include "retinanet/network/head.h"

#include <cmath>

#include "kernels/base/check.h"

namespace diopter {

Subnet::Subnet(const Config::Model& model, int cells, int values, const std::string& last_name,
               const std::vector<float>& last_bias, bool float_output, InitRandom& random) {
  const int width = model.fpn_channels;
  const bool normed = model.head_norm != NormKind::none;
  for (int i = 0; i < model.head_depth; ++i) {
    convs_.push_back(
        std::make_unique<Conv2d>(width, width, Conv2d::Options{.bias = !normed, .init = Init::normal(0.01f)}, random));
    add_module("conv." + std::to_string(i) + ".0", *convs_.back());
    if (!normed) continue;
    norms_.push_back(std::make_unique<Norm>(model.head_norm, width, model.groups));
    add_module("conv." + std::to_string(i) + ".1", *norms_.back());
  }
  last_ = std::make_unique<Conv2d>(
      width, cells * values,
      Conv2d::Options{.init = Init::normal(0.01f), .bias_values = last_bias, .float_output = float_output}, random);
  add_module(last_name, *last_);
}

Pyramid Subnet::operator()(const Pyramid& x) const {
  Pyramid y = x;
  for (std::size_t i = 0; i < convs_.size(); ++i) {
    y = norms_.empty() ? convs_[i]->relu(y) : norms_[i]->relu((*convs_[i])(y));
  }
  return (*last_)(y);
}

float prior_bias(double prior) { return static_cast<float>(-std::log((1 - prior) / prior)); }

std::vector<float> prior_biases(const Prior& prior, int classes) {
  DIOPTER_CHECK(prior.rule == PriorRule::stated, "model.prior = ", name_of(kPriorRules, prior.rule),
                " is found when training starts: here it must be a number");
  DIOPTER_CHECK(prior.values.size() == 1 || prior.values.size() == static_cast<std::size_t>(classes),
                "model.prior has ", prior.values.size(), " numbers, and there are ", classes, " classes");
  std::vector<float> biases;
  for (const double value : prior.values) biases.push_back(prior_bias(value));
  return biases;
}

Head::Head(const Config::Model& model, int cells, int classes, InitRandom& random)
    : classification_(model, cells, classes, "cls_logits", prior_biases(model.prior, classes), false, random),
      // A delta of 0.5 in bf16 is off by up to 0.002 of its anchor: a pixel of 512.
      regression_(model, cells, 4, "bbox_reg", {0}, true, random) {
  add_module("classification_head", classification_);
  add_module("regression_head", regression_);
}

}  // namespace diopter
