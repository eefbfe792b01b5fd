#include "engine/tape.h"

#include "engine/profile/profile.h"
#include "kernels/nn/elementwise.h"
#include "kernels/nn/reduce.h"
#include "kernels/toolkit/dispatch.h"

namespace diopter {

namespace {

thread_local Tape* current_tape = nullptr;
thread_local int finite_checks = 0;

void add_to(const Tensor& a, const Tensor& b, const Tensor& sum) {
  with_dtype(a.dtype(), [&](auto t) {
    using T = decltype(t);
    DIOPTER_DISPATCH(a.device(), add, a.size(), a.data<T>(), b.data<T>(), sum.data<T>());
  });
}

Tensor ones_like(const Tensor& x) {
  const Tensor ones = Tensor::empty(x.shape(), x.dtype(), x.device());
  with_dtype(x.dtype(), [&](auto t) {
    using T = decltype(t);
    DIOPTER_DISPATCH(x.device(), fill, x.size(), 1.0f, ones.data<T>());
  });
  return ones;
}

/// The name of the first parameter among the inputs, or "".
std::string parameter_of(const std::vector<Variable>& inputs) {
  for (const Variable& input : inputs) {
    if (input.defined() && !input.name().empty()) return input.name();
  }
  return "";
}

void require_finite(const char* name, const std::vector<Variable>& inputs, const Tensor& y) {
  Tensor count = Tensor::empty({1}, DType::i32, y.device());
  with_dtype(y.dtype(), [&](auto t) {
    using T = decltype(t);
    DIOPTER_DISPATCH(y.device(), count_non_finite, y.size(), y.data<T>(), count.data<std::int32_t>());
  });
  const std::int32_t bad = count.to_vector<std::int32_t>()[0];
  if (bad == 0) return;
  const std::string parameter = parameter_of(inputs);
  fail("the first non-finite output is that of ", name, parameter.empty() ? "" : " with " + parameter, ": ", bad,
       " of ", y.size(), " values");
}

}  // namespace

void Gradient::accumulate(const Tensor& dx) {
  if (std::exchange(seed_is_one_, false)) gradient_ = ones_like(dx);
  if (!gradient_.defined()) {
    gradient_ = dx;
    return;
  }
  DIOPTER_CHECK(dx.shape() == gradient_.shape(), "gradient ", dx.shape().str(), " added to ", gradient_.shape().str());
  if (fixed_ || gradient_.unique()) {
    add_to(gradient_, dx, gradient_);
  } else {
    Tensor sum = Tensor::empty(dx.shape(), dx.dtype(), dx.device());
    add_to(gradient_, dx, sum);
    gradient_ = sum;
  }
}

void Gradient::set_buffer(const Tensor& buffer) {
  gradient_ = buffer;
  fixed_ = true;
}

void Gradient::clear() {
  if (fixed_) {
    gradient_.zero();
  } else {
    gradient_ = Tensor();
    seed_is_one_ = false;
  }
}

Variable::Variable(const Tensor& value, bool requires_gradient, const std::string& name)
    : state_(std::make_shared<State>(State{value, {}, nullptr, name})) {
  set_requires_gradient(requires_gradient);
}

const Tensor& Variable::value_as(DType dtype) const {
  if (dtype == value().dtype()) return value();
  DIOPTER_CHECK(dtype == DType::bf16 && bf16_copy().defined(), name(), " ", shape().str(), " has no ", name_of(dtype),
                " copy");
  return bf16_copy();
}

void Variable::write_bf16_copy() const {
  const Tensor& from = value();
  Tensor& copy = state_->bf16_copy;
  if (!copy.defined() || copy.device() != from.device()) copy = Tensor::empty(shape(), DType::bf16, from.device());
  DIOPTER_DISPATCH(from.device(), cast, from.size(), from.data<float>(), copy.data<bf16>());
}

void Variable::set_requires_gradient(bool required) {
  if (required == requires_gradient()) return;
  state_->gradient = required ? std::make_shared<Gradient>() : nullptr;
}

Tape::Tape(AfterEach after_each) : after_each_(std::move(after_each)), outer_(current_tape) { current_tape = this; }
Tape::~Tape() { current_tape = outer_; }
Tape* Tape::current() { return current_tape; }

void Tape::backward(const std::vector<Variable>& losses) {
  for (const Variable& loss : losses) {
    DIOPTER_CHECK(loss.value().size() == 1, "backward from a tensor ", loss.shape().str(), " without its gradient");
    if (!loss.requires_gradient()) continue;
    Gradient& gradient = *loss.gradient();
    if (gradient.takes_one_seed_ && !gradient.seed_is_one_ && !gradient.gradient_.defined()) {
      gradient.seed_is_one_ = true;
    } else {
      gradient.accumulate(ones_like(loss.value()));
    }
  }
  run();
}

void Tape::backward(const Variable& y, const Tensor& dy) {
  DIOPTER_CHECK(dy.shape() == y.shape() && dy.dtype() == y.value().dtype(), "backward from a tensor ", y.shape().str(),
                " ", name_of(y.value().dtype()), " with a gradient ", dy.shape().str(), " ", name_of(dy.dtype()));
  if (y.requires_gradient()) y.gradient()->accumulate(dy);
  run();
}

void Tape::run() {
  const ProfiledScope phase("backward");
  while (!entries_.empty()) {
    const Entry entry = std::move(entries_.back());
    entries_.pop_back();
    const bool one = std::exchange(entry.output->seed_is_one_, false);
    const Tensor dy = std::exchange(entry.output->gradient_, Tensor());
    if (one || dy.defined()) {
      const ProfiledScope scope(ProfiledRange::Kind::backward, entry.name, entry.parameter);
      entry.backward(dy);
    }
    if (after_each_) after_each_(entry.final);
  }
}

std::vector<std::shared_ptr<Gradient>> Tape::first_uses(const std::vector<Variable>& inputs) {
  std::vector<std::shared_ptr<Gradient>> first;
  if (!after_each_) return first;
  for (const Variable& input : inputs) {
    const std::shared_ptr<Gradient> gradient = input.gradient();
    if (gradient && gradient->fixed_ && used_.insert(gradient.get()).second) first.push_back(gradient);
  }
  return first;
}

bool is_recorded(const std::vector<Variable>& inputs) {
  if (!current_tape) return false;
  for (const Variable& input : inputs) {
    if (input.requires_gradient()) return true;
  }
  return false;
}

Variable record(const char* name, const std::vector<Variable>& inputs, const Tensor& y,
                std::function<void(const Tensor&)> backward) {
  if (finite_checks > 0) require_finite(name, inputs, y);
  std::string parameter;
  if (Profiler* profiler = Profiler::current()) {
    parameter = parameter_of(inputs);
    profiler->name_parameter(parameter);
  }
  if (!is_recorded(inputs)) return Variable(y);
  Variable output(y, true);
  current_tape->entries_.push_back(
      {output.gradient(), std::move(backward), name, std::move(parameter), current_tape->first_uses(inputs)});
  return output;
}

Variable record_loss(const char* name, const std::vector<Variable>& inputs, const Tensor& y,
                     std::function<void(const Tensor&)> backward) {
  const Variable loss = record(name, inputs, y, std::move(backward));
  if (loss.requires_gradient()) loss.gradient()->takes_one_seed_ = true;
  return loss;
}

FiniteCheck::FiniteCheck() { ++finite_checks; }
FiniteCheck::~FiniteCheck() { --finite_checks; }

}  // namespace diopter
