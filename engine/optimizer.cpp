#include "engine/optimizer.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <string>

#include "engine/profile/profile.h"
#include "kernels/nn/adamw.h"
#include "kernels/nn/elementwise.h"
#include "kernels/nn/reduce.h"
#include "kernels/nn/sgd.h"
#include "kernels/toolkit/dispatch.h"

namespace diopter {

std::vector<ParameterGroup> group_by_decay(const std::vector<NamedParameter>& parameters, const WeightDecay& decay) {
  const auto module_of = [](const std::string& name) { return name.substr(0, name.rfind('.') + 1); };
  std::set<std::string> norm_modules;
  for (const NamedParameter& p : parameters) {
    if (p.name.ends_with("weight") && p.variable.shape().rank() == 1) norm_modules.insert(module_of(p.name));
  }
  ParameterGroup weights{{}, decay.weights}, norms{{}, decay.norms}, biases{{}, decay.biases};
  for (const NamedParameter& p : parameters) {
    if (!p.variable.requires_gradient()) continue;
    ParameterGroup& group = norm_modules.count(module_of(p.name)) ? norms
                            : p.variable.shape().rank() > 1       ? weights
                                                                  : biases;
    group.parameters.push_back(p);
  }
  return {weights, norms, biases};
}

namespace {

/// Floats that a parameter takes in the flat buffers: whole 16 bytes, so that each begins where a GPU can read so many
/// at once. What is between them stays zero.
std::int64_t padded(std::int64_t count) { return (count + 3) / 4 * 4; }

}  // namespace

Optimizer::Optimizer(const std::vector<ParameterGroup>& groups, float clip_norm, const std::vector<std::string>& kinds)
    : clip_norm_(clip_norm) {
  std::int64_t total = 0;
  Device device = Device::cpu;
  for (const ParameterGroup& group : groups) {
    for (const NamedParameter& p : group.parameters) {
      DIOPTER_CHECK(p.variable.requires_gradient(), "parameter ", p.name, " requires no gradient");
      total += padded(p.variable.value().size());
      parameter_count_ += p.variable.value().size();
      device = p.variable.value().device();
    }
  }
  gradients_ = Tensor::zeros({total}, DType::f32, device);
  std::vector<Tensor> kept(kinds.size());
  for (Tensor& flat : kept) flat = Tensor::zeros({total}, DType::f32, device);

  std::int64_t offset = 0;
  for (const ParameterGroup& group : groups) {
    for (const NamedParameter& p : group.parameters) {
      const Tensor& w = p.variable.value();
      const auto part_of = [&](const Tensor& flat) { return flat.slice(offset, offset + w.size()).reshape(w.shape()); };
      Part& part = parts_.emplace_back(Part{p, group.weight_decay, part_of(gradients_), {}});
      for (std::size_t i = 0; i < kinds.size(); ++i) {
        state_.push_back({kinds[i] + "." + p.name, part.kept.emplace_back(part_of(kept[i]))});
      }
      p.variable.gradient()->set_buffer(part.gradient);
      offset += padded(w.size());
    }
  }
  for (Tensor* number : {&squared_norm_, &norm_, &gradient_scale_}) *number = Tensor::zeros({1}, DType::f32, device);
  skip_ = Tensor::zeros({1}, DType::i32, device);
}

template <class Segment, class MakeSegment>
Tensor Optimizer::table_of(const MakeSegment& make) {
  std::vector<Segment> segments;
  for (const Part& part : parts_) {
    const Tensor &w = part.parameter.variable.value(), &copy = part.parameter.variable.bf16_copy();
    Segment& segment = segments.emplace_back(make(part));
    segment.w = w.data<float>();
    segment.gradient = part.gradient.template data<float>();
    segment.copy = copy.defined() ? copy.data<bf16>() : nullptr;
    segment.count = w.size();
    segment.weight_decay = part.weight_decay;
  }
  chunks_ = number_chunks(segments);
  const Tensor table =
      Tensor::empty({static_cast<std::int64_t>(segments.size() * sizeof(Segment))}, DType::u8, gradients_.device());
  table.copy_from_host(segments.data());
  return table;
}

void Optimizer::zero_gradients() {
  const ProfiledScope phase("clear gradients");
  gradients_.zero();
}

void Optimizer::step(float lr, float factor, const Tensor& losses) {
  set_lr(lr, ++steps_);
  update(factor, losses);
}

void Optimizer::update(float factor, const Tensor& losses) {
  const ProfiledScope phase("optimizer");
  const Device device = gradients_.device();
  DIOPTER_DISPATCH(device, squared_norm, gradients_.size(), gradients_.data<float>(), squared_norm_.data<float>());
  DIOPTER_DISPATCH(device, sgd_control,
                   SgdControlArgs{.squared_norm = squared_norm_.data<float>(),
                                  .losses = losses.defined() ? losses.data<float>() : nullptr,
                                  .loss_count = losses.defined() ? static_cast<int>(losses.size()) : 0,
                                  .factor = factor,
                                  .clip_norm = clip_norm_,
                                  .norm = norm_.data<float>(),
                                  .gradient_scale = gradient_scale_.data<float>(),
                                  .skip = skip_.data<std::int32_t>()});
  move();
}

Sgd::Sgd(const std::vector<ParameterGroup>& groups, const Options& options)
    : Optimizer(groups, options.clip_norm, {"velocity"}), options_(options) {
  segments_ = table_of<SgdSegment>([](const Part& part) {
    SgdSegment segment{};
    segment.velocity = part.kept[0].data<float>();
    return segment;
  });
  lr_ = Tensor::zeros({1}, DType::f32, gradients().device());
}

void Sgd::set_lr(float lr, std::int64_t) { DIOPTER_DISPATCH(lr_.device(), fill, 1, lr, lr_.data<float>()); }

void Sgd::move() {
  DIOPTER_DISPATCH(lr_.device(), sgd_step,
                   SgdArgs{.segments = reinterpret_cast<const SgdSegment*>(segments_.data<std::uint8_t>()),
                           .segment_count = static_cast<int>(parts_.size()),
                           .chunks = chunks_,
                           .values = parameter_count(),
                           .lr = lr_.data<float>(),
                           .gradient_scale = gradient_scale_.data<float>(),
                           .skip = skip_.data<std::int32_t>(),
                           .momentum = options_.momentum,
                           .nesterov = options_.nesterov});
}

AdamW::AdamW(const std::vector<ParameterGroup>& groups, const Options& options)
    : Optimizer(groups, options.clip_norm, {"mean", "square"}), options_(options) {
  segments_ = table_of<AdamwSegment>([](const Part& part) {
    AdamwSegment segment{};
    segment.m = part.kept[0].data<float>();
    segment.v = part.kept[1].data<float>();
    return segment;
  });
  rates_ = Tensor::zeros({3}, DType::f32, gradients().device());
}

void AdamW::set_lr(float lr, std::int64_t number) {
  const auto t = static_cast<double>(number);
  const float rates[] = {lr, static_cast<float>(1 - std::pow(options_.beta1, t)),
                         static_cast<float>(1 - std::pow(options_.beta2, t))};
  for (std::int64_t i = 0; i < 3; ++i) {
    DIOPTER_DISPATCH(rates_.device(), fill, 1, rates[i], rates_.data<float>() + i);
  }
}

void AdamW::move() {
  DIOPTER_DISPATCH(rates_.device(), adamw_step,
                   AdamwArgs{.segments = reinterpret_cast<const AdamwSegment*>(segments_.data<std::uint8_t>()),
                             .segment_count = static_cast<int>(parts_.size()),
                             .chunks = chunks_,
                             .values = parameter_count(),
                             .rates = rates_.data<float>(),
                             .gradient_scale = gradient_scale_.data<float>(),
                             .skip = skip_.data<std::int32_t>(),
                             .beta1 = options_.beta1,
                             .beta2 = options_.beta2,
                             .epsilon = options_.epsilon});
}

WeightAverage::WeightAverage(const Module& model, float decay) : decay_(decay), parameters_(model.parameters()) {
  Device device = Device::cpu;
  for (const NamedParameter& p : parameters_) {
    averages_.push_back({p.name, p.variable.value().clone()});
    device = p.variable.value().device();
  }
  weight_ = Tensor::zeros({1}, DType::f32, device);
}

void WeightAverage::update() {
  advance();
  move_averages();
}

void WeightAverage::advance() {
  const double n = static_cast<double>(updates_++);
  const float weight = 1 - std::min(decay_, static_cast<float>((1 + n) / (10 + n)));
  DIOPTER_DISPATCH(weight_.device(), fill, 1, weight, weight_.data<float>());
}

void WeightAverage::move_averages() {
  const ProfiledScope phase("average");
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    const Tensor& w = parameters_[i].variable.value();
    DIOPTER_DISPATCH(w.device(), lerp, w.size(), weight_.data<float>(), w.data<float>(),
                     averages_[i].tensor.data<float>());
  }
}

void WeightAverage::swap() {
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    const Tensor& w = parameters_[i].variable.value();
    const Tensor copy = w.clone();
    w.copy_from(averages_[i].tensor);
    averages_[i].tensor.copy_from(copy);
    if (parameters_[i].variable.bf16_copy().defined()) parameters_[i].variable.write_bf16_copy();
  }
}

}  // namespace diopter
