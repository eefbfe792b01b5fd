// Locks that keep programs from working on one folder at the same time.
#pragma once

#include <string>

namespace diopter {

/// Holds a file of a folder until the program ends, however it ends: what was killed holds nothing.
class FolderLock {
 public:
  /// Whether the processes that this one starts hold the lock, too, until all of them have ended.
  enum class Children { free, hold };
  /// Alone, or beside all others that hold it as `together`.
  enum class Holders { alone, together };

  /// Makes the file where it is missing. Throws Error "FOLDER: another process works on it" when another still holds
  /// the lock after `patience_seconds`, or "FOLDER/NAME: cannot write: reason".
  FolderLock(const std::string& folder, const std::string& name, Children children = Children::free,
             double patience_seconds = 0, Holders holders = Holders::alone);
  ~FolderLock();
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

  /// Why the file system cannot lock files, and so keeps no other program away; "" where it can.
  const std::string& problem() const { return problem_; }

 private:
  int file_ = -1;
  std::string problem_;
};

}  // namespace diopter
