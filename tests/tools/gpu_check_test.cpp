// tools/gpu_check.sh: the runner with made-up stages and programs, and what the real lists of stages promise.
#include <filesystem>
#include <sstream>
#include <string>
#include <vector>

#include "generated/source_dir.h"
#include "kernels/base/json.h"
#include "tests/tools/program.h"

using diopter::json_text;
using diopter::parse_json;
using nlohmann::json;
using namespace diopter::test;
namespace fs = std::filesystem;

namespace {

const std::string kScripts = DIOPTER_SOURCE_DIR "/tools/gpu_check/";

/// An unpacked archive: the real run.sh, and whatever else a test puts there. Its diopter has a device unless told
/// otherwise.
class Package {
 public:
  Package() {
    add_script("run.sh", read_bytes(kScripts + "run.sh"));
    set_preset("host");
    add_program("diopter", "exit 0");
    fs::create_directories(folder_ / "results");
  }

  void set_preset(const std::string& preset) {
    folder_.write("package/about", "preset=" + preset + "\ncommit=abc\narchitectures=none\n");
  }
  void add_program(const std::string& name, const std::string& script) {
    add_script("bin/" + name, "#!/bin/sh\n" + script + "\n");
  }
  void add_real_stages() { add_script("stages.sh", read_bytes(kScripts + "stages.sh")); }

  /// A list of stages, and functions for them.
  void add_part(const std::string& name, const std::string& list, const std::string& functions = "") {
    folder_.write("package/" + name + ".sh", list);
    if (!functions.empty()) add_script("stages.sh", "#!/bin/bash\nname=$1\nshift\n" + functions + "\n\"$@\"\n");
  }

  std::string command(const std::string& arguments) const {
    return "OUT='" + results() + "' '" + (folder_ / "package/run.sh") + "' " + arguments;
  }
  Outcome run(const std::string& arguments) const { return run_shell(command(arguments)); }

  std::string results() const { return folder_ / "results"; }
  std::string result_file(const std::string& name) const { return read_bytes(results() + "/" + name); }

  /// The lines of results.jsonl, that about the machine first.
  std::vector<json> lines() const {
    std::istringstream in(result_file("results.jsonl"));
    std::vector<json> all;
    for (std::string line; std::getline(in, line);) all.push_back(parse_json(line));
    return all;
  }

 private:
  void add_script(const std::string& name, const std::string& text) {
    fs::permissions(folder_.write("package/" + name, text), fs::perms::owner_all);
  }

  TemporaryFolder folder_;
};

/// Names and limits of the stages of a list, as bash reads it, and the limit of the part.
struct StageList {
  std::vector<std::string> names;
  int sum = 0, part = 0;
};

StageList read_list(const std::string& part) {
  const Outcome outcome =
      run_shell("bash -c 'stage() { echo \"$1 $2\"; }; source \"" + kScripts + part + ".sh\"; echo \"- $part_limit\"'");
  StageList list;
  std::istringstream in(outcome.out);
  int seconds = 0;
  for (std::string name; in >> name >> seconds;) {
    if (name == "-") {
      list.part = seconds;
    } else {
      list.names.push_back(name);
      list.sum += seconds;
    }
  }
  return list;
}

void require_one_line(const Outcome& outcome, const std::string& culprit) {
  INFO("stdout: " << outcome.out << "\nstderr: " << outcome.err);
  REQUIRE(outcome.exit_code == 2);
  REQUIRE(outcome.out.empty());
  REQUIRE(contains(outcome.err, culprit));
  REQUIRE(outcome.err.find('\n') == outcome.err.size() - 1);
}

Outcome run_gpu_check(const std::string& arguments) {
  const TemporaryFolder folder;
  return run_shell("OUT='" + (folder / "out") + "' '" DIOPTER_SOURCE_DIR "/tools/gpu_check.sh' " + arguments);
}

}  // namespace

TEST_CASE("gpu_check: a stage that hangs or crashes costs only itself, and results come one by one") {
  Package package;
  package.add_part(
      "part1",
      "stage good 20 good\nstage hangs 1 hangs\nstage crashes 20 crashes\nstage look 20 look\n"
      "stage nothing 20 nothing\n",
      "good() { echo 'note: all \"well\"'; }\n"
      "hangs() { trap '' TERM INT; ( trap '' TERM; while :; do sleep 1; done ) & while :; do sleep 1; done; }\n"
      "crashes() { for i in $(seq 1 30); do echo \"line $i\"; done; kill -SEGV $$; }\n"
      "look() { echo \"note: $(wc -l <\"$out/results.jsonl\") lines, $(tar -tzf \"$out/part1_logs.tar.gz\" |"
      " grep -c 'log$') logs\"; }\n"
      "nothing() { echo 'note: no such thing here'; exit 77; }\n");
  const Outcome outcome = package.run("part1");
  INFO(outcome.out << outcome.err);
  REQUIRE(outcome.exit_code == 1);
  const std::vector<json> lines = package.lines();
  REQUIRE(lines.size() == 6);
  REQUIRE(lines[0]["commit"] == "abc");
  const std::vector<std::string> expected{"passed", "stopped", "FAILED", "passed", "skipped"};
  for (std::size_t i = 0; i < expected.size(); ++i) {
    INFO(json_text(lines[i + 1]));
    REQUIRE(lines[i + 1]["result"] == expected[i]);
  }
  REQUIRE(lines[1]["note"] == "all \"well\"");
  REQUIRE(lines[2]["seconds"] <= 5);
  REQUIRE(lines[4]["note"] == "4 lines, 3 logs");
  REQUIRE(lines[5]["note"] == "no such thing here");
  REQUIRE(contains(outcome.out, "line 30\n"));
  REQUIRE(contains(outcome.out, "line 16\n"));
  REQUIRE_FALSE(contains(outcome.out, "line 15\n"));
  REQUIRE(run_shell("tar -xzOf '" + package.results() + "/part1_logs.tar.gz' logs/crashes.log")
              .out.starts_with("line 1\n"));
  const auto files = std::distance(fs::directory_iterator(package.results()), fs::directory_iterator());
  REQUIRE(files <= 4);  // and two more of part 2: at most 6
}

TEST_CASE("gpu_check: what is left when a part's time is over is skipped") {
  Package package;
  package.add_part("part2", "part_limit=2\nstage long 60 sleep 60\nstage late 20 true\n", "true");
  const Outcome outcome = package.run("part2");
  INFO(outcome.out << outcome.err);
  REQUIRE(outcome.exit_code == 1);
  const std::vector<json> lines = package.lines();
  REQUIRE(lines.size() == 3);
  REQUIRE(lines[1]["result"] == "stopped");
  REQUIRE(lines[1]["seconds"] <= 5);
  REQUIRE(lines[2]["result"] == "skipped");
  REQUIRE(contains(lines[2]["note"].get<std::string>(), "the part's 2 s are over"));
}

TEST_CASE("gpu_check: without a device nothing is run") {
  Package package;
  package.add_program("diopter", "echo 'diopter: no NVIDIA driver is installed' >&2; exit 2");
  package.add_part("part1", "stage good 20 true\n", "true");
  require_one_line(package.run("part1"), "no GPU to run on: diopter: no NVIDIA driver is installed");
  REQUIRE_FALSE(fs::exists(package.results() + "/results.jsonl"));
}

TEST_CASE("gpu_check: NVIDIA's libraries are those of wheels, then those of the toolkit") {
  Package package;
  package.set_preset("cuda");
  package.add_program("diopter", "echo \"$LD_LIBRARY_PATH\" >&2; exit 2");
  package.add_part("part1", "stage good 20 true\n", "true");
  const TemporaryFolder folder;
  for (const std::string name : {"site/nvidia/cudnn/lib/x", "site/nvidia/cu13/lib/x", "toolkit/lib64/x"})
    folder.write(name, "");
  const Outcome outcome = run_shell("export CUDA_HOME='" + (folder / "toolkit") + "' PYTHONPATH='" + (folder / "site") +
                                    "' LD_LIBRARY_PATH=/first; " + package.command("part1"));
  const std::string site = folder / "site/nvidia/";
  require_one_line(outcome, "/first:" + site + "cu13/lib:" + site + "cudnn/lib:");
  REQUIRE(outcome.err.ends_with(":" + (folder / "toolkit/lib64") + "\n"));
}

TEST_CASE("gpu_check: failed tests are named, and run again in part 2, one launch at a time") {
  Package package;
  package.add_real_stages();
  const std::string dashes = std::string(79, '-') + "\n", dots = std::string(79, '.') + "\n";
  const auto failing = [&](const std::string& name) {
    return dashes + name + "\n  and a section\n" + dashes + "x.cpp:1\n" + dots +
           "\nx.cpp:2: FAILED:\n  CHECK( 1 == 2 )\n\n";
  };
  package.add_program("kernels_tests",
                      "case $1 in 'all*') cat <<'END'\n0.010 s: nms: fine\n" + failing("nms: equal, [of 2]") +
                          failing("top-k: again") +
                          "test cases: 3 | 1 passed | 2 failed\nEND\nexit 2 ;;\n"
                          "*) echo \"sync $DIOPTER_SYNC: $1\"; case $1 in top*) exit 1;; esac ;; esac");
  package.add_part("part1", "stage kernels 20 run_tests kernels_tests 'all*'\n");
  package.add_part("part2", "stage again 20 run_failed_again\n");
  REQUIRE(package.run("part1").exit_code == 1);
  REQUIRE(package.result_file("part1_failed.txt") == "kernels_tests nms: equal, [of 2]\nkernels_tests top-k: again\n");
  const json kernels = package.lines()[1];
  REQUIRE(kernels["failed"] == json{"kernels_tests nms: equal, [of 2]", "kernels_tests top-k: again"});
  REQUIRE(kernels["note"] == "test cases: 3 | 1 passed | 2 failed");

  REQUIRE(package.run("part2 '" + package.results() + "/part1_failed.txt'").exit_code == 1);
  REQUIRE(package.lines().back()["note"] == "1 of 2 failed again, one launch at a time");
  const std::string log = run_shell("tar -xzOf '" + package.results() + "/part2_logs.tar.gz' logs/again.log").out;
  REQUIRE(contains(log, "sync 1: nms: equal\\, \\[of 2\\]*\n"));
}

TEST_CASE("gpu_check: tests that ran on the CPU alone, or did not end, do not pass") {
  for (const std::string output :
       {"cuda is not tested: there is no CUDA device\nAll tests passed (2 assertions in 1 test case)",
        "0.010 s: nms: fine"}) {
    Package package;
    package.add_real_stages();
    package.add_program("kernels_tests", "printf '" + output + "\\n'");
    package.add_part("part1", "stage kernels 20 run_tests kernels_tests 'nms*'\n");
    REQUIRE(package.run("part1").exit_code == 1);
    REQUIRE(package.lines()[1]["result"] == "FAILED");
  }
}

TEST_CASE("gpu_check: the data of a stage are part of its result") {
  Package package;
  package.add_part("part1", "stage times 20 times\n",
                   "times() { printf '[\\n 1,\\n 2\\n]\\n' >\"$work/data/times.json\"; }");
  REQUIRE(package.run("part1").exit_code == 0);
  REQUIRE(package.lines()[1]["data"] == json{1, 2});
}

TEST_CASE("gpu_check: the limits of the stages add up to less than the part's, and those to 590 and 300 seconds") {
  const StageList first = read_list("part1"), second = read_list("part2");
  REQUIRE(first.names.size() > 20);
  REQUIRE(first.names[0] == "machine");
  REQUIRE(first.sum <= first.part);
  REQUIRE(first.part < 590);
  REQUIRE(second.names.size() >= 4);
  REQUIRE(second.sum <= second.part);
  REQUIRE(second.part < 300);
}

TEST_CASE("gpu_check: requests that cannot be met are refused in one line") {
  require_one_line(run_gpu_check("--pakc"), "unknown argument '--pakc'");
  require_one_line(run_gpu_check("--pack --preset relaese"), "--preset takes cuda or host, not 'relaese'");
  require_one_line(run_gpu_check("--run"), "--run takes part1 or part2, not ''");
  require_one_line(run_gpu_check("--run part3"), "--run takes part1 or part2, not 'part3'");
  require_one_line(run_gpu_check("--run part1 --archive /none.tar.gz"), "/none.tar.gz is not there");
  require_one_line(run_gpu_check("--run part1 --archive '" DIOPTER_SOURCE_DIR "/LICENSE'"), "is no archive");
  Package package;
  require_one_line(package.run("part3"), "the parts are part1 and part2, not 'part3'");
  require_one_line(package.run(""), "the parts are part1 and part2, not ''");
}
