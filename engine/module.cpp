#include "engine/module.h"

#include <cmath>

#include "engine/shard_turns.h"
#include "kernels/base/philox.h"
#include "kernels/nn/batch_norm.h"
#include "kernels/toolkit/dispatch.h"

namespace diopter {

namespace {

constexpr float kNormMomentum = 0.1f;

}  // namespace

void Module::visit(const std::string& prefix, const std::function<void(const std::string&, const Module&)>& f) const {
  f(prefix, *this);
  for (const Child& child : children_) child.module->visit(prefix + child.name + ".", f);
}

std::vector<NamedParameter> Module::parameters() const {
  std::vector<NamedParameter> all;
  visit("", [&](const std::string& prefix, const Module& m) {
    for (const NamedParameter& p : m.parameters_) all.push_back({prefix + p.name, p.variable});
  });
  return all;
}

std::vector<NamedBuffer> Module::buffers() const {
  std::vector<NamedBuffer> all;
  visit("", [&](const std::string& prefix, const Module& m) {
    for (const NamedBuffer& b : m.buffers_) all.push_back({prefix + b.name, b.tensor});
  });
  return all;
}

void Module::name_parameters() {
  for (NamedParameter& p : parameters()) p.variable.set_name(p.name);
}

void Module::move_to(Device device) {
  for (const NamedParameter& p : parameters()) p.variable.value().move_to(device);
  for (const NamedBuffer& b : buffers()) b.tensor.move_to(device);
}

void Module::write_bf16_copies() const {
  for (const NamedParameter& p : parameters()) {
    if (p.variable.shape().rank() == 4) p.variable.write_bf16_copy();
  }
}

void Module::fold_frozen_norms() const {
  visit("", [](const std::string&, const Module& m) {
    if (m.frozen()) m.fold_frozen();
  });
}

void Module::set_training(bool training) {
  training_ = training;
  for (const Child& child : children_) child.module->set_training(training);
}

void Module::freeze() {
  frozen_ = true;
  for (NamedParameter& p : parameters_) p.variable.set_requires_gradient(false);
  for (const Child& child : children_) child.module->freeze();
}

Variable Module::add_parameter(const std::string& name, const Tensor& value) {
  parameters_.push_back({name, Variable(value, true, name)});
  return parameters_.back().variable;
}

Tensor Module::add_buffer(const std::string& name, const Tensor& value) {
  buffers_.push_back({name, value});
  return value;
}

void Module::add_module(const std::string& name, Module& child) { children_.push_back({name, &child}); }

Tensor InitRandom::draw(const Shape& shape, const Init& init) {
  double size = 1;  // of any two sizes the product fits into 64 bits, of more not
  for (int i = 0; i < shape.rank(); ++i) size *= static_cast<double>(shape[i]);
  drawn_ += size;
  DIOPTER_CHECK(drawn_ <= most_, "the network of its settings has more than ", most_,
                " weights, far more than its tensors");
  if (weights_ == InitialWeights::unset) return Tensor::empty(shape);
  Philox random(seed_, stream_++);
  std::vector<float> values(static_cast<std::size_t>(shape.size()));
  const double taps = static_cast<double>(shape[1] * shape[2]);
  const double fan_in = taps * static_cast<double>(shape[3]), fan_out = taps * static_cast<double>(shape[0]);
  switch (init.kind) {
    case Init::Kind::normal:
      for (float& v : values) v = init.value * random.normal();
      break;
    case Init::Kind::kaiming_uniform: {
      const float bound = static_cast<float>(std::sqrt(6.0 / ((1.0 + double{init.value * init.value}) * fan_in)));
      for (float& v : values) v = random.uniform(-bound, bound);
      break;
    }
    case Init::Kind::kaiming_normal_fan_out: {
      const float std = static_cast<float>(std::sqrt(2.0 / fan_out));
      for (float& v : values) v = std * random.normal();
      break;
    }
  }
  return Tensor::from(shape, values);
}

Conv2d::Conv2d(int in, int out, const Options& options, InitRandom& random) {
  params_.stride = options.stride;
  params_.padding = options.padding < 0 ? options.kernel / 2 : options.padding;
  params_.float_output = options.float_output;
  weight_ = add_parameter("weight", random.draw({out, options.kernel, options.kernel, in}, options.init));
  if (options.bias) {
    std::vector<float> biases(out);
    for (int c = 0; c < out; ++c) biases[c] = options.bias_values[c % options.bias_values.size()];
    params_.bias = add_parameter("bias", Tensor::from({out}, biases));
  }
}

Variable Conv2d::relu(const Variable& x) const {
  Conv2dParams params = params_;
  params.relu = true;
  return conv2d(x, weight_, params);
}

Pyramid Conv2d::relu(const Pyramid& x) const {
  Conv2dParams params = params_;
  params.relu = true;
  return conv2d(x, weight_, params);
}

Variable Conv2d::fused(const Variable& x, const Tensor& scale, const Tensor& shift, const Variable& residual,
                       bool relu) const {
  DIOPTER_CHECK(!params_.bias.defined(), "a convolution with a bias cannot take a norm's shift as well");
  Conv2dParams params = params_;
  params.scale = scale;
  params.bias = Variable(shift);
  params.residual = residual;
  params.relu = relu;
  return conv2d(x, weight_, params);
}

Norm::Norm(NormKind kind, int channels, int groups, bool zero_gamma, float eps)
    : kind_(kind), channels_(channels), groups_(groups), eps_(eps) {
  if (kind == NormKind::none) return;
  gamma_ = add_parameter("weight", Tensor::full({channels}, zero_gamma ? 0.0f : 1.0f));
  beta_ = add_parameter("bias", Tensor::full({channels}, 0.0f));
  if (kind == NormKind::group) return;
  running_.mean = add_buffer("running_mean", Tensor::full({channels}, 0.0f));
  running_.var = add_buffer("running_var", Tensor::full({channels}, 1.0f));
  if (kind == NormKind::frozen_batch) freeze();
}

bool Norm::fixed() const {
  const bool batch = kind_ == NormKind::batch || kind_ == NormKind::sync_batch || kind_ == NormKind::frozen_batch;
  return batch && (frozen() || !training());
}

Norm::Affine Norm::fold() const {
  const Device device = gamma_.value().device();
  const Affine map = {Tensor::empty({channels_}, DType::f32, device), Tensor::empty({channels_}, DType::f32, device)};
  DIOPTER_DISPATCH(device, batch_norm_fold, channels_, eps_, gamma_.value().data<float>(), beta_.value().data<float>(),
                   running_.mean.data<float>(), running_.var.data<float>(), map.scale.data<float>(),
                   map.shift.data<float>());
  return map;
}

void Norm::fold_frozen() const {
  if (fixed()) folded_ = fold();
}

Norm::Affine Norm::affine() const { return frozen() && folded_.scale.defined() ? folded_ : fold(); }

Variable Norm::operator()(const Variable& x) const {
  if (kind_ == NormKind::none) return x;
  if (kind_ == NormKind::group) return group_norm(x, gamma_, beta_, groups_, eps_);
  if (!fixed()) {
    ShardTurns* shards = kind_ == NormKind::sync_batch ? ShardTurns::current() : nullptr;
    return batch_norm(x, gamma_, beta_, running_, kNormMomentum, eps_, shards);
  }
  const Affine map = affine();
  return channel_affine(x, map.scale, map.shift);
}

Pyramid Norm::operator()(const Pyramid& x) const {
  if (kind_ == NormKind::group) return group_norm(x, gamma_, beta_, groups_, eps_);
  return {(*this)(x.rows), x.levels};
}

Variable Norm::relu(const Variable& x) const {
  if (kind_ == NormKind::group) return group_norm(x, gamma_, beta_, groups_, eps_, true);
  return diopter::relu((*this)(x));
}

Pyramid Norm::relu(const Pyramid& x) const {
  if (kind_ == NormKind::group) return group_norm(x, gamma_, beta_, groups_, eps_, true);
  return diopter::relu((*this)(x));
}

Variable conv_norm(const Conv2d& conv, const Norm& norm, const Variable& x, bool relu_after, const Variable& residual) {
  if (norm.fixed()) {
    const Norm::Affine map = norm.affine();
    return conv.fused(x, map.scale, map.shift, residual, relu_after);
  }
  if (relu_after && !residual.defined()) return norm.relu(conv(x));
  Variable y = norm(conv(x));
  if (residual.defined()) y = add(y, residual);
  return relu_after ? relu(y) : y;
}

}  // namespace diopter
