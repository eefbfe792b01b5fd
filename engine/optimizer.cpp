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

/// Floats that the first groups take in the flat buffers.
std::int64_t floats_of(const std::vector<ParameterGroup>& groups, std::size_t first) {
  std::int64_t floats = 0;
  for (std::size_t i = 0; i < first; ++i) {
    for (const NamedParameter& p : groups[i].parameters) floats += FlatSlices::padded(p.variable.value().size());
  }
  return floats;
}

Tensor flat(const Tensor& w) { return w.reshape({w.size()}); }

}  // namespace

Optimizer::Optimizer(const std::vector<ParameterGroup>& groups, float clip_norm, const std::vector<std::string>& kinds,
                     const FlatOwner& owner)
    : clip_norm_(clip_norm),
      kinds_(kinds),
      slices_(floats_of(groups, groups.size()), floats_of(groups, std::min<std::size_t>(groups.size(), 1)), owner) {
  Device device = Device::cpu;
  std::int64_t offset = 0;
  for (const ParameterGroup& group : groups) {
    for (const NamedParameter& p : group.parameters) {
      DIOPTER_CHECK(p.variable.requires_gradient(), "parameter ", p.name, " requires no gradient");
      const Tensor& w = p.variable.value();
      device = w.device();
      parts_.push_back({p, group.weight_decay, {offset, offset + w.size()}});
      parameter_count_ += w.size();
      offset += FlatSlices::padded(w.size());
    }
  }
  find_pieces();
  gradients_ = Tensor::zeros({slices_.size()}, DType::f32, device);
  for (std::size_t i = 0; i < kinds.size(); ++i) {
    kept_.push_back(Tensor::zeros({slices_.owned_size()}, DType::f32, device));
  }
  for (const Part& part : parts_) {
    const Variable& variable = part.parameter.variable;
    variable.gradient()->set_buffer(gradients_.slice(part.place.begin, part.place.end).reshape(variable.shape()));
  }
  for (Tensor* number : {&squared_norm_, &norm_, &gradient_scale_}) *number = Tensor::zeros({1}, DType::f32, device);
  skip_ = Tensor::zeros({1}, DType::i32, device);
}

void Optimizer::find_pieces() {
  for (const Part& part : parts_) {
    std::int64_t kept = 0;
    for (const FlatRange& slice : slices_.owned()) {
      const FlatRange place{std::max(slice.begin, part.place.begin), std::min(slice.end, part.place.end)};
      if (place.size() > 0) pieces_.push_back({&part, place, kept + place.begin - slice.begin});
      kept += slice.size();
    }
  }
}

template <class Segment, class Keep>
Tensor Optimizer::table_of(const Keep& keep) {
  std::vector<Segment> segments;
  for (const Piece& piece : pieces_) {
    const Variable& variable = piece.part->parameter.variable;
    const std::int64_t begin = piece.place.begin - piece.part->place.begin;
    std::vector<float*> kept;
    for (const Tensor& of_kind : kept_) kept.push_back(of_kind.data<float>() + piece.kept);
    Segment& segment = segments.emplace_back();
    keep(segment, kept);
    segment.w = variable.value().data<float>() + begin;
    segment.gradient = gradients_.data<float>() + piece.place.begin;
    segment.copy = variable.bf16_copy().defined() ? variable.bf16_copy().data<bf16>() + begin : nullptr;
    segment.count = piece.place.size();
    segment.weight_decay = piece.part->weight_decay;
  }
  chunks_ = number_chunks(segments);
  for (const Segment& segment : segments) segment_values_ += segment.count;
  segment_count_ = static_cast<int>(segments.size());
  const Tensor table =
      Tensor::empty({static_cast<std::int64_t>(segments.size() * sizeof(Segment))}, DType::u8, gradients_.device());
  table.copy_from_host(segments.data());
  return table;
}

std::vector<Tensor> Optimizer::whole_state() const {
  if (slices_.owner().ranks == 1) return kept_;
  std::vector<Tensor> whole;
  for (const Tensor& of_kind : kept_) {
    const Tensor& all = whole.emplace_back(Tensor::zeros({slices_.size()}));
    for (const Piece& piece : pieces_) {
      all.slice(piece.place.begin, piece.place.end)
          .copy_from(of_kind.slice(piece.kept, piece.kept + piece.place.size()));
    }
  }
  return whole;
}

std::vector<NamedBuffer> Optimizer::named(const std::vector<Tensor>& whole) const {
  std::vector<NamedBuffer> state;
  for (const Part& part : parts_) {
    for (std::size_t i = 0; i < kinds_.size(); ++i) {
      const Tensor of_part = whole[i].slice(part.place.begin, part.place.end);
      state.push_back({kinds_[i] + "." + part.parameter.name, of_part.reshape(part.parameter.variable.shape())});
    }
  }
  return state;
}

void Optimizer::take_state(const std::vector<Tensor>& whole) {
  if (slices_.owner().ranks == 1) return;  // it is there
  for (std::size_t i = 0; i < kinds_.size(); ++i) {
    for (const Piece& piece : pieces_) {
      kept_[i]
          .slice(piece.kept, piece.kept + piece.place.size())
          .copy_from(whole[i].slice(piece.place.begin, piece.place.end));
    }
  }
}

void Optimizer::put_owned_weights(const Tensor& all) const {
  for (const Piece& piece : pieces_) {
    const std::int64_t begin = piece.place.begin - piece.part->place.begin;
    all.slice(piece.place.begin, piece.place.end)
        .copy_from(flat(piece.part->parameter.variable.value()).slice(begin, begin + piece.place.size()));
  }
}

void Optimizer::take_weights(const Tensor& all) const {
  for (const Part& part : parts_) {
    const Variable& variable = part.parameter.variable;
    flat(variable.value()).copy_from(all.slice(part.place.begin, part.place.end));
    if (variable.bf16_copy().defined()) variable.write_bf16_copy();
  }
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
  DIOPTER_DISPATCH(gradients_.device(), squared_norm, gradients_.size(), gradients_.data<float>(),
                   squared_norm_.data<float>());
  control_and_move(factor, losses);
}

void Optimizer::update_owned(float squared_norm, float factor, const Tensor& losses) {
  const ProfiledScope phase("optimizer");
  DIOPTER_DISPATCH(gradients_.device(), fill, 1, squared_norm, squared_norm_.data<float>());
  control_and_move(factor, losses);
}

void Optimizer::control_and_move(float factor, const Tensor& losses) {
  DIOPTER_DISPATCH(gradients_.device(), sgd_control,
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

Sgd::Sgd(const std::vector<ParameterGroup>& groups, const Options& options, const FlatOwner& owner)
    : Optimizer(groups, options.clip_norm, {"velocity"}, owner), options_(options) {
  segments_ =
      table_of<SgdSegment>([](SgdSegment& segment, const std::vector<float*>& kept) { segment.velocity = kept[0]; });
  lr_ = Tensor::zeros({1}, DType::f32, gradients().device());
}

void Sgd::set_lr(float lr, std::int64_t) { DIOPTER_DISPATCH(lr_.device(), fill, 1, lr, lr_.data<float>()); }

void Sgd::move() {
  DIOPTER_DISPATCH(lr_.device(), sgd_step,
                   SgdArgs{.segments = reinterpret_cast<const SgdSegment*>(segments_.data<std::uint8_t>()),
                           .segment_count = segment_count_,
                           .chunks = chunks_,
                           .values = segment_values_,
                           .lr = lr_.data<float>(),
                           .gradient_scale = gradient_scale_.data<float>(),
                           .skip = skip_.data<std::int32_t>(),
                           .momentum = options_.momentum,
                           .nesterov = options_.nesterov});
}

AdamW::AdamW(const std::vector<ParameterGroup>& groups, const Options& options, const FlatOwner& owner)
    : Optimizer(groups, options.clip_norm, {"mean", "square"}, owner), options_(options) {
  segments_ = table_of<AdamwSegment>([](AdamwSegment& segment, const std::vector<float*>& kept) {
    segment.m = kept[0];
    segment.v = kept[1];
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
                             .segment_count = segment_count_,
                             .chunks = chunks_,
                             .values = segment_values_,
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
