#include "tools/bench/overhead_bench.h"

#include <algorithm>
#include <chrono>
#include <functional>

#include "engine/ops.h"

namespace diopter {

namespace {

constexpr int kChannels = 8, kChain = 256;  // operations in a row, so that the clock and the end weigh little

Variable ones(const Shape& shape, Device device) { return Variable(Tensor::full(shape, 1, device), true); }

/// Median of the microseconds that an operation of a chain takes.
double microseconds(int repetitions, const std::function<void()>& chain) {
  std::vector<double> times;
  for (int i = -1; i < repetitions; ++i) {  // the first one warms up
    const auto start = std::chrono::steady_clock::now();
    chain();
    if (i >= 0)
      times.push_back(std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start).count());
  }
  std::sort(times.begin(), times.end());
  return times[times.size() / 2] / kChain;
}

}  // namespace

std::vector<OverheadTimes> bench_overhead(Device device, int repetitions) {
  const Variable x = ones({1, 1, 1, kChannels}, device), gamma = ones({kChannels}, device);
  const Variable beta = ones({kChannels}, device), weight = ones({kChannels, 1, 1, kChannels}, device);
  struct Operation {
    std::string name;
    std::function<Variable(const Variable&)> apply;
  };
  const std::vector<Operation> operations = {
      {"relu", [&](const Variable& v) { return relu(v); }},
      {"add", [&](const Variable& v) { return add(v, x); }},
      {"conv2d", [&](const Variable& v) { return conv2d(v, weight, {.relu = true}); }},
      {"group_norm", [&](const Variable& v) { return group_norm(v, gamma, beta, 2, 1e-5f); }},
      {"max_pool", [&](const Variable& v) { return max_pool(v, 1, 1, 0); }},
      {"upsample", [&](const Variable& v) { return upsample(v, 1, 1); }}};
  std::vector<OverheadTimes> result;
  for (const Operation& operation : operations) {
    const auto chain = [&] {
      Variable v = x;
      for (int i = 0; i < kChain; ++i) v = operation.apply(v);
      return v;
    };
    const double forward = microseconds(repetitions, [&] { chain().value().to_vector<float>(); });
    const double training = microseconds(repetitions, [&] {
      Tape tape;
      tape.backward({sum(chain())});
      x.gradient()->tensor().to_vector<float>();  // waits for a GPU
      for (const Variable& leaf : {x, gamma, beta, weight}) leaf.gradient()->clear();
    });
    result.push_back({operation.name, forward, training});
  }
  return result;
}

}  // namespace diopter
