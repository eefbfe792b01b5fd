// Program that runs nearly every kernel on the device with fixed inputs and prints what each wrote: a line per array,
// with its name, its type (i integers, f float, b bf16) and its values. kernel_outputs_test.cpp compares those of two
// flavours.
#include <bit>
#include <cstdio>
#include <string>

#include "kernels/detection/any_loss.h"
#include "kernels/detection/box_loss.h"
#include "kernels/detection/candidates/nms.h"
#include "kernels/detection/candidates/top_k.h"
#include "kernels/detection/classification_loss.h"
#include "kernels/detection/hard_examples.h"
#include "kernels/detection/loss_scale.h"
#include "kernels/detection/match.h"
#include "kernels/nn/adamw.h"
#include "kernels/nn/batch_norm.h"
#include "kernels/nn/elementwise.h"
#include "kernels/nn/group_norm.h"
#include "kernels/nn/max_pool.h"
#include "kernels/nn/reduce.h"
#include "kernels/nn/sgd.h"
#include "kernels/nn/upsample.h"
#include "tests/kernels/detection/support.h"
#include "tests/kernels/nn/arrays.h"

namespace diopter::test {

namespace {

template <class T>
void print(const std::string& name, const std::vector<T>& values) {
  std::printf("%s %c", name.c_str(), std::is_same_v<T, bf16> ? 'b' : std::is_same_v<T, float> ? 'f' : 'i');
  for (const T& value : values) {
    if constexpr (std::is_integral_v<T>) {
      std::printf(" %lld", static_cast<long long>(value));
    } else {
      std::printf(" %.9g", static_cast<double>(static_cast<float>(value)));
    }
  }
  std::puts("");
}

template <class T>
std::string typed(const std::string& name) {
  return name + (std::is_same_v<T, bf16> ? "_bf16" : "");
}

// ---- kernels/nn ---------------------------------------------------------------------------------------------------

template <class T>
void elementwise() {
  constexpr std::int64_t n = 1003;
  const std::vector<T> x = random_array<T>(n, 1), y = random_array<T>(n, 2);
  const auto run = [&](const std::string& name, auto kernel) {
    std::vector<T> result = garbage<T>(n);
    on(Device::cuda, [&](auto& at) { kernel(at(x), at(y), at(result)); });
    print(typed<T>(name), result);
  };
  for (const auto& [name, activation] :
       {std::pair("relu", Activation::relu), std::pair("sigmoid", Activation::sigmoid)}) {
    const Activation which = activation;
    run(name, [=](const T* a, const T*, T* out) { cuda::activation_forward(which, n, a, out); });
    run(std::string(name) + "_backward",
        [=](const T* a, const T* b, T* out) { cuda::activation_backward(which, n, a, b, out); });
  }
  run("add", [](const T* a, const T* b, T* out) { cuda::add(n, a, b, out); });
  run("fill", [](const T*, const T*, T* out) { cuda::fill(n, 1.2345f, out); });
  const std::vector<float> factor{0.3f};
  std::vector<T> scaled = garbage<T>(n);
  on(Device::cuda, [&](auto& at) { cuda::scale(n, at(factor), at(x), at(scaled)); });
  print(typed<T>("scale"), scaled);
}

void moving_average() {
  constexpr std::size_t n = 1003;
  const std::vector<float> weight{0.01f}, x = random_array(n, 17);
  std::vector<float> y = random_array(n, 18);
  on(Device::cuda, [&](auto& at) { cuda::lerp(n, at(weight), at(x), at(y)); });
  print("lerp", y);
}

void casts() {
  // Ties of the rounding to bf16, and values of all sizes.
  std::vector<float> x;
  for (unsigned high = 0; high < 0x7f80; high += 7) {
    for (const unsigned low : {0u, 1u, 0x7fffu, 0x8000u, 0x8001u, 0xffffu})
      x.push_back(std::bit_cast<float>(high << 16 | low));
  }
  const auto n = static_cast<std::int64_t>(x.size());
  std::vector<bf16> half = garbage<bf16>(x.size());
  on(Device::cuda, [&](auto& at) { cuda::cast(n, at(std::as_const(x)), at(half)); });
  print("cast_bf16", half);
}

template <class T>
void reductions() {
  constexpr std::int64_t rows = 700;
  constexpr int channels = 36;
  const std::vector<T> x = random_array<T>(rows * channels, 3);
  std::vector<float> total(1), columns(channels);
  std::vector<std::int32_t> bad(1);
  on(Device::cuda, [&](auto& at) {
    cuda::sum(rows * channels, at(x), at(total));
    cuda::column_sum(rows, channels, at(x), at(columns));
    cuda::count_non_finite(rows * channels, at(x), at(bad));
  });
  print(typed<T>("sum"), total);
  print(typed<T>("column_sum"), columns);
  print(typed<T>("count_non_finite"), bad);
}

void dots() {
  constexpr std::int64_t n = 20000;
  const std::vector<float> a = random_array(n, 4), b = random_array(n, 5);
  std::vector<float> dot(1), norm(1), norms(20);
  on(Device::cuda, [&](auto& at) {
    cuda::dot(n, at(a), at(b), at(dot));
    cuda::squared_norm(n, at(a), at(norm));
    cuda::squared_norms(n, 1024, at(a), at(norms));
  });
  print("dot", dot);
  print("squared_norm", norm);
  print("squared_norms", norms);
}

template <class T>
void pooling() {
  const MaxPoolShape pool{{2, 13, 17}, 24, 3, 2, 1};
  const std::vector<T> x = random_array<T>(static_cast<std::size_t>(pool.in.rows()) * 24, 6);
  const std::vector<T> dy = random_array<T>(static_cast<std::size_t>(pool.out().rows()) * 24, 7);
  std::vector<T> y = garbage<T>(dy.size()), dx = garbage<T>(x.size());
  std::vector<std::uint8_t> tap(dy.size());
  on(Device::cuda, [&](auto& at) {
    cuda::max_pool_forward(pool, at(x), at(y), at(tap));
    cuda::max_pool_backward(pool, static_cast<const std::uint8_t*>(at(tap)), at(dy), at(dx));
  });
  print(typed<T>("max_pool"), y);
  print(typed<T>("max_pool_backward"), dx);

  const LevelShape in{2, 7, 9};
  const std::vector<T> low = random_array<T>(static_cast<std::size_t>(in.rows()) * 20, 8),
                       high = random_array<T>(2 * 13 * 18 * 20, 9);
  std::vector<T> up = garbage<T>(high.size()), down = garbage<T>(low.size());
  on(Device::cuda, [&](auto& at) {
    cuda::upsample_forward(in, 20, 13, 18, at(low), at(up));
    cuda::upsample_backward(in, 20, 13, 18, at(high), at(down));
  });
  print(typed<T>("upsample"), up);
  print(typed<T>("upsample_backward"), down);
}

template <class T>
void norms() {
  constexpr std::int64_t rows = 300;
  constexpr int channels = 32, groups = 8;
  const std::vector<T> x = random_array<T>(rows * channels, 10), dy = random_array<T>(rows * channels, 11);
  const std::vector<float> gamma = random_array(channels, 12), beta = random_array(channels, 13);
  std::vector<float> running_mean(channels), running_var(channels, 1.0f), mean(channels), rstd(channels);
  std::vector<T> y = garbage<T>(x.size()), dx = garbage<T>(x.size());
  std::vector<float> dgamma(channels), dbeta(channels);
  on(Device::cuda, [&](auto& at) {
    float *m = at(mean), *r = at(rstd);
    cuda::batch_norm_forward(BatchNormForwardArgs<T>{.rows = rows,
                                                     .channels = channels,
                                                     .x = at(x),
                                                     .gamma = at(gamma),
                                                     .beta = at(beta),
                                                     .running_mean = at(running_mean),
                                                     .running_var = at(running_var),
                                                     .y = at(y),
                                                     .mean = m,
                                                     .rstd = r});
    cuda::batch_norm_backward(BatchNormBackwardArgs<T>{.rows = rows,
                                                       .channels = channels,
                                                       .x = at(x),
                                                       .dy = at(dy),
                                                       .gamma = at(gamma),
                                                       .mean = m,
                                                       .rstd = r,
                                                       .dx = at(dx),
                                                       .dgamma = at(dgamma),
                                                       .dbeta = at(dbeta)});
  });
  for (const auto& [name, values] : {std::pair("batch_norm", y), std::pair("batch_norm_backward", dx)}) {
    print(typed<T>(name), values);
  }
  print(typed<T>("batch_norm_parameters"), dgamma);
  print(typed<T>("batch_norm_running"), running_var);

  Levels levels;
  levels.count = 2;
  levels.level[0] = {2, 10, 12};
  levels.level[1] = {2, 5, 6};
  std::vector<float> group_mean(2 * 2 * groups), group_rstd(group_mean.size());
  on(Device::cuda, [&](auto& at) {
    float *m = at(group_mean), *r = at(group_rstd);
    cuda::group_norm_forward(GroupNormForwardArgs<T>{.levels = levels,
                                                     .channels = channels,
                                                     .groups = groups,
                                                     .x = at(x),
                                                     .gamma = at(gamma),
                                                     .beta = at(beta),
                                                     .y = at(y),
                                                     .mean = m,
                                                     .rstd = r});
    cuda::group_norm_backward(GroupNormBackwardArgs<T>{.levels = levels,
                                                       .channels = channels,
                                                       .groups = groups,
                                                       .x = at(x),
                                                       .dy = at(dy),
                                                       .gamma = at(gamma),
                                                       .mean = m,
                                                       .rstd = r,
                                                       .dx = at(dx),
                                                       .dgamma = at(dgamma),
                                                       .dbeta = at(dbeta)});
  });
  print(typed<T>("group_norm"), y);
  print(typed<T>("group_norm_backward"), dx);
  print(typed<T>("group_norm_parameters"), dgamma);
}

void sgd() {
  constexpr std::size_t n = 5000;
  const std::vector<float> gradient = random_array(n, 14), lr{0.01f}, scale{0.7f};
  std::vector<float> w = random_array(n, 15), velocity = random_array(n, 16);
  std::vector<bf16> copy = garbage<bf16>(n);
  on(Device::cuda, [&](auto& at) {
    std::vector<SgdSegment> segments{{.w = at(w),
                                      .gradient = at(gradient),
                                      .velocity = at(velocity),
                                      .copy = at(copy),
                                      .count = n,
                                      .weight_decay = 1e-4f}};
    const std::int64_t chunks = number_chunks(segments);
    const DeviceBuffer<SgdSegment> table(Device::cuda, segments);
    cuda::sgd_step({.segments = const_cast<DeviceBuffer<SgdSegment>&>(table).data(),
                    .segment_count = 1,
                    .chunks = chunks,
                    .lr = at(lr),
                    .gradient_scale = at(scale),
                    .skip = nullptr});
    cuda::synchronize();
  });
  print("sgd", w);
  print("sgd_velocity", velocity);
  print("sgd_copy_bf16", copy);
}

void adamw() {
  constexpr std::size_t n = 5000;
  const std::vector<float> gradient = random_array(n, 17), rates{0.01f, 0.271f, 0.003f}, scale{0.7f};
  std::vector<float> w = random_array(n, 18), m = random_array(n, 19), v = random_array(n, 20);
  for (float& value : v) value *= value;
  std::vector<bf16> copy = garbage<bf16>(n);
  on(Device::cuda, [&](auto& at) {
    std::vector<AdamwSegment> segments{{.w = at(w),
                                        .gradient = at(gradient),
                                        .m = at(m),
                                        .v = at(v),
                                        .copy = at(copy),
                                        .count = n,
                                        .weight_decay = 1e-2f}};
    const std::int64_t chunks = number_chunks(segments);
    const DeviceBuffer<AdamwSegment> table(Device::cuda, segments);
    cuda::adamw_step({.segments = const_cast<DeviceBuffer<AdamwSegment>&>(table).data(),
                      .segment_count = 1,
                      .chunks = chunks,
                      .rates = at(rates),
                      .gradient_scale = at(scale),
                      .skip = nullptr});
    cuda::synchronize();
  });
  print("adamw", w);
  print("adamw_m", m);
  print("adamw_v", v);
  print("adamw_copy_bf16", copy);
}

// ---- kernels/detection --------------------------------------------------------------------------------------------

/// Two images with boxes, anchors of two levels, and what matching made of them.
struct Scene {
  static constexpr int kImages = 2;
  AnchorGrid grid = small_grid(2, 16, 20, 8.0f);
  std::vector<float> boxes;
  std::vector<std::int32_t> box_labels{0, 2, 1, 0, 3, 1, 2}, offsets{0, 4, 7};
  std::vector<std::int32_t> labels, matches, positives;

  Scene() : labels(kImages * anchors()), matches(kImages * anchors()), positives(kImages) {
    const std::vector<float> random = uniform(4 * box_labels.size(), 0.0f, 1.0f, 20);
    for (std::size_t i = 0; i < box_labels.size(); ++i) {
      const float x = 100 * random[4 * i], y = 80 * random[4 * i + 1];
      for (const float c : {x, y, x + 20 + 50 * random[4 * i + 2], y + 20 + 50 * random[4 * i + 3]}) boxes.push_back(c);
    }
    on(Device::cuda, [&](auto& at) {
      cuda::match_anchors({.grid = grid,
                           .truth = truth(at),
                           .rule = {.low_quality = true},
                           .labels = at(labels),
                           .matches = at(matches),
                           .positives = at(positives)});
    });
  }
  std::size_t anchors() const { return static_cast<std::size_t>(grid.size()); }
  GroundTruth truth(DeviceArrays& at) const {
    return {kImages, static_cast<std::int32_t>(box_labels.size()), at(boxes), at(box_labels), at(offsets)};
  }
};

template <class T>
void losses(const Scene& scene) {
  constexpr int kClasses = 5;
  const std::vector<float> scale{0.1f, 0.3f};
  for (const AnyLoss& loss : all_losses()) {
    Head<T> head(Scene::kImages, 3, kClasses, pixels_of(scene.grid));
    head.fill(uniform(Scene::kImages * scene.anchors() * kClasses, -9.0f, 6.0f, 21));
    std::vector<float> values(Scene::kImages), scores(Scene::kImages * scene.anchors());
    on(Device::cuda, [&](auto& at) {
      const HeadLevels<T> logits = head.levels(at);
      cuda::classification_loss(ClassificationLossArgs<T>{logits, at(scene.labels), at(scale), at(values)}, loss);
      cuda::anchor_scores(AnchorScoreArgs<T>{logits, at(scene.labels), at(scores)}, loss);
    });
    print(typed<T>(std::string("loss_") + loss_name(loss)), values);
    print(typed<T>(std::string("loss_gradient_") + loss_name(loss)), to<T>(head.all_gradients()));
    print(typed<T>(std::string("anchor_scores_") + loss_name(loss)), scores);
  }
  for (const BoxLoss kind : {BoxLoss::l1, BoxLoss::smooth_l1, BoxLoss::giou, BoxLoss::diou, BoxLoss::ciou}) {
    Head<T> head(Scene::kImages, 3, 4, pixels_of(scene.grid));
    head.fill(uniform(Scene::kImages * scene.anchors() * 4, -0.5f, 0.5f, 22));
    std::vector<float> values(Scene::kImages);
    on(Device::cuda, [&](auto& at) {
      cuda::box_loss(BoxLossArgs<T>{.kind = kind,
                                    .beta = 0.1f,
                                    .grid = scene.grid,
                                    .truth = scene.truth(at),
                                    .deltas = head.levels(at),
                                    .labels = at(scene.labels),
                                    .matches = at(scene.matches),
                                    .scale = at(scale),
                                    .losses = at(values)});
    });
    const std::string number = std::to_string(static_cast<int>(kind));
    print(typed<T>("box_loss_" + number), values);
    print(typed<T>("box_loss_gradient_" + number), to<T>(head.all_gradients()));
  }
}

template <class T>
void detections(const Scene& scene) {
  constexpr int kClasses = 5, kMost = 200, kLevels = 2;
  Head<T> head(Scene::kImages, 3, kClasses, pixels_of(scene.grid)), deltas(Scene::kImages, 3, 4, pixels_of(scene.grid));
  head.fill(uniform(Scene::kImages * scene.anchors() * kClasses, -6.0f, 3.0f, 23));
  deltas.fill(uniform(Scene::kImages * scene.anchors() * 4, -0.5f, 0.5f, 24));
  constexpr std::size_t kPlaces = Scene::kImages * kLevels * kMost;
  std::vector<std::int32_t> indices(kPlaces, -1), counts(Scene::kImages * kLevels), labels(kPlaces, -1),
      candidates(Scene::kImages);
  std::vector<float> values(kPlaces), boxes(4 * kPlaces), scores(kPlaces);
  std::vector<std::int32_t> keep(Scene::kImages * 100, -1), kept(Scene::kImages);
  const std::vector<float> sizes{120.0f, 100.0f, 150.0f, 128.0f};
  on(Device::cuda, [&](auto& at) {
    cuda::top_k(TopKArgs<T>{head.levels(at, false), -2.0f, kMost, at(indices), at(values), at(counts)});
    cuda::decode_candidates(DecodeArgs<T>{.grid = scene.grid,
                                          .deltas = deltas.levels(at, false),
                                          .classes = kClasses,
                                          .k = kMost,
                                          .indices = at(indices),
                                          .values = at(values),
                                          .counts = at(counts),
                                          .image_sizes = at(sizes),
                                          .boxes = at(boxes),
                                          .scores = at(scores),
                                          .labels = at(labels),
                                          .candidates = at(candidates)});
    cuda::batched_nms({.images = Scene::kImages,
                       .capacity = kLevels * kMost,
                       .boxes = at(boxes),
                       .scores = at(scores),
                       .labels = at(labels),
                       .counts = at(candidates),
                       .iou_threshold = 0.5f,
                       .max_kept = 100,
                       .keep = at(keep),
                       .kept = at(kept)});
  });
  print(typed<T>("top_k_indices"), indices);
  print(typed<T>("top_k_values"), values);
  print(typed<T>("decode_boxes"), boxes);
  print(typed<T>("decode_scores"), scores);
  print(typed<T>("nms_kept"), keep);
}

void run() {
  elementwise<float>(), elementwise<bf16>();
  moving_average();
  casts();
  reductions<float>(), reductions<bf16>();
  dots();
  pooling<float>(), pooling<bf16>();
  norms<float>(), norms<bf16>();
  sgd();
  adamw();
  const Scene scene;
  std::vector<float> anchors(4 * scene.anchors()), average{3.0f}, scale(2), total(1);
  on(Device::cuda, [&](auto& at) {
    cuda::generate_anchors(scene.grid, at(anchors));
    cuda::loss_scale({LossNormaliser::ema, 0.9f, 2, at(scene.positives), at(average), at(scale), at(total)});
  });
  print("anchors", anchors);
  print("loss_scale", scale);
  print("match_labels", scene.labels);
  print("match_boxes", scene.matches);
  losses<float>(scene), losses<bf16>(scene);
  detections<float>(scene), detections<bf16>(scene);
}

}  // namespace

}  // namespace diopter::test

int main() {
  try {
    diopter::test::run();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "kernel_outputs: %s\n", error.what());
    return 2;
  }
}
