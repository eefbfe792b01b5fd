// Other copies of this program.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace diopter {

/// A running copy of this program with other arguments; its output goes to a file. It is asked to stop (SIGTERM) when
/// the process that started it ends, however that ends, and does not see the terminal's Ctrl-C.
class ChildProcess {
 public:
  /// Throws Error when it cannot be started.
  ChildProcess(const std::vector<std::string>& arguments, const std::string& log_file);

  /// Whether it still runs; waits for nothing.
  bool running();
  void request_stop() const;
  void request_save() const;

  /// Of one that has ended: how it did, 128 + the signal's number when one ended it, as in a shell.
  int exit_code() const { return exit_code_; }

 private:
  pid_t pid_ = -1;
  int exit_code_ = -1;
};

}  // namespace diopter
