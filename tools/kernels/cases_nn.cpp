#include <map>

#include "kernels/nn/adamw.h"
#include "kernels/nn/batch_norm.h"
#include "kernels/nn/conv2d/conv2d.h"
#include "kernels/nn/elementwise.h"
#include "kernels/nn/group_norm.h"
#include "kernels/nn/max_pool.h"
#include "kernels/nn/pictures.h"
#include "kernels/nn/reduce.h"
#include "kernels/nn/sgd.h"
#include "kernels/nn/upsample.h"
#include "retinanet/config/presets.h"
#include "tools/kernels/cases.h"
#include "tools/kernels/scene.h"

namespace diopter {

namespace {

using Cases = std::vector<KernelCase>;

/// Parameters of all sizes, as many tensors as RetinaNet-R50 has.
void add_sgd(Cases& cases, Device device, const CaseSize& size) {
  const int thousand = size.get("thousand", 38'000);
  const int tensors = 160;
  const std::int64_t parameters = std::int64_t{1000} * thousand;
  const Tensor w = Tensor::zeros({parameters}, DType::f32, device), gradient = w.clone(), velocity = w.clone();
  std::vector<SgdSegment> segments;
  for (std::int64_t i = 0, begin = 0; i < tensors; ++i) {
    // Sizes grow with the square of the number; beginnings are multiples of 4 values, as the optimizer's are.
    const std::int64_t end = parameters * (i + 1) * (i + 1) / (tensors * tensors) / 4 * 4;
    segments.push_back({.w = w.data<float>() + begin,
                        .gradient = gradient.data<float>() + begin,
                        .velocity = velocity.data<float>() + begin,
                        .copy = nullptr,
                        .count = end - begin,
                        .weight_decay = 1e-4f});
    begin = end;
  }
  const std::int64_t chunks = number_chunks(segments);
  const Tensor table = Tensor::empty({tensors * static_cast<std::int64_t>(sizeof(SgdSegment))}, DType::u8, device);
  table.copy_from_host(segments.data());
  const Tensor lr = Tensor::full({1}, 0.01f, device), one = Tensor::full({1}, 1, device);
  cases.push_back({std::to_string(thousand) + " thousand parameters",
                   [=] {
                     const SgdArgs args{.segments = reinterpret_cast<const SgdSegment*>(table.data<std::uint8_t>()),
                                        .segment_count = tensors,
                                        .chunks = chunks,
                                        .values = parameters,
                                        .lr = lr.data<float>(),
                                        .gradient_scale = one.data<float>(),
                                        .skip = nullptr};
                     DIOPTER_DISPATCH(device, sgd_step, args);
                   },
                   {w, gradient, velocity}});
}

/// As add_sgd.
void add_adamw(Cases& cases, Device device, const CaseSize& size) {
  const int thousand = size.get("thousand", 38'000);
  const int tensors = 160;
  const std::int64_t parameters = std::int64_t{1000} * thousand;
  const Tensor w = Tensor::zeros({parameters}, DType::f32, device), gradient = w.clone(), m = w.clone(), v = w.clone();
  std::vector<AdamwSegment> segments;
  for (std::int64_t i = 0, begin = 0; i < tensors; ++i) {
    const std::int64_t end = parameters * (i + 1) * (i + 1) / (tensors * tensors) / 4 * 4;
    segments.push_back({.w = w.data<float>() + begin,
                        .gradient = gradient.data<float>() + begin,
                        .m = m.data<float>() + begin,
                        .v = v.data<float>() + begin,
                        .copy = nullptr,
                        .count = end - begin,
                        .weight_decay = 1e-2f});
    begin = end;
  }
  const std::int64_t chunks = number_chunks(segments);
  const Tensor table = Tensor::empty({tensors * static_cast<std::int64_t>(sizeof(AdamwSegment))}, DType::u8, device);
  table.copy_from_host(segments.data());
  const Tensor rates = Tensor::full({3}, 0.01f, device), one = Tensor::full({1}, 1, device);
  cases.push_back({std::to_string(thousand) + " thousand parameters",
                   [=] {
                     const AdamwArgs args{.segments = reinterpret_cast<const AdamwSegment*>(table.data<std::uint8_t>()),
                                          .segment_count = tensors,
                                          .chunks = chunks,
                                          .values = parameters,
                                          .rates = rates.data<float>(),
                                          .gradient_scale = one.data<float>(),
                                          .skip = nullptr};
                     DIOPTER_DISPATCH(device, adamw_step, args);
                   },
                   {w, gradient, m, v}});
}

template <class T>
void add_group_norm(Cases& cases, Device device, const CaseSize& batch) {
  const int channels = 256, groups = 32;
  const Levels levels = pyramid_levels(preset("paper").model, batch.images, batch.side, batch.side);
  const Shape shape{levels.rows(), channels}, images{std::int64_t{batch.images} * levels.count, groups};
  const Tensor x = normal_tensor<T>(shape, 0, 1, device), y = Tensor::empty(shape, DTypeOf<T>::value, device);
  const Tensor gamma = Tensor::full({channels}, 1, device), beta = Tensor::full({channels}, 0, device);
  const Tensor mean = Tensor::empty(images, DType::f32, device), rstd = mean.clone();
  const Tensor dgamma = gamma.clone(), dbeta = gamma.clone();
  const auto forward = [=] {
    const GroupNormForwardArgs<T> args{.levels = levels,
                                       .channels = channels,
                                       .groups = groups,
                                       .x = x.data<T>(),
                                       .gamma = gamma.data<float>(),
                                       .beta = beta.data<float>(),
                                       .y = y.data<T>(),
                                       .mean = mean.data<float>(),
                                       .rstd = rstd.data<float>()};
    DIOPTER_DISPATCH(device, group_norm_forward, args);
  };
  forward();  // so that the statistics which backward reads are set
  const std::string what = name_of(x.dtype()) + (", " + batch.text() + ", 256 channels");
  cases.push_back({"forward " + what, forward});
  cases.push_back({"backward " + what, [=] {
                     const GroupNormBackwardArgs<T> args{.levels = levels,
                                                         .channels = channels,
                                                         .groups = groups,
                                                         .x = x.data<T>(),
                                                         .dy = x.data<T>(),
                                                         .gamma = gamma.data<float>(),
                                                         .mean = mean.data<float>(),
                                                         .rstd = rstd.data<float>(),
                                                         .dx = y.data<T>(),
                                                         .dgamma = dgamma.data<float>(),
                                                         .dbeta = dbeta.data<float>()};
                     DIOPTER_DISPATCH(device, group_norm_backward, args);
                   }});
}

/// A convolution with bias and ReLU, on all levels as the layers of the heads' towers are, or on one map.
template <class T>
void add_conv2d(Cases& cases, Device device, const CaseSize& size) {
  const int kernel = size.get("kernel", 3), in = size.get("in", 256), map = size.get("map", 0);
  const Conv2dShape shape{.in = map > 0 ? Levels({size.images, map, map})
                                        : pyramid_levels(preset("paper").model, size.images, size.side, size.side),
                          .in_channels = in,
                          .out_channels = size.get("out", in),
                          .kernel = kernel,
                          .stride = size.get("stride", 1),
                          .padding = kernel / 2};
  const int out = shape.out_channels;
  const Levels out_levels = shape.out();
  const Tensor x = normal_tensor<T>({shape.in.rows(), in}, 0, 1, device);
  const Tensor y = Tensor::empty({out_levels.rows(), out}, x.dtype(), device);
  const Tensor dy = normal_tensor<T>(y.shape(), 0, 1, device), dx = Tensor::empty(x.shape(), x.dtype(), device);
  const Tensor w = normal_tensor<T>({out, kernel, kernel, in}, 0, 0.02f, device);
  const Tensor bias = normal_tensor<float>({out}, 0, 1, device);
  const Tensor dw = Tensor::empty(w.shape(), DType::f32, device);
  std::vector<std::int32_t> level_sizes;
  for (int l = 0; l < shape.in.count; ++l) {
    const LevelShape& level = shape.in.level[l];
    level_sizes.insert(level_sizes.end(), {level.n, level.h, level.w});
  }
  const Tensor levels = Tensor::from({shape.in.count, 3}, level_sizes);
  std::string what = std::string(" ") + name_of(x.dtype()) + ", " +
                     (map > 0 ? std::to_string(size.images) + " x " + std::to_string(map) + "^2 pixels" : size.text()) +
                     ", " + std::to_string(in) + " channels";
  if (out != in) what += " to " + std::to_string(out);
  if (kernel != 3 || shape.stride != 1) {
    what += ", " + std::to_string(kernel) + "^2 kernel, stride " + std::to_string(shape.stride);
  }
  const auto add = [&](const std::string& pass, const std::function<void()>& launch,
                       std::map<std::string, Tensor> tensors) {
    tensors["levels"] = levels;
    cases.push_back({pass + what, launch, {}, std::move(tensors)});
  };
  add("forward",
      [=] {
        const Conv2dForwardArgs<T> args{.shape = shape,
                                        .x = x.data<T>(),
                                        .w = w.data<T>(),
                                        .y = y.data<T>(),
                                        .epilogue = {.bias = bias.data<float>(), .relu = true}};
        DIOPTER_DISPATCH(device, conv2d_forward, args);
      },
      {{"x", x}, {"w", w}, {"bias", bias}, {"y", y}});
  add("data", [=] { DIOPTER_DISPATCH(device, conv2d_backward_data, shape, dy.data<T>(), w.data<T>(), dx.data<T>()); },
      {{"x", x}, {"w", w}, {"dy", dy}, {"dx", dx}});
  add("weight",
      [=] { DIOPTER_DISPATCH(device, conv2d_backward_weight, shape, dy.data<T>(), x.data<T>(), dw.data<float>()); },
      {{"x", x}, {"w", w}, {"dy", dy}, {"dw", dw}});
}

/// A feature map of C2 of a ResNet-50: a quarter of the picture's side, 256 channels.
struct Map {
  LevelShape shape;
  int channels = 256;

  explicit Map(const CaseSize& batch) : shape{batch.images, batch.side / 4, batch.side / 4} {}
  Shape matrix() const { return {shape.rows(), channels}; }
  template <class T>
  std::string text(const CaseSize& batch) const {
    return std::string(name_of(DTypeOf<T>::value)) + ", " + batch.text() + " / 4, 256 channels";
  }
};

template <class T>
void add_batch_norm(Cases& cases, Device device, const CaseSize& batch) {
  const Map map(batch);
  const Tensor x = normal_tensor<T>(map.matrix(), 0, 1, device), y = Tensor::empty(x.shape(), x.dtype(), device);
  const Tensor gamma = Tensor::full({map.channels}, 1, device), beta = Tensor::full({map.channels}, 0, device);
  const Tensor mean = beta.clone(), rstd = gamma.clone(), running_mean = beta.clone(), running_var = gamma.clone();
  const std::string what = map.text<T>(batch);
  cases.push_back({"forward " + what, [=] {
                     const BatchNormForwardArgs<T> args{.rows = x.shape()[0],
                                                        .channels = map.channels,
                                                        .x = x.data<T>(),
                                                        .gamma = gamma.data<float>(),
                                                        .beta = beta.data<float>(),
                                                        .running_mean = running_mean.data<float>(),
                                                        .running_var = running_var.data<float>(),
                                                        .y = y.data<T>(),
                                                        .mean = mean.data<float>(),
                                                        .rstd = rstd.data<float>()};
                     DIOPTER_DISPATCH(device, batch_norm_forward, args);
                   }});
  cases.push_back({"backward " + what, [=] {
                     const BatchNormBackwardArgs<T> args{.rows = x.shape()[0],
                                                         .channels = map.channels,
                                                         .x = x.data<T>(),
                                                         .dy = x.data<T>(),
                                                         .gamma = gamma.data<float>(),
                                                         .mean = mean.data<float>(),
                                                         .rstd = rstd.data<float>(),
                                                         .dx = y.data<T>(),
                                                         .dgamma = running_mean.data<float>(),
                                                         .dbeta = running_var.data<float>()};
                     DIOPTER_DISPATCH(device, batch_norm_backward, args);
                   }});
  cases.push_back({"fixed " + what, [=] {
                     DIOPTER_DISPATCH(device, channel_affine, x.shape()[0], map.channels, gamma.data<float>(),
                                      beta.data<float>(), x.data<T>(), y.data<T>());
                   }});
}

template <class T>
void add_elementwise(Cases& cases, Device device, const CaseSize& batch) {
  const Map map(batch);
  const Tensor a = normal_tensor<T>(map.matrix(), 0, 1, device), b = a.clone(), y = a.clone();
  const std::string what = map.text<T>(batch);
  cases.push_back(
      {"add " + what, [=] { DIOPTER_DISPATCH(device, add, a.size(), a.data<T>(), b.data<T>(), y.data<T>()); }});
  cases.push_back({"relu " + what, [=] {
                     DIOPTER_DISPATCH(device, activation_forward, Activation::relu, a.size(), a.data<T>(), y.data<T>());
                   }});
  cases.push_back({"relu backward " + what, [=] {
                     DIOPTER_DISPATCH(device, activation_backward, Activation::relu, a.size(), a.data<T>(), b.data<T>(),
                                      y.data<T>());
                   }});
}

template <class T>
void add_reduce(Cases& cases, Device device, const CaseSize& batch) {
  const Map map(batch);
  const Tensor x = normal_tensor<T>(map.matrix(), 0, 1, device);
  const Tensor sums = Tensor::empty({map.channels}, DType::f32, device);
  const std::string what = map.text<T>(batch);
  cases.push_back({"sum " + what, [=] { DIOPTER_DISPATCH(device, sum, x.size(), x.data<T>(), sums.data<float>()); }});
  cases.push_back({"column sum " + what, [=] {
                     DIOPTER_DISPATCH(device, column_sum, x.shape()[0], map.channels, x.data<T>(), sums.data<float>());
                   }});
}

/// The pool behind a ResNet's stem.
template <class T>
void add_max_pool(Cases& cases, Device device, const CaseSize& batch) {
  const MaxPoolShape shape{
      .in = {batch.images, batch.side / 2, batch.side / 2}, .channels = 64, .kernel = 3, .stride = 2, .padding = 1};
  const Tensor x = normal_tensor<T>({shape.in.rows(), shape.channels}, 0, 1, device);
  const Tensor y = Tensor::empty({shape.out().rows(), shape.channels}, x.dtype(), device);
  const Tensor tap = Tensor::empty(y.shape(), DType::u8, device);
  const std::string what = std::string(name_of(x.dtype())) + ", " + batch.text() + " / 2, 64 channels";
  const auto forward = [=] {
    DIOPTER_DISPATCH(device, max_pool_forward, shape, x.data<T>(), y.data<T>(), tap.data<std::uint8_t>());
  };
  forward();  // so that the taps which backward reads are set
  cases.push_back({"forward " + what, forward});
  cases.push_back({"backward " + what, [=] {
                     DIOPTER_DISPATCH(device, max_pool_backward, shape, tap.data<std::uint8_t>(), y.data<T>(),
                                      x.data<T>());
                   }});
}

/// Pictures of 640 x 480 to squares of the batch's size.
void add_pictures(Cases& cases, Device device, const CaseSize& batch) {
  constexpr int kWidth = 640, kHeight = 480;
  std::vector<PictureBytes> pictures;
  for (int i = 0; i < batch.images; ++i) {
    pictures.push_back({std::int64_t{3} * kWidth * kHeight * i, kWidth, kHeight, batch.side, batch.side, 0, 0,
                        batch.side, batch.side});
  }
  std::vector<std::uint8_t> values(std::size_t{3} * kWidth * kHeight * batch.images);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<std::uint8_t>(i * 2654435761u >> 13);
  const Tensor bytes = Tensor::from({static_cast<std::int64_t>(values.size())}, values, device);
  const Tensor where =
      Tensor::empty({static_cast<std::int64_t>(pictures.size() * sizeof(PictureBytes))}, DType::u8, device);
  where.copy_from_host(pictures.data());
  const Tensor y = Tensor::empty({batch.images, batch.side, batch.side, 3}, DType::f32, device);
  cases.push_back({batch.text(), [=] {
                     const PictureArgs args{.images = batch.images,
                                            .height = batch.side,
                                            .width = batch.side,
                                            .bytes = bytes.data<std::uint8_t>(),
                                            .pictures = reinterpret_cast<const PictureBytes*>(where.raw()),
                                            .norm = {},
                                            .y = y.data<float>()};
                     DIOPTER_DISPATCH(device, pictures_to_input, args);
                   }});
}

/// From P4 to the size of P3.
template <class T>
void add_upsample(Cases& cases, Device device, const CaseSize& batch) {
  const int side = batch.side / 8, channels = 256;
  const LevelShape in{batch.images, side / 2, side / 2};
  const Tensor x = normal_tensor<T>({in.rows(), channels}, 0, 1, device);
  const Tensor y = normal_tensor<T>({std::int64_t{batch.images} * side * side, channels}, 0, 1, device);
  const std::string what = std::string(name_of(x.dtype())) + ", " + batch.text() + " / 16, 256 channels";
  cases.push_back({"forward " + what, [=] {
                     DIOPTER_DISPATCH(device, upsample_forward, in, channels, side, side, x.data<T>(), y.data<T>());
                   }});
  cases.push_back({"backward " + what, [=] {
                     DIOPTER_DISPATCH(device, upsample_backward, in, channels, side, side, y.data<T>(), x.data<T>());
                   }});
}

}  // namespace

const std::map<std::string, std::vector<CaseMaker>>& nn_cases() {
  static const std::map<std::string, std::vector<CaseMaker>> makers{
      {"conv2d", {{DType::f32, add_conv2d<float>}, {DType::bf16, add_conv2d<bf16>}}},
      {"sgd", {{DType::f32, add_sgd}}},
      {"adamw", {{DType::f32, add_adamw}}},
      {"group_norm", {{DType::f32, add_group_norm<float>}, {DType::bf16, add_group_norm<bf16>}}},
      {"batch_norm", {{DType::f32, add_batch_norm<float>}, {DType::bf16, add_batch_norm<bf16>}}},
      {"elementwise", {{DType::f32, add_elementwise<float>}, {DType::bf16, add_elementwise<bf16>}}},
      {"reduce", {{DType::f32, add_reduce<float>}, {DType::bf16, add_reduce<bf16>}}},
      {"max_pool", {{DType::f32, add_max_pool<float>}, {DType::bf16, add_max_pool<bf16>}}},
      {"pictures", {{DType::f32, add_pictures}}},
      {"upsample", {{DType::f32, add_upsample<float>}, {DType::bf16, add_upsample<bf16>}}}};
  return makers;
}

}  // namespace diopter
