// tests/mutation/run.py on a project of three lines.
#include <string>

#include "generated/source_dir.h"
#include "kernels/base/json.h"
#include "tests/tools/program.h"

using diopter::parse_json;
using nlohmann::json;
using namespace diopter::test;

namespace {

/// A repository with one source, of which one function is tested.
struct SmallProject {
  TemporaryFolder folder;
  std::string repository = folder / "project", out = folder / "out";

  SmallProject() {
    folder.write("project/CMakeLists.txt",
                 "cmake_minimum_required(VERSION 3.20)\nproject(small CXX)\nset(CMAKE_RUNTIME_OUTPUT_DIRECTORY tests)\n"
                 "add_executable(kernels_tests kernels/x.cpp tests/kernels/x_test.cpp)\n");
    folder.write("project/kernels/x.cpp",
                 "int limited(int x) {\n"
                 "  volatile short left = x;\n"  // a loop that counts up ends soon, too
                 "  while (left > 9) left = left - 1;\n"
                 "  return left;\n"
                 "}\n"
                 "int untested(int x) { return x + 5; }\n");
    folder.write("project/tests/kernels/x_test.cpp",
                 "int limited(int);\nint main() { return limited(12) == 9 && limited(3) == 3 ? 0 : 1; }\n");
    folder.write("list.txt",
                 "# an endless loop, and no C++\nkernels/x.cpp\n- while (left > 9) left = left - 1;\n"
                 "+ while (left > 9) left = left - 0;\n\nkernels/x.cpp\n- return left;\n+ return left left;\n\n"
                 "kernels/x.cpp\n- return right;\n+ return left;\n");
    folder.write("equivalent.txt",
                 "kernels/x.cpp\n- int untested(int x) { return x + 5; }\n+ int untested(int x) { return x - 5; }\n"
                 "= nobody calls it\n");
    const Outcome made = run_shell("cd '" + repository + "' && git init -q && git add . && git -c user.name=a " +
                                   "-c user.email=a@b commit -q -m first");
    INFO(made.err);
    REQUIRE(made.exit_code == 0);
  }

  Outcome run(const std::string& more, const std::string& before = "") const {
    return run_shell(before + "python3 -B '" DIOPTER_SOURCE_DIR "/tests/mutation/run.py' --repository '" + repository +
                     "' --out '" + out + "' --list '" + (folder / "list.txt") + "' --equivalent '" +
                     (folder / "equivalent.txt") + "' --patience 4 --no-layers-above " + more);
  }

  json report() const { return parse_json(read_bytes(out + "/report.json")); }

  void require_untouched() const {
    const Outcome status = run_shell("cd '" + repository + "' && git status --porcelain");
    REQUIRE(status.exit_code == 0);
    REQUIRE(status.out.empty());
  }
};

std::string outcome_of(const json& report, const std::string& change) {
  for (const json& mutant : report.at("mutants")) {
    if (contains(mutant.at("new").get<std::string>(), change)) return mutant.at("outcome");
  }
  return "none";
}

/// Noticed; on a busy machine, because of the time.
bool caught(const json& report, const std::string& change) {
  const std::string outcome = outcome_of(report, change);
  return outcome == "killed" || outcome == "too long";
}

}  // namespace

TEST_CASE("mutants of a project: what tests notice, what they do not, and what is no program", "[thorough]") {
  if (run_shell("python3 --version && git --version && cmake --version && ninja --version").exit_code != 0) {
    return skip("no python3, git, cmake and ninja");
  }
  const SmallProject project;
  const Outcome outcome = project.run("kernels");
  INFO(outcome.out << outcome.err);
  REQUIRE(outcome.exit_code == 0);
  const json report = project.report();
  CHECK(caught(report, "left >= 9) left = left - 1;"));  // comparison
  CHECK(caught(report, "left > 10) left = left - 1;"));  // constant
  CHECK(caught(report, "left > 9) left = left - 2;"));
  CHECK(outcome_of(report, "left - 0;") == "too long");
  CHECK(outcome_of(report, "left left;") == "did not build");
  CHECK(outcome_of(report, "return x + 6;") == "survived");
  CHECK(outcome_of(report, "return x - 5;") == "none");  // listed as equivalent
  CHECK(report.at("counts").at("not found") == 1);
  CHECK(report.at("counts").at("survived") == 1);
  CHECK(contains(outcome.out, "kernels/x.cpp:6: constant\n    - int untested(int x) { return x + 5; }"));
  project.require_untouched();

  // Results are kept: only what is missing is planted, and the report is the same.
  const std::string log = project.out + "/results.jsonl", lines = read_bytes(log);
  write_bytes(log, lines.substr(0, lines.find('\n') + 1));
  const Outcome resumed = project.run("--resume kernels");
  REQUIRE(resumed.exit_code == 0);
  CHECK(project.report().at("counts") == report.at("counts"));
  CHECK(read_bytes(log) == lines);
  CHECK_FALSE(contains(resumed.out, "1/"));
  CHECK(contains(project.run("--count 2 --list '' kernels").out, "2/2 "));
}

TEST_CASE("mutants by rule are what the rules say") {
  if (run_shell("python3 --version").exit_code != 0) return skip("no python3");
  const Outcome outcome =
      run_shell("cd '" DIOPTER_SOURCE_DIR "/tests/mutation' && python3 -B -m unittest -q rules_test");
  INFO(outcome.err);
  CHECK(outcome.exit_code == 0);
}

TEST_CASE("a mutation run that is ended leaves the working tree alone and goes on", "[thorough]") {
  if (run_shell("python3 --version && git --version && cmake --version && ninja --version").exit_code != 0) {
    return skip("no python3, git, cmake and ninja");
  }
  const SmallProject project;
  const Outcome ended = project.run("--list '' kernels", "timeout --signal INT 2 ");
  project.require_untouched();
  const Outcome resumed = project.run("--resume --list '' kernels");
  INFO(ended.out << ended.err << resumed.out << resumed.err);
  REQUIRE(resumed.exit_code == 0);
  CHECK(caught(project.report(), "left >= 9) left = left - 1;"));
  CHECK(project.report().at("counts").at("survived") == 1);
  for (const char* wrong : {"none", "--commit nonsense kernels"}) {
    const Outcome refused = project.run(wrong);
    CHECK(refused.exit_code == 2);
    CHECK(contains(refused.err, "run.py: "));
  }
}
