// diopter compare, the whole program.
#include <algorithm>
#include <filesystem>
#include <sstream>
#include <string>
#include <vector>

#include "generated/source_dir.h"
#include "tests/support/protocols.h"
#include "tests/tools/program.h"

using namespace diopter::test;

namespace fs = std::filesystem;

namespace {

struct Workplace {
  TemporaryFolder folder;
  std::string protocol = folder.write("tiny.toml", tiny_protocol());
  std::string out = folder / "study";

  Outcome compare(const std::string& more = "") const {
    return run_diopter("compare '" + protocol + "' --out '" + out + "' " + more);
  }
  void write(const std::string& text) const { write_bytes(protocol, text); }
};

/// A CSV file's lines without their last column, which holds seconds.
std::vector<std::string> lines_of(const std::string& file) {
  std::istringstream text(read_bytes(file));
  std::vector<std::string> lines;
  for (std::string line; std::getline(text, line);) lines.push_back(line.substr(0, line.rfind(',')));
  return lines;
}

/// Runs that last long enough to be interrupted.
std::string longer_protocol() { return replaced(tiny_protocol(), "iterations = 6", "iterations = 200"); }

/// Starts a study in a shell, waits for the first checkpoint of a run and sends a signal; the shell's last line is the
/// exit code of the program.
Outcome interrupted(const Workplace& place, const std::string& signal) {
  return run_shell("'" DIOPTER_PROGRAM "' compare '" + place.protocol + "' --out '" + place.out +
                   "' --jobs 2 & pid=$!; " + "until ls '" + place.out +
                   "'/runs/*/checkpoints/last.safetensors; do sleep 0.01; done >/dev/null 2>&1; " + "kill -" + signal +
                   " $pid; wait $pid; echo $?");
}

std::ptrdiff_t finished_runs(const std::string& out) {
  std::ptrdiff_t count = 0;
  for (const auto& run : fs::directory_iterator(out + "/runs")) count += fs::exists(run.path() / "result.json");
  return count;
}

}  // namespace

TEST_CASE("compare tunes, repeats, tests and reports", "[thorough]") {
  const Workplace place;
  const Outcome outcome = place.compare("--jobs 2");
  INFO(outcome.out << outcome.err);
  REQUIRE(outcome.exit_code == 0);
  REQUIRE(contains(outcome.out, "12 runs, 0 of them made; 2 side by side\npreset small in a protocol is what"));
  REQUIRE(contains(outcome.out, "focal:      "));
  REQUIRE(contains(outcome.out, "too few seeds for a claim"));
  REQUIRE(contains(outcome.out, "wild diverged in 2 of 2 final runs; each counts as AP 0."));
  REQUIRE(lines_of(place.out + "/table.csv").size() == 4);
  REQUIRE(lines_of(place.out + "/results.csv").size() == 13);
  const std::string report = read_bytes(place.out + "/report.md");
  REQUIRE(contains(report, "# A tiny study"));
  REQUIRE(contains(report, "final-wild-seed2"));
  REQUIRE(read_bytes(place.out + "/protocol.toml") == tiny_protocol());
  REQUIRE(contains(read_bytes(place.out + "/runs/final-wild-seed1/log.txt"), "is not finite at iteration 2"));

  // The same again, one run after another with other numbers of threads: the same numbers.
  const Workplace again;
  REQUIRE(again.compare("--jobs 1 --threads 3").exit_code == 0);
  REQUIRE(lines_of(again.out + "/table.csv") == lines_of(place.out + "/table.csv"));
  REQUIRE(lines_of(again.out + "/results.csv") == lines_of(place.out + "/results.csv"));

  // Nothing is left to do, but the tables are made again.
  fs::remove(place.out + "/table.csv");
  require_refused(place.compare(), "go on with --resume or choose another folder");
  REQUIRE(run_diopter("compare --resume --out '" + place.out + "'").exit_code == 0);
  REQUIRE(lines_of(place.out + "/table.csv") == lines_of(again.out + "/table.csv"));

  place.write(replaced(tiny_protocol(), "loss.gamma=2", "loss.gamma=3"));
  require_refused(place.compare("--resume"), "holds a study by another protocol");
}

TEST_CASE("compare goes on after kill -9 and gives the table of the unbroken study", "[thorough]") {
  const Workplace whole, killed;
  whole.write(longer_protocol());
  killed.write(longer_protocol());
  REQUIRE(whole.compare("--jobs 2").exit_code == 0);

  const Outcome death = interrupted(killed, "KILL");
  REQUIRE(death.out.ends_with("137\n"));
  REQUIRE(finished_runs(killed.out) < 12);
  const Outcome resumed = killed.compare("--jobs 2 --resume");
  INFO(resumed.out << resumed.err);
  REQUIRE(resumed.exit_code == 0);
  REQUIRE(lines_of(killed.out + "/table.csv") == lines_of(whole.out + "/table.csv"));
  REQUIRE(lines_of(killed.out + "/results.csv") == lines_of(whole.out + "/results.csv"));
}

TEST_CASE("compare goes on after kill -9 where results decide which runs there are", "[thorough]") {
  const std::string text =
      replaced(replaced(longer_protocol(), "seeds = [101]", "seeds = [101, 102]\nextend = true\nextra_rates = 1"),
               "seeds = [1, 2]", "seeds = [1, 2, 3, 4]\nstop_at_width = 100\nleast = 2");
  const Workplace whole, killed;
  whole.write(text);
  killed.write(text);
  const Outcome outcome = whole.compare("--jobs 2");
  INFO(outcome.out << outcome.err);
  REQUIRE(outcome.exit_code == 0);
  REQUIRE(contains(outcome.out, "2 of at most 4 final seeds were run"));
  REQUIRE(lines_of(whole.out + "/results.csv").size() > 1 + 18);  // a rate was added
  REQUIRE(contains(read_bytes(whole.out + "/report.html"), "2 of at most 4 final seeds"));
  REQUIRE(fs::exists(whole.out + "/table.json"));

  REQUIRE(interrupted(killed, "KILL").out.ends_with("137\n"));
  REQUIRE(killed.compare("--jobs 1 --resume").exit_code == 0);
  REQUIRE(lines_of(killed.out + "/table.csv") == lines_of(whole.out + "/table.csv"));
  REQUIRE(lines_of(killed.out + "/results.csv") == lines_of(whole.out + "/results.csv"));
  const Outcome plan = run_diopter("compare '" + whole.protocol + "' --plan");
  REQUIRE(contains(plan.out, ": 18 runs of"));
  REQUIRE(contains(plan.out, "30 runs at most"));
  REQUIRE(contains(plan.out, "learning rates beyond the grid, where the best is at its edge: up to 1 per contestant"));
  REQUIRE(contains(plan.out, "from 2 final seeds on"));
}

TEST_CASE("compare lets its runs save and stop when it is interrupted", "[thorough]") {
  const Workplace place;
  place.write(longer_protocol());
  const Outcome outcome = interrupted(place, "INT");
  INFO(outcome.out << outcome.err);
  REQUIRE(outcome.out.ends_with("130\n"));
  REQUIRE(contains(outcome.out, "of 12 runs made; go on with the same command and --resume"));
  bool stopped_in_the_middle = false;
  for (const auto& run : fs::directory_iterator(place.out + "/runs")) {
    stopped_in_the_middle = stopped_in_the_middle || (!fs::exists(run.path() / "result.json") &&
                                                      fs::exists(run.path() / "checkpoints/last.safetensors"));
  }
  REQUIRE(stopped_in_the_middle);
  REQUIRE_FALSE(fs::exists(place.out + "/table.csv"));
  const Outcome resumed = place.compare("--resume");
  INFO(resumed.err);
  REQUIRE(resumed.exit_code == 0);
}

TEST_CASE("a run that fails costs only itself, and can be made again") {
  const Workplace place;
  // Its folder cannot be made: a file has the name.
  place.write(replaced(tiny_protocol(), "seeds = [1, 2]", "seeds = [1]"));
  fs::create_directories(place.out);
  write_bytes(place.out + "/lock", "");
  fs::create_directories(place.out + "/runs/final-focal-seed1");
  write_bytes(place.out + "/runs/final-focal-seed1/checkpoints", "in the way");
  const Outcome outcome = place.compare("--jobs 2");
  INFO(outcome.out << outcome.err);
  REQUIRE(outcome.exit_code == 1);
  REQUIRE(contains(outcome.err, "final-focal-seed1 ended with exit code 2: diopter: "));
  REQUIRE(contains(outcome.out, "8 of 9 runs made"));
  REQUIRE_FALSE(fs::exists(place.out + "/table.csv"));
  fs::remove(place.out + "/runs/final-focal-seed1/checkpoints");
  REQUIRE(place.compare("--resume").exit_code == 0);
  REQUIRE(lines_of(place.out + "/results.csv").size() == 10);
}

TEST_CASE("compare prints protocols and plans without running anything") {
  const Workplace place;
  const Outcome plan = place.compare("--plan");
  REQUIRE(plan.exit_code == 0);
  REQUIRE(contains(plan.out, "12 runs of 6 iterations"));
  REQUIRE(contains(plan.out, "focal: 2 tuning runs, 2 final runs"));
  REQUIRE(contains(plan.out, "\npreset small in a protocol is what it was at first: small_sgd\n"));
  REQUIRE_FALSE(contains(run_diopter("compare quick --plan").out, "what it was at first"));
  REQUIRE_FALSE(fs::exists(place.out));
  const Outcome printed = run_diopter("compare quick --print");
  REQUIRE(printed.exit_code == 0);
  REQUIRE(printed.out == read_bytes(DIOPTER_SOURCE_DIR "/retinanet/laboratory/protocols/quick.toml"));
}

TEST_CASE("compare finds a built-in protocol beside a folder of its name") {
  const TemporaryFolder folder;
  fs::create_directory(folder / "quick");
  const Outcome printed = run_shell("cd '" + folder.path() + "' && '" DIOPTER_PROGRAM "' compare quick --print");
  REQUIRE(printed.exit_code == 0);
  REQUIRE(printed.out == read_bytes(DIOPTER_SOURCE_DIR "/retinanet/laboratory/protocols/quick.toml"));
}

TEST_CASE("compare refuses what it cannot use in one line and leaves nothing behind", "[thorough]") {
  const Workplace place;
  place.write(replaced(tiny_protocol(), "iterations", "iteration"));
  require_refused(place.compare(), "tiny.toml:14: unknown key [training].iteration; the nearest is iterations");
  REQUIRE_FALSE(fs::exists(place.out));
  place.write(replaced(tiny_protocol(), "[0.3, 0.6]", "[0.3, 6]"));
  require_refused(place.compare(), "no range within 0 and 1");
  REQUIRE_FALSE(fs::exists(place.out));
  place.write(tiny_protocol());
  require_refused(place.compare("--resume"), "holds no study to go on with");
  require_refused(run_diopter("compare"), "compare needs a protocol");
  require_refused(run_diopter("compare quik"), "the nearest is quick");
  require_refused(place.compare("--jobs 0"), "--jobs");
  require_refused(run_diopter("compare '" + place.protocol + "' --out '" + place.folder.path() + "'"),
                  "holds something that is no study");
}

TEST_CASE("two programs do not work on one study") {
  const Workplace place;
  place.write(longer_protocol());
  const Outcome outcome = run_shell(
      "'" DIOPTER_PROGRAM "' compare '" + place.protocol + "' --out '" + place.out + "' & pid=$!; until test -e '" +
      place.out + "/protocol.toml'; do sleep 0.01; done; '" DIOPTER_PROGRAM "' compare '" + place.protocol +
      "' --out '" + place.out + "'; echo second $?; kill -INT $pid; wait $pid");
  INFO(outcome.out << outcome.err);
  REQUIRE(contains(outcome.out, "second 2\n"));
  REQUIRE(contains(outcome.err, "study: another process works on it"));
}

TEST_CASE("compare passes a batch system's warning on to its runs, which save") {
  const Workplace place;
  // Runs that save only at their end.
  place.write(
      replaced(replaced(tiny_protocol(), "iterations = 6", "iterations = 100000"), "save_every=2", "save_every=0"));
  const std::string checkpoints = "'" + place.out + "'/runs/*/checkpoints/last.safetensors";
  const Outcome outcome = run_shell("'" DIOPTER_PROGRAM "' compare '" + place.protocol + "' --out '" + place.out +
                                    "' --jobs 2 & pid=$!; until ls '" + place.out +
                                    "'/runs/*/metrics.csv; do sleep 0.01; done >/dev/null 2>&1; ls " + checkpoints +
                                    "; kill -USR1 $pid; until ls " + checkpoints +
                                    "; do sleep 0.01; done 2>/dev/null; kill -TERM $pid; wait $pid; echo $?");
  INFO(outcome.out << outcome.err);
  REQUIRE(contains(outcome.err, "No such file"));  // before the warning
  REQUIRE(contains(outcome.out, "/checkpoints/last.safetensors\n"));
  REQUIRE(outcome.out.ends_with("130\n"));
}
