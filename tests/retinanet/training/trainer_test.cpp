#include "retinanet/training/trainer.h"
#include "retinanet/config/config_text.h"
#include "retinanet/config/configure.h"
#include "retinanet/weights/weights.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <iterator>

#include "engine/files/checkpoint.h"
#include "kernels/base/parallel.h"
#include "kernels/device/memory.h"
#include "retinanet/network/detect.h"
#include "retinanet/training/run_folder.h"
#include "tests/retinanet/support.h"
#include "tests/support/catch.h"

using namespace diopter;
using test::contains;
using test::error_of;
using test::tiny_config;

namespace {

std::string text_of(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

/// Steps of a metrics.csv as "5 10 10e 15": evaluations with an e.
std::string rows_of(const std::string& folder) {
  std::ifstream in(folder + "/metrics.csv");
  std::string line, rows;
  std::getline(in, line);
  const auto columns = std::count(line.begin(), line.end(), ',');
  while (std::getline(in, line)) {
    CHECK(std::count(line.begin(), line.end(), ',') == columns);
    const std::string iteration = line.substr(0, line.find(','));
    rows += (rows.empty() ? "" : " ") + iteration + (line.starts_with(iteration + ",,") ? "e" : "");
  }
  return rows;
}

Trainer::Result train(const Config& config, const test::ShapesOnDisk& shapes, const std::string& folder,
                      const TrainerCallbacks& callbacks = {}) {
  return Trainer(config, shapes.train, shapes.validation, folder).run(callbacks);
}

TrainerCallbacks stop_after(int steps) {
  TrainerCallbacks callbacks;
  callbacks.stop_requested = [steps, done = 0]() mutable { return done++ >= steps; };
  return callbacks;
}

/// Bit equality of two checkpoints but for the settings that may differ between runs.
void require_same_checkpoint(const std::string& a, const std::string& b) {
  const Checkpoint first = load_checkpoint(a), second = load_checkpoint(b);
  REQUIRE(first.tensors.size() == second.tensors.size());
  for (const auto& [name, tensor] : first.tensors) {
    INFO(name);
    REQUIRE(second.tensors.count(name) == 1);
    const Tensor& other = second.tensors.at(name);
    REQUIRE(tensor.shape() == other.shape());
    CHECK((tensor.to_vector<float>() == other.to_vector<float>()));
  }
  const auto metadata = [](const Checkpoint& checkpoint) {
    auto values = checkpoint.metadata;
    Config config = parse_config(values.at("config"), checkpoint.file);
    config.train.workers = 0;
    config.train.stop_at = 0;
    values["config"] = format_config(config);
    return values;
  };
  CHECK(metadata(first) == metadata(second));
}

std::vector<float> weights_of(const Module& model, const std::string& part = "") {
  std::vector<float> all;
  for (const NamedParameter& p : model.parameters()) {
    if (!contains(p.name, part)) continue;
    const std::vector<float> values = p.variable.value().to_vector<float>();
    all.insert(all.end(), values.begin(), values.end());
  }
  return all;
}

/// All threads again when a test ends.
struct ThreadCount {
  int before = thread_count();
  ~ThreadCount() { set_thread_count(before); }
};

}  // namespace

TEST_CASE("training reproduces its losses") {
  const test::ShapesOnDisk shapes;
  Trainer trainer(tiny_config({"train.stop_at=5"}), shapes.train, {}, shapes.folder / "run");
  trainer.run({});
  // Classification and box loss of each step as first printed by this test.
  const double expected[5][2] = {
      {1.124559, 0.363608}, {1.12928, 0.4571317}, {1.127488, 0.4746392}, {1.095173, 0.7202231}, {1.011256, 0.8203061}};
  REQUIRE(trainer.losses().size() == 5);
  for (int i = 0; i < 5; ++i) {
    INFO("step " << i + 1);
    CHECK(trainer.losses()[i][0] == Approx(expected[i][0]).epsilon(1e-4));
    CHECK(trainer.losses()[i][1] == Approx(expected[i][1]).epsilon(1e-4));
  }
}

TEST_CASE("losses are finite and fall") {
  const test::ShapesOnDisk shapes;
  Trainer trainer(tiny_config({"train.iterations=40"}), shapes.train, {}, shapes.folder / "run");
  double first = 0, last = 0;
  TrainerCallbacks callbacks;
  callbacks.step = [&](const StepReport& s) {
    const double loss = s.classification_loss + s.box_loss;
    CHECK(std::isfinite(loss));
    CHECK(std::isfinite(s.gradient_norm));
    CHECK(s.gradient_norm > 0);
    CHECK(s.positives > 0);
    CHECK(s.images_per_second > 0);
    CHECK(s.peak_memory_mib > 1);
    if (s.iteration <= 5) first += loss;
    if (s.iteration > 35) last += loss;
  };
  const Trainer::Result result = trainer.run(callbacks);
  CHECK(result.finished);
  CHECK(!result.evaluated);
  CHECK(result.iteration == 40);
  CHECK(trainer.losses().size() == 40);
  CHECK(last < 0.8 * first);
}

TEST_CASE("a run that was stopped and resumed gives the bits of the unbroken one") {
  const test::ShapesOnDisk shapes;
  const ThreadCount restore;
  for (const std::string setting : {"model.norm=group", "model.norm=batch", "input.tile=20", "train.optimizer=adamw"}) {
    INFO(setting);
    const auto config = [&](const std::string& workers, const std::string& stop) {
      return tiny_config({setting, "loss.normaliser=ema", "train.accumulate=2", "train.average=0.9",
                          "train.evaluate_every=5", "train.workers=" + workers, "train.stop_at=" + stop,
                          "augment.scale_min=0.7", "augment.scale_max=1.3", "augment.brightness=0.2"});
    };
    const std::string whole = shapes.folder / ("whole " + setting), broken = shapes.folder / ("broken " + setting);
    set_thread_count(2);
    CHECK(train(config("2", "0"), shapes, whole).finished);

    set_thread_count(1);
    const Trainer::Result half = train(config("0", "10"), shapes, broken);
    CHECK(!half.finished);
    CHECK(half.iteration == 10);
    set_thread_count(3);
    const auto resumed = Trainer::resume(broken, {"train.workers=3"}, shapes.train, shapes.validation);
    CHECK(resumed->iteration() == 10);
    CHECK(resumed->run({}).finished);

    require_same_checkpoint(last_checkpoint(whole), last_checkpoint(broken));
    require_same_checkpoint(best_checkpoint(whole), best_checkpoint(broken));
    CHECK(rows_of(whole) == rows_of(broken));
  }
}

TEST_CASE("a crash costs the steps since the last checkpoint and leaves no double lines") {
  const test::ShapesOnDisk shapes;
  const Config config = tiny_config({"train.evaluate_every=10", "train.save_every=6", "train.log_every=4"});
  const std::string whole = shapes.folder / "whole", broken = shapes.folder / "broken";
  train(config, shapes, whole);
  CHECK(rows_of(whole) == "4 8 10e 12 16 20 20e");

  TrainerCallbacks crash;
  crash.step = [](const StepReport& s) {
    if (s.iteration == 17) fail("power cut");
  };
  CHECK(error_of([&] { train(config, shapes, broken, crash); }) == "power cut");
  CHECK(rows_of(broken) == "4 8 10e 12 16");
  const auto resumed = Trainer::resume(broken, {}, shapes.train, shapes.validation);
  CHECK(resumed->iteration() == 12);
  CHECK(rows_of(broken) == "4 8 10e 12");
  resumed->run({});
  CHECK(rows_of(broken) == rows_of(whole));
  require_same_checkpoint(last_checkpoint(whole), last_checkpoint(broken));
}

TEST_CASE("an interrupted evaluation loses no step and leaves the weights alone") {
  const test::ShapesOnDisk shapes;
  const Config config = tiny_config({"train.evaluate_every=4", "train.average=0.9", "train.stop_at=4"});
  auto trainer = std::make_unique<Trainer>(config, shapes.train, shapes.validation, shapes.folder / "run");
  TrainerCallbacks callbacks;
  std::vector<float> before;
  callbacks.step = [&](const StepReport&) { before = weights_of(trainer->model()); };
  callbacks.evaluation = [&](std::int64_t, std::int64_t) {
    CHECK((weights_of(trainer->model()) != before));  // the averages
    fail("enough");
  };
  CHECK(error_of([&] { trainer->run(callbacks); }) == "enough");
  CHECK((weights_of(trainer->model()) == before));
  trainer.reset();
  CHECK(Trainer::resume(shapes.folder / "run", {}, shapes.train, shapes.validation)->iteration() == 4);
}

TEST_CASE("a request to stop ends the run after the step and saves") {
  const test::ShapesOnDisk shapes;
  const std::string folder = shapes.folder / "run";
  const Trainer::Result result = train(tiny_config(), shapes, folder, stop_after(3));
  CHECK(result.iteration == 3);
  CHECK(!result.finished);
  CHECK(!result.evaluated);
  auto resumed = Trainer::resume(folder, {}, shapes.train, shapes.validation);
  CHECK(resumed->iteration() == 3);
  CHECK(resumed->run({}).finished);
  resumed.reset();

  const std::string early = shapes.folder / "early";
  CHECK(train(tiny_config(), shapes, early, stop_after(0)).iteration == 0);
  CHECK(Trainer::resume(early, {}, shapes.train, shapes.validation)->run({}).finished);
  require_same_checkpoint(last_checkpoint(folder), last_checkpoint(early));

  // A finished run has nothing left to do.
  const Trainer::Result again = Trainer::resume(folder, {}, shapes.train, shapes.validation)->run({});
  CHECK(again.finished);
  CHECK(again.iteration == 20);
}

TEST_CASE("what the hardest negatives carry is told every log_every steps") {
  const test::ShapesOnDisk shapes;
  const auto told = [&](const std::string& loss) {
    std::string iterations;
    TrainerCallbacks callbacks;
    callbacks.step = [&](const StepReport& step) {
      if (!step.hardest_negatives) return;
      iterations += std::to_string(step.iteration) + " ";
      for (const auto& shares : {step.hardest_negatives->loss, step.hardest_negatives->gradient}) {
        CHECK(shares[0] >= 0.01);  // the hardest carry at least their share
        CHECK(shares[1] >= shares[0]);
        CHECK(shares[2] >= shares[1]);
        CHECK(shares[2] <= 1);
      }
    };
    Trainer(tiny_config({"loss.kind=" + loss, "train.iterations=12"}), shapes.train, {}, shapes.folder / loss)
        .run(callbacks);
    return iterations;
  };
  CHECK(told("focal") == "5 10 ");
  CHECK(told("ohem").empty());
}

TEST_CASE("a run folder holds configuration, metrics, checkpoints and pictures") {
  const test::ShapesOnDisk shapes;
  const std::string folder = shapes.folder / "deep/run";
  const Config config = tiny_config();
  const Trainer::Result result = train(config, shapes, folder);
  CHECK(result.evaluated);
  CHECK(text_of(folder + "/config.toml") == format_config(config));
  CHECK(text_of(folder + "/metrics.csv")
            .starts_with("iteration,seconds,lr,loss,classification_loss,box_loss,positives,gradient_norm,images_per_"
                         "second,peak_memory_mib,AP,"));
  CHECK(rows_of(folder) == "5 10 15 20 20e");
  CHECK(std::filesystem::exists(last_checkpoint(folder)));
  CHECK(std::filesystem::exists(best_checkpoint(folder)));
  int pictures = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder + "/pictures")) {
    CHECK(read_image(entry.path()).width >= 384);
    ++pictures;
  }
  CHECK(pictures == 2);
  int files = 0, crops = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    files += entry.is_regular_file();
    crops += entry.path().parent_path().filename() == "errors";
  }
  CHECK(files == 4 + 2 + 2 + 1 + crops);  // and the lock; nothing temporary is left
}

TEST_CASE("a folder with a run is not overwritten, and only a run of the same classes is resumed") {
  const test::ShapesOnDisk shapes;
  const std::string folder = shapes.folder / "run";
  train(tiny_config({"train.stop_at=2"}), shapes, folder);
  const std::string before = text_of(last_checkpoint(folder));
  CHECK(contains(error_of([&] { train(tiny_config(), shapes, folder); }), folder + ": holds a run already"));
  CHECK(text_of(last_checkpoint(folder)) == before);

  Dataset other = shapes.train;
  other.categories.pop_back();
  CHECK(contains(error_of([&] { Trainer::resume(folder, {}, other, {}); }), "other classes"));
  CHECK(contains(error_of([&] { Trainer::resume(folder, {"train.lrr=1"}, shapes.train, {}); }), "nearest is train.lr"));
  CHECK(contains(error_of([&] { Trainer::resume(folder, {"train.lr=-1"}, shapes.train, {}); }), "train.lr must not"));
  CHECK(contains(error_of([&] { Trainer::resume(folder, {"model.fpn_channels=16"}, shapes.train, {}); }),
                 "backbone.fpn"));
  CHECK(contains(error_of([&] { Trainer::resume(shapes.folder / "none", {}, shapes.train, {}); }), "last.safetensors"));
  CHECK(text_of(last_checkpoint(folder)) == before);

  const std::string fresh = shapes.folder / "fresh";
  CHECK(contains(error_of([&] { Trainer(tiny_config(), other, shapes.validation, fresh); }), "validation set"));
  CHECK(contains(error_of([&] { Trainer(tiny_config(), {}, {}, fresh); }), "no classes"));
  CHECK(!std::filesystem::exists(fresh));
  std::ofstream(fresh) << "a file";
  CHECK(contains(error_of([&] { train(tiny_config(), shapes, fresh); }), "cannot be made"));
}

TEST_CASE("of evaluations with the same AP the first is the best") {
  const test::ShapesOnDisk shapes;
  const std::string folder = shapes.folder / "run";
  const Config config = tiny_config({"train.lr=1e-30", "train.evaluate_every=2", "train.iterations=6"});
  CHECK(train(config, shapes, folder).metrics.stats.ap >= 0);
  CHECK(load_checkpoint(best_checkpoint(folder)).metadata.at("iteration") == "2");
  CHECK(load_checkpoint(last_checkpoint(folder)).metadata.at("iteration") == "6");
}

TEST_CASE("milestones are the nearest steps to shares of the run") {
  const test::ShapesOnDisk shapes;
  const Config config =
      tiny_config({"train.iterations=100", "train.schedule=multistep", "train.milestones=[0.29]", "train.stop_at=31"});
  int steps_before = 0;  // 0.29 * 100 is less than 29 in double
  TrainerCallbacks callbacks;
  callbacks.step = [&](const StepReport& step) { steps_before += step.iteration > 2 && step.lr == Approx(0.05); };
  Trainer(config, shapes.train, {}, shapes.folder / "run").run(callbacks);
  CHECK(steps_before == 27);
}

TEST_CASE("settings may change when a run is resumed") {
  const test::ShapesOnDisk shapes;
  const std::string folder = shapes.folder / "run";
  train(tiny_config({"train.stop_at=4", "train.average=0.9"}), shapes, folder);
  Trainer::resume(folder, {"train.iterations=6", "train.average=0"}, shapes.train, shapes.validation)->run({});
  CHECK_NOTHROW(load_model(last_checkpoint(folder)));
  CHECK(contains(text_of(folder + "/config.toml"), "average = 0.0"));
  const auto resumed =
      Trainer::resume(folder, {"train.iterations=8", "train.average=0.5"}, shapes.train, shapes.validation);
  CHECK(resumed->run({}).finished);
  CHECK(load_checkpoint(last_checkpoint(folder)).metadata.at("average_updates") == "2");
  CHECK_NOTHROW(load_model(last_checkpoint(folder)));
}

TEST_CASE("one picture is learned by heart") {
  const test::TemporaryFolder folder;
  ShapesOptions options;
  options.min_objects = options.max_objects = 2;
  options.empty = 0;
  options.seed = 3;
  write_shapes(folder / "shapes", 1, 0, options);
  const Dataset one = read_coco(folder / "shapes/instances_train.json", {.images = folder / "shapes/images"});
  Config config =
      test::configured("small", {"model.width=8", "model.fpn_channels=16", "train.batch_size=1", "train.iterations=150",
                                 "train.evaluate_every=0", "train.warmup_iterations=10", "train.pictures=0"});
  config.augment = preset("small_sgd").augment;
  config.augment.flip = 0;
  const Trainer::Result result = Trainer(config, one, one, folder / "run").run({});
  REQUIRE(result.evaluated);
  CHECK(result.metrics.stats.ap == Approx(1));
}

TEST_CASE("a loss that is not finite stops the run, names layer and pictures and keeps the checkpoint") {
  const test::ShapesOnDisk shapes;
  const std::string folder = shapes.folder / "run";
  train(tiny_config({"train.stop_at=2"}), shapes, folder);
  const std::string before = text_of(last_checkpoint(folder));
  const auto resumed = Trainer::resume(folder, {"train.lr=1e30", "train.clip_norm=0"}, shapes.train, shapes.validation);
  const std::string message = error_of([&] { resumed->run({}); });
  CHECK(contains(message, "is not finite at iteration 4"));
  CHECK(contains(message, " with backbone."));
  CHECK(contains(message, ".png"));
  CHECK(contains(message, "the last good checkpoint is " + last_checkpoint(folder)));
  CHECK(text_of(last_checkpoint(folder)) == before);

  const std::string fresh = shapes.folder / "fresh";
  CHECK(contains(error_of([&] {
                   train(tiny_config({"train.lr=1e30", "train.clip_norm=0"}), shapes, fresh);
                 }),
                 "no checkpoint had been saved yet"));
}

TEST_CASE("a run may start from the weights of another") {
  const test::ShapesOnDisk shapes;
  const std::string first = shapes.folder / "first";
  train(tiny_config({"train.stop_at=3", "train.average=0.9"}), shapes, first);
  const std::string weights = last_checkpoint(first), setting = "model.weights=" + weights;

  // With a learning rate of zero the weights and their average stay what they started as.
  const std::string second = shapes.folder / "second";
  train(tiny_config({setting, "train.lr=0", "train.average=0.9", "train.stop_at=2", "train.seed=9"}), shapes, second);
  const Checkpoint source = load_checkpoint(weights), copy = load_checkpoint(last_checkpoint(second));
  for (const auto& [name, tensor] : source.tensors) {
    if (!name.starts_with(kAveragePrefix)) continue;  // they are what was evaluated
    INFO(name);
    CHECK((copy.tensors.at(name.substr(std::string(kAveragePrefix).size())).to_vector<float>() ==
           tensor.to_vector<float>()));
    CHECK((copy.tensors.at(name).to_vector<float>() == tensor.to_vector<float>()));
  }

  Dataset two = shapes.train;
  two.categories.pop_back();
  for (ImageRecord& record : two.images) {
    std::erase_if(record.annotations, [](const Annotation& a) { return a.category == 2; });
  }
  Trainer other(tiny_config({setting, "train.lr=0", "train.stop_at=1", "train.seed=9"}), two, {},
                shapes.folder / "other");
  const RetinaNet fresh(tiny_config({"train.seed=9"}), 2);
  CHECK((weights_of(other.model(), "cls_logits") != weights_of(fresh, "cls_logits")));
  CHECK((weights_of(other.model(), "bbox_reg") != weights_of(fresh, "bbox_reg")));
  std::vector<std::string> messages;
  TrainerCallbacks callbacks;
  callbacks.message = [&](const std::string& message) { messages.push_back(message); };
  other.run(callbacks);
  REQUIRE(messages.size() == 1);
  CHECK(contains(messages[0], weights + ": has other classes; of the last classification layer the rows of 'circle', " +
                                  "'square' are kept"));

  const std::string wrong = shapes.folder / "wrong";
  CHECK(contains(error_of([&] {
                   train(tiny_config({setting, "model.fpn_channels=16"}), shapes, wrong);
                 }),
                 weights + ": tensor backbone.fpn."));
  CHECK(contains(error_of([&] {
                   train(tiny_config({setting, "model.head_depth=0"}), shapes, wrong);
                 }),
                 "has no place in the model"));
  CHECK(contains(error_of([&] { train(tiny_config({"model.weights=/none.safetensors"}), shapes, wrong); }),
                 "/none.safetensors: "));
  CHECK(!std::filesystem::exists(wrong));
}

TEST_CASE("a loaded model is the one that was evaluated") {
  const test::ShapesOnDisk shapes;
  const std::string folder = shapes.folder / "run";
  Trainer trainer(tiny_config({"train.average=0.8", "model.norm=batch"}), shapes.train, shapes.validation, folder);
  std::vector<float> evaluated;
  TrainerCallbacks callbacks;
  callbacks.evaluation = [&](std::int64_t, std::int64_t) { evaluated = weights_of(trainer.model()); };
  const Trainer::Result result = trainer.run(callbacks);
  const LoadedModel loaded = load_model(last_checkpoint(folder));
  CHECK(loaded.classes == std::vector<std::string>{"circle", "square", "triangle"});
  CHECK(loaded.category_ids == std::vector<std::int64_t>{1, 2, 3});
  CHECK((weights_of(*loaded.model) == evaluated));
  CHECK((weights_of(trainer.model()) != evaluated));
  const CocoMetrics metrics =
      coco_metrics(shapes.validation, detect_all(*loaded.model, shapes.validation, loaded.category_ids, {}));
  CHECK(metrics.stats == result.metrics.stats);
}

TEST_CASE("accumulated batches are one larger batch") {
  const test::ShapesOnDisk shapes;
  const auto losses = [&](const std::string& name, const std::vector<std::string>& settings) {
    std::vector<std::string> all{"loss.normaliser=image", "train.stop_at=3"};
    all.insert(all.end(), settings.begin(), settings.end());
    Trainer trainer(tiny_config(all), shapes.train, {}, shapes.folder / name);
    trainer.run({});
    return trainer.losses();
  };
  const auto one = losses("one", {"train.batch_size=4"}),
             two = losses("two", {"train.batch_size=2", "train.accumulate=2"});
  REQUIRE(one.size() == 3);
  for (int i = 0; i < 3; ++i) {
    CHECK(one[i][0] == Approx(two[i][0]).epsilon(1e-4));
    CHECK(one[i][1] == Approx(two[i][1]).epsilon(1e-4));
  }
}

TEST_CASE("clipping limits a step, frozen stages stay") {
  const test::ShapesOnDisk shapes;
  const Config config =
      tiny_config({"train.clip_norm=0.001", "train.momentum=0", "train.weight_decay=0", "train.lr=0.5",
                   "train.warmup_iterations=0", "train.stop_at=1", "model.freeze_stages=2"});
  Trainer trainer(config, shapes.train, {}, shapes.folder / "run");
  const std::vector<float> before = weights_of(trainer.model()), stem = weights_of(trainer.model(), "body.conv1"),
                           layer = weights_of(trainer.model(), "body.layer1");
  trainer.run({});
  const std::vector<float> after = weights_of(trainer.model());
  double squared = 0;
  for (std::size_t i = 0; i < after.size(); ++i) squared += std::pow(static_cast<double>(after[i] - before[i]), 2);
  CHECK(std::sqrt(squared) == Approx(0.5 * 0.001).epsilon(0.01));
  CHECK((weights_of(trainer.model(), "body.conv1") == stem));
  CHECK((weights_of(trainer.model(), "body.layer1") == layer));
}

TEST_CASE("steps leave no memory behind") {
  const int threads = thread_count();
  set_thread_count(1);  // each thread keeps scratch memory for its convolutions: one has it after the first step
  const test::ShapesOnDisk shapes;
  Trainer trainer(tiny_config({"train.stop_at=6", "train.average=0.9"}), shapes.train, {}, shapes.folder / "run");
  std::vector<std::size_t> bytes;
  TrainerCallbacks callbacks;
  callbacks.step = [&](const StepReport&) { bytes.push_back(cpu::allocated_bytes()); };
  trainer.run(callbacks);
  REQUIRE(bytes.size() == 6);
  for (std::size_t b : bytes) CHECK(b == bytes[0]);
  set_thread_count(threads);
}
