#include "retinanet/weights/run_state.h"

#include "kernels/base/check.h"
#include "retinanet/config/config_text.h"
#include "retinanet/config/presets.h"
#include "tests/support/catch.h"
#include "tests/support/files.h"

using namespace diopter;
using test::error_of;

namespace {

Checkpoint some_checkpoint() {
  RunState state;
  state.config = preset("small");
  state.classes = {"cat", "dog"};
  state.category_ids = {3, 17};
  state.iteration = 12;
  state.normaliser = 0.1 + 0.2;
  state.best_ap = 0.3;
  state.average_updates = 5;
  state.evaluated = 10;
  state.data = "0123456789abcdef";
  state.validation_data = "fedcba9876543210";
  Checkpoint checkpoint;
  checkpoint.file = "x.safetensors";
  put_run_state(checkpoint, state);
  return checkpoint;
}

Checkpoint with(const std::string& key, const std::string& value) {
  Checkpoint checkpoint = some_checkpoint();
  checkpoint.metadata[key] = value;
  return checkpoint;
}

std::string error_with(const std::string& key, const std::string& value) {
  return error_of([&] { parse_run_state(with(key, value)); });
}

/// The checkpoint's configuration with a line more, or another one.
std::string config_with(const std::string& line, const std::string& by) {
  std::string config = some_checkpoint().metadata.at("config");
  return config.replace(config.find(line), line.size(), by);
}

}  // namespace

TEST_CASE("a run's state survives being written") {
  const RunState state = parse_run_state(some_checkpoint());
  CHECK(format_config(state.config) == format_config(preset("small")));
  CHECK(state.classes == std::vector<std::string>{"cat", "dog"});
  CHECK(state.category_ids == std::vector<std::int64_t>{3, 17});
  CHECK(state.iteration == 12);
  CHECK(state.normaliser == 0.1 + 0.2);
  CHECK(state.best_ap == 0.3);
  CHECK(state.average_updates == 5);
  CHECK(state.evaluated == 10);
  CHECK(state.data == "0123456789abcdef");
  CHECK(state.validation_data == "fedcba9876543210");

  Checkpoint old = some_checkpoint();  // as 0.1 wrote it
  for (const char* key : {"evaluated", "data", "validation_data"}) old.metadata.erase(key);
  CHECK(parse_run_state(old).evaluated == 0);
  CHECK(parse_run_state(old).data == "");
  CHECK(parse_run_state(old).validation_data == "");
}

TEST_CASE("thresholds and what train.patience has counted are kept, where there are any") {
  Checkpoint checkpoint = some_checkpoint();
  for (const char* key : {"thresholds", "stale", "left_out"}) CHECK_FALSE(checkpoint.metadata.contains(key));
  RunState state = parse_run_state(checkpoint);
  CHECK(state.thresholds.empty());
  CHECK(state.stale == 0);
  CHECK(state.left_out == 0);
  state.thresholds = {0.1 + 0.2, 1};
  state.stale = 3;
  state.left_out = 400;
  put_run_state(checkpoint, state);
  CHECK(parse_run_state(checkpoint).thresholds == state.thresholds);
  CHECK(parse_run_state(checkpoint).stale == 3);
  CHECK(parse_run_state(checkpoint).left_out == 400);
  for (const char* text : {"{}", "x"})
    CHECK(test::contains(error_with("thresholds", text), "x.safetensors: its metadata holds no lists"));
  for (const char* text : {"[0.5]", "[0.5, 1.5]", "[-1, 0]", "[0.1, 0.2, 0.3]", "[null, 0.5]", "[\"0.5\", 0.5]"})
    CHECK(test::contains(error_with("thresholds", text), "x.safetensors: its metadata holds"));
  CHECK(parse_run_state(with("thresholds", "[0, 1]")).thresholds == std::vector<double>{0, 1});
}

TEST_CASE("changes of settings are kept in the metadata, where there are any") {
  Checkpoint checkpoint = some_checkpoint();
  CHECK_FALSE(checkpoint.metadata.contains("changes"));
  RunState state = parse_run_state(checkpoint);
  CHECK(state.changes.empty());
  state.changes = {{12, "loss.kind", "focal:gamma=2", "ce"}, {30, "model.weights", "'a'", "'\"b\"'"}};
  put_run_state(checkpoint, state);
  CHECK(parse_run_state(checkpoint).changes == state.changes);
  for (const char* text : {"{}", "[1]", "[{\"iteration\": 1}]", "x"})
    CHECK(test::contains(error_with("changes", text),
                         "no lists of classes, of what the loss remembers, of thresholds or of changed settings"));
}

TEST_CASE("settings of a checkpoint that no run can have are refused, as those of a file are") {
  const auto error_of_line = [](const std::string& line, const std::string& by) {
    return error_with("config", config_with(line, by));
  };
  const std::string place = "x.safetensors (configuration): ";
  CHECK(error_of_line("workers = 2", "workers = 1000000") == place + "train.workers must lie between 0 and 256");
  CHECK(error_of_line("fpn_channels = 32", "fpn_channels = 2000000000") ==
        place + "model.fpn_channels must lie between 1 and 8192");
  CHECK(error_of_line("head_depth = 2", "head_depth = 2000000000") ==
        place + "model.head_depth must lie between 0 and 64");
  CHECK(error_of_line("max_detections = 100", "max_detections = 2000000000") ==
        place + "detect.max_detections must lie between 1 and 1048576");
  CHECK(error_of_line("max_size = 160", "max_size = 1000000000") ==
        place + "input.max_size must lie between 1 and 32768");
  CHECK(error_of_line("size_divisor = 16", "size_divisor = 1000000000") ==
        place + "input.size_divisor must lie between 1 and 4096");
  CHECK(error_of_line("min_sizes = [160]", "min_sizes = [0]") ==
        place + "input.min_sizes must lie between 1 and 32768");
}

TEST_CASE("a checkpoint of a later format is refused, one of a later program with the same format is read") {
  CHECK(some_checkpoint().metadata.at("format") == "diopter 1");
  CHECK(is_diopter_checkpoint(some_checkpoint()));
  CHECK(is_diopter_checkpoint(with("format", "diopter 2")));
  CHECK(!is_diopter_checkpoint(with("format", "pt")));
  CHECK(!is_diopter_checkpoint(Checkpoint{}));
  CHECK(error_with("format", "diopter 2")
            .starts_with("x.safetensors: has the format 'diopter 2' of a newer Diopter; this one ("));
  for (const std::string format : {"diopter", "diopter x", "diopter 0", "diopter 1x", "pt"}) {
    CHECK(error_with("format", format) ==
          "x.safetensors: its metadata name the format '" + format + "', which is none of Diopter's");
  }
  CHECK(error_with("version", "99.0.0") == "");
  CHECK(error_with("more", "metadata") == "");
  Checkpoint checkpoint = some_checkpoint();
  checkpoint.metadata.erase("version");  // as 0.1.0 wrote it
  CHECK_NOTHROW(parse_run_state(checkpoint));
}

TEST_CASE("a key that this program does not know is told with the program that wrote it, and is not dropped") {
  Checkpoint checkpoint = with("config", config_with("lr = 0.01\n", "lr = 0.01\nspeed = 3\n"));
  checkpoint.metadata["version"] = "99.0.0";
  const std::string message = error_of([&] { parse_run_state(checkpoint); });
  CHECK(message.starts_with("x.safetensors: its configuration has the key train.speed, which this program ("));
  CHECK(message.ends_with(") does not know; it was written by a newer one (99.0.0)"));
  checkpoint.metadata.erase("version");
  CHECK(error_of([&] { parse_run_state(checkpoint); }).ends_with("it was written by a newer one"));
}

TEST_CASE("a checkpoint without a key has the value from before the key existed") {
  const RunState state = parse_run_state(with("config", config_with("cuda_graph = false\n", "")));
  CHECK(format_config(state.config) == format_config(preset("small")));
  const RunState eps = parse_run_state(with("config", config_with("norm_eps = 1e-05\n", "")));
  CHECK(eps.config.model.norm_eps == 1e-5);
  CHECK(error_with("config", config_with("lr = 0.01\n", "lr = 'fast'\n")).ends_with("train.lr must be a number"));
}
