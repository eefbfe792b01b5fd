#include "engine/distributed/gradient_sum.h"

#include <algorithm>
#include <cstring>
#include <string>

#include "engine/profile/profile.h"
#include "kernels/nn/elementwise.h"
#include "kernels/nn/reduce.h"
#include "kernels/toolkit/dispatch.h"

namespace diopter {

namespace {

void add_to(const Tensor& sum, const Tensor& x) {
  DIOPTER_DISPATCH(sum.device(), add, sum.size(), sum.data<float>(), x.data<float>(), sum.data<float>());
}

Tensor part_of(const Tensor& flat, const FlatRange& range) { return flat.slice(range.begin, range.end); }

std::int64_t runs_of(const FlatRange& range) { return (range.size() + FlatSlices::kRun - 1) / FlatSlices::kRun; }

/// Where the floats from `place` on lie.
char* address(const Tensor& flat, std::int64_t place) {
  return static_cast<char*>(flat.raw()) + static_cast<std::size_t>(place) * size_of(flat.dtype());
}

std::int64_t bytes_of(const FlatRange& range, DType dtype) {
  return range.size() * static_cast<std::int64_t>(size_of(dtype));
}

}  // namespace

GradientSum::GradientSum(Communicator& ranks, Messages& messages, const Tensor& gradients, const FlatSlices& slices,
                         DType wire)
    : ranks_(ranks), messages_(messages), gradients_(gradients), slices_(slices), wire_(wire), passing_(gradients) {
  const bool single = ranks.ranks() == 1;
  const Device where = single ? gradients.device() : messages.memory();
  sum_ = Tensor::empty({slices.owned_size()}, DType::f32, where);
  if (single) return;
  if (gradients.device() != where) passing_ = Tensor::empty(gradients.shape(), DType::f32, where);
  outgoing_ = wire == DType::f32 ? passing_ : Tensor::empty(gradients.shape(), wire, where);
  received_ = Tensor::empty({ranks.ranks() * slices.owned_size()}, wire, where);
}

void GradientSum::start() {
  sum_.zero();
  gradients_.zero();
}

void GradientSum::begin_round(int senders) {
  add_round();
  senders_ = senders;
  if (ranks_.ranks() == 1) return;
  sent_ = 0;
  left_.clear();
  for (const FlatRange& bucket : slices_.buckets()) left_.push_back(bucket.size());
  for (int r = 0; r < senders; ++r) {
    std::int64_t place = r * slices_.owned_size();
    for (std::size_t bucket = 0; bucket < left_.size(); ++bucket) {
      const FlatRange& mine = slices_.owned()[bucket];
      if (r != ranks_.rank() && mine.size() > 0) {
        messages_.begin_receive(r, static_cast<int>(bucket), address(received_, place), bytes_of(mine, wire_));
      }
      place += mine.size();
    }
  }
  if (ranks_.rank() < senders) return;
  for (const std::size_t bucket : slices_.order_of_leaving()) messages_.all_begun(static_cast<int>(bucket));
}

Tape::AfterEach GradientSum::sender() {
  if (ranks_.ranks() == 1) return {};
  return [this](const std::vector<std::shared_ptr<Gradient>>& final) {
    for (const std::shared_ptr<Gradient>& gradient : final) became_final(gradient->tensor());
    send_final();
    messages_.progress();
  };
}

void GradientSum::became_final(const Tensor& gradient) {
  const std::int64_t begin = gradient.data<float>() - gradients_.data<float>(),
                     end = std::min(begin + FlatSlices::padded(gradient.size()), slices_.size());
  for (std::size_t i = 0; i < left_.size(); ++i) {
    const FlatRange& bucket = slices_.buckets()[i];
    const std::int64_t common = std::min(bucket.end, end) - std::max(bucket.begin, begin);
    if (common > 0) left_[i] -= common;
  }
}

void GradientSum::send_final() {
  const std::vector<std::size_t>& order = slices_.order_of_leaving();
  while (sent_ < order.size() && left_[order[sent_]] == 0) send(order[sent_++]);
}

void GradientSum::send(std::size_t bucket) {
  const FlatRange &all = slices_.buckets()[bucket], &mine = slices_.owned()[bucket];
  if (outgoing_.raw() != gradients_.raw()) {
    part_of(outgoing_, all).copy_from(part_of(gradients_, all).cast(wire_));
  }
  std::int64_t place = ranks_.rank() * slices_.owned_size();
  for (std::size_t before = 0; before < bucket; ++before) place += slices_.owned()[before].size();
  received_.slice(place, place + mine.size()).copy_from(part_of(outgoing_, mine));
  for (int r = 0; r < ranks_.ranks(); ++r) {
    const FlatRange theirs = slices_.slice(bucket, r);
    if (r == ranks_.rank() || theirs.size() == 0) continue;
    messages_.begin_send(r, static_cast<int>(bucket), address(outgoing_, theirs.begin), bytes_of(theirs, wire_));
  }
  messages_.all_begun(static_cast<int>(bucket));
}

void GradientSum::end_backward() {
  if (ranks_.ranks() == 1) return;
  std::fill(left_.begin(), left_.end(), 0);
  send_final();
  const std::int64_t expected = (senders_ - 1) * slices_.owned_size() * static_cast<std::int64_t>(size_of(wire_));
  expected_ += expected;
  early_ += expected - messages_.progress();
}

void GradientSum::add_round() {
  if (senders_ == 0) return;
  {
    const ProfiledScope phase("wait for gradients");
    messages_.complete();
  }
  const ProfiledScope phase("add gradients");
  const std::int64_t owned = slices_.owned_size();
  for (int r = 0; r < senders_; ++r) {
    const Tensor of_rank = ranks_.ranks() == 1 ? gradients_ : received_.slice(r * owned, (r + 1) * owned);
    add_to(sum_, of_rank.cast(wire_).cast(DType::f32));
  }
  gradients_.zero();
  senders_ = 0;
}

float GradientSum::finish() {
  add_round();
  std::int64_t place = 0;
  for (const FlatRange& mine : slices_.owned()) {
    part_of(gradients_, mine).copy_from(sum_.slice(place, place + mine.size()));
    place += mine.size();
  }
  return squared_norm();
}

float GradientSum::squared_norm() const {
  std::string norms;
  for (const FlatRange& mine : slices_.owned()) {
    const Tensor of_runs = Tensor::empty({runs_of(mine)}, DType::f32, gradients_.device());
    DIOPTER_DISPATCH(gradients_.device(), squared_norms, mine.size(), FlatSlices::kRun,
                     part_of(gradients_, mine).data<float>(), of_runs.data<float>());
    const std::vector<float> values = of_runs.to_vector<float>();
    norms.append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float));
  }
  const std::vector<std::string> all = ranks_.gather(norms);
  std::vector<std::size_t> read(all.size());
  double sum = 0;
  for (std::size_t bucket = 0; bucket < slices_.buckets().size(); ++bucket) {
    for (int r = 0; r < ranks_.ranks(); ++r) {
      for (std::int64_t i = runs_of(slices_.slice(bucket, r)); i > 0; --i, read[r] += sizeof(float)) {
        float value = 0;
        std::memcpy(&value, all[r].data() + read[r], sizeof value);
        sum += double{value};
      }
    }
  }
  return static_cast<float>(sum);
}

void GradientSum::drop() {
  messages_.complete();
  senders_ = 0;
}

void GradientSum::share(const Tensor& flat) { give(messages_, flat, ranks_.ranks()); }

void GradientSum::collect(const Tensor& flat) { give(ranks_, flat, 1); }

void GradientSum::give(Messages& messages, const Tensor& flat, int receivers) {
  const ProfiledScope phase("share slices");
  for (std::size_t bucket = 0; bucket < slices_.buckets().size(); ++bucket) {
    const int tag = static_cast<int>(bucket);
    const FlatRange mine = slices_.owned()[bucket];
    for (int r = 0; r < ranks_.ranks(); ++r) {
      if (r == ranks_.rank()) continue;
      const FlatRange theirs = slices_.slice(bucket, r);
      if (ranks_.rank() < receivers && theirs.size() > 0) {
        messages.begin_receive(r, tag, address(flat, theirs.begin), bytes_of(theirs, flat.dtype()));
      }
      if (r < receivers && mine.size() > 0) {
        messages.begin_send(r, tag, address(flat, mine.begin), bytes_of(mine, flat.dtype()));
      }
    }
    messages.all_begun(tag);
  }
  messages.complete();
}

}  // namespace diopter
