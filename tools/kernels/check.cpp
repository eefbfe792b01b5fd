#include "tools/kernels/check.h"

#include <sys/wait.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "kernels/base/check.h"
#include "kernels/base/files.h"
#include "kernels/base/json.h"
#include "kernels/base/text.h"

namespace diopter {

namespace {

namespace fs = std::filesystem;

constexpr const char* kProgram = "tests/kernels_tests";

struct Flavour {
  fs::path folder;
  std::string devices;              // "cpu", "cpu and cuda", "cpu and executor"
  std::vector<std::string> orders;  // thread orders to run it in; one empty name where there is no executor
};

/// The CUDA side of a build folder, from CMake's cache: what was chosen, or else what was asked for.
std::string cuda_side(const fs::path& folder) {
  std::ifstream cache(folder / "CMakeCache.txt");
  std::string side = "off";
  for (std::string line; std::getline(cache, line);) {
    for (const std::string key : {"DIOPTER_CUDA:STRING=", "DIOPTER_CUDA_KIND:INTERNAL="}) {  // sorted as in the cache
      if (line.starts_with(key)) side = line.substr(key.size());
    }
  }
  return side;
}

std::vector<Flavour> flavours(const fs::path& builds) {
  std::vector<Flavour> result;
  std::error_code none;
  for (const fs::directory_entry& entry : fs::directory_iterator(builds, none)) {
    if (!fs::exists(entry.path() / kProgram)) continue;
    const std::string side = cuda_side(entry.path());
    Flavour flavour{.folder = entry.path(), .devices = "cpu", .orders = {""}};
    if (side == "host") {
      flavour.devices = "cpu and executor";
      flavour.orders = {"forward", "reverse", "shuffle"};
    } else if (side == "on") {
      flavour.devices = "cpu and cuda";
    }
    result.push_back(flavour);
  }
  std::sort(result.begin(), result.end(), [](const Flavour& a, const Flavour& b) { return a.folder < b.folder; });
  return result;
}

struct TestRun {
  bool passed;
  double seconds;
  std::string output;
};

TestRun run(const std::string& command) {
  const auto start = std::chrono::steady_clock::now();
  FILE* pipe = popen(("( " + command + " ) 2>&1").c_str(), "r");
  DIOPTER_CHECK(pipe != nullptr, "no process can be started for: ", command);
  TestRun result{};
  char buffer[4096];
  for (std::size_t n; (n = std::fread(buffer, 1, sizeof buffer, pipe)) > 0;) result.output.append(buffer, n);
  const int status = pclose(pipe);
  // Catch2 2 ends with 0 when no test has a name that matches; then nothing "passed" is in its summary.
  result.passed = WIFEXITED(status) && WEXITSTATUS(status) == 0 && result.output.find(" passed") != std::string::npos;
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return result;
}

/// A source that is newer than the folder's test program, which then says nothing about it; "" where there is none.
/// What the program was made from is in ninja's log; a folder without one is taken as it is.
std::string newer_source(const fs::path& folder) {
  std::error_code none;
  if (!fs::exists(folder / ".ninja_deps", none)) return "";
  const fs::file_time_type built = fs::last_write_time(folder / kProgram);
  std::set<fs::path> seen;
  bool of_tests = false;  // lines "OBJECT: #deps ...", each followed by indented paths
  std::istringstream lines(run("ninja -C " + shell_word(folder.string()) + " -t deps").output);
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("    ")) {
      of_tests = line.find("diopter_kernels.dir/") != std::string::npos ||
                 line.find("kernels_tests.dir/") != std::string::npos;
    } else if (of_tests) {
      const fs::path source = (folder / line.substr(4)).lexically_normal();
      if (!seen.insert(source).second) continue;
      const fs::file_time_type changed = fs::last_write_time(source, none);
      if (!none && changed > built) return source.string();
    }
  }
  return "";
}

/// The last lines of a text, indented.
std::string tail(const std::string& text, int lines) {
  std::size_t begin = text.size();
  while (begin > 0 && (text[begin - 1] != '\n' || begin == text.size() || --lines > 0)) --begin;
  std::string result = "    ";
  for (const char c : text.substr(begin)) result += c == '\n' ? std::string("\n    ") : std::string(1, c);
  while (!result.empty() && (result.back() == ' ' || result.back() == '\n')) result.pop_back();
  return result;
}

void print_missing_presets(const fs::path& builds) {
  const fs::path file = builds.parent_path() / "CMakePresets.json";
  if (!fs::exists(file)) return;
  nlohmann::json presets;
  try {
    presets = parse_json(read_file(file.string()));
  } catch (const nlohmann::json::parse_error&) {  // presets stay null, which is no object
  }
  DIOPTER_CHECK(presets.is_object() && presets.contains("configurePresets"), file.string(), ": not a file of presets");
  for (const nlohmann::json& preset : presets.at("configurePresets")) {
    const std::string name = preset.at("name");
    if (preset.value("hidden", false) || fs::exists(builds / name / kProgram)) continue;
    std::printf("not built: %s (%s)\n  cmake --preset %s && cmake --build --preset %s --target kernels_tests\n",
                name.c_str(), preset.value("displayName", name).c_str(), name.c_str(), name.c_str());
  }
}

}  // namespace

std::filesystem::path build_folders() { return fs::read_symlink("/proc/self/exe").parent_path().parent_path(); }

bool check_kernel(const KernelEntry& kernel, const std::filesystem::path& builds) {
  const std::vector<Flavour> all = flavours(builds);
  DIOPTER_CHECK(!all.empty(), builds.string(), ": no build folder here has ", kProgram,
                "; build it with cmake --build --preset release --target kernels_tests");
  bool all_passed = true;
  std::string old;  // what to do about builds older than their sources
  std::printf("%-16s %-17s %-8s %-7s %8s\n", "build", "devices", "order", "result", "seconds");
  for (const Flavour& flavour : all) {
    if (const std::string source = newer_source(flavour.folder); !source.empty()) {
      std::printf("%-16s %-17s %-8s old\n", flavour.folder.filename().c_str(), flavour.devices.c_str(), "-");
      if (old.empty()) {
        old = source + " is newer than " + (flavour.folder / kProgram).string() + "; build first: cmake --build " +
              flavour.folder.string() + " --target kernels_tests";
      }
      continue;
    }
    for (const std::string& order : flavour.orders) {
      const std::string command = (order.empty() ? "" : "DIOPTER_EXECUTOR_ORDER=" + order + " ") +
                                  shell_word((flavour.folder / kProgram).string()) + " " + shell_word(kernel.tests);
      const TestRun result = run(command);
      std::printf("%-16s %-17s %-8s %-7s %8.1f\n", flavour.folder.filename().c_str(), flavour.devices.c_str(),
                  order.empty() ? "-" : order.c_str(), result.passed ? "passed" : "FAILED", result.seconds);
      const std::size_t reason = result.output.find("cuda is not tested: ");
      if (reason != std::string::npos) {
        std::printf("  %s\n", result.output.substr(reason, result.output.find('\n', reason) - reason).c_str());
      }
      if (!result.passed) std::printf("%s\n  again: %s\n", tail(result.output, 20).c_str(), command.c_str());
      std::fflush(stdout);
      all_passed = all_passed && result.passed;
    }
  }
  print_missing_presets(builds);
  DIOPTER_CHECK(old.empty(), old);
  return all_passed;
}

}  // namespace diopter
