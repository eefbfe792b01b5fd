#include "retinanet/training/shard_statistics.h"

#include <cstring>

namespace diopter {

namespace {

void write(const std::vector<Tensor>& tensors, const std::vector<float>& values) {
  const float* value = values.data();
  for (const Tensor& tensor : tensors) {
    tensor.copy_from_host(value);
    value += tensor.size();
  }
}

}  // namespace

ShardStatistics::ShardStatistics(const RetinaNet& model) {
  if (model.config().model.norm != NormKind::batch) return;
  for (const NamedBuffer& buffer : model.buffers()) statistics_.push_back(buffer.tensor);
}

std::vector<float> ShardStatistics::now() const {
  std::vector<float> all;
  for (const Tensor& tensor : statistics_) {
    const std::vector<float> values = tensor.to_vector<float>();
    all.insert(all.end(), values.begin(), values.end());
  }
  return all;
}

void ShardStatistics::start() {
  before_ = now();
  sum_.assign(before_.size(), 0);
}

std::string ShardStatistics::take() {
  std::vector<float> change = now();
  for (std::size_t i = 0; i < change.size(); ++i) change[i] -= before_[i];
  write(statistics_, before_);
  return {reinterpret_cast<const char*>(change.data()), change.size() * sizeof(float)};
}

void ShardStatistics::add(std::string_view change) {
  for (std::size_t i = 0; i < sum_.size(); ++i) {
    float value = 0;
    std::memcpy(&value, change.data() + i * sizeof value, sizeof value);
    sum_[i] += double{value};
  }
}

void ShardStatistics::finish(int shards) {
  std::vector<float> mean = before_;
  for (std::size_t i = 0; i < mean.size(); ++i) mean[i] += static_cast<float>(sum_[i] / shards);
  write(statistics_, mean);
}

}  // namespace diopter
