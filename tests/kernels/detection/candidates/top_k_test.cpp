#include "kernels/detection/candidates/top_k.h"

#include <cmath>
#include <limits>
#include <utility>

#include "kernels/plain/top_k.h"
#include "tests/kernels/detection/support.h"
#include "tests/support/catch.h"
#include "tests/support/random.h"

namespace diopter {
namespace {

using test::Head;

struct Selected {
  std::vector<std::int32_t> indices, counts;
  std::vector<float> values;
  bool operator==(const Selected&) const = default;
};

/// What top_k, a function of TopKArgs, selects from a head on a device.
template <class T, class TopK>
Selected selected(Device device, Head<T>& head, float min_logit, int k, const TopK& top_k) {
  const std::size_t outputs = head.images() * head.count();
  Selected s{std::vector<std::int32_t>(outputs * k, -7), std::vector<std::int32_t>(outputs, -7),
             std::vector<float>(outputs * k, -7)};
  test::on(device, [&](auto& at) {
    top_k(TopKArgs<T>{head.levels(at, false), min_logit, k, at(s.indices), at(s.values), at(s.counts)});
  });
  return s;
}

template <class T>
Selected select(Device device, Head<T>& head, float min_logit, int k) {
  return selected(device, head, min_logit, k, [&](const TopKArgs<T>& args) { DIOPTER_DISPATCH(device, top_k, args); });
}

template <class T>
Selected select_plainly(Head<T>& head, float min_logit, int k) {
  return selected(Device::cpu, head, min_logit, k, plain::top_k<T>);
}

/// Logits on a lattice, so that most values tie; some are NaN or infinite.
std::vector<float> tied_logits(std::size_t n, std::uint64_t seed) {
  std::vector<float> values = test::uniform(n, -4, 2, seed);
  for (std::size_t i = 0; i < n; ++i) {
    values[i] = std::round(values[i] * 4) / 4;
    if (i % 31 == 5) values[i] = NAN;
    if (i % 977 == 6) values[i] = INFINITY;
    if (i % 577 == 7) values[i] = -INFINITY;
  }
  return values;
}

template <class T>
void require_plain_selection(Device device) {
  for (int padding : {0, 3}) {
    Head<T> head(2, 3, 5, {260, 65, 1, 20}, padding);
    head.fill(tied_logits(2 * 346 * 3 * 5, 4));
    for (float min_logit : {-2.944f, 1.75f, 5.0f, -INFINITY}) {
      for (int k : {1, 10, 100, 20000}) {
        if (padding > 0 && (min_logit > 0 || k == 1 || k == 10)) continue;  // the same but for where logits lie
        INFO("padding " << padding << " above " << min_logit << " k " << k);
        REQUIRE(select(device, head, min_logit, k) == select_plainly(head, min_logit, k));
      }
    }
  }
}

TEST_CASE("top-k: equals sorting everything, with ties, NaN and infinities") {
  const Device device = GENERATE(from_range(test::devices()));
  require_plain_selection<float>(device);
  require_plain_selection<bf16>(device);
}

TEST_CASE("top-k: levels of many chunks") {
  const Device device = GENERATE(from_range(test::devices()));
  Head<float> head(1, 9, 8, {3000, 40});
  head.fill(tied_logits(3040 * 72, 9));
  const Selected expected = select_plainly(head, -1, 500);
  CHECK(select(device, head, -1, 500) == expected);
  if (device == Device::cpu) test::with_thread_counts([&] { REQUIRE(select(device, head, -1, 500) == expected); });
}

template <class T>
void require_selection_of_equals(Device device, float low, float high) {
  Head<T> head(1, 5, 4, {1000});
  head.fill(test::uniform(20000, low, high, 12));
  for (int k : {1, 700}) REQUIRE(select(device, head, -5, k) == select_plainly(head, -5, k));
}

TEST_CASE("top-k: 20,000 logits that are equal or nearly so, as before training") {
  const Device device = GENERATE(from_range(test::devices()));
  require_selection_of_equals<float>(device, -4.6f, -4.6f);
  require_selection_of_equals<float>(device, -4.61f, -4.6f);
  require_selection_of_equals<bf16>(device, -4.61f, -4.55f);
}

// The largest logits are exactly k, and the next ones far below: in CUDA, the k-th best is the last of a histogram's
// bin.
TEST_CASE("top-k: the k best of 20,000 stand apart") {
  const Device device = GENERATE(from_range(test::devices()));
  Head<float> head(1, 5, 4, {1000});
  std::vector<float> values = test::uniform(20000, 0, 1, 3);
  for (std::size_t i = 0; i < 700; ++i) values[i * 7919 % 20000] = 3 + static_cast<float>(i % 10) / 1000;
  head.fill(values);
  for (int k : {699, 700, 701}) REQUIRE(select(device, head, -5, k) == select_plainly(head, -5, k));
}

TEST_CASE("top-k: any number of logits") {
  const Device device = GENERATE(from_range(test::devices()));
  Head<float> head(1, 1, 1, {1, 31, 32, 33, 255, 256, 257, 5000});
  head.fill(tied_logits(5865, 1));
  for (int k : {1, 31, 32, 33, 256, 1000}) REQUIRE(select(device, head, -3, k) == select_plainly(head, -3, k));
}

TEST_CASE("top-k: the order is that of numbers, over their whole range") {
  const Device device = GENERATE(from_range(test::devices()));
  const float largest = std::numeric_limits<float>::max(), smallest = std::numeric_limits<float>::denorm_min();
  Head<float> head(1, 1, 1, {11});
  head.fill(
      {-smallest, -largest, -0.0f, smallest, 1, 0.0f, -1, largest, INFINITY, std::nextafter(1.0f, 2.0f), -INFINITY});
  const Selected s = select(device, head, -INFINITY, 11);
  CHECK(s.counts[0] == 10);
  CHECK(s.indices == std::vector<std::int32_t>{8, 7, 9, 4, 3, 2, 5, 0, 6, 1, -7});
}

TEST_CASE("top-k: the threshold itself is not selected, NaN never") {
  const Device device = GENERATE(from_range(test::devices()));
  Head<float> head(1, 1, 1, {5});
  head.fill({0.5f, NAN, 0.25f, 0.5f, 1});
  const Selected s = select(device, head, 0.25f, 4);
  CHECK(s.counts == std::vector<std::int32_t>{3});
  CHECK(std::vector<std::int32_t>(s.indices.begin(), s.indices.begin() + 3) == std::vector<std::int32_t>{4, 0, 3});
}

TEST_CASE("top-k: no images, no pixels") {
  const Device device = GENERATE(from_range(test::devices()));
  Head<float> no_images(0, 3, 2, {4}), no_pixels(1, 3, 2, {0});
  CHECK(select(device, no_images, 0, 3).counts.empty());
  CHECK(select(device, no_pixels, 0, 3).counts == std::vector<std::int32_t>{0});
}

template <class T>
void require_decoded(Device device, const std::vector<float>& image_sizes) {
  const AnchorGrid grid = test::small_grid(2, 6, 5, 8);
  const int images = 2, classes = 4, k = 30;
  Head<T> logits(images, 3, classes, test::pixels_of(grid)), deltas(images, 3, 4, test::pixels_of(grid), 2);
  logits.fill(test::uniform(images * grid.size() * classes, -4, 3, 5));
  deltas.fill(test::uniform(images * grid.size() * 4, -1, 1, 6));
  Selected s = select(device, logits, 2.2f, k);
  s.counts[1] = 0;  // a level without candidates in the middle

  struct Decoded {
    std::vector<Box> boxes;
    std::vector<float> scores;
    std::vector<std::int32_t> labels, candidates;
  };
  const auto decoded = [&](Device where, const auto& decode_candidates) {
    Decoded d{std::vector<Box>(images * 2 * k, Box{-7, -7, -7, -7}), std::vector<float>(images * 2 * k, -7),
              std::vector<std::int32_t>(images * 2 * k, -7), std::vector<std::int32_t>(images, -7)};
    test::on(where, [&](auto& at) {
      DecodeArgs<T> args;
      args.grid = grid;
      args.coder = {1, 1, 2, 2};
      args.deltas = deltas.levels(at, false);
      args.classes = classes;
      args.k = k;
      args.indices = at(std::as_const(s.indices));
      args.values = at(std::as_const(s.values));
      args.counts = at(std::as_const(s.counts));
      args.image_sizes = image_sizes.empty() ? nullptr : at(image_sizes);
      args.boxes = test::coordinates(at(d.boxes));
      args.scores = at(d.scores);
      args.labels = at(d.labels);
      args.candidates = at(d.candidates);
      decode_candidates(args);
    });
    return d;
  };
  const Decoded found =
      decoded(device, [&](const DecodeArgs<T>& args) { DIOPTER_DISPATCH(device, decode_candidates, args); });
  const Decoded expected = decoded(Device::cpu, plain::decode_candidates<T>);
  CHECK(found.labels == expected.labels);
  CHECK(found.candidates == expected.candidates);
  for (int count : found.candidates) CHECK(count > 5);
  for (std::size_t i = 0; i < found.boxes.size(); ++i) {  // also that nothing is written behind the valid ones
    CHECK(found.boxes[i].x1 == Approx(expected.boxes[i].x1).margin(1e-4));
    CHECK(found.boxes[i].y1 == Approx(expected.boxes[i].y1).margin(1e-4));
    CHECK(found.boxes[i].x2 == Approx(expected.boxes[i].x2).margin(1e-4));
    CHECK(found.boxes[i].y2 == Approx(expected.boxes[i].y2).margin(1e-4));
    CHECK(found.scores[i] == Approx(expected.scores[i]));
  }
}

TEST_CASE("decode: boxes, scores and labels of the candidates lie in front, clipped to the image") {
  const Device device = GENERATE(from_range(test::devices()));
  const std::vector<float> sizes = {33, 40, 25.5f, 47};
  require_decoded<float>(device, {});
  require_decoded<float>(device, sizes);
  require_decoded<bf16>(device, sizes);
}

}  // namespace
}  // namespace diopter
