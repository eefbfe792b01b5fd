// diopter detect --dump as users call it; what it holds is tested in tests/retinanet/network/dump_test.cpp.
#include <filesystem>
#include <string>

#include "tests/tools/program.h"

using namespace diopter::test;

TEST_CASE("detect --dump writes the layers of each picture") {
  const TemporaryFolder folder;
  const std::string shapes = folder / "shapes", run = folder / "run", dump = folder / "dump.safetensors";
  REQUIRE(run_diopter("shapes --out '" + shapes + "' --size 32 --train 2 --val 1").exit_code == 0);
  REQUIRE(run_diopter("train --train-annotations '" + shapes + "/instances_train.json' --train-images '" + shapes +
                      "/images' --out '" + run + "' --set train.iterations=1 --set train.batch_size=1 " +
                      "--set input.max_size=32 --set train.workers=0")
              .exit_code == 0);
  const std::string detect = "detect --checkpoint '" + run + "/checkpoints/last.safetensors' '" + shapes +
                             "/images' --out '" + (folder / "drawn") + "' --dump ";
  const Outcome outcome = run_diopter(detect + "'" + dump + "'");
  INFO(outcome.err);
  REQUIRE(outcome.exit_code == 0);
  const std::string bytes = read_bytes(dump);
  for (const char* name : {"\"1/input\"", "\"1/C2\"", "\"1/P4\"", "\"1/logits.P2\"", "\"1/deltas.P4\"", "\"1/boxes\"",
                           "\"3/input\"", "\"3/scores\""}) {
    INFO(name);
    CHECK(contains(bytes, name));
  }
  CHECK(contains(bytes, shapes + "/images"));  // which file was picture 1
  CHECK(!contains(bytes, "\"4/input\""));
  const Outcome refused = run_diopter(detect + "'" + (folder / "none/dump.safetensors") + "'");
  CHECK(refused.exit_code == 2);
  CHECK(contains(refused.err, "none/dump.safetensors: cannot write"));
}

TEST_CASE("detect --profile measures batches") {
  const TemporaryFolder folder;
  const std::string shapes = folder / "shapes", run = folder / "run", drawn = folder / "drawn";
  REQUIRE(run_diopter("shapes --out '" + shapes + "' --size 32 --train 5 --val 1").exit_code == 0);
  REQUIRE(run_diopter("train --train-annotations '" + shapes + "/instances_train.json' --train-images '" + shapes +
                      "/images' --out '" + run + "' --set train.iterations=1 --set train.batch_size=1 " +
                      "--set input.max_size=32 --set train.workers=0 --set detect.batch_size=1")
              .exit_code == 0);
  const std::string detect =
      "detect --checkpoint '" + run + "/checkpoints/last.safetensors' '" + shapes + "/images' --out '" + drawn + "' ";
  require_refused(run_diopter(detect + "--profile none"), "--profile");
  const Outcome outcome = run_diopter(detect + "--profile 2");
  INFO(outcome.err);
  REQUIRE(outcome.exit_code == 0);
  const std::string table = read_bytes(drawn + "/profile.txt");
  INFO(table);
  CHECK(contains(outcome.out, table));
  CHECK(contains(table, "\nbatch, 2 times: "));
  CHECK(contains(table, "\nload, 2 times: "));
  for (const char* phase : {"    forward\n", "    post-processing\n", "    draw\n"}) CHECK(contains(table, phase));
  CHECK(contains(table, "  post-processing: batched_nms\n"));
  CHECK(std::filesystem::exists(drawn + "/trace.json"));
}
