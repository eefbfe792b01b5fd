// Memory and file descriptors of a run that trains, evaluates, saves and reports again and again: they do not grow. The
// long form: DIOPTER_LONG_RUN=ITERATIONS in the environment.
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "tests/tools/program.h"

using namespace diopter::test;

namespace {

namespace fs = std::filesystem;

struct Usage {
  double mib;
  long descriptors;
};

/// Of a process; nothing where it has ended.
bool read_usage(pid_t process, Usage& usage) {
  const std::string folder = "/proc/" + std::to_string(process);
  std::ifstream statm(folder + "/statm");
  long pages = 0, resident = 0;
  if (!(statm >> pages >> resident) || resident == 0) return false;
  std::error_code ended;
  const fs::directory_iterator first(folder + "/fd", ended);
  if (ended) return false;
  usage = {static_cast<double>(resident) * static_cast<double>(sysconf(_SC_PAGESIZE)) / (1 << 20), 0};
  for (fs::directory_iterator entry = first; entry != fs::directory_iterator() && !ended; entry.increment(ended)) {
    ++usage.descriptors;
  }
  return !ended;
}

/// Runs a command and looks at it every few milliseconds.
std::vector<Usage> usages_of(const std::string& command, int& exit_code) {
  const pid_t process = fork();
  REQUIRE(process >= 0);
  if (process == 0) {
    execl("/bin/sh", "sh", "-c", ("exec " + command).c_str(), nullptr);
    _exit(127);
  }
  std::vector<Usage> usages;
  int status = 0;
  while (waitpid(process, &status, WNOHANG) == 0) {
    Usage usage;
    if (read_usage(process, usage)) usages.push_back(usage);
    std::this_thread::sleep_for(std::chrono::milliseconds(3));
  }
  exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return usages;
}

}  // namespace

TEST_CASE("memory and file descriptors stay flat however long a run is") {
  if (kSanitized) return skip("memory, under sanitizers, which keep what is freed");
  const char* wanted = std::getenv("DIOPTER_LONG_RUN");
  const std::string iterations = wanted ? wanted : "360";
  const TemporaryFolder folder;
  const std::string shapes = folder / "shapes";
  REQUIRE(run_diopter("shapes --out '" + shapes + "' --size 32 --train 8 --val 4").exit_code == 0);
  int exit_code = -1;
  const std::vector<Usage> usages = usages_of(
      "'" DIOPTER_PROGRAM "' train --train-annotations '" + shapes + "/instances_train.json' --val-annotations '" +
          shapes + "/instances_val.json' --train-images '" + shapes + "/images' --val-images '" + shapes +
          "/images' --out '" + (folder / "run") + "' --set train.iterations=" + iterations +
          " --set train.batch_size=2 --set input.max_size=32 --set model.width=4 --set model.groups=4 "
          "--set model.fpn_channels=8 --set model.head_depth=1 --set train.evaluate_every=12 "
          "--set train.save_every=6 --set train.log_every=3 >'" +
          (folder / "out") + "' 2>&1",
      exit_code);
  INFO(read_bytes(folder / "out"));
  REQUIRE(exit_code == 0);
  REQUIRE(usages.size() > 60);
  // The most of the middle third, when all caches are full, and of the last.
  const auto most = [&](std::size_t third, auto field) {
    const auto first = usages.begin() + static_cast<std::ptrdiff_t>(third * usages.size() / 3);
    const auto end = usages.begin() + static_cast<std::ptrdiff_t>((third + 1) * usages.size() / 3);
    return (*std::max_element(first, end, [&](const Usage& a, const Usage& b) { return a.*field < b.*field; })).*field;
  };
  INFO(most(0, &Usage::mib) << ", " << most(1, &Usage::mib) << " and " << most(2, &Usage::mib) << " MiB");
  CHECK(most(2, &Usage::mib) < most(1, &Usage::mib) + 3);
  // Files that are read and written for a moment come and go: two pictures, a checkpoint.
  CHECK(most(2, &Usage::descriptors) <= most(1, &Usage::descriptors) + 2);
  CHECK(most(2, &Usage::descriptors) < 40);
}
