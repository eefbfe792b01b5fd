#include "kernels/detection/candidates/nms.h"

#include <algorithm>
#include <cmath>

#include "kernels/plain/nms.h"
#include "tests/kernels/detection/support.h"
#include "tests/support/catch.h"
#include "tests/support/random.h"

namespace diopter {
namespace {

/// Images with room for `capacity` boxes each.
struct Candidates {
  int capacity;
  std::vector<Box> boxes;
  std::vector<float> scores;
  std::vector<std::int32_t> labels, counts;

  explicit Candidates(int room) : capacity(room) {}
  void add_image(const std::vector<Box>& b, const std::vector<float>& s, const std::vector<std::int32_t>& l) {
    counts.push_back(static_cast<std::int32_t>(b.size()));
    boxes.insert(boxes.end(), b.begin(), b.end());
    scores.insert(scores.end(), s.begin(), s.end());
    labels.insert(labels.end(), l.begin(), l.end());
    boxes.resize(counts.size() * capacity, {NAN, NAN, NAN, NAN});
    scores.resize(boxes.size(), NAN);
    labels.resize(boxes.size(), -99);
  }
};

using Kept = std::vector<std::vector<std::int32_t>>;

/// What batched_nms, a function of NmsArgs, keeps of candidates on a device.
template <class BatchedNms>
Kept kept_by(Device device, const Candidates& c, float threshold, bool class_aware, int max_kept,
             const BatchedNms& batched_nms) {
  const int images = static_cast<int>(c.counts.size());
  std::vector<std::int32_t> keep(images * max_kept + 1, -7), kept(images, -7);  // one more, not to be written
  test::on(device, [&](auto& at) {
    batched_nms(NmsArgs{images, c.capacity, test::coordinates(at(c.boxes)), at(c.scores), at(c.labels), at(c.counts),
                        threshold, class_aware, max_kept, at(keep), at(kept)});
  });
  REQUIRE(keep.back() == -7);
  Kept result;
  for (int i = 0; i < images; ++i) {
    REQUIRE(kept[i] >= 0);
    REQUIRE(kept[i] <= max_kept);
    result.emplace_back(keep.begin() + i * max_kept, keep.begin() + i * max_kept + kept[i]);
    for (int j = kept[i]; j < max_kept; ++j) REQUIRE(keep[i * max_kept + j] == -7);
  }
  return result;
}

Kept nms(Device device, const Candidates& c, float threshold, bool class_aware, int max_kept) {
  return kept_by(device, c, threshold, class_aware, max_kept,
                 [&](const NmsArgs& args) { DIOPTER_DISPATCH(device, batched_nms, args); });
}

Kept nms_plainly(const Candidates& c, float threshold, bool class_aware, int max_kept) {
  return kept_by(Device::cpu, c, threshold, class_aware, max_kept, plain::batched_nms);
}

/// Integer boxes and few scores, so that ties are frequent; duplicates, empty boxes, negative coordinates.
Candidates random_candidates(int images, int n, int classes, float extent, std::uint64_t seed) {
  Candidates c(n + 3);
  for (int image = 0; image < images; ++image) {
    std::vector<Box> boxes;
    std::vector<float> scores;
    std::vector<std::int32_t> labels;
    Philox random(seed, image);
    for (int i = 0; i < n; ++i) {
      const float x = std::floor(random.uniform(-extent / 2, extent / 2)), y = std::floor(random.uniform(-30, extent));
      const Box box{x, y, x + static_cast<float>(random.below(40)), y + static_cast<float>(random.below(40))};
      boxes.push_back(i % 7 == 3 ? boxes.back() : box);
      scores.push_back(static_cast<float>(random.below(50)) / 50);
      labels.push_back(static_cast<std::int32_t>(random.below(static_cast<std::uint32_t>(classes))) * 1000);
    }
    c.add_image(boxes, scores, labels);
  }
  return c;
}

TEST_CASE("nms: equals one greedy pass") {
  const Device device = GENERATE(from_range(test::devices()));
  for (int n : {1, 31, 32, 33, 65, 300}) {
    for (int classes : {1, 4}) {
      const Candidates c = random_candidates(3, n, classes, 60, 40 + n);
      for (bool class_aware : {true, false}) {
        for (float threshold : {0.0f, 0.5f, 1.0f}) {
          for (int max_kept : {1, 20, 1000}) {
            if (max_kept < 1000 && threshold != 0.5f) continue;
            INFO(n << " boxes, " << classes << " classes, threshold " << threshold << ", at most " << max_kept);
            REQUIRE(nms(device, c, threshold, class_aware, max_kept) ==
                    nms_plainly(c, threshold, class_aware, max_kept));
          }
        }
      }
    }
  }
}

TEST_CASE("nms: 5,000 boxes, 80 classes and one class") {
  const Device device = GENERATE(from_range(test::devices()));
  const Candidates c = random_candidates(1, 5000, 80, 300, 2);
  const Kept by_class = nms_plainly(c, 0.5f, true, 5000), together = nms_plainly(c, 0.5f, false, 5000);
  CHECK(by_class[0].size() > together[0].size());
  CHECK(nms(device, c, 0.5f, true, 5000) == by_class);
  CHECK(nms(device, c, 0.5f, false, 5000) == together);
  CHECK(nms(device, c, 0.5f, false, 100) == nms_plainly(c, 0.5f, false, 100));
  if (device == Device::cpu) test::with_thread_counts([&] { REQUIRE(nms(device, c, 0.5f, true, 5000) == by_class); });
}

/// Boxes of sizes from 1 to 1,000, some of them copies of others that were moved or resized a little.
Candidates of_all_sizes(int n, float extent, std::uint64_t seed) {
  std::vector<Box> boxes;
  std::vector<float> scores;
  Philox random(seed, 0);
  for (int i = 0; i < n; ++i) {
    const float x = random.uniform(-extent, extent), y = random.uniform(-extent, extent);
    const float w = std::exp(random.uniform(0, 7)), h = w * std::exp(random.uniform(-1, 1));
    Box box{x, y, x + w, y + h};
    if (i > 0 && i % 3 == 0) {
      box = boxes[random.below(static_cast<std::uint32_t>(i))];
      const float move = random.uniform(-0.5f, 0.5f) * (box.x2 - box.x1),
                  grow = random.uniform(0, 2) * (box.y2 - box.y1);
      box = {box.x1 + move, box.y1, box.x2 + move, box.y2 + grow};
    }
    boxes.push_back(box);
    scores.push_back(random.uniform(-1, 1));
  }
  Candidates c(n);
  c.add_image(boxes, scores, std::vector<std::int32_t>(n, 3));
  return c;
}

TEST_CASE("nms: many kept boxes of all sizes") {
  const Device device = GENERATE(from_range(test::devices()));
  for (float extent : {1.0f, 300.0f, 5000.0f, 1e6f}) {
    const Candidates c = of_all_sizes(700, extent, 5);
    for (float threshold : {0.0f, 1e-7f, 0.05f, 0.3f, 0.5f, 0.7f, 0.95f, 1.0f, 1.5f}) {
      INFO("extent " << extent << ", threshold " << threshold);
      REQUIRE(nms(device, c, threshold, true, 700) == nms_plainly(c, threshold, true, 700));
    }
  }
}

TEST_CASE("nms: many kept boxes among some that are no boxes") {
  const Device device = GENERATE(from_range(test::devices()));
  const std::vector<Box> strange = {{5, 5, 5, 5},
                                    {50, 50, 20, 80},
                                    {60, 80, 50, 20},
                                    {0, 0, INFINITY, 9},
                                    {-1e30f, -1e30f, 1e30f, 1e30f},
                                    {1, 1, 1 + 1e-6f, 1 + 1e-6f},
                                    {0, 0, 1e-30f, 1e-30f}};
  for (std::size_t i = 0; i < strange.size(); ++i) {
    Candidates c = of_all_sizes(500, 3000, 6);
    for (std::size_t j = 100; j < 500; j += 150) c.boxes[j] = strange[i];
    for (float threshold : {-0.5f, 0.0f, 0.5f}) {
      INFO("kind " << i << ", threshold " << threshold);
      REQUIRE(nms(device, c, threshold, true, 500) == nms_plainly(c, threshold, true, 500));
    }
  }
  Candidates line(500);  // all in a line, and all in one point
  std::vector<Box> boxes(500), points(500, Box{7, 7, 7, 7});
  for (int i = 0; i < 500; ++i) boxes[i] = {static_cast<float>(i % 300), 2, static_cast<float>(i % 300) + 1.5f, 2};
  line.add_image(boxes, std::vector<float>(500, 0.5f), std::vector<std::int32_t>(500));
  line.add_image(points, std::vector<float>(500, 0.5f), std::vector<std::int32_t>(500));
  CHECK(nms(device, line, 0.5f, true, 500) == nms_plainly(line, 0.5f, true, 500));
}

TEST_CASE("nms: thresholds near 0, of either sign") {
  const Device device = GENERATE(from_range(test::devices()));
  const Candidates c = of_all_sizes(600, 9000, 8);
  for (float threshold : {-1e-3f, -0.0f, 1e-30f, 1e-9f, 1e-6f, 1e-5f}) {
    INFO("threshold " << threshold);
    REQUIRE(nms(device, c, threshold, true, 600) == nms_plainly(c, threshold, true, 600));
  }
  // Below 0 any box suppresses all others but those that are points, wherever they lie.
  Candidates points(300);
  std::vector<Box> boxes;
  std::vector<float> scores;
  for (int i = 0; i < 300; ++i) {
    const float x = static_cast<float>(i % 20 * 10), y = static_cast<float>(i / 20 * 10), side = i < 200 ? 0.0f : 5.0f;
    boxes.push_back({x, y, x + side, y + side});
    scores.push_back(1 - static_cast<float>(i) / 1000);
  }
  points.add_image(boxes, scores, std::vector<std::int32_t>(300, 1));
  const Kept kept = nms(device, points, -1e-3f, true, 300);
  CHECK(kept == nms_plainly(points, -1e-3f, true, 300));
  CHECK(kept[0].size() == 200);
}

TEST_CASE("nms: order of many scores of either sign, 0 and -0, and of classes of either sign") {
  const Device device = GENERATE(from_range(test::devices()));
  Candidates c = of_all_sizes(1500, 20000, 7);
  for (std::size_t i = 0; i < c.scores.size(); ++i) {
    if (i % 5 == 0) c.scores[i] = i % 2 ? 0.0f : -0.0f;
    if (i % 7 == 0) c.scores[i] *= 1e30f;
    c.labels[i] = static_cast<std::int32_t>(i % 9) - 4 + (i % 2 ? 1 << 30 : 0);
  }
  for (bool class_aware : {true, false}) {
    for (int max_kept : {1, 100, 1500}) {
      CHECK(nms(device, c, 0.5f, class_aware, max_kept) == nms_plainly(c, 0.5f, class_aware, max_kept));
    }
  }
}

TEST_CASE("nms: more boxes than are sorted in shared memory, in 1,200 classes") {
  const Device device = GENERATE(from_range(test::devices()));
  const Candidates c = random_candidates(1, 6000, 1200, 40, 8);
  CHECK(nms(device, c, 0.5f, true, 300) == nms_plainly(c, 0.5f, true, 300));
}

TEST_CASE("nms: a pair exactly at the threshold is kept") {
  const Device device = GENERATE(from_range(test::devices()));
  Candidates c(2);
  c.add_image({{0, 0, 10, 10}, {0, 0, 10, 5}}, {0.9f, 0.8f}, {0, 0});
  CHECK(nms(device, c, 0.5f, true, 2) == Kept{{0, 1}});
  CHECK(nms(device, c, std::nextafter(0.5f, 0.0f), true, 2) == Kept{{0}});
}

TEST_CASE("nms: equal scores go by index") {
  const Device device = GENERATE(from_range(test::devices()));
  Candidates c(3);
  c.add_image({{0, 0, 4, 4}, {0, 0, 4, 4}, {8, 8, 9, 9}}, {0.5f, 0.5f, 0.5f}, {1, 1, 0});
  CHECK(nms(device, c, 0.5f, true, 3) == Kept{{0, 2}});
}

TEST_CASE("nms: classes do not suppress each other unless told to") {
  const Device device = GENERATE(from_range(test::devices()));
  Candidates c(2);
  c.add_image({{0, 0, 4, 4}, {0, 0, 4, 4}}, {0.5f, 0.6f}, {1, 2});
  CHECK(nms(device, c, 0.5f, true, 2) == Kept{{1, 0}});
  CHECK(nms(device, c, 0.5f, false, 2) == Kept{{1}});
}

TEST_CASE("nms: empty boxes never suppress each other") {
  const Device device = GENERATE(from_range(test::devices()));
  Candidates c(3);
  c.add_image({{5, 5, 5, 5}, {5, 5, 5, 5}, {5, 5, 5, 9}}, {0.9f, 0.9f, 0.9f}, {0, 0, 0});
  CHECK(nms(device, c, 0.0f, true, 3) == Kept{{0, 1, 2}});
}

TEST_CASE("nms: coordinates beyond the range of half floats") {
  const Device device = GENERATE(from_range(test::devices()));
  Candidates c(3);
  c.add_image({{70000, 70000, 70100, 70100}, {70001, 70000, 70101, 70100}, {90000, 0, 170000, 80000}},
              {0.9f, 0.8f, 0.7f}, {0, 0, 0});
  CHECK(nms(device, c, 0.5f, true, 3) == Kept{{0, 2}});
}

TEST_CASE("nms: the kept boxes side by side") {
  const Device device = GENERATE(from_range(test::devices()));
  for (const int max_kept : {0, 1, 7, 300}) {
    const Candidates c = random_candidates(3, 100, 2, 60, 5);
    std::vector<std::int32_t> keep, kept;
    for (const std::vector<std::int32_t>& image : nms(device, c, 0.5f, true, max_kept)) {
      kept.push_back(static_cast<std::int32_t>(image.size()));
      keep.insert(keep.end(), image.begin(), image.end());
      keep.resize(kept.size() * static_cast<std::size_t>(max_kept), -99);
    }
    std::vector<KeptBox> out(keep.size() + 1, {{}, -77, 0});
    test::on(device, [&](auto& at) {
      DIOPTER_DISPATCH(device, gather_kept,
                       GatherArgs{3, c.capacity, max_kept, test::coordinates(at(c.boxes)), at(c.scores), at(c.labels),
                                  at(keep), at(kept), at(out)});
    });
    CHECK(out.back().label == -77);
    for (std::size_t i = 0; i < keep.size(); ++i) {
      const int image = static_cast<int>(i) / max_kept, rank = static_cast<int>(i) % max_kept;
      INFO("image " << image << " rank " << rank);
      if (rank >= kept[image]) {
        REQUIRE(out[i].label == -1);
        continue;
      }
      const std::size_t place = static_cast<std::size_t>(image * c.capacity + keep[i]);
      REQUIRE(out[i].box == c.boxes[place]);
      REQUIRE(out[i].label == c.labels[place]);
      REQUIRE(out[i].score == c.scores[place]);
    }
  }
}

TEST_CASE("nms: no boxes, no images") {
  const Device device = GENERATE(from_range(test::devices()));
  Candidates c(4);
  c.add_image({}, {}, {});
  c.add_image({{0, 0, 1, 1}}, {0.1f}, {7});
  CHECK(nms(device, c, 0.5f, true, 5) == Kept{{}, {0}});
  CHECK(nms(device, c, 0.5f, true, 0) == Kept{{}, {}});
  CHECK(nms(device, Candidates(4), 0.5f, true, 5).empty());
}

}  // namespace
}  // namespace diopter
