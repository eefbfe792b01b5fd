// Reverse-mode differentiation: Variables hold values and gradients, a Tape records operations while it is alive.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "engine/tensor.h"

namespace diopter {

class Variable;

/// Where the gradient of a Variable gathers. Operations capture this rather than the Variable, so that a value which
/// backward does not read is not kept alive.
class Gradient {
 public:
  /// Adds dx. The first one is kept by reference; further ones are added in place only into a buffer that nobody else
  /// holds, else into a new one. A fixed buffer (set_buffer) is always added to in place.
  void accumulate(const Tensor& dx);

  /// The gradient so far; undefined when nothing has been added.
  const Tensor& tensor() const { return gradient_; }
  /// Gives the gradient a place of its own that stays: parameters live in one flat buffer per model.
  void set_buffer(const Tensor& buffer);
  void clear();

 private:
  friend class Tape;
  friend Variable record_loss(const char*, const std::vector<Variable>&, const Tensor&,
                              std::function<void(const Tensor&)>);
  Tensor gradient_;
  bool fixed_ = false;
  bool takes_one_seed_ = false;  // of a fused loss, which saves work when its gradient is one
  bool seed_is_one_ = false;     // the gradient is one and is not stored: gradient_ is undefined
};

/// A value that takes part in differentiation: a shared handle. A default Variable is no variable: defined() is false.
class Variable {
 public:
  Variable() = default;
  /// A constant, or with requires_gradient a leaf whose gradient is collected.
  explicit Variable(const Tensor& value, bool requires_gradient = false, const std::string& name = "");

  bool defined() const { return state_ != nullptr; }
  const Tensor& value() const { return state_->value; }
  /// The value for arithmetic on `dtype` tensors: itself, or its bf16 copy. Throws Error when it has none.
  const Tensor& value_as(DType dtype) const;
  /// Keeps a copy of the float value, rounded to bf16, beside it; where there is one, writes it anew in the same
  /// memory. Whoever changes the value has to see to the copy (Sgd does).
  void write_bf16_copy() const;
  /// Undefined when there is none.
  const Tensor& bf16_copy() const { return state_->bf16_copy; }
  const Shape& shape() const { return state_->value.shape(); }
  /// Empty when no gradient is required.
  std::shared_ptr<Gradient> gradient() const { return state_ ? state_->gradient : nullptr; }
  bool requires_gradient() const { return state_ && state_->gradient; }
  void set_requires_gradient(bool required);
  const std::string& name() const { return state_->name; }
  void set_name(const std::string& name) { state_->name = name; }

 private:
  struct State {
    Tensor value, bf16_copy;
    std::shared_ptr<Gradient> gradient;
    std::string name;
  };
  std::shared_ptr<State> state_;
};

/// While a Tape is alive, operations of its thread are recorded on it (the innermost one, when there are several).
/// Without one nothing is kept: inference.
class Tape {
 public:
  /// Called after each operation on the way back, with the gradients in fixed buffers to which no operation that is
  /// left adds.
  using AfterEach = std::function<void(const std::vector<std::shared_ptr<Gradient>>& final)>;

  explicit Tape(AfterEach after_each = {});
  ~Tape();
  Tape(const Tape&) = delete;

  /// The tape that records now, or null.
  static Tape* current();

  /// Runs the recorded operations backwards from the sum of the losses (each of size 1) and forgets them. A loss counts
  /// as often as it is named.
  void backward(const std::vector<Variable>& losses);
  /// The same from any variable, with its gradient dy.
  void backward(const Variable& y, const Tensor& dy);

  std::size_t size() const { return entries_.size(); }

 private:
  friend Variable record(const char*, const std::vector<Variable>&, const Tensor&, std::function<void(const Tensor&)>);
  struct Entry {
    std::shared_ptr<Gradient> output;
    std::function<void(const Tensor& dy)> backward;
    const char* name;
    std::string parameter;  // for profiles; else ""
    std::vector<std::shared_ptr<Gradient>>
        final;  // for after_each_: those that no entry before it has among its inputs
  };
  std::vector<std::shared_ptr<Gradient>> first_uses(const std::vector<Variable>& inputs);
  void run();

  AfterEach after_each_;
  std::unordered_set<const Gradient*> used_;  // where there is after_each_
  std::vector<Entry> entries_;
  Tape* outer_;
};

/// Makes the operation's output and, when a Tape is alive and an input requires a gradient, records how to go back.
/// `backward` gets dy and adds to the gradients of the inputs that it captured.
Variable record(const char* name, const std::vector<Variable>& inputs, const Tensor& y,
                std::function<void(const Tensor& dy)> backward);

/// The same for fused losses, which have computed their gradient already: dy is an undefined Tensor when it is one.
Variable record_loss(const char* name, const std::vector<Variable>& inputs, const Tensor& y,
                     std::function<void(const Tensor& dy)> backward);

/// Whether record() would keep the operation: fused losses ask before they compute gradients.
bool is_recorded(const std::vector<Variable>& inputs);

/// While alive, every operation's output is checked; the first one with a NaN or infinity throws Error, naming the
/// operation and its parameter. For finding the cause of a non-finite loss.
class FiniteCheck {
 public:
  FiniteCheck();
  ~FiniteCheck();
  FiniteCheck(const FiniteCheck&) = delete;
};

}  // namespace diopter
