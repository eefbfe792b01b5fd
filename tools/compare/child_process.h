// Other copies of this program, and the lock that keeps two of them from working on one folder.
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

  /// Of one that has ended: how it did, 128 + the signal's number when one ended it, as in a shell.
  int exit_code() const { return exit_code_; }

 private:
  pid_t pid_ = -1;
  int exit_code_ = -1;
};

/// Holds FOLDER/lock for itself and the processes that it starts, until all of them have ended. A folder with this file
/// is one that we made.
class FolderLock {
 public:
  /// Makes the folder and the file where they are missing; throws Error when another holds the lock and still does
  /// after `patience_seconds`.
  FolderLock(const std::string& folder, double patience_seconds);
  ~FolderLock();
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

 private:
  int file_ = -1;
};

}  // namespace diopter
