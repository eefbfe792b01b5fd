#include "retinanet/laboratory/claims.h"

#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <thread>
#include <vector>

#include "retinanet/weights/checkpoint_files.h"
#include "tests/support/files.h"
#include "tests/support/protocols.h"

using namespace diopter;

namespace fs = std::filesystem;

namespace {

constexpr double kLong = 1e6;  // leases: for ever, and over as soon as somebody has looked twice
constexpr double kShort = 0;
const std::string kRun = "tune-ce-1-seed101";

struct SharedStudy {
  test::TemporaryFolder folder;
  Study study = create(folder / "study");
  RunClaims quick{study, kShort}, slow{study, kLong}, other{study, kLong};

  static Study create(const std::string& folder) {
    std::vector<std::string> warnings;
    return Study::create(folder, test::tiny_protocol(), "p.toml", warnings, nullptr);
  }
  std::string attempt(int number) const { return study.folder() + "/attempts/" + kRun + "." + std::to_string(number); }

  /// What a run leaves; `seconds` tells results apart.
  void finish(const std::string& run_folder, int seconds) const {
    fs::create_directories(run_folder);
    test::write_bytes(run_folder + "/result.json",
                      R"({"protocol": ")" + study.hash() + R"(", "run": ")" + kRun +
                          R"(", "diverged": false, "iteration": 6, "stats": )" +
                          "[0,0,0,0,0,0,0,0,0,0,0,0], \"seconds\": " + std::to_string(seconds) + "}");
  }
  void save(const std::string& run_folder, const std::string& bytes) const {
    fs::create_directories(run_folder + "/checkpoints");
    test::write_bytes(last_checkpoint(run_folder), bytes);
    test::write_bytes(run_folder + "/metrics.csv", bytes);
    test::write_bytes(run_folder + "/config.toml.tmp12", "of a program that was killed");
  }
  double seconds() const { return study.result(kRun)->seconds; }
};

/// Looks until the claim is taken to be abandoned.
std::optional<RunClaims::Claim> take_over(RunClaims& claims) {
  REQUIRE_FALSE(claims.take(kRun));  // a change must be waited for
  return claims.take(kRun);
}

}  // namespace

TEST_CASE("claims: one worker holds a run until it has a result") {
  SharedStudy shared;
  const auto claim = shared.slow.take(kRun);
  REQUIRE(claim);
  CHECK(claim->folder == shared.attempt(1));
  CHECK(claim->taken_from.empty());
  CHECK_FALSE(shared.other.take(kRun));
  CHECK_FALSE(shared.slow.take(kRun));
  CHECK(shared.other.held(kRun));
  CHECK(shared.other.held(kRun));
  CHECK_FALSE(shared.other.held("tune-ce-2-seed101"));
  CHECK(shared.slow.renew(*claim));
  shared.finish(claim->folder, 1);
  CHECK(shared.slow.publish(*claim));
  CHECK(shared.seconds() == 1);
  CHECK_FALSE(fs::exists(shared.attempt(1)));
  CHECK_FALSE(shared.other.take(kRun));
  CHECK_FALSE(shared.slow.take(kRun));
}

TEST_CASE("claims: of workers that reach for a run at the same time one gets it") {
  constexpr int kWorkers = 6, kRuns = 60;
  const SharedStudy shared;
  std::atomic<int> taken[kRuns] = {};
  std::vector<std::thread> workers;
  for (int w = 0; w < kWorkers; ++w) {
    workers.emplace_back([&] {
      RunClaims claims(shared.study, kLong);
      for (int run = 0; run < kRuns; ++run) taken[run] += claims.take("run" + std::to_string(run)).has_value();
    });
  }
  for (std::thread& worker : workers) worker.join();
  for (const std::atomic<int>& times : taken) CHECK(times == 1);

  // The folder of the attempt is there, though it was not when the worker looked for it.
  SharedStudy other;
  fs::create_directories(fs::path(other.attempt(1)).parent_path());
  fs::create_symlink("nowhere", other.attempt(1));
  CHECK_FALSE(other.slow.take(kRun));
}

TEST_CASE("claims: what was released is free at once, and goes on from its checkpoint") {
  SharedStudy shared;
  const auto first = shared.slow.take(kRun);
  REQUIRE(first);
  shared.save(first->folder, "half");
  shared.slow.release(*first);
  CHECK_FALSE(shared.other.held(kRun));
  const auto second = shared.other.take(kRun);
  REQUIRE(second);
  CHECK(second->attempt == 2);
  CHECK(second->taken_from.empty());
  CHECK(test::read_bytes(last_checkpoint(second->folder)) == "half");
  CHECK(test::read_bytes(second->folder + "/metrics.csv") == "half");
  CHECK_FALSE(fs::exists(second->folder + "/config.toml.tmp12"));
  CHECK_FALSE(fs::exists(last_checkpoint(second->folder) + ".copy"));
  CHECK(test::read_bytes(second->folder + "/claim").find("released") == std::string::npos);
}

TEST_CASE("claims: a sign of life keeps a run, silence loses it") {
  SharedStudy shared;
  const auto claim = shared.quick.take(kRun);
  REQUIRE(claim);
  for (int i = 0; i < 3; ++i) {  // it changes between any two looks
    CHECK_FALSE(shared.other.take(kRun));
    CHECK(shared.quick.renew(*claim));
  }
  const auto taken = take_over(shared.other);
  REQUIRE(taken);
  CHECK(taken->attempt == 2);
  CHECK(taken->taken_from.find("(process " + std::to_string(getpid()) + ")") != std::string::npos);
  CHECK_FALSE(shared.quick.renew(*claim));
  CHECK(shared.other.renew(*taken));
  // By the lease of whom it belongs to.
  CHECK_FALSE(shared.quick.take(kRun));
  CHECK_FALSE(shared.quick.take(kRun));
  CHECK(shared.quick.held(kRun));
}

TEST_CASE("claims: the first of two attempts that have a result is the run, the late one as well as the slow one") {
  const bool slow_one_first = GENERATE(true, false);
  SharedStudy shared;
  const auto slow = shared.quick.take(kRun);
  const auto late = take_over(shared.other);
  REQUIRE((slow && late));
  shared.save(slow->folder, "slow");
  shared.save(late->folder, "late");
  CHECK(test::read_bytes(last_checkpoint(slow->folder)) == "slow");  // nothing is shared
  shared.finish(slow->folder, 1);
  shared.finish(late->folder, 2);
  if (slow_one_first) {
    CHECK(shared.quick.publish(*slow));
    CHECK_FALSE(shared.other.renew(*late));
    CHECK_FALSE(shared.other.publish(*late));
  } else {
    CHECK(shared.other.publish(*late));
    CHECK_FALSE(shared.quick.renew(*slow));
    CHECK_FALSE(shared.quick.publish(*slow));
  }
  CHECK(shared.seconds() == (slow_one_first ? 1 : 2));
  CHECK(test::read_bytes(last_checkpoint(shared.study.run_folder(kRun))) == (slow_one_first ? "slow" : "late"));
  CHECK_FALSE(fs::exists(shared.attempt(1)));
  CHECK_FALSE(fs::exists(shared.attempt(2)));
}

TEST_CASE("claims: what a slow worker still writes, and its late release, stay without effect") {
  SharedStudy shared;
  const auto slow = shared.quick.take(kRun);
  const auto late = take_over(shared.slow);
  REQUIRE((slow && late));
  shared.quick.release(*slow);
  CHECK(shared.other.held(kRun));
  CHECK_FALSE(shared.other.take(kRun));
  shared.finish(late->folder, 2);
  REQUIRE(shared.slow.publish(*late));
  shared.save(slow->folder, "slow");  // its folder comes back
  CHECK_FALSE(shared.quick.renew(*slow));
  CHECK_FALSE(shared.other.take(kRun));
  shared.quick.release(*slow);
  CHECK_FALSE(fs::exists(slow->folder));
  CHECK(shared.seconds() == 2);
}

TEST_CASE("claims: a result whose worker died before it was published is published, not made again") {
  SharedStudy shared;
  const auto claim = shared.quick.take(kRun);
  REQUIRE(claim);
  shared.finish(claim->folder, 3);
  CHECK_FALSE(take_over(shared.other));
  REQUIRE(shared.study.result(kRun));
  CHECK(shared.seconds() == 3);
}

TEST_CASE("claims: an attempt that died while it copied is passed over") {
  SharedStudy shared;
  const auto first = shared.quick.take(kRun);
  REQUIRE(first);
  shared.save(first->folder, "half");
  fs::create_directories(shared.attempt(2) + "/checkpoints");
  test::write_bytes(last_checkpoint(shared.attempt(2)) + ".copy", "a part");
  test::write_bytes(shared.attempt(2) + "/claim", "released\n");
  const auto third = shared.other.take(kRun);
  REQUIRE(third);
  CHECK(third->attempt == 3);
  CHECK(test::read_bytes(last_checkpoint(third->folder)) == "half");
}

TEST_CASE("claims: a study passes from a process alone to workers and back") {
  SharedStudy shared;
  const std::string run_folder = shared.study.run_folder(kRun);
  const std::string done = shared.study.run_folder("tune-ce-2-seed101");
  shared.save(run_folder, "half");
  shared.finish(done, 1);
  share_unfinished_runs(shared.study);
  CHECK(fs::exists(done));
  CHECK_FALSE(fs::exists(run_folder));
  const auto claim = shared.slow.take(kRun);
  REQUIRE(claim);
  CHECK(test::read_bytes(last_checkpoint(claim->folder)) == "half");
  shared.save(claim->folder, "more");
  take_attempts_back(shared.study);
  CHECK(test::read_bytes(last_checkpoint(run_folder)) == "more");
  CHECK_FALSE(fs::exists(shared.study.folder() + "/attempts"));

  // An attempt with a result is taken before a later one without.
  share_unfinished_runs(shared.study);
  shared.finish(shared.attempt(1), 7);
  shared.save(shared.attempt(2), "later");
  take_attempts_back(shared.study);
  CHECK(shared.seconds() == 7);
}
