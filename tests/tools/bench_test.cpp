// diopter bench, diopter kernels bench at chosen sizes, and tools/peers/peers.py, as a user calls them.
#include <cmath>
#include <set>
#include <string>
#include <vector>

#include "generated/source_dir.h"
#include "kernels/base/json.h"
#include "tests/tools/program.h"

using namespace diopter::test;
using diopter::parse_json;
using Json = nlohmann::json;

namespace {

const std::string kTiny =
    " --preset small --size 64 --batch 2 --classes 5 --warm-up 1 --repetitions 3 --device cpu --threads 1";

/// The JSON that a command writes with --json.
Json answer_of(const std::string& command) {
  const TemporaryFolder folder;
  const Outcome outcome = run_diopter(command + " --json '" + (folder / "out.json") + "'");
  INFO(outcome.out << outcome.err);
  REQUIRE(outcome.exit_code == 0);
  REQUIRE(outcome.err.empty());
  return parse_json(read_bytes(folder / "out.json"));
}

/// Names and shapes of a safetensors file's tensors.
Json header_of(const std::string& file) {
  const std::string bytes = read_bytes(file);
  std::size_t size = 0;
  for (int i = 7; i >= 0; --i) size = size << 8 | static_cast<unsigned char>(bytes.at(static_cast<std::size_t>(i)));
  return parse_json(bytes.substr(8, size));
}

}  // namespace

TEST_CASE("bench times steps and inference of a configuration") {
  for (const std::string what : {"step", "inference"}) {
    const Json answer = answer_of("bench " + what + kTiny);
    REQUIRE(answer.at("what") == what);
    REQUIRE(answer.at("milliseconds").size() == 3);
    REQUIRE(answer.at("classes") == 5);
    REQUIRE(answer.at("median_ms") > 0.0);
    REQUIRE(answer.at("peak_memory_mib") > 1.0);
    REQUIRE(answer.at("values").size() == 2);
    for (const double value : answer.at("values")) REQUIRE(std::isfinite(value));
  }
}

TEST_CASE("bench times what the engine costs an operation") {
  const Json rows = answer_of("bench overhead --device cpu --threads 1 --repetitions 3");
  REQUIRE(rows.size() == 6);
  for (const Json& row : rows) {
    REQUIRE(row.at("forward_us") > 0.0);
    REQUIRE(row.at("training_us") > 0.0);
  }
}

TEST_CASE("bench starts from the same weights and pictures each time") {
  const std::string command = "bench step" + kTiny;
  const Json losses = answer_of(command).at("values");
  REQUIRE(losses == answer_of(command).at("values"));
  REQUIRE(losses != answer_of(command + " --set train.seed=1").at("values"));
}

TEST_CASE("bench times post-processing and loading") {
  const TemporaryFolder folder;
  const Json found = answer_of("bench postprocess" + kTiny + " --save '" + (folder / "heads.safetensors") + "'");
  const Json header = header_of(folder / "heads.safetensors");
  REQUIRE(header.at("scores").at("shape") == Json{found.at("values")[0].get<int>()});
  REQUIRE(header.at("anchors").at("shape") == Json{9 * (16 * 16 + 8 * 8 + 4 * 4), 4});
  REQUIRE(header.at("logits").at("shape") == Json{2 * (16 * 16 + 8 * 8 + 4 * 4), 9 * 5});
  // Batches of 2 pictures with 7 boxes each; more than three, since the workers' stock is emptied first.
  REQUIRE(answer_of("bench loading" + kTiny).at("values")[0] >= 3.0 * 2 * 7);
}

TEST_CASE("bench refuses what it cannot time") {
  require_refused(run_diopter("bench step --preset smal"), "the nearest is small");
  require_refused(run_diopter("bench step --set train.lrr=1"), "train.lr");
  require_refused(run_diopter("bench inference --annotations /none.json --images /"), "/none.json");
  require_refused(run_diopter("bench inference --batch 0"), "--batch");
}

TEST_CASE("kernels bench takes sizes, types and cases") {
  const Json rows = answer_of("kernels bench nms --size images=2,boxes=40,classes=7 --repetitions 2 --device cpu");
  REQUIRE(rows.size() == 2);
  REQUIRE(rows.back().at("case") == "2 x 40 boxes, 7 classes");
  const Json conv = answer_of(
      "kernels bench conv2d --size map=9,in=4,out=6,kernel=1 --type f32 --case weight --repetitions 2 --device cpu");
  REQUIRE(conv.size() == 2);
  REQUIRE(conv.back().at("case") == "weight f32, 1 x 9^2 pixels, 4 channels to 6, 1^2 kernel, stride 1");
  require_refused(run_diopter("kernels bench nms --size box=3"),
                  "nms has no size 'box'; the nearest is boxes (there are images, side, boxes");
  require_refused(run_diopter("kernels bench nms --size boxes=0"), "boxes needs a whole number");
  require_refused(run_diopter("kernels bench nms --size boxes"), "boxes needs a whole number");
}

TEST_CASE("kernels bench saves what a case reads and writes") {
  const TemporaryFolder folder;
  const std::string file = folder / "case.safetensors";
  answer_of("kernels bench match --size side=64,boxes=3 --repetitions 1 --device cpu --save '" + file + "'");
  const Json header = header_of(file);
  REQUIRE(header.at("boxes").at("shape") == Json{3, 4});
  REQUIRE(header.at("labels").at("shape") == header.at("matches").at("shape"));
  REQUIRE(header.at("anchors").at("shape")[0] == header.at("labels").at("shape")[1]);

  const Outcome several = run_diopter("kernels bench match --quick --device cpu --save '" + file + "'");
  REQUIRE(several.exit_code == 2);
  REQUIRE(contains(several.err, "--save is for one case, not 2"));
}

TEST_CASE("peers.py runs our side of its comparison") {
  if (run_shell("python3 --version").exit_code != 0) return skip("python3 is not installed");
  if (kSanitized) return skip("the limit of memory that it sets, under sanitizers");
  const TemporaryFolder folder;
  const Outcome outcome =
      run_shell("python3 '" DIOPTER_SOURCE_DIR
                "/tools/peers/peers.py' --quick --ours-only --threads 1"
                " --only match,nms,postprocess,evaluation,loading --program '" DIOPTER_PROGRAM "' --out '" +
                (folder / "peers") + "'");
  INFO(outcome.out << outcome.err);
  REQUIRE(outcome.exit_code == 0);
  REQUIRE(contains(outcome.out, "| nms | 1,000 boxes, 80 classes | "));
  REQUIRE(outcome.out == read_bytes(folder / "peers.md") + "\n");
  std::set<std::string> sections;
  const Json result = parse_json(read_bytes(folder / "peers.json"));
  for (const Json& row : result.at("rows")) {
    REQUIRE(row.at("ours").at("seconds") > 0.0);
    sections.insert(row.at("section"));
  }
  REQUIRE(sections.size() == 5);
}
