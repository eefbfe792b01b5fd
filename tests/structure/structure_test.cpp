// The arrangement of the source tree: which folder may include which, no circles, no crowded folders, no long files.
#include <algorithm>

#include "generated/source_dir.h"
#include "tests/structure/source_tree.h"
#include "tests/support/catch.h"

namespace diopter::test {

namespace {

/// tools -> retinanet -> {engine, data} -> kernels, and inside retinanet
/// report -> laboratory -> {training, doctor} -> weights -> network -> detection -> config.
const std::vector<FolderRule>& folder_rules() {
  static const std::vector<FolderRule> rules = [] {
    const std::vector<std::string> toolkit{"kernels/base", "kernels/device", "kernels/toolkit"};
    const std::vector<std::string> data{"kernels/base", "kernels/detection/box.h", "kernels/nn/pictures.h",
                                        "data/dataset.h"};
    const std::vector<std::string> retinanet{"kernels/*", "engine/*", "data/*"};
    const auto with = [](std::vector<std::string> these, const std::vector<std::string>& more) {
      these.insert(these.end(), more.begin(), more.end());
      return these;
    };
    std::vector<FolderRule> table{
        {"kernels/base", {}},
        {"kernels/device", {"kernels/base"}},
        {"kernels/host_executor", {"kernels/base"}},
        {"kernels/host_executor/ptx/translator", {"kernels/base"}},
        {"kernels/host_executor/ptx/runtime", {"kernels/base", "kernels/host_executor"}},
        {"kernels/toolkit", {"kernels/base", "kernels/device", "kernels/host_executor", "generated/cuda_kind.h"}},
        {"kernels/nn", toolkit},
        {"kernels/nn/conv2d", with(toolkit, {"kernels/nn"})},
        {"kernels/detection", with(toolkit, {"generated/loss_list.h"})},
        {"kernels/detection/candidates", with(toolkit, {"kernels/detection"})},
        {"kernels/detection/pairs", with(toolkit, {"kernels/detection", "generated/loss_list.h"})},
        {"kernels/detection/weighting", with(toolkit, {"kernels/detection"})},
        {"kernels/detection/losses", {"kernels/base", "kernels/detection"}},
        {"kernels/plain", with(toolkit, {"kernels/nn/*", "kernels/detection/*"})},

        {"engine", with(toolkit, {"kernels/nn/*", "engine/profile"})},
        {"engine/files", {"kernels/base", "engine"}},
        {"engine/profile", toolkit},
        {"engine/distributed", with(toolkit, {"kernels/nn/*", "engine", "engine/profile"})},
        {"engine/tensorboard", {"kernels/base"}},

        {"data/dataset.h", data},
        {"data/pictures", data},
        {"data/pictures/formats", with(data, {"data/pictures"})},
        {"data/readers", with(data, {"data/pictures", "data/readers/json"})},
        {"data/readers/json", data},
        {"data/metrics", with(data, {"data/readers"})},
        {"data/shapes", data},
        {"data", with(data, {"data/pictures", "data/readers", "data/shapes"})},
    };
    // Each includes what stands above it; training and doctor do not include each other.
    std::vector<std::string> lower = retinanet;
    const auto add = [&](const std::vector<std::string>& folders) {
      for (const std::string& folder : folders) table.push_back({folder, lower});
      lower = with(lower, folders);
    };
    lower.push_back("generated/backbone_names.h");
    add({"retinanet/config"});
    add({"retinanet/detection"});
    lower.push_back("generated/backbone_list.h");
    add({"retinanet/network"});
    add({"retinanet/network/backbones"});
    table.push_back({"retinanet/onnx", lower});
    add({"retinanet/weights"});
    table.push_back({"retinanet/c_api", with(lower, {"generated/cuda_kind.h"})});
    table.push_back({"retinanet/python", with(lower, {"retinanet/c_api"})});
    table.push_back({"retinanet/python/diopter", {}});
    add({"retinanet/tensorboard"});
    add({"retinanet/training", "retinanet/doctor"});
    add({"retinanet/laboratory"});
    add({"retinanet/report"});
    lower.push_back("retinanet/onnx");
    lower.push_back("generated/cuda_kind.h");
    // A subcommand is one file of tools; the folders hold what it is made of.
    add({"tools/kernels"});
    add({"tools/command"});
    add({"tools/bench", "tools/compare", "tools/detect", "tools/doctor", "tools/evaluate", "tools/figure",
         "tools/gpu_check", "tools/peers", "tools/train"});
    add({"tools"});
    return table;
  }();
  return rules;
}

const SourceTree& sources() {
  static const SourceTree tree =
      read_source_tree(DIOPTER_SOURCE_DIR, {"kernels", "engine", "data", "retinanet", "tools"});
  return tree;
}

const SourceTree& sources_and_tests() {
  static const SourceTree tree =
      read_source_tree(DIOPTER_SOURCE_DIR, {"kernels", "engine", "data", "retinanet", "tools", "tests", "cmake"});
  return tree;
}

using Findings = std::vector<std::string>;
const Findings kNone;

SourceFile including(const std::vector<std::string>& includes) { return {includes, 10}; }

}  // namespace

TEST_CASE("structure: includes follow the table of folders") {
  REQUIRE(sources().size() > 200);
  CHECK(forbidden_includes(sources(), folder_rules()) == kNone);
}

TEST_CASE("structure: no circle between files") { CHECK(circles_of_files(sources_and_tests()) == kNone); }

TEST_CASE("structure: no circle between folders") { CHECK(circles_of_folders(sources_and_tests()) == kNone); }

// x.h, x.cpp and x.cu stand together in a listing and are one thing to look for: they count once.
TEST_CASE("structure: no folder with more than twenty subjects") {
  CHECK(full_folders(sources_and_tests(), 20) == kNone);
}

TEST_CASE("structure: no file of more than 500 lines") {
  CHECK(long_files(sources_and_tests(), 500,
                   {{"tests/kernels/host_executor/planted_bugs.cu",
                     "a list of small kernels, each with one bug: to be read one by one"}}) == kNone);
}

TEST_CASE("structure: what asks for the CUDA side includes the header that knows it") {
  const auto asks = [](const auto& file) { return file.second.asks_for_cuda; };
  CHECK(std::any_of(sources().begin(), sources().end(), asks));
  CHECK(without_cuda_kind(sources_and_tests()) == kNone);
}

TEST_CASE("structure: a name is one type") {
  const auto defines = [](const std::string& path, const std::string& type) {
    const std::vector<std::string>& types = sources().at(path).types;
    return std::count(types.begin(), types.end(), type) == 1;
  };
  CHECK(defines("engine/tensor.h", "diopter::Shape"));
  CHECK(defines("kernels/device/stream.h", "diopter::cuda::StreamScope"));
  CHECK(defines("engine/norm_kind.h", "diopter::NormKind"));
  CHECK(defines("engine/optimizer.h", "diopter::AdamW"));
  CHECK(types_of_two_headers(sources()) == kNone);
}

TEST_CASE("structure: tests mirror the tree") {
  CHECK(tests_without_source(sources_and_tests(), {"tests/support", "tests/golden", "tests/examples", "tests/structure",
                                                   "tests/docs", "tests/compatibility", "tests/fuzz", "tests/mutation",
                                                   "tests/scale", "tests/promises", "tests/install"}) == kNone);
}

// Findings in trees that have each fault once.

TEST_CASE("structure: an include that no rule allows is named") {
  const std::vector<FolderRule> rules{{"low", {}},
                                      {"low/inner", {"low"}},
                                      {"high", {"low/*"}},
                                      {"data/dataset.h", {}},
                                      {"data", {"data/dataset.h", "low/a.h"}}};
  const SourceTree right{{"low/a.h", including({})},
                         {"low/b.h", including({"low/a.h"})},
                         {"low/inner/c.h", including({"low/a.h"})},
                         {"high/d.cpp", including({"low/inner/c.h"})},
                         {"data/dataset.h", including({})},
                         {"data/loader.h", including({"data/dataset.h", "low/a.h"})}};
  CHECK(forbidden_includes(right, rules) == kNone);
  const auto with = [&](const std::string& path, const std::string& include) {
    SourceTree tree = right;
    tree[path].includes.push_back(include);
    return forbidden_includes(tree, rules);
  };
  CHECK(with("low/a.h", "high/d.h") == Findings{"low/a.h includes high/d.h, which low may not"});
  CHECK(with("low/a.h", "low/inner/c.h") == Findings{"low/a.h includes low/inner/c.h, which low may not"});
  CHECK(with("data/loader.h", "low/b.h") == Findings{"data/loader.h includes low/b.h, which data may not"});
  CHECK(with("data/dataset.h", "data/loader.h") ==
        Findings{"data/dataset.h includes data/loader.h, which data/dataset.h may not"});
  CHECK(with("new/e.h", "low/a.h") == Findings{"new: the table of folders has no row for it"});
  SourceTree without = right;
  without.erase("high/d.cpp");
  CHECK(forbidden_includes(without, rules) == Findings{"high: in the table of folders, but not in the tree"});
}

TEST_CASE("structure: a circle is named") {
  SourceTree tree{{"a/x.h", including({})},
                  {"a/x_cuda.cpp", including({"a/x.h", "b/y.h"})},
                  {"b/y.h", including({"b/z.h"})},
                  {"b/z.h", including({"generated/list.h"})}};
  CHECK(circles_of_files(tree) == kNone);
  CHECK(circles_of_folders(tree) == kNone);
  tree["b/z.cpp"] = including({"a/x.h"});
  CHECK(circles_of_files(tree) == Findings{"a/x -> b/y -> b/z -> a/x"});
  CHECK(circles_of_folders(tree) == Findings{"a -> b -> a"});
  const SourceTree between_folders{{"a/x.h", including({"b/y.h"})},
                                   {"b/y.h", including({})},
                                   {"b/z.h", including({"a/w.h"})},
                                   {"a/w.h", including({})}};
  CHECK(circles_of_files(between_folders) == kNone);
  CHECK(circles_of_folders(between_folders) == Findings{"a -> b -> a"});
}

TEST_CASE("structure: a file that asks for the CUDA side without the header that knows it is named") {
  SourceFile asks = including({"a/x.h", "generated/cuda_kind.h"});
  asks.asks_for_cuda = true;
  SourceTree tree{{"a/x.cpp", asks}, {"a/y.cpp", including({})}};
  CHECK(without_cuda_kind(tree) == kNone);
  tree["a/x.cpp"].includes.pop_back();
  CHECK(without_cuda_kind(tree) == Findings{"a/x.cpp"});
}

TEST_CASE("structure: a type that two headers define is named") {
  SourceFile x, y;
  x.types = {"a::X", "a::b::X", "a::X"};  // one of two, by #if
  y.types = {"a::Y"};
  SourceTree tree{{"a/x.h", x}, {"a/y.h", y}};
  CHECK(types_of_two_headers(tree) == kNone);
  tree["a/y.h"].types.push_back("a::b::X");
  CHECK(types_of_two_headers(tree) == Findings{"a::b::X: a/x.h and a/y.h"});
}

TEST_CASE("structure: a full folder, a long file and a test of nothing are named") {
  SourceTree tree{{"a/x.h", including({})},
                  {"a/x.cpp", including({})},
                  {"a/x_cudnn.cpp", including({})},
                  {"a/y.h", including({})},
                  {"tests/a/x_test.cpp", including({})},
                  {"tests/support/s.h", including({})}};
  CHECK(full_folders(tree, 2) == kNone);
  CHECK(full_folders(tree, 1) == Findings{"a: 2 subjects, at most 1"});
  CHECK(tests_without_source(tree, {"tests/support"}) == kNone);
  CHECK(tests_without_source(tree, {}) == Findings{"tests/support: mirrors support, which is not there"});
  tree["a/y.h"].lines = 501;
  CHECK(long_files(tree, 500, {{"a/y.h", "a table"}}) == kNone);
  CHECK(long_files(tree, 500, {}) == Findings{"a/y.h: 501 lines, at most 500"});
  CHECK(long_files(tree, 501, {{"a/y.h", "a table"}}) ==
        Findings{"a/y.h: is allowed to be long, but has only 501 lines"});
  CHECK(long_files(tree, 501, {{"a/v.h", "a table"}}) == Findings{"a/v.h: is allowed to be long, but is not there"});
}

}  // namespace diopter::test
