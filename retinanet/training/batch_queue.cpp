#include "retinanet/training/batch_queue.h"

#include <cstring>
#include <utility>

#include "engine/profile/profile.h"
#include "kernels/toolkit/dispatch.h"

namespace diopter {

BatchQueue::BatchQueue(Loader& loader, Device device)
    : loader_(loader), device_(device), side_(DIOPTER_DISPATCH(device, make_side_stream)) {}

DeviceBatch BatchQueue::next() {
  const ProfiledScope phase("load");
  DeviceBatch batch = ahead_ ? *std::exchange(ahead_, std::nullopt) : upload(loader_.next());
  side_.join();
  return batch;
}

void BatchQueue::prefetch() {
  if (device_ == Device::cpu || ahead_) return;
  const ProfiledScope phase("load the next batch");
  ahead_ = upload(loader_.next());
}

void BatchQueue::stage(std::span<const Part> parts) {
  std::size_t bytes = 0, offset = 0;
  for (const Part& part : parts) bytes += part.tensor.bytes();
  if (!staging_ || staging_->bytes() < bytes) staging_ = DIOPTER_DISPATCH(device_, make_pinned_buffer, bytes);
  char* staged = static_cast<char*>(staging_->data());
  for (const Part& part : parts) {
    if (part.tensor.size() == 0) continue;
    std::memcpy(staged + offset, part.values, part.tensor.bytes());
    staging_->upload(part.tensor.raw(), offset, part.tensor.bytes());
    offset += part.tensor.bytes();
  }
}

DeviceBatch BatchQueue::upload(Batch batch) {
  DeviceBatch result;
  side_.run([&] {
    const std::int64_t boxes = static_cast<std::int64_t>(batch.labels.size());
    const Part parts[] = {
        {batch.pixels.data(), Tensor::empty({batch.images, batch.height, batch.width, 3}, DType::f32, device_)},
        {batch.boxes.data(), Tensor::empty({boxes, 4}, DType::f32, device_)},
        {batch.labels.data(), Tensor::empty({boxes}, DType::i32, device_)},
        {batch.offsets.data(), Tensor::empty({batch.images + 1}, DType::i32, device_)}};
    if (device_ == Device::cpu) {
      for (const Part& part : parts) part.tensor.copy_from_host(part.values);
    } else {
      stage(parts);
    }
    result.images = Variable(parts[0].tensor);
    result.truth = {parts[1].tensor, parts[2].tensor, parts[3].tensor};
  });
  result.host = std::move(batch);
  return result;
}

}  // namespace diopter
