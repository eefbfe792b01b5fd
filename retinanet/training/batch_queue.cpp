#include "retinanet/training/batch_queue.h"

#include <utility>

#include "engine/profile/profile.h"
#include "kernels/toolkit/dispatch.h"
#include "retinanet/network/input.h"

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
    const Tensor images = Tensor::empty({batch.images, batch.height, batch.width, 3}, DType::f32, device_);
    const StagedPictures pictures(batch, images);
    result.truth = {Tensor::empty({boxes, 4}, DType::f32, device_), Tensor::empty({boxes}, DType::i32, device_),
                    Tensor::empty({batch.images + 1}, DType::i32, device_)};
    std::vector<StagedArray> arrays = pictures.arrays();
    arrays.push_back({batch.boxes.data(), result.truth.boxes});
    arrays.push_back({batch.labels.data(), result.truth.labels});
    arrays.push_back({batch.offsets.data(), result.truth.offsets});
    staging_.upload(arrays);
    pictures.finish();
    result.images = Variable(images);
  });
  result.host = std::move(batch);
  return result;
}

}  // namespace diopter
