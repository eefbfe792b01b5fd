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

namespace {

/// A model of one step and pictures 1.jpg, 2.jpg and 3.jpg in the folder photos.
struct Detection {
  TemporaryFolder folder;
  std::string photos = folder / "photos";

  Detection() {
    const std::string shapes = folder / "shapes";
    REQUIRE(run_diopter("shapes --out '" + shapes + "' --size 32 --train 3 --val 1").exit_code == 0);
    REQUIRE(run_diopter("train --train-annotations '" + shapes + "/instances_train.json' --train-images '" + shapes +
                        "/images' --out '" + (folder / "run") + "' --set train.iterations=1 --set train.batch_size=1 " +
                        "--set input.max_size=32 --set train.workers=0 --set detect.batch_size=2 " +
                        "--set detect.score_threshold=0")
                .exit_code == 0);
    REQUIRE(
        detect(shapes + "/images/000001.png " + shapes + "/images/000002.png " + shapes + "/images/000003.png", photos)
            .exit_code == 0);
  }
  Outcome detect(const std::string& pictures, const std::string& out, const std::string& more = "") const {
    return run_diopter("detect --checkpoint " + (folder / "run/checkpoints/last.safetensors") + " " + pictures +
                       " --out " + out + " " + more);
  }
};

}  // namespace

TEST_CASE("detect replaces no picture that it was given") {
  const Detection made;
  const std::string first = made.photos + "/000001.jpg", before = read_bytes(first);
  require_refused(made.detect(made.photos, made.photos), "000001.jpg: is one of the pictures");
  require_refused(made.detect(first, made.photos + "/../photos/."), "choose another folder with --out");
  std::filesystem::create_directory_symlink(made.photos, made.folder / "link");
  require_refused(made.detect(made.photos, made.folder / "link"), "is one of the pictures");
  REQUIRE(read_bytes(first) == before);
  REQUIRE(made.detect(first, made.folder / "drawn").exit_code == 0);
}

TEST_CASE("detect skips pictures that cannot be decoded, and says so") {
  const Detection made;
  write_bytes(made.photos + "/000001.jpg", "no picture");
  write_bytes(made.photos + "/000002.jpg", "");
  const Outcome outcome = made.detect(made.photos, made.folder / "drawn", "--json " + (made.folder / "found.json"));
  INFO(outcome.out << outcome.err);
  REQUIRE(outcome.exit_code == 3);
  REQUIRE(contains(outcome.err, "diopter: warning: 2 of the 3 pictures cannot be read: "));
  REQUIRE(contains(outcome.err, "diopter: warning: skipped " + made.photos + "/000001.jpg: "));
  REQUIRE(contains(outcome.err, "diopter: warning: skipped " + made.photos + "/000002.jpg: "));
  REQUIRE(contains(outcome.out, " in 1 pictures; drawn into "));
  REQUIRE_FALSE(std::filesystem::exists(made.folder / "drawn/000001.jpg"));
  REQUIRE(std::filesystem::exists(made.folder / "drawn/000003.jpg"));
  const std::string json = read_bytes(made.folder / "found.json");
  REQUIRE_FALSE(contains(json, "000001.jpg"));
  // The numbers of the others stay.
  REQUIRE(contains(json, "000003.jpg"));
  REQUIRE(contains(json, "\"image_id\": 3,"));
  REQUIRE_FALSE(contains(json, "\"image_id\": 1,"));

  write_bytes(made.photos + "/000003.jpg", "no picture");
  const Outcome none = made.detect(made.photos, made.folder / "drawn");
  REQUIRE(none.exit_code == 2);
  REQUIRE(contains(none.err, "none of the 3 pictures can be decoded; the first: " + made.photos + "/000001.jpg"));
}
