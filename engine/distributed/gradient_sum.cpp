#include "engine/distributed/gradient_sum.h"

#include <algorithm>
#include <numeric>

#include "engine/profile/profile.h"
#include "kernels/nn/elementwise.h"
#include "kernels/toolkit/dispatch.h"

namespace diopter {

namespace {

/// `size` values for `ranks` owners: as equal as whole runs of 16 floats, a cache line, let them be.
std::vector<std::int64_t> cut(std::int64_t size, int ranks) {
  constexpr std::int64_t kRun = 16;
  const std::int64_t each = (size + ranks * kRun - 1) / (ranks * kRun) * kRun;
  std::vector<std::int64_t> slices;
  for (std::int64_t left = size, i = 0; i < ranks; ++i, left -= slices.back()) slices.push_back(std::min(each, left));
  return slices;
}

void add_to(const Tensor& sum, const Tensor& x) {
  DIOPTER_DISPATCH(sum.device(), add, sum.size(), sum.data<float>(), x.data<float>(), sum.data<float>());
}

}  // namespace

GradientSum::GradientSum(Communicator& ranks, const Tensor& gradients)
    : ranks_(ranks), gradients_(gradients), slices_(cut(gradients.size(), ranks.ranks())) {
  begin_ = std::accumulate(slices_.begin(), slices_.begin() + ranks.rank(), std::int64_t{0});
  const std::int64_t mine = slices_[ranks.rank()];
  if (ranks.ranks() == 1) {
    sum_ = Tensor::empty({mine}, DType::f32, gradients.device());
    return;
  }
  sum_ = Tensor::empty({mine});
  received_ = Tensor::empty({ranks.ranks() * mine});
  if (gradients.device() != Device::cpu) staged_ = Tensor::empty(gradients.shape());
}

void GradientSum::start() {
  sum_.zero();
  gradients_.zero();
}

void GradientSum::add(int senders) {
  const ProfiledScope phase("add gradients");
  if (ranks_.ranks() == 1) {
    add_to(sum_, gradients_);
  } else {
    const std::int64_t mine = slices_[ranks_.rank()];
    std::vector<std::int64_t> sent = slices_, received(slices_.size(), 0);
    if (ranks_.rank() >= senders) std::fill(sent.begin(), sent.end(), 0);
    std::fill_n(received.begin(), senders, mine);
    if (staged_.defined()) staged_.copy_from(gradients_);
    ranks_.all_to_all((staged_.defined() ? staged_ : gradients_).data<float>(), sent, received_.data<float>(),
                      received);
    for (int r = 0; r < senders; ++r) add_to(sum_, received_.slice(r * mine, (r + 1) * mine));
  }
  gradients_.zero();
}

void GradientSum::finish() {
  const ProfiledScope phase("gather gradients");
  const Tensor& whole = staged_.defined() ? staged_ : gradients_;
  whole.slice(begin_, begin_ + sum_.size()).copy_from(sum_);
  ranks_.gather_slices(whole.data<float>(), slices_);
  if (staged_.defined()) gradients_.copy_from(staged_);
}

}  // namespace diopter
