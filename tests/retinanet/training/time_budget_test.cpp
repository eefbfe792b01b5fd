#include "retinanet/training/time_budget.h"

#include "tests/retinanet/support.h"
#include "tests/support/catch.h"

using namespace diopter;

TEST_CASE("the iterations that fit are the most that do") {
  for (const std::int64_t every : {0, 1, 7, 1000}) {
    for (const double evaluation : {0.0, 0.5, 3.0}) {
      const RunTimes times{.step = 0.25, .evaluation = evaluation, .every = every};
      const auto cost = [&](std::int64_t n) {
        return static_cast<double>(n) * times.step + static_cast<double>(evaluations_of(times, n)) * times.evaluation;
      };
      for (const double seconds : {0.1, 0.25, 3.25, 10.0, 61.0}) {
        INFO(every << " " << evaluation << " " << seconds);
        std::int64_t most = 0;
        for (std::int64_t n = 1; n < 300; ++n) {
          if (cost(n) <= seconds) most = n;
        }
        CHECK(iterations_within(times, seconds) == most);
      }
    }
  }
}

TEST_CASE("evaluations of a run: every so many steps, and at its end") {
  CHECK(evaluations_of({.step = 1, .evaluation = 1, .every = 5}, 10) == 2);
  CHECK(evaluations_of({.step = 1, .evaluation = 1, .every = 5}, 11) == 3);
  CHECK(evaluations_of({.step = 1, .evaluation = 1, .every = 0}, 11) == 1);
  CHECK(evaluations_of({.step = 1, .evaluation = 0, .every = 5}, 11) == 0);  // no validation set
  CHECK(iterations_within({.step = 1, .evaluation = 0, .every = 5}, -3) == 0);
}

TEST_CASE("times are measured, and no folder is made for it") {
  const test::ShapesOnDisk shapes;
  const Config config = test::tiny_config({"train.evaluate_every=5"});
  const RunTimes times = measure_times(config, shapes.train, shapes.validation, Device::cpu, 0.05);
  CHECK(times.step > 0);
  CHECK(times.evaluation > 0);
  CHECK(times.every == 5);
  CHECK(measure_times(config, shapes.train, {}, Device::cpu, 0.05).evaluation == 0);
}
