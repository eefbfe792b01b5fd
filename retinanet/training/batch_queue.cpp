#include "retinanet/training/batch_queue.h"

#include <utility>

#include "engine/profile/profile.h"
#include "kernels/toolkit/dispatch.h"

namespace diopter {

BatchQueue::BatchQueue(Loader& loader, Device device)
    : loader_(loader), device_(device), side_(DIOPTER_DISPATCH(device, make_side_stream)), staging_(device) {}

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

DeviceBatch BatchQueue::upload(Batch batch) {
  DeviceBatch result;
  side_.run([&] {
    const std::int64_t boxes = static_cast<std::int64_t>(batch.labels.size());
    const StagedArray arrays[] = {
        {batch.pixels.data(), Tensor::empty({batch.images, batch.height, batch.width, 3}, DType::f32, device_)},
        {batch.boxes.data(), Tensor::empty({boxes, 4}, DType::f32, device_)},
        {batch.labels.data(), Tensor::empty({boxes}, DType::i32, device_)},
        {batch.offsets.data(), Tensor::empty({batch.images + 1}, DType::i32, device_)}};
    staging_.upload(arrays);
    result.images = Variable(arrays[0].tensor);
    result.truth = {arrays[1].tensor, arrays[2].tensor, arrays[3].tensor};
  });
  result.host = std::move(batch);
  return result;
}

}  // namespace diopter
