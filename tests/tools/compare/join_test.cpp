// diopter compare with several workers: --join, --shard, --slurm.
#include <algorithm>
#include <filesystem>
#include <sstream>
#include <string>
#include <vector>

#include "tests/support/protocols.h"
#include "tests/tools/program.h"

using namespace diopter::test;

namespace fs = std::filesystem;

namespace {

struct SharedWorkplace {
  TemporaryFolder folder;
  std::string protocol = folder.write("tiny.toml", tiny_protocol());
  std::string alone = folder / "alone", shared = folder / "shared";

  /// The command without what is around it in a shell.
  std::string command(const std::string& out, const std::string& more) const {
    return "'" DIOPTER_PROGRAM "' compare '" + protocol + "' --threads 1 --out '" + out + "' " + more;
  }
  Outcome compare(const std::string& out, const std::string& more = "") const { return run_shell(command(out, more)); }
  void require_same() const {
    for (const char* table : {"/table.csv", "/results.csv"}) {
      INFO(table);
      REQUIRE(without_seconds(alone + table) == without_seconds(shared + table));
    }
    REQUIRE_FALSE(fs::exists(shared + "/attempts"));
  }
  static std::vector<std::string> without_seconds(const std::string& file) {
    std::istringstream text(read_bytes(file));
    std::vector<std::string> lines;
    for (std::string line; std::getline(text, line);) lines.push_back(line.substr(0, line.rfind(',')));
    REQUIRE(lines.size() > 1);
    return lines;
  }
};

/// Of a run that was made: "NAME: AP 1.2 after 0:01" or "NAME: diverged at iteration 2".
std::vector<std::string> runs_made(const std::string& log) {
  std::vector<std::string> runs;
  std::istringstream text(log);
  for (std::string line; std::getline(text, line);) {
    if (contains(line, ": AP ") || contains(line, ": diverged at")) runs.push_back(line.substr(0, line.find(':')));
  }
  std::sort(runs.begin(), runs.end());
  return runs;
}

}  // namespace

TEST_CASE("compare --join: workers that start together make each run once, with the table of one process",
          "[thorough]") {
  const SharedWorkplace place;
  REQUIRE(place.compare(place.alone).exit_code == 0);
  const std::string worker = place.command(place.shared, "--join --jobs 1");
  const Outcome both = run_shell(worker + " & first=$!; " + worker + " & wait $first && wait $!");
  INFO(both.out << both.err);
  REQUIRE(both.exit_code == 0);
  const std::vector<std::string> runs = runs_made(both.err);
  REQUIRE(runs.size() == 12);
  REQUIRE(std::adjacent_find(runs.begin(), runs.end()) == runs.end());
  place.require_same();

  // Who comes when all is done gets the table; the study may be named instead of its protocol.
  const Outcome late = run_shell("cd '" + place.folder.path() + "' && '" DIOPTER_PROGRAM "' compare shared --join");
  INFO(late.out << late.err);
  REQUIRE(late.exit_code == 0);
  REQUIRE(contains(late.out, "12 runs, 12 of them made"));
  REQUIRE(runs_made(late.err).empty());
  place.require_same();
}

TEST_CASE("compare: a study passes from one process to workers and back", "[thorough]") {
  const SharedWorkplace place;
  write_bytes(place.protocol, replaced(tiny_protocol(), "iterations = 6", "iterations = 60"));
  REQUIRE(place.compare(place.alone, "--jobs 2").exit_code == 0);
  // Each time it is stopped when a run has saved.
  const auto stopped = [&](const std::string& more, const std::string& runs) {
    return run_shell(place.command(place.shared, more) + " & pid=$!; until ls '" + place.shared + "'/" + runs +
                     "/*/checkpoints/last.safetensors; do sleep 0.01; done >/dev/null 2>&1; kill -INT $pid; wait $pid");
  };
  Outcome outcome = stopped("", "runs");
  INFO(outcome.out << outcome.err);
  REQUIRE((outcome.exit_code == 130 || outcome.exit_code == 0));
  outcome = stopped("--join --jobs 1", "*");  // also of runs that have ended
  REQUIRE((outcome.exit_code == 130 || outcome.exit_code == 0));
  outcome = place.compare(place.shared, "--resume");
  INFO(outcome.out << outcome.err);
  REQUIRE(outcome.exit_code == 0);
  place.require_same();
}

TEST_CASE("compare --join: a run that fails for every worker ends them, and can be made later", "[thorough]") {
  const SharedWorkplace place;
  REQUIRE(place.compare(place.alone).exit_code == 0);
  REQUIRE(place.compare(place.shared, "--shard 1/2").exit_code == 0);
  const std::string test_split = place.shared + "/data/test.json", kept = read_bytes(test_split);
  fs::remove(test_split);
  const std::string worker = place.command(place.shared, "--join --jobs 2");
  const Outcome failed = run_shell(worker + " & first=$!; " + worker + "; echo second $?; wait $first; echo first $?");
  INFO(failed.out << failed.err);
  REQUIRE(contains(failed.out, "first 1\n"));
  REQUIRE(contains(failed.out, "second 1\n"));
  REQUIRE(contains(failed.err, "test.json: no such file"));
  write_bytes(test_split, kept);
  REQUIRE(place.compare(place.shared, "--join").exit_code == 0);
  place.require_same();
}

TEST_CASE("compare --shard takes its part of the runs only", "[thorough]") {
  const SharedWorkplace place;
  REQUIRE(place.compare(place.alone).exit_code == 0);
  const Outcome first = place.compare(place.shared, "--shard 1/3");
  INFO(first.out << first.err);
  REQUIRE(first.exit_code == 0);
  // Configurations are counted through: 0 and 3 of the six tuning runs.
  REQUIRE(runs_made(first.err) == std::vector<std::string>{"tune-ce-1-seed101", "tune-focal-2-seed101"});
  REQUIRE(contains(first.out, "2 of 12 runs made; go on with the same command\n"));
  REQUIRE(place.compare(place.shared, "--shard 2/3").exit_code == 0);
  const Outcome third = place.compare(place.shared, "--shard 3/3");
  const std::vector<std::string> made = runs_made(third.err);
  REQUIRE(std::count(made.begin(), made.end(), "final-focal-seed1") == 1);  // number 2 of the final runs
  REQUIRE(std::count(made.begin(), made.end(), "final-ce-seed1") == 0);
  REQUIRE_FALSE(fs::exists(place.shared + "/table.csv"));
  for (const char* shard : {"1/3", "2/3", "3/3"}) {
    REQUIRE(place.compare(place.shared, std::string("--shard ") + shard).exit_code == 0);
  }
  place.require_same();
}

TEST_CASE("compare: a process alone and workers keep each other away") {
  const SharedWorkplace place;
  write_bytes(place.protocol, replaced(tiny_protocol(), "iterations = 6", "iterations = 100000"));
  const Outcome outcome = run_shell(place.command(place.shared, "--join") + " & pid=$!; until test -e '" +
                                    place.shared + "/attempts'; do sleep 0.01; done; " +
                                    place.command(place.shared, "") + "; echo alone $?; kill -INT $pid; wait $pid");
  INFO(outcome.out << outcome.err);
  REQUIRE(contains(outcome.out, "alone 2\n"));
  REQUIRE(contains(outcome.err, "shared: another process works on it"));
}

TEST_CASE("compare --slurm prints a script and runs nothing", "[thorough]") {
  const SharedWorkplace place;
  const Outcome outcome = place.compare(place.shared, "--slurm 7 --jobs 2 --lease 30");
  INFO(outcome.out << outcome.err);
  REQUIRE(outcome.exit_code == 0);
  REQUIRE_FALSE(fs::exists(place.shared));
  for (const std::string& line :
       {std::string("#!/bin/sh\n"), std::string("\n#SBATCH --array=1-7\n"),
        std::string("\n#SBATCH --cpus-per-task=2\n"), std::string("\n#SBATCH --job-name=diopter-shared\n"),
        std::string("\n#SBATCH --signal=B:TERM@60\n"),
        "\nexec " + fs::canonical(DIOPTER_PROGRAM).string() + " compare " + place.protocol + " --join --out " +
            place.shared + " --device auto --jobs 2 --threads 1 --lease 30\n"}) {
    INFO(line);
    REQUIRE(contains(outcome.out, line));
  }
  REQUIRE_FALSE(contains(outcome.out, "gres"));
  REQUIRE(contains(place.compare(place.shared, "--slurm 7 --device cuda").out, "\n#SBATCH --gres=gpu:1\n"));
  // The command is one that works.
  const Outcome run = run_shell(outcome.out.substr(outcome.out.find("exec ")));
  INFO(run.out << run.err);
  REQUIRE(run.exit_code == 0);
  REQUIRE(contains(run.out, "A tiny study"));
}

TEST_CASE("compare refuses to share in one line", "[thorough]") {
  const SharedWorkplace place;
  for (const char* shard : {"0/2", "3/2", "2", "1/", "/2", "1/2/3", "1.5/2", "a/b"}) {
    INFO(shard);
    require_refused(place.compare(place.shared, std::string("--shard ") + shard), "must be a number, from 1 on");
  }
  require_refused(place.compare(place.shared, "--join --resume"), "leave --resume out");
  require_refused(place.compare(place.shared, "--join --lease 0"), "--lease");
  require_refused(place.compare(place.shared, "--slurm 0"), "--slurm");
  require_refused(run_diopter("compare --join --out '" + place.shared + "'"), "holds no study to go on with");
  require_refused(run_diopter("compare --slurm 2 --out '" + place.shared + "'"), "holds no study to go on with");
  require_refused(run_diopter("compare --join"), "compare needs a protocol");
  REQUIRE_FALSE(fs::exists(place.shared));
  require_refused(run_diopter("compare '" + place.protocol + "' --join --out '" + place.folder.path() + "'"),
                  "holds something that is no study");
  REQUIRE(place.compare(place.shared).exit_code == 0);
  write_bytes(place.protocol, replaced(tiny_protocol(), "loss.gamma=2", "loss.gamma=3"));
  require_refused(place.compare(place.shared, "--join"), "holds a study by another protocol");
}
