#include "kernels/base/folder_lock.h"

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <memory>

#include "tests/support/files.h"

using namespace diopter;
using test::error_of;
using test::TemporaryFolder;

TEST_CASE("folder lock: one holds it, and the next one when that has ended") {
  const TemporaryFolder folder;
  auto first = std::make_unique<FolderLock>(folder.path(), "lock");
  CHECK(first->problem() == "");
  CHECK(error_of([&] { FolderLock(folder.path(), "lock"); }) == folder.path() + ": another process works on it");
  const FolderLock other(folder.path(), "other");
  first.reset();
  const FolderLock second(folder.path(), "lock");
  CHECK(error_of([&] { FolderLock(folder / "none", "lock"); }) ==
        folder / "none/lock: cannot write: No such file or directory");
}

TEST_CASE("folder lock: several hold it together, and keep away who wants it alone") {
  const TemporaryFolder folder;
  const auto take = [&](FolderLock::Holders holders) {
    return std::make_unique<FolderLock>(folder.path(), "lock", FolderLock::Children::free, 0, holders);
  };
  auto first = take(FolderLock::Holders::together);
  auto second = take(FolderLock::Holders::together);
  first.reset();
  CHECK(error_of([&] { take(FolderLock::Holders::alone); }) == folder.path() + ": another process works on it");
  second.reset();
  const auto alone = take(FolderLock::Holders::alone);
  CHECK(error_of([&] { take(FolderLock::Holders::together); }) == folder.path() + ": another process works on it");
}

TEST_CASE("folder lock: a process that was killed holds nothing") {
  const TemporaryFolder folder;
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  const pid_t child = fork();
  if (child == 0) {
    const FolderLock lock(folder.path(), "lock");
    [[maybe_unused]] const ssize_t told = write(ends[1], "x", 1);
    pause();
  }
  char byte = 0;
  REQUIRE(read(ends[0], &byte, 1) == 1);
  CHECK(error_of([&] { FolderLock(folder.path(), "lock"); }) != "");
  kill(child, SIGKILL);
  REQUIRE(waitpid(child, nullptr, 0) == child);
  CHECK(error_of([&] { FolderLock(folder.path(), "lock"); }) == "");
  close(ends[0]);
  close(ends[1]);
}
