// diopter export as users call it, and its models run by onnxruntime beside `diopter detect`; what is in the files is
// tested in tests/retinanet/onnx.
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "data/pictures/image.h"
#include "generated/source_dir.h"
#include "kernels/base/philox.h"
#include "retinanet/config/configure.h"
#include "retinanet/config/presets.h"
#include "retinanet/network/input.h"
#include "retinanet/onnx/export.h"
#include "retinanet/weights/run_state.h"
#include "tests/tools/program.h"

using namespace diopter;
using namespace diopter::test;
namespace fs = std::filesystem;

namespace {

const bool kExports = onnx_library() != "none";

std::string python() {
  const char* named = std::getenv("DIOPTER_TEST_PYTHON");
  return named ? named : "python3";
}

bool has_onnxruntime() {
  if (!kExports) {
    skip("built without ONNX");
    return false;
  }
  if (run_shell("'" + python() + "' -c 'import onnx, onnxruntime, numpy, PIL'").exit_code == 0) return true;
  skip(python() + " has no onnx, onnxruntime, numpy and pillow (DIOPTER_TEST_PYTHON names another)");
  return false;
}

std::string quoted(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += " '" + name + "'";
  return text;
}

Outcome required(const Outcome& outcome) {
  INFO(outcome.out << outcome.err);
  REQUIRE(outcome.exit_code == 0);
  return outcome;
}

double deviation(const Tensor& x) {
  double sum = 0, squares = 0;
  for (const float v : x.to_vector<float>()) sum += v, squares += double{v} * v;
  const double n = static_cast<double>(x.size());
  return std::sqrt(squares / n - sum / n * (sum / n));
}

void scale(const RetinaNet& model, const std::string& name, double factor) {
  for (const NamedParameter& p : model.parameters()) {
    if (p.name != name) continue;
    std::vector<float> values = p.variable.value().to_vector<float>();
    for (float& v : values) v *= static_cast<float>(factor);
    p.variable.value().copy_from_host(values.data());
  }
}

/// A checkpoint with random weights whose logits and deltas are spread over this picture as a trained detector's: the
/// last convolutions are scaled, the norms' statistics are not 0 and 1.
std::string random_checkpoint(const TemporaryFolder& folder, const std::string& name,
                              const std::vector<std::string>& settings, int classes, const std::string& picture = "") {
  Config config = preset(name);
  for (const std::string& setting : settings) set_config(config, setting);
  check_config(config);
  RetinaNet model(config, classes);
  Philox random(7, 0);
  for (const NamedBuffer& b : model.buffers()) {
    std::vector<float> values = b.tensor.to_vector<float>();
    for (float& v : values) v += random.uniform(0.0f, 0.3f);
    b.tensor.copy_from_host(values.data());
  }
  for (const NamedParameter& p : model.parameters()) {
    const bool bias = p.name.ends_with("bias"), last = p.name.find("cls_logits") != std::string::npos;
    std::vector<float> values = p.variable.value().to_vector<float>();
    for (float& v : values) {
      if (bias && !last) v += random.uniform(-0.1f, 0.1f);
      if (!bias && p.name.starts_with("head.")) v *= 3;  // else a picture fades on its way through the heads: all ties
    }
    p.variable.value().copy_from_host(values.data());
  }
  model.set_training(false);
  Tensor images = Tensor::full({1, 32, 32, 3}, 1);
  if (!picture.empty()) {
    const LoaderOptions options = loader_options(config);
    const Sample sample = prepare(read_image(picture), {}, options.resize, options.normalisation, PixelsBy::host);
    images = Tensor::from({1, sample.height, sample.width, 3}, sample.pixels);
  }
  const RetinaNet::Output output = model(Variable(images));
  scale(model, "head.classification_head.cls_logits.weight", 1.5 / deviation(output.logits.rows.value()));
  scale(model, "head.regression_head.bbox_reg.weight", 0.2 / deviation(output.deltas.rows.value()));

  RunState state{.config = config,
                 .classes = {},
                 .category_ids = {},
                 .thresholds = {},
                 .data = "",
                 .validation_data = "",
                 .changes = {}};
  for (int c = 0; c < classes; ++c) {
    state.classes.push_back("class " + std::to_string(c));
    state.category_ids.push_back(10 + c);
  }
  Checkpoint checkpoint;
  put_tensors(checkpoint, "", model_state(model));
  put_run_state(checkpoint, state);
  save_checkpoint(folder / "random.safetensors", checkpoint);
  return folder / "random.safetensors";
}

/// Pictures of three data sets in several sizes, each set in whole batches of four.
std::vector<std::string> real_pictures() {
  std::vector<std::string> names;
  const auto take = [&](const std::string& set, std::size_t most) {
    std::vector<std::string> files;
    for (const auto& entry : fs::directory_iterator(test_data_folder() + "/datasets/" + set + "/images")) {
      files.push_back(entry.path().string());
    }
    std::sort(files.begin(), files.end());
    files.resize(std::min(files.size(), most));
    names.insert(names.end(), files.begin(), files.end());
  };
  take("bccd", 8);
  take("kit_ais_cars", 9);
  take("deepforest_trees", 3);
  return names;
}

/// Exports a checkpoint and detects with both, with the `batches` in turn: compare.py finds no difference.
void compare(const TemporaryFolder& folder, const std::string& checkpoint, const std::vector<std::string>& files,
             const std::string& input, const std::vector<int>& batches, const std::string& both = "") {
  const std::string model = folder / "model.onnx", json = folder / "detections.json";
  const std::string script =
      "PYTHONDONTWRITEBYTECODE=1 '" + python() + "' '" DIOPTER_SOURCE_DIR "/tests/examples/onnx/compare.py' ";
  required(run_diopter("export '" + checkpoint + "' '" + model + "' --input " + input + " " + both));
  const std::string form = required(run_shell(script + "check '" + model + "'")).out;
  REQUIRE(form == "opset 17\n");
  for (const int batch : batches) {
    required(run_diopter("detect --checkpoint '" + checkpoint + "' --device cpu --precision float --json '" + json +
                         "' --set detect.batch_size=" + std::to_string(batch) + " " + both + " --" + quoted(files)));
    required(run_shell(script + "compare '" + model + "' '" + json + "' " + std::to_string(batch) + quoted(files)));
  }
}

const std::vector<std::string> kTinySettings{"model.width=4", "model.groups=4", "model.fpn_channels=8",
                                             "model.head_depth=1"};

}  // namespace

TEST_CASE("export refuses what it cannot do, and leaves no file") {
  if (!kExports) return skip("built without ONNX");
  const TemporaryFolder folder;
  const std::string checkpoint = random_checkpoint(folder, "small", kTinySettings, 3), out = folder / "model.onnx";
  const auto refused = [&](const std::string& arguments, const std::string& culprit) {
    require_refused(run_diopter("export " + arguments), culprit);
    REQUIRE_FALSE(fs::exists(out));
  };
  refused("'" + folder.write("text", "no weights") + "' '" + out + "'", folder / "text");
  refused("'" + (folder / "none") + "' '" + out + "'", folder / "none");
  refused("'" + checkpoint + "' '" + (folder / "no/such/folder.onnx") + "'", folder / "no/such/folder.onnx");
  refused("'" + checkpoint + "' '" + checkpoint + "'", checkpoint + ": is the file that is read");
  refused("'" + checkpoint + "' '" + out + "' --precision int8", "--precision");
  refused("'" + checkpoint + "' '" + out + "' --set train.lr=1", "train.lr");
  refused("'" + checkpoint + "' '" + out + "' --raw --thresholds t.json", "--raw has no scores for --thresholds");
  refused("'" + checkpoint + "' '" + out + "' --thresholds '" + (folder / "t.json") + "'", "t.json");
}

TEST_CASE("export says that tiles are cut outside") {
  if (!kExports) return skip("built without ONNX");
  const TemporaryFolder folder;
  std::vector<std::string> settings = kTinySettings;
  settings.push_back("input.tile=64");
  const std::string checkpoint = random_checkpoint(folder, "small", settings, 3);
  const Outcome outcome = required(run_diopter("export '" + checkpoint + "' '" + (folder / "model.onnx") + "'"));
  REQUIRE(contains(outcome.err, "diopter: the model takes one tile of input.tile = 64 pixels at a time"));
}

TEST_CASE("export in a build without ONNX says how to get it") {
  if (kExports) return skip("built with ONNX");
  const TemporaryFolder folder;
  const std::string checkpoint = random_checkpoint(folder, "small", kTinySettings, 3);
  require_refused(run_diopter("export '" + checkpoint + "' '" + (folder / "model.onnx") + "'"), "-DDIOPTER_ONNX=on");
  REQUIRE_FALSE(fs::exists(folder / "model.onnx"));
}

TEST_CASE("onnxruntime finds what diopter detect finds, in real pictures with the preset small") {
  if (!has_onnxruntime()) return;
  if (test_data_folder().empty()) return skip("DIOPTER_TEST_DATA is not set");
  const TemporaryFolder folder;
  const std::vector<std::string> files = real_pictures();
  const std::string checkpoint = random_checkpoint(folder, "small", {}, 5, files[0]);
  compare(folder, checkpoint, files, "floats", {1, 4});
  compare(folder, checkpoint, files, "floats", {4}, "--set detect.class_aware=false");
}

TEST_CASE("onnxruntime finds what diopter detect finds, in real pictures with torchvision's and Detectron2's presets") {
  if (!has_onnxruntime()) return;
  if (test_data_folder().empty()) return skip("DIOPTER_TEST_DATA is not set");
  if (kSanitized) return skip("takes minutes with the AddressSanitizer");
  // A threshold above which there are some tens of detections a picture: among thousands of candidates some tie, and
  // then rounding decides which of two neighbours suppresses the other.
  const std::vector<std::string> settings{"input.min_sizes=[80]", "input.max_size=160", "detect.score_threshold=0.6"};
  const std::vector<std::string> all = real_pictures();
  for (const std::string name : {"torchvision", "torchvision_v2", "detectron2"}) {
    INFO(name);
    // All of them take minutes: DIOPTER_ONNX_ALL=1 asks for them.
    const std::size_t count = std::getenv("DIOPTER_ONNX_ALL") ? all.size() : name == "torchvision" ? 10 : 5;
    std::vector<std::string> files;
    for (std::size_t i = 0; i < count; ++i) files.push_back(all[i * all.size() / count]);
    const TemporaryFolder folder;
    const std::string checkpoint = random_checkpoint(folder, name, settings, 20, files[0]);
    const std::string input = name == "detectron2" ? "bytes" : "floats";  // Pillow's filter gives bytes
    compare(folder, checkpoint, files, input, {1, 4});
  }
}

TEST_CASE("the C++ program of docs/onnx.md finds what diopter detect finds") {
  if (!kExports) return skip("built without ONNX");
#ifndef DIOPTER_ONNX_PROGRAM
  skip("onnxruntime's C++ header or its library was not found when this was built (docs/onnx.md)");
#else
  const TemporaryFolder folder;
  REQUIRE(run_diopter("shapes --out '" + (folder / "shapes") + "' --size 50 --train 1 --val 5").exit_code == 0);
  const std::string pictures = " '" + (folder / "shapes/images") + "'/*.png",
                    picture = folder / "shapes/images/000001.png";
  const auto json_of = [](const std::string& text) { return nlohmann::json::parse(text); };
  const auto compare_both = [&](const std::vector<std::string>& resizing, const std::string& input) {
    INFO(resizing[0] << " " << input);
    std::vector<std::string> settings = kTinySettings;
    settings.insert(settings.end(), resizing.begin(), resizing.end());
    const std::string checkpoint = random_checkpoint(folder, "small", settings, 3, picture), model = folder / "m.onnx";
    required(run_diopter("export '" + checkpoint + "' '" + model + "' --input " + input));
    required(run_diopter("detect --checkpoint '" + checkpoint + "' --device cpu --precision float --json '" +
                         (folder / "d.json") + "' --" + pictures));
    const auto expected = json_of(read_bytes(folder / "d.json"));
    const auto found = json_of(required(run_shell("'" DIOPTER_ONNX_PROGRAM "' '" + model + "'" + pictures)).out);
    REQUIRE(found.size() == expected.size());
    REQUIRE(found.size() > 20);
    for (std::size_t i = 0; i < found.size(); ++i) {
      REQUIRE(found[i]["category"] == expected[i]["category"]);
      REQUIRE_THAT(found[i]["score"].get<double>(), Catch::Matchers::WithinAbs(expected[i]["score"], 1e-4));
      for (std::size_t c = 0; c < 4; ++c) {
        REQUIRE_THAT(found[i]["bbox"][c].get<double>(), Catch::Matchers::WithinAbs(expected[i]["bbox"][c], 0.05));
      }
    }
  };
  compare_both({"input.max_size=50"}, "bytes");  // as large as they are
  compare_both({"input.max_size=73", "input.enlarge=true"}, "floats");
  compare_both({"input.resize=exact", "input.max_size=40", "input.enlarge=true"}, "floats");
  compare_both({"input.resize=shorter_side", "input.min_sizes=[61]", "input.max_size=90", "input.enlarge=true"},
               "floats");
  compare_both({"input.resize=shorter_side", "input.round=false", "input.min_sizes=[37]", "input.max_size=90"},
               "floats");
  const Outcome none =
      run_shell("'" DIOPTER_ONNX_PROGRAM "' '" + (folder / "m.onnx") + "' '" + (folder / "none.png") + "'");
  CHECK(none.exit_code == 1);
  CHECK(contains(none.err, "none.png"));
#endif
}

TEST_CASE("onnxruntime finds what diopter detect finds in pictures that keep their size, as bytes") {
  if (!has_onnxruntime()) return;
  const TemporaryFolder folder;
  REQUIRE(run_diopter("shapes --out '" + (folder / "shapes") + "' --size 50 --train 1 --val 5").exit_code == 0);
  std::vector<std::string> files;
  for (const auto& entry : fs::directory_iterator(folder / "shapes/images")) files.push_back(entry.path().string());
  std::sort(files.begin(), files.end());
  // Evaluated batch norms; anchors on middles, at distances that follow from levels of odd sizes; clipping after NMS.
  std::vector<std::string> settings = kTinySettings;
  settings.insert(settings.end(), {"model.norm=batch", "model.max_level=6", "anchors.offset=0.5", "anchors.stride=grid",
                                   "input.size_divisor=4", "detect.clip_before_nms=false", "detect.top_k=50"});
  const std::string checkpoint = random_checkpoint(folder, "small", settings, 3, files[0]);
  compare(folder, checkpoint, files, "bytes", {4});
  compare(folder, checkpoint, files, "bytes", {1}, "--set detect.max_detections=7 --set detect.nms_iou=0.3");
  // Thresholds by class: fewer detections, those that detect exports.
  const std::string thresholds = folder.write(
      "t.json",
      R"({"iou": 0.5, "all": {"score": 0.1}, "classes": {"class 0": {"score": 0.2}, "class 1": {"score": 0.06},
                    "class 2": {"score": 0.9}}})");
  required(run_diopter("export '" + checkpoint + "' '" + (folder / "t.onnx") + "' --thresholds '" + thresholds + "'"));
  const std::string found = required(run_shell("PYTHONDONTWRITEBYTECODE=1 '" + python() +
                                               "' '" DIOPTER_SOURCE_DIR "/tests/examples/onnx/detect.py' '" +
                                               (folder / "t.onnx") + "'" + quoted({files[0]})))
                                .out;
  required(run_diopter("detect --checkpoint '" + checkpoint + "' --thresholds '" + thresholds +
                       "' --export 'csv:" + (folder / "t.csv") + "' -- '" + files[0] + "'"));
  const auto count = [](const std::string& text, const std::string& part) {
    std::ptrdiff_t n = 0;
    for (std::size_t at = 0; (at = text.find(part, at)) != std::string::npos; ++at) ++n;
    return n;
  };
  const std::string csv = read_bytes(folder / "t.csv");
  for (const std::string name : {"class 0", "class 1", "class 2"}) CHECK(count(found, name) == count(csv, name));
  CHECK(count(csv, "class 1") > 0);
}
