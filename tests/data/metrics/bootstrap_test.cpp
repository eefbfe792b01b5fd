#include "data/metrics/bootstrap.h"

#include <algorithm>
#include <cmath>

#include "data/metrics/coco_metrics.h"
#include "kernels/base/parallel.h"
#include "kernels/base/philox.h"
#include "tests/data/make_dataset.h"
#include "tests/support/files.h"

using namespace diopter;
using namespace diopter::test;

namespace {

/// The scene with image i (by ascending id) copied `copies[i]` times under new ids that keep the order.
Scene with_copies(const Scene& scene, const CocoMatches& matches, const std::vector<int>& copies) {
  Scene result;
  result.truth.categories = scene.truth.categories;
  std::int64_t image_id = 0, annotation_id = 0;
  for (std::size_t i = 0; i < copies.size(); ++i) {
    for (int copy = 0; copy < copies[i]; ++copy) {
      ImageRecord image = scene.truth.images[matches.images[i]];
      const std::int64_t original = image.id;
      image.id = ++image_id;
      for (Annotation& annotation : image.annotations) annotation.id = ++annotation_id;
      for (Detection detection : scene.detections) {
        if (detection.image_id != original) continue;
        detection.image_id = image.id;
        result.detections.push_back(detection);
      }
      result.truth.images.push_back(image);
    }
  }
  return result;
}

void check_sample(const SampleMetrics& sample, const CocoMetrics& metrics) {
  constexpr double kTolerance = 1e-12;
  CHECK(std::fabs(sample.ap - metrics.stats.ap) < kTolerance);
  CHECK(std::fabs(sample.ap50 - metrics.stats.ap50) < kTolerance);
  CHECK(std::fabs(sample.ap75 - metrics.stats.ap75) < kTolerance);
  CHECK(std::fabs(sample.ar - metrics.stats.ar100) < kTolerance);
  REQUIRE(sample.category_ap.size() == metrics.per_category.size());
  for (std::size_t k = 0; k < metrics.per_category.size(); ++k) {
    CHECK(std::fabs(sample.category_ap[k] - metrics.per_category[k].stats.ap) < kTolerance);
  }
}

/// `found` of `images` pictures with one object each are found; nothing else is.
CocoMatches found_or_not(const std::vector<bool>& found) {
  Scene scene;
  std::vector<std::int64_t> ids;
  std::vector<Truth> truths;
  for (std::size_t i = 0; i < found.size(); ++i) {
    const auto id = static_cast<std::int64_t>(i) + 1;
    const Rect box = {0, 0, 20, 20};
    ids.push_back(id);
    truths.push_back({id, id, 1, box, 400});
    if (found[i]) scene.detections.push_back({id, 1, box, 0.5});
  }
  return match_coco(make_dataset(ids, {1}, truths), scene.detections);
}

}  // namespace

TEST_CASE("a sample with one of each image is the data set", "[bootstrap]") {
  const Scene scene = make_scene(20, 7, 300);
  const CocoMatches matches = match_coco(scene.truth, scene.detections);
  const CocoMetrics metrics = coco_metrics(scene.truth, matches);
  REQUIRE(metrics.stats.ap > 0.1);
  REQUIRE(metrics.stats.ap < 0.9);
  check_sample(metrics_of_sample(matches, std::vector<int>(20, 1)), metrics);
}

TEST_CASE("a sample has the numbers of a data set with copied images", "[bootstrap]") {
  const Scene scene = make_scene(20, 7, 300);
  const CocoMatches matches = match_coco(scene.truth, scene.detections);
  for (std::uint64_t stream = 0; stream < 6; ++stream) {
    std::vector<int> copies(20);
    Philox random(3, stream);
    for (int n = 0; n < 20; ++n) ++copies[random.below(20)];
    const Scene copied = with_copies(scene, matches, copies);
    check_sample(metrics_of_sample(matches, copies), coco_metrics(copied.truth, copied.detections));
  }
}

TEST_CASE("a category that a sample has no objects of does not count", "[bootstrap]") {
  const Rect box = {0, 0, 20, 20};
  const Dataset truth = make_dataset({1, 2}, {1, 2}, {{1, 1, 1, box, 400}, {2, 2, 2, box, 400}});
  const CocoMatches matches = match_coco(truth, {{1, 1, box, 0.5}});
  const SampleMetrics sample = metrics_of_sample(matches, std::vector<int>{2, 0});
  CHECK(sample.ap == Approx(1));
  CHECK(sample.category_ap[1] == -1);
  CHECK(metrics_of_sample(matches, std::vector<int>{0, 0}).ap == -1);
  CHECK(error_of([&] { metrics_of_sample(matches, std::vector<int>{1}); }) ==
        "metrics_of_sample: 1 numbers of copies for 2 images");
}

TEST_CASE("intervals depend on the seed, not on the number of threads", "[bootstrap]") {
  const Scene scene = make_scene(20, 7, 300);
  const CocoMatches matches = match_coco(scene.truth, scene.detections);
  const int threads = thread_count();
  std::int64_t reported = 0;
  set_thread_count(1);
  const BootstrapIntervals one =
      bootstrap_intervals(matches, {.resamples = 300, .seed = 5}, [&](std::int64_t done, std::int64_t total) {
        CHECK(done > reported);
        CHECK(total == 300);
        reported = done;
      });
  set_thread_count(4);
  const BootstrapIntervals four = bootstrap_intervals(matches, {.resamples = 300, .seed = 5});
  const BootstrapIntervals other = bootstrap_intervals(matches, {.resamples = 300, .seed = 6});
  set_thread_count(threads);
  CHECK(reported == 300);
  CHECK(one.ap == four.ap);
  CHECK(one.ap75 == four.ap75);
  CHECK(one.category_ap[3] == four.category_ap[3]);
  CHECK_FALSE(one.ap == other.ap);
  const SampleMetrics all = metrics_of_sample(matches, std::vector<int>(20, 1));
  CHECK(one.ap.low < all.ap);
  CHECK(all.ap < one.ap.high);
}

TEST_CASE("the paired bootstrap is resampling both alike", "[bootstrap]") {
  constexpr int kResamples = 101;
  const Scene scene = make_scene(20, 7, 300);
  std::vector<Detection> fewer = scene.detections;
  std::erase_if(fewer, [](const Detection& d) { return d.image_id % 3 == 0; });
  const CocoMatches matches = match_coco(scene.truth, scene.detections), against = match_coco(scene.truth, fewer);
  const PairedBootstrap paired = paired_bootstrap(matches, against, {.resamples = kResamples, .seed = 9});

  const std::vector<int> whole(20, 1);
  CHECK(paired.ap50.value == metrics_of_sample(matches, whole).ap50 - metrics_of_sample(against, whole).ap50);
  std::vector<double> ap50, of_category;
  double larger = 0;
  for (std::uint64_t i = 0; i < kResamples; ++i) {
    std::vector<int> copies(20);
    Philox random(9, i);
    for (int n = 0; n < 20; ++n) ++copies[random.below(20)];
    const SampleMetrics one = metrics_of_sample(matches, copies), other = metrics_of_sample(against, copies);
    ap50.push_back(one.ap50 - other.ap50);
    larger += one.ap50 > other.ap50 ? 1 : one.ap50 == other.ap50 ? 0.5 : 0;
    if (one.category_ap[3] >= 0 && other.category_ap[3] >= 0)
      of_category.push_back(one.category_ap[3] - other.category_ap[3]);
  }
  std::sort(ap50.begin(), ap50.end());
  std::sort(of_category.begin(), of_category.end());
  // 100 distances between 101 values: 2.5 % lies in the middle of the third.
  CHECK(paired.ap50.interval.low == Approx((ap50[2] + ap50[3]) / 2).epsilon(1e-12));
  CHECK(paired.ap50.interval.high == Approx((ap50[97] + ap50[98]) / 2).epsilon(1e-12));
  CHECK(paired.ap50.share_larger == Approx(larger / kResamples));
  REQUIRE(of_category.size() == kResamples);
  CHECK(paired.category_ap.at(3).interval.low == Approx((of_category[2] + of_category[3]) / 2).epsilon(1e-12));

  const PairedBootstrap same = paired_bootstrap(matches, matches, {.resamples = 20});
  CHECK(same.ap.value == 0);
  CHECK(same.ap.interval.low == 0);
  CHECK(same.ap.share_larger == 0.5);
  // Resamples without the image that has all objects of a category do not count.
  const Rect box = {0, 0, 20, 20};
  const Dataset two = make_dataset({1, 2}, {1, 2}, {{1, 1, 1, box, 400}, {2, 2, 2, box, 400}});
  const PairedBootstrap found = paired_bootstrap(match_coco(two, {{2, 2, box, 0.5}}), match_coco(two, {}), {});
  CHECK(found.category_ap.at(1).value == Approx(1));
  CHECK(found.category_ap[1].interval.low == Approx(1));
  CHECK(found.category_ap[1].share_larger == 1);
  const CocoMatches another = match_coco(make_scene(21, 7, 300).truth, {});
  CHECK(error_of([&] { paired_bootstrap(matches, another, {}); }) ==
        "the paired bootstrap needs matches with the same data set");
}

TEST_CASE("the interval of a share is that of the binomial distribution", "[bootstrap]") {
  constexpr int kImages = 400;
  std::vector<bool> found(kImages);
  for (int i = 0; i < kImages; ++i) found[i] = i % 10 < 3;
  const BootstrapIntervals intervals = bootstrap_intervals(found_or_not(found), {.resamples = 2000});
  const double half = 1.96 * std::sqrt(0.3 * 0.7 / kImages);
  CHECK(std::fabs(intervals.ar.low - (0.3 - half)) < 0.006);
  CHECK(std::fabs(intervals.ar.high - (0.3 + half)) < 0.006);
}

TEST_CASE("resamples in which nothing is found count as 0", "[bootstrap]") {
  std::vector<bool> found(10);
  found[4] = true;
  // A third of the resamples lack the picture in which the object is found.
  const BootstrapIntervals intervals = bootstrap_intervals(found_or_not(found), {.resamples = 400});
  CHECK(intervals.ap.low == 0);
  CHECK(intervals.ar.low == 0);
  CHECK(intervals.ar.high > 0.2);
}

TEST_CASE("intervals hold the true number as often as they say", "[thorough]") {
  constexpr int kTrials = 300, kImages = 80;
  constexpr double kShare = 0.6;
  int inside = 0;
  for (int trial = 0; trial < kTrials; ++trial) {
    Philox random(11, trial);
    std::vector<bool> found(kImages);
    for (int i = 0; i < kImages; ++i) found[i] = random.uniform() < static_cast<float>(kShare);
    const Interval interval = bootstrap_intervals(found_or_not(found), {.resamples = 200}).ar;
    inside += interval.low <= kShare && kShare <= interval.high;
  }
  // 0.95 asymptotically; some percent less with 80 images and 200 resamples, and by chance (standard deviation 0.013).
  CHECK(inside > 0.9 * kTrials);
  CHECK(inside < 0.985 * kTrials);
}

TEST_CASE("intervals without variation, without objects, and of nonsense", "[bootstrap]") {
  const BootstrapIntervals sure = bootstrap_intervals(found_or_not(std::vector<bool>(30, true)), {.resamples = 50});
  CHECK(sure.ap.low == Approx(1));
  CHECK(sure.ap.high == Approx(1));
  const BootstrapIntervals nothing = bootstrap_intervals(match_coco({}, {}), {.resamples = 3});
  CHECK(nothing.ap == Interval{-1, -1});
  CHECK(contains(error_of([] { bootstrap_intervals({}, {.resamples = 0}); }), "at least one resample, not 0"));
  CHECK(contains(error_of([] { bootstrap_intervals({}, {.confidence = 1}); }), "between 0 and 1, is 1"));
}
