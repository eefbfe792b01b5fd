#include "retinanet/network/input.h"

#include <algorithm>

#include "kernels/toolkit/dispatch.h"

namespace diopter {

int white_of(const Config& config) { return config.input.white == kAutoWhite ? kFullRange : config.input.white; }

TileRule tile_rule(const Config& config) {
  return {config.input.tile, config.input.tile_overlap, config.input.tile_whole};
}

LoaderOptions loader_options(const Config& config, Device device) {
  LoaderOptions options;
  options.pixels_by = device == Device::cuda ? PixelsBy::device : PixelsBy::host;
  options.batch_size = config.train.batch_size / config.train.shards;
  options.shards.shards = config.train.shards;
  options.workers = config.train.workers;
  options.seed = static_cast<std::uint64_t>(config.train.seed);
  options.divisor = config.input.size_divisor;
  options.cache_bytes = static_cast<std::size_t>(config.train.cache_mib) << 20;
  options.repeat_threshold = config.train.repeat_threshold;
  options.tiles = tile_rule(config);
  options.resize.kind = config.input.resize;
  options.resize.min_sizes = config.input.min_sizes;
  options.resize.max_size = config.input.max_size;
  options.resize.enlarge = config.input.enlarge;
  options.resize.filter = config.input.filter;
  options.resize.round = config.input.round;
  options.resize.float_scale = config.input.float_scale;
  const auto f = [](double value) { return static_cast<float>(value); };
  const Config::Augment& a = config.augment;
  options.augment = {.flip = f(a.flip),
                     .vertical_flip = f(a.vertical_flip),
                     .turn = f(a.turn),
                     .scale_min = f(a.scale_min),
                     .scale_max = f(a.scale_max),
                     .crop = f(a.crop),
                     .crop_min = f(a.crop_min),
                     .brightness = f(a.brightness),
                     .contrast = f(a.contrast),
                     .saturation = f(a.saturation),
                     .hue = f(a.hue),
                     .ramp_epochs = f(a.ramp_epochs)};
  for (int c = 0; c < 3; ++c) {
    options.normalisation.mean[c] = f(config.input.mean[c]);
    options.normalisation.std[c] = f(config.input.std[c]);
  }
  options.normalisation.divisor = f(config.input.divisor);
  options.normalisation.bgr = config.input.bgr;
  options.white = white_of(config);
  return options;
}

StagedPictures::StagedPictures(const Batch& batch, const Tensor& images) : batch_(batch), images_(images) {
  if (batch.bytes.empty()) {
    arrays_ = {{batch.pixels.data(), images}};
    return;
  }
  const auto room = [&](std::size_t bytes) {
    return Tensor::empty({static_cast<std::int64_t>(bytes)}, DType::u8, images.device());
  };
  arrays_ = {{batch.bytes.data(), room(batch.bytes.size())},
             {batch.pictures.data(), room(batch.pictures.size() * sizeof(PictureBytes))}};
}

void StagedPictures::finish() const {
  if (batch_.bytes.empty()) return;
  DIOPTER_DISPATCH(images_.device(), pictures_to_input,
                   PictureArgs{.images = batch_.images,
                               .height = batch_.height,
                               .width = batch_.width,
                               .bytes = arrays_[0].tensor.data<std::uint8_t>(),
                               .pictures = reinterpret_cast<const PictureBytes*>(arrays_[1].tensor.raw()),
                               .norm = batch_.normalisation,
                               .y = images_.data<float>()});
}

Variable input_of(const Batch& batch, Device device) {
  const Tensor images = Tensor::empty({batch.images, batch.height, batch.width, 3}, DType::f32, device);
  const StagedPictures pictures(batch, images);
  for (const StagedArray& array : pictures.arrays()) array.tensor.copy_from_host(array.values);
  pictures.finish();
  return Variable(images);
}

InputSize input_size(const Config& config, int width, int height) {
  ResizeRule rule = loader_options(config).resize;
  rule.tile = config.input.tile;
  const int divisor = config.input.size_divisor;
  InputSize size;
  resized_size(rule, rule.min_sizes.back(), width, height, size.width, size.height);
  size.padded_width = (size.width + divisor - 1) / divisor * divisor;
  size.padded_height = (size.height + divisor - 1) / divisor * divisor;
  return size;
}

Box input_box(const Rect& rect, int width, int height, const InputSize& size) {
  const auto inside = [](const Box& b, int right, int bottom) {
    const float w = static_cast<float>(right), h = static_cast<float>(bottom);
    return Box{std::clamp(b.x1, 0.0f, w), std::clamp(b.y1, 0.0f, h), std::clamp(b.x2, 0.0f, w),
               std::clamp(b.y2, 0.0f, h)};
  };
  const Box box = inside(rect.box(), width, height);
  const float sx = static_cast<float>(size.width) / static_cast<float>(width);
  const float sy = static_cast<float>(size.height) / static_cast<float>(height);
  return inside({box.x1 * sx, box.y1 * sy, box.x2 * sx, box.y2 * sy}, size.width, size.height);
}

std::vector<TargetBox> input_targets(const ImageRecord& record, const InputSize& size) {
  std::vector<TargetBox> targets;
  for (const Annotation& a : record.annotations) {
    const Box box = input_box(a.rect, record.width, record.height, size);
    const std::int32_t label = a.crowd || a.difficult ? kIgnore : static_cast<std::int32_t>(a.category);
    if (is_kept(box)) targets.push_back({box, label});
  }
  return targets;
}

}  // namespace diopter
