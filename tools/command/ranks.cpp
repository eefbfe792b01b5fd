#include "tools/command/ranks.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/distributed/launched.h"
#include "kernels/base/text.h"
#include "retinanet/training/trainer.h"

namespace diopter {

namespace {

/// The process's stderr, which is kept when it prints nothing from here on.
class Errors {
 public:
  explicit Errors(bool quiet) : file_(dup(STDERR_FILENO)) {
    if (!quiet) return;
    const int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    for (const int stream : {STDOUT_FILENO, STDERR_FILENO}) dup2(nowhere, stream);
    close(nowhere);
  }
  ~Errors() { close(file_); }
  Errors(const Errors&) = delete;
  Errors& operator=(const Errors&) = delete;

  void say(const std::string& line) const {
    std::fflush(stdout);
    const std::string text = "diopter: " + printable(line) + "\n";
    // Nothing can be done about a message that cannot be written.
    [[maybe_unused]] const ssize_t written = write(file_, text.data(), text.size());
  }

 private:
  int file_;
};

constexpr int kRefused = 2;

}  // namespace

int run_on_ranks(const std::function<int(Communicator&)>& command) {
  std::unique_ptr<LaunchedRanks> ranks;
  try {
    ranks = join_ranks();
  } catch (const Error& error) {  // the same on all
    if (launched_rank() == 0) throw;
    return kRefused;
  }
  if (!ranks) return command(single_process());
  const Errors errors(!ranks->leads());
  const auto refused_by_all = [&](const std::string& why) {
    if (ranks->leads()) errors.say(why);
    return kRefused;
  };
  try {
    return command(*ranks);
  } catch (const SharedError& error) {
    return refused_by_all(error.what());
  } catch (const NotFinite& error) {
    return refused_by_all(error.what());
  } catch (const std::exception& error) {
    errors.say("rank " + std::to_string(ranks->rank()) + " of " + std::to_string(ranks->ranks()) + ": " + error.what());
    ranks->abort(kRefused);
    return kRefused;
  }
}

bool refused_on_ranks(int argc, const char* const* argv) {
  const int processes = launched_processes();
  const std::vector<std::string_view> words(argv + 1, argv + argc);
  if (processes <= 1 || words.empty() || words[0].starts_with("-") || words[0] == "train") return false;
  // Workers of a study, and their runs, are processes of their own.
  const auto of_workers = [](std::string_view word) {
    return word == "--join" || word.starts_with("--shard") || word == "--run";
  };
  if (words[0] == "compare" && std::any_of(words.begin(), words.end(), of_workers)) return false;
  if (launched_rank() == 0) {
    const std::string command = printable(words[0]);
    std::fprintf(stderr,
                 "diopter: a launcher has started %d processes of %s, each of which would do all of its work: "
                 "only train divides it, and compare --join\n",
                 processes, command.c_str());
  }
  return true;
}

std::string gpu_name() {
  const char* visible = std::getenv("CUDA_VISIBLE_DEVICES");
  const std::string devices = visible ? visible : "0";
  std::array<char, 256> host{};
  gethostname(host.data(), host.size() - 1);
  return devices.substr(0, devices.find(',')) + " of " + host.data() + ": give each its own (CUDA_VISIBLE_DEVICES)";
}

}  // namespace diopter
