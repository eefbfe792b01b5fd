// diopter kernels, as a user calls it.
#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "generated/source_dir.h"
#include "kernels/base/json.h"
#include "tests/tools/program.h"

using namespace diopter::test;
using diopter::parse_json;
using nlohmann::json;
namespace fs = std::filesystem;

namespace {

/// A folder of build folders with stand-ins for their test programs, which print their order and filter.
class Builds {
 public:
  void add(const std::string& name, const std::string& cuda, const std::string& script) {
    folder_.write("build/" + name + "/CMakeCache.txt", "A:BOOL=ON\nDIOPTER_CUDA:STRING=" + cuda + "\n");
    const std::string program =
        folder_.write("build/" + name + "/tests/kernels_tests",
                      "#!/bin/sh\necho \"$DIOPTER_EXECUTOR_ORDER $1\" >>'" + log() + "'\n" + script);
    fs::permissions(program, fs::perms::owner_all);
  }
  void add_presets(const std::string& text) { folder_.write("CMakePresets.json", text); }
  Outcome check(const std::string& kernel) const {
    return run_diopter("kernels check " + kernel + " --builds '" + (folder_ / "build") + "'");
  }
  std::string calls() const { return read_bytes(log()); }

  /// Makes ninja note that an object of the tests was compiled from kernels/x.h.
  void compile_from_source(const std::string& name) {
    folder_.write("kernels/x.h", "1");
    folder_.write("build/" + name + "/build.ninja",
                  "rule compile\n  command = touch $out && echo '$out: ../../kernels/x.h' >x.d\n  depfile = x.d\n"
                  "  deps = gcc\nbuild kernels_tests.dir/x.o: compile ../../kernels/x.h\n");
    REQUIRE(std::system(
                ("ninja -C '" + (folder_ / ("build/" + name)) + "' >'" + (folder_ / "ninja.log") + "'").c_str()) == 0);
    set_time("build/" + name + "/tests/kernels_tests", std::chrono::seconds(0));
    set_time("kernels/x.h", std::chrono::seconds(-10));
  }
  void edit_source() { set_time("kernels/x.h", std::chrono::seconds(10)); }

 private:
  void set_time(const std::string& name, std::chrono::seconds from_now) {
    fs::last_write_time(folder_ / name, fs::file_time_type::clock::now() + from_now);
  }

  std::string log() const { return folder_ / "log"; }

  TemporaryFolder folder_;
};

const std::string kPass = "echo 'All tests passed (12 assertions in 3 test cases)'\n";

}  // namespace

TEST_CASE("kernels list names the files of every kernel") {
  const Outcome list = run_diopter("kernels list");
  REQUIRE(list.exit_code == 0);
  int kernels = 0;
  for (const std::string folder : {"kernels/nn", "kernels/detection"}) {
    for (const fs::directory_entry& entry : fs::directory_iterator(DIOPTER_SOURCE_DIR "/" + folder)) {
      if (entry.path().extension() != ".cu") continue;
      const std::string stem = folder + "/" + entry.path().stem().string();
      INFO(stem);
      REQUIRE((contains(list.out, stem + ".{h,cpp,cu}") || contains(list.out, stem + ".cu")));
      ++kernels;
    }
  }
  REQUIRE(kernels >= 14);
}

TEST_CASE("an unknown kernel is refused with the nearest name") {
  require_refused(run_diopter("kernels check top-k"), "the nearest is top_k");
  require_refused(run_diopter("kernels bench nmss"), "the nearest is nms");
  require_refused(run_diopter("kernels bench qqqqqqqq"),
                  "unknown kernel 'qqqqqqqq' (there are classification_loss, elementwise_loss, hard_examples, ");
  require_refused(run_diopter("kernels check"), "kernel");
}

TEST_CASE("kernels check runs every build, executors in three orders") {
  Builds builds;
  builds.add("host", "host", kPass);
  builds.add("release", "off", kPass);
  builds.add_presets(R"({"configurePresets": [{"name": "base", "hidden": true}, {"name": "host"},
                         {"name": "host-tsan", "displayName": "Races"}]})");
  const Outcome outcome = builds.check("nms");
  INFO(outcome.out << outcome.err);
  REQUIRE(outcome.exit_code == 0);
  REQUIRE(builds.calls() == "forward nms:*\nreverse nms:*\nshuffle nms:*\n nms:*\n");
  REQUIRE(contains(outcome.out, "not built: host-tsan (Races)\n  cmake --preset host-tsan && cmake --build"));
  REQUIRE_FALSE(contains(outcome.out, "not built: base"));
  REQUIRE_FALSE(contains(outcome.out, "FAILED"));
}

TEST_CASE("kernels check fails when one run does, and shows how to repeat it") {
  Builds builds;
  builds.add("host", "host", "[ $DIOPTER_EXECUTOR_ORDER = reverse ] && echo 'two differ' && exit 1\n" + kPass);
  const Outcome outcome = builds.check("match");
  INFO(outcome.out << outcome.err);
  REQUIRE(outcome.exit_code == 1);
  REQUIRE(outcome.err.empty());
  REQUIRE(contains(outcome.out, "two differ\n"));
  REQUIRE(contains(outcome.out, "again: DIOPTER_EXECUTOR_ORDER=reverse "));
  REQUIRE(builds.calls() == "forward match:*,atss:*\nreverse match:*,atss:*\nshuffle match:*,atss:*\n");
}

TEST_CASE("kernels check does not take no tests for success") {
  Builds builds;
  builds.add("release", "off", "echo 'No test cases matched'; echo 'No tests ran'\n");
  REQUIRE(builds.check("sgd").exit_code == 1);
}

TEST_CASE("kernels check gives no verdict about a build that is older than its sources") {
  Builds builds;
  builds.add("release", "off", kPass);
  builds.compile_from_source("release");
  REQUIRE(builds.check("nms").exit_code == 0);
  builds.edit_source();
  const Outcome outcome = builds.check("nms");
  INFO(outcome.out << outcome.err);
  REQUIRE(outcome.exit_code == 2);
  REQUIRE(contains(outcome.err, "kernels/x.h is newer than "));
  REQUIRE(contains(outcome.out, "old\n"));
  REQUIRE(builds.calls() == " nms:*\n");  // once
  builds.add("host", "host", kPass);
  REQUIRE(builds.check("nms").exit_code == 2);
  REQUIRE(builds.calls() == " nms:*\nforward nms:*\nreverse nms:*\nshuffle nms:*\n");
}

TEST_CASE("kernels check says what to build when nothing is") {
  const TemporaryFolder folder;
  require_refused(run_diopter("kernels check sgd --builds '" + (folder / "none") + "'"), "--target kernels_tests");
}

TEST_CASE("kernels bench times every case of every kernel it knows") {
  const TemporaryFolder folder;
  const std::string file = folder / "times.json";
  const Outcome outcome = run_diopter("kernels bench all --quick --device cpu --json '" + file + "'");
  INFO(outcome.err);
  REQUIRE(outcome.exit_code == 0);
  const json rows = parse_json(read_bytes(file));
  for (const json& row : rows) {
    REQUIRE(row.at("microseconds") > 0.0);
    REQUIRE(row.at("gb_per_s") > 0.0);
  }
  for (const std::string kernel :
       {"copy", "classification_loss", "match", "loss_scale", "box_loss", "top_k", "nms", "anchors", "sgd", "adamw",
        "conv2d", "group_norm", "batch_norm", "elementwise", "reduce", "max_pool", "upsample"}) {
    INFO(kernel);
    REQUIRE(std::count_if(rows.begin(), rows.end(), [&](const json& row) { return row.at("kernel") == kernel; }) > 0);
  }
}
