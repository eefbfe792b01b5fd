#include "retinanet/doctor/ranks_forecast.h"

#include "retinanet/training/trainer.h"
#include "tests/retinanet/support.h"
#include "tests/support/catch.h"
#include "tests/support/files.h"
#include "tests/support/thread_ranks.h"

using namespace diopter;

namespace {

/// Counts what passes through it.
class CountingRanks final : public Communicator {
 public:
  explicit CountingRanks(Communicator& ranks) : ranks_(ranks) {}
  int rank() const override { return ranks_.rank(); }
  int ranks() const override { return ranks_.ranks(); }
  std::vector<std::string> gather(const std::string& mine) override {
    ++gathers;
    return ranks_.gather(mine);
  }
  void begin_send(int to, int tag, const void* bytes, std::int64_t count) override {
    ranks_.begin_send(to, tag, bytes, count);
  }
  void begin_receive(int from, int tag, void* bytes, std::int64_t count) override {
    ranks_.begin_receive(from, tag, bytes, count);
  }
  std::int64_t progress() override { return ranks_.progress(); }
  void complete() override {
    ++completed;
    ranks_.complete();
  }
  std::int64_t bytes_sent() const override { return ranks_.bytes_sent(); }

  std::int64_t gathers = 0, completed = 0;  // rounds of gradients, and exchanges of weights

 private:
  Communicator& ranks_;
};

struct CountedRun {
  std::int64_t gathers = 0, completed = 0, bytes = 0, gradients = 0;
};

/// Of rank 0 in a training of so many steps; bytes are the mean of all ranks.
CountedRun training(Config config, int ranks, int steps) {
  const test::TemporaryFolder folder;
  const test::ShapesOnDisk shapes;
  config.train.iterations = 10;
  config.train.stop_at = steps;
  config.train.evaluate_every = 0;
  config.train.save_every = 0;
  CountedRun result;
  test::ThreadRanks all(ranks);
  all.run([&](Communicator& c) {
    CountingRanks counting(c);
    Trainer trainer(config, shapes.train, Dataset{}, folder / "run", Device::cpu, counting);
    trainer.run({});
    if (c.rank() != 0) return;
    result.gathers = counting.gathers;
    result.completed = counting.completed;
    for (const NamedParameter& p : trainer.model().parameters()) result.gradients += p.variable.value().size();
  });
  result.bytes = all.sent() / ranks;
  return result;
}

void check_counts(const std::string& settings, int ranks) {
  INFO(settings << ", " << ranks << " ranks");
  Config config = test::tiny_config();
  apply_settings(config, parse_settings({"train.batch_size=4", "train.shards=4", settings}));
  const CountedRun two = training(config, ranks, 2), three = training(config, ranks, 3);
  const StepExchanges expected = exchanges_of_step(config, ranks);
  CHECK(three.gathers - two.gathers == expected.gathers);
  CHECK(three.completed - two.completed == expected.rounds + 1);
  if (config.train.shards % ranks != 0) return;  // in the last round some send nothing
  const StepForecast forecast = forecast_step(config, 0.5, two.gradients, ranks, {1e9, 0.001});
  CHECK(static_cast<double>(three.bytes - two.bytes) == Approx(static_cast<double>(forecast.bytes)).epsilon(0.02));
}

}  // namespace

TEST_CASE("ranks forecast: exchanges are those of the training") {
  check_counts("train.accumulate=1", 2);
  check_counts("train.accumulate=2", 4);
  check_counts("loss.kind=ohem", 2);
  check_counts("loss.kind=ghm", 4);
  check_counts("loss.kind=equalized_focal", 2);
  check_counts("loss.classification_weight=guided", 3);
  check_counts("train.wire=bf16", 4);
}

TEST_CASE("ranks forecast: work, transfer and waiting") {
  Config config = test::tiny_config();
  apply_settings(config, parse_settings({"train.batch_size=4", "train.shards=4"}));
  const Network network{1e6, 0.01};
  const StepForecast alone = forecast_step(config, 0.5, 1000, 1, network);
  CHECK(alone.work == 2.0);
  CHECK(alone.total() == 2.0);
  CHECK(alone.bytes == 0);
  const StepForecast two = forecast_step(config, 0.5, 1000, 2, network);
  CHECK(two.work == 1.0);
  CHECK(two.bytes == 3 * 2000);                              // two rounds and the sum, half of 4,000 bytes each
  CHECK(two.transfer == Approx(0.048 - 2 * 0.875 * 0.016));  // 7 of 8 buckets pass during the backward passes
  CHECK(two.waiting == Approx(0.01 * (2 * 7 + 3 * 3)));
  CHECK(two.total() == Approx(1.25));
  CHECK(forecast_step(config, 0.015, 1000, 2, network).transfer == Approx(0.048 - 2 * 0.01));  // they are too short
  Config rounded = config;
  rounded.train.wire = DType::bf16;
  CHECK(forecast_step(rounded, 0.5, 1000, 2, network).bytes == 2 * 1000 + 2000);
  CHECK(forecast_step(config, 0.5, 1000, 3, network).work == 1.0);
  CHECK(forecast_step(config, 0.5, 1000, 4, network).work == 0.5);
  CHECK(test::error_of([&] { forecast_step(config, 0.5, 1000, 5, network); }) ==
        "5 processes for train.shards = 4: each needs a shard of its own");
}
