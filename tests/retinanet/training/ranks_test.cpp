// Training in shards, by one process and by several ranks: the same bits.
#include <algorithm>
#include <atomic>
#include <cmath>
#include <fstream>
#include <sstream>

#include "engine/files/checkpoint.h"
#include "kernels/base/files.h"
#include "retinanet/network/detect.h"
#include "retinanet/training/run_folder.h"
#include "retinanet/training/trainer.h"
#include "retinanet/weights/run_state.h"
#include "retinanet/weights/weights.h"
#include "tests/retinanet/support.h"
#include "tests/support/catch.h"
#include "tests/support/devices.h"
#include "tests/support/thread_ranks.h"

using namespace diopter;
using test::tiny_config;

namespace {

using Lines = std::vector<std::string>;

Config with(const Lines& base, const Lines& more) {
  Lines all = base;
  all.insert(all.end(), more.begin(), more.end());
  return tiny_config(all);
}

/// Everything that looks across a batch or a step.
const Lines kEverything{"train.batch_size=8",  "train.shards=4",         "train.accumulate=2",
                        "train.clip_norm=0.5", "loss.normaliser=ema",    "train.average=0.9",
                        "train.iterations=6",  "train.evaluate_every=3", "train.log_every=2"};

/// Trains on so many ranks, or resumes, and returns the iteration that each came to.
std::vector<std::int64_t> train(int ranks, const Config& config, const test::ShapesOnDisk& shapes,
                                const std::string& folder, bool resumes = false, Device device = Device::cpu,
                                const std::function<bool(int rank)>& stop = {}) {
  std::vector<std::int64_t> iterations(static_cast<std::size_t>(ranks));
  test::ThreadRanks(ranks).run([&](Communicator& c) {
    std::unique_ptr<Trainer> trainer;
    together(c, [&] {
      trainer = resumes ? Trainer::resume(folder, {}, shapes.train, shapes.validation, device, {}, c)
                        : std::make_unique<Trainer>(config, shapes.train, shapes.validation, folder, device, c);
    });
    TrainerCallbacks callbacks;
    if (stop) callbacks.stop_requested = [&, rank = c.rank()] { return stop(rank); };
    iterations[c.rank()] = trainer->run(callbacks).iteration;
  });
  return iterations;
}

/// The lines of metrics.csv without what depends on time and memory.
std::string metrics_of(const std::string& folder) {
  std::istringstream in(read_file(folder + "/metrics.csv"));
  std::string result;
  std::vector<std::string> names;
  for (std::string line; std::getline(in, line);) {
    std::vector<std::string> fields;
    std::istringstream row(line);
    for (std::string field; std::getline(row, field, ',');) fields.push_back(field);
    if (names.empty()) names = fields;
    for (std::size_t i = 0; i < fields.size(); ++i) {
      if (names[i] != "seconds" && names[i] != "images_per_second" && names[i] != "peak_memory_mib")
        result += fields[i] + ",";
    }
    result += "\n";
  }
  return result;
}

/// All that a run leaves for good.
std::string traces_of(const std::string& folder) {
  return read_file(last_checkpoint(folder)) + read_file(best_checkpoint(folder)) + metrics_of(folder) +
         read_file(folder + "/evaluation.json");
}

/// The only step of a run in numbers, and the statistics of its norms and the gradients of its classes after it.
std::vector<double> first_step(const Config& config, const test::ShapesOnDisk& shapes, const std::string& folder) {
  std::vector<double> numbers;
  TrainerCallbacks callbacks;
  callbacks.step = [&](const StepReport& step) {
    if (numbers.empty()) {
      numbers = {step.classification_loss, step.box_loss, step.gradient_norm, static_cast<double>(step.positives),
                 step.classification_weight.value_or(1)};
      if (step.hardest_negatives) numbers.push_back(step.hardest_negatives->loss[2]);
    }
  };
  Trainer trainer(config, shapes.train, {}, folder);
  trainer.run(callbacks);
  for (const NamedBuffer& statistics : trainer.model().buffers()) {
    double sum = 0;
    for (const float value : statistics.tensor.to_vector<float>()) sum += std::fabs(double{value});
    numbers.push_back(sum);
  }
  const auto memory = parse_run_state(load_checkpoint(last_checkpoint(folder))).loss_memory;
  if (memory.contains("class_gradients")) {
    const std::vector<float>& gradients = memory.at("class_gradients");
    numbers.insert(numbers.end(), gradients.begin(), gradients.end());
  }
  return numbers;
}

}  // namespace

TEST_CASE("a run has the same bits on any number of ranks") {
  const test::ShapesOnDisk shapes;
  const Config config = with(kEverything, {});
  train(1, config, shapes, shapes.folder / "one");
  const std::string expected = traces_of(shapes.folder / "one");
  CHECK(std::ssize(expected) > 1000);
  for (const int ranks : {2, 3, 4}) {
    INFO(ranks << " ranks");
    const std::string folder = shapes.folder / std::to_string(ranks);
    CHECK(train(ranks, config, shapes, folder) == std::vector<std::int64_t>(ranks, 6));
    CHECK((traces_of(folder) == expected));
  }
}

TEST_CASE("so have losses and norms that look at a whole batch, AdamW, and gradients rounded on their way",
          "[thorough]") {
  const test::ShapesOnDisk shapes;
  for (const Lines& settings :
       {Lines{"loss.kind=ohem", "loss.normaliser=batch"}, Lines{"loss.kind=ohem", "loss.normaliser=image"},
        Lines{"loss.classification_weight=guided"},
        Lines{"loss.kind=ohem", "loss.classification_weight=guided", "loss.normaliser=batch"},
        Lines{"model.norm=batch"}, Lines{"model.norm=sync_batch"},
        Lines{"model.norm=sync_batch", "loss.kind=ohem", "loss.classification_weight=guided", "loss.normaliser=batch"},
        Lines{"loss.kind=quality_focal"}, Lines{"loss.kind=ghm"}, Lines{"loss.kind=equalized_focal"},
        Lines{"train.optimizer=adamw"}, Lines{"train.wire=bf16"}, Lines{"train.wire=bf16", "train.optimizer=adamw"}}) {
    INFO(settings[0]);
    const Config config = with(kEverything, settings);
    const test::TemporaryFolder folder;
    for (const int ranks : {1, 2, 3}) train(ranks, config, shapes, folder / std::to_string(ranks));
    CHECK((traces_of(folder / "2") == traces_of(folder / "1")));
    CHECK((traces_of(folder / "3") == traces_of(folder / "1")));
  }
}

TEST_CASE("rounding gradients on their way changes them, and by no more than bf16 does") {
  const test::ShapesOnDisk shapes;
  const Lines two{"train.batch_size=8", "train.shards=2", "train.iterations=1", "train.log_every=1"};
  const std::vector<double> exact = first_step(with(two, {}), shapes, shapes.folder / "exact"),
                            rounded = first_step(with(two, {"train.wire=bf16"}), shapes, shapes.folder / "rounded");
  CHECK(rounded[0] == exact[0]);  // losses come before
  CHECK(rounded[2] != exact[2]);
  CHECK(rounded[2] == Approx(exact[2]).epsilon(1.0 / 256));
}

TEST_CASE("shards change the rounding of a step and nothing else") {
  const test::ShapesOnDisk shapes;
  for (const Lines& settings :
       {Lines{"loss.normaliser=batch"}, Lines{"loss.normaliser=image"}, Lines{"loss.normaliser=ema"},
        Lines{"loss.kind=ohem", "loss.normaliser=batch"}, Lines{"loss.kind=ohem", "loss.normaliser=image"},
        Lines{"loss.classification_weight=guided"}, Lines{"loss.kind=ghm"}, Lines{"loss.kind=equalized_focal"},
        Lines{"train.accumulate=2"}, Lines{"model.norm=sync_batch", "train.accumulate=2"},
        Lines{"model.norm=sync_batch", "loss.classification_weight=guided"}}) {
    INFO(settings[0] << " " << settings.back());
    const test::TemporaryFolder folder;
    const Config whole = with({"train.batch_size=8", "train.iterations=1", "train.log_every=1"}, settings);
    Config cut = whole;
    cut.train.shards = 4;
    const std::vector<double> expected = first_step(whole, shapes, folder / "whole"),
                              numbers = first_step(cut, shapes, folder / "cut");
    REQUIRE(expected.size() == numbers.size());
    CHECK(expected.size() >= 5);
    for (std::size_t i = 0; i < expected.size(); ++i) CHECK(numbers[i] == Approx(expected[i]).epsilon(2e-5));
  }
}

TEST_CASE("a run goes on with another number of ranks") {
  const test::ShapesOnDisk shapes;
  for (const std::string optimizer : {"sgd", "adamw"}) {
    INFO(optimizer);
    const Config config = with(kEverything, {"train.optimizer=" + optimizer});
    const std::string whole = shapes.folder / ("whole_" + optimizer), folder = shapes.folder / ("parts_" + optimizer);
    train(1, config, shapes, whole);
    Config first = config;
    first.train.stop_at = 2;
    CHECK(train(4, first, shapes, folder) == std::vector<std::int64_t>(4, 2));
    CHECK(train(2, config, shapes, folder, true) == std::vector<std::int64_t>(2, 6));
    CHECK((traces_of(folder) == traces_of(whole)));
  }
}

TEST_CASE("a stop on one rank stops all at the same step") {
  const test::ShapesOnDisk shapes;
  const Config config = with(kEverything, {"train.evaluate_every=0"});
  std::atomic<int> asked = 0;
  const auto stop = [&](int rank) { return rank == 1 && ++asked > 4; };  // between the batches of the third step
  CHECK(train(3, config, shapes, shapes.folder / "run", false, Device::cpu, stop) == std::vector<std::int64_t>(3, 2));
  CHECK(read_outcome(shapes.folder / "run")->state == "stopped");
  train(1, config, shapes, shapes.folder / "run", true);
  train(2, config, shapes, shapes.folder / "whole");
  CHECK((traces_of(shapes.folder / "run") == traces_of(shapes.folder / "whole")));
}

TEST_CASE("ranks without a shard, and batches that cannot be cut, are refused") {
  const test::ShapesOnDisk shapes;
  const auto refused = [&](const Config& config) {
    return test::error_of([&] { train(3, config, shapes, shapes.folder / "run"); });
  };
  CHECK(test::contains(refused(tiny_config()), "3 processes for train.shards = 1"));
  CHECK(test::contains(test::error_of([] {
                         tiny_config({"train.batch_size=8", "train.shards=3"});
                       }),
                       "train.shards = 3 must divide train.batch_size = 8"));
  CHECK(test::contains(test::error_of([] { tiny_config({"train.wire=bf16"}); }),
                       "train.wire = 'bf16' needs train.shards of 2 or more"));
}

TEST_CASE("a step that is not finite names the picture of the rank that has it") {
  const test::ShapesOnDisk shapes;
  const Config config = with(kEverything, {"train.lr=1e30", "train.clip_norm=0", "train.evaluate_every=0"});
  const std::string one = test::error_of([&] { train(1, config, shapes, shapes.folder / "one"); }),
                    two = test::error_of([&] { train(2, config, shapes, shapes.folder / "two"); });
  CHECK(test::contains(one, "not finite at iteration"));
  CHECK(two.substr(0, two.find(';')) == one.substr(0, one.find(';')));
  CHECK(read_outcome(shapes.folder / "two")->state == "diverged");
}

TEST_CASE("an evaluation finds the same on any number of ranks, in tiles and where pictures cannot be read") {
  const test::ShapesOnDisk shapes;
  for (const bool tiled : {false, true}) {
    Lines settings{"train.iterations=3", "detect.score_threshold=0.001", "detect.batch_size=3"};
    if (tiled) settings.insert(settings.end(), {"input.tile=16", "input.tile_overlap=0.25"});
    const std::string folder = shapes.folder / (tiled ? "tiled" : "whole");
    train(1, tiny_config(settings), shapes, folder);
    const LoadedModel loaded = load_model(last_checkpoint(folder));
    for (const bool damaged : {false, true}) {
      INFO(tiled << damaged);
      Dataset set = shapes.train;
      if (damaged) set.images[4].file = shapes.folder / "none.png";
      struct Found {
        std::vector<Detection> detections;
        std::vector<UnreadablePicture> skipped;
        std::vector<std::int64_t> done;
      };
      const auto find = [&](int ranks) {
        std::vector<Found> all(static_cast<std::size_t>(ranks));
        test::ThreadRanks(ranks).run([&](Communicator& c) {
          Found& mine = all[c.rank()];
          mine.detections = detect_all(
              *loaded.model, set, loaded.category_ids,
              [&](std::int64_t done, std::int64_t) { mine.done.push_back(done); }, &mine.skipped, c);
        });
        return all;
      };
      const Found expected = find(1)[0];
      CHECK(expected.skipped.size() == (damaged ? 1 : 0));
      CHECK(expected.detections.size() > 20);
      for (const int ranks : {2, 3}) {
        const std::vector<Found> all = find(ranks);
        for (const Found& found : all) {
          CHECK(found.skipped == expected.skipped);
          CHECK(found.done == all[0].done);
          REQUIRE(found.detections.size() == expected.detections.size());
          for (std::size_t i = 0; i < found.detections.size(); ++i) {
            const Detection &a = found.detections[i], &b = expected.detections[i];
            CHECK((a.image_id == b.image_id && a.score == b.score && a.rect.x == b.rect.x && a.rect.w == b.rect.w));
          }
        }
      }
    }
  }
}

TEST_CASE("ranks on the CUDA side have the bits of one, too") {
  if (!test::has_cuda()) return test::skip("this build has no CUDA");
  const test::ShapesOnDisk shapes;
  for (const std::string norm : {"frozen_batch", "sync_batch"}) {
    INFO(norm);
    const Config config = with(kEverything, {"train.iterations=2", "train.evaluate_every=0", "model.norm=" + norm});
    const auto folder = [&](int ranks) { return shapes.folder / (norm + std::to_string(ranks)); };
    for (const int ranks : {1, 2}) train(ranks, config, shapes, folder(ranks), false, Device::cuda);
    CHECK((traces_of(folder(2)) == traces_of(folder(1))));
  }
}
