#include "kernels/base/files.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <exception>
#include <fstream>
#include <iterator>
#include <thread>

#include "tests/support/files.h"

using namespace diopter;
using test::error_of;
using test::TemporaryFolder;

TEST_CASE("files: the whole file, or its beginning") {
  const TemporaryFolder folder;
  const std::string bytes("a\0b\r\n\xFF", 6), file = folder.write("file", bytes);
  CHECK(read_file(file) == bytes);
  CHECK(read_file(file, 2) == bytes.substr(0, 2));
  CHECK(read_file(file, 6) == bytes);
  CHECK(read_file(file, 7) == bytes);
  CHECK(read_file(folder.write("empty", "")) == "");
  const std::string large(300000, 'x');
  CHECK(read_file(folder.write("large", large)) == large);
}

TEST_CASE("files: a pipe tells no size and is read to its end") {
  const TemporaryFolder folder;
  const std::string pipe = folder / "pipe", bytes(200000, 'x');
  REQUIRE(mkfifo(pipe.c_str(), 0600) == 0);
  std::thread writer([&] { std::ofstream(pipe) << bytes; });
  const std::string got = read_file(pipe);
  writer.join();
  CHECK(got == bytes);
}

TEST_CASE("files: what cannot be read") {
  const TemporaryFolder folder;
  CHECK(error_of([&] { read_file(folder / "none"); }) == folder / "none: no such file");
  CHECK(error_of([&] { read_file(folder.path()); }) == folder.path() + ": is a folder, not a file");
  const std::string file = folder.write("file", "");
  CHECK(error_of([&] { read_file(file + "/below"); }) == file + "/below: cannot be read: Not a directory");
}

TEST_CASE("files: lines have neither line ends nor a byte order mark") {
  const TemporaryFolder folder;
  const auto lines = [&](const std::string& bytes) { return read_lines(folder.write("file", bytes)); };
  using Lines = std::vector<std::string>;
  CHECK(lines("") == Lines{});
  CHECK(lines("\n") == Lines{""});
  CHECK(lines("a\r\n\nb") == Lines{"a", "", "b"});
  CHECK(lines("\xEF\xBB\xBF"
              "a\n") == Lines{"a"});
}

TEST_CASE("files: what there is") {
  const TemporaryFolder folder;
  const std::string file = folder.write("file", "");
  CHECK(file_exists(file));
  CHECK_FALSE(file_exists(folder.path()));
  CHECK_FALSE(file_exists(folder / "none"));
  CHECK(folder_exists(folder.path()));
  CHECK_FALSE(folder_exists(file));
  CHECK_FALSE(file_exists(std::string(5000, 'x')));
}

TEST_CASE("files: extensions") {
  CHECK(extension_of("a/b.JPG") == ".jpg");
  CHECK(extension_of("a.b/c") == "");
  CHECK(extension_of("a.tar.gz") == ".gz");
}

TEST_CASE("files: what cannot be written leaves the old file") {
  const TemporaryFolder folder;
  const std::string file = folder.write("file", "old");
  write_file_atomically(file, {"n", "", "ew"});
  CHECK(read_file(file) == "new");
  const mode_t mask = umask(027);
  write_file_atomically(folder / "others", "x");
  umask(mask);
  CHECK(std::filesystem::status(folder / "others").permissions() == std::filesystem::perms(0640));
  std::filesystem::remove(folder / "others");
  CHECK(error_of([&] { write_file_atomically(folder / "none/file", "x"); }) ==
        folder / "none/file: cannot write: No such file or directory");
  std::filesystem::create_directory(folder / "taken");
  CHECK(error_of([&] { write_file_atomically(folder / "taken", "x"); }) ==
        folder / "taken: cannot write: Is a directory");
  std::size_t entries = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder.path())) entries += entry.exists();
  CHECK(entries == 2);  // no temporary file stays
}

TEST_CASE("files: a name may have all the bytes that a file system takes") {
  const TemporaryFolder folder;
  const std::string file = folder / std::string(255, 'n');
  write_file_atomically(file, "x");
  CHECK(read_file(file) == "x");
  CHECK(error_of([&] { write_file_atomically(file + "n", "x"); }) == file + "n: cannot write: File name too long");
  CHECK(std::distance(std::filesystem::directory_iterator(folder.path()), {}) == 1);
}

TEST_CASE("files: a device is written to, not replaced") {
  CHECK(error_of([] { write_file_atomically("/dev/full", "x"); }) ==
        "/dev/full: cannot write: No space left on device");
  write_file_atomically("/dev/null", "x", OnDisk::later);
  CHECK(std::filesystem::is_character_file("/dev/null"));
}

TEST_CASE("files: temporary files of killed programs are removed, and nothing else") {
  const TemporaryFolder folder;
  // Of this version, of 0.1, and what only looks alike.
  for (const char* name : {"diopter.tmp123", "diopter.tmp123-4", "last.safetensors.tmp99"}) folder.write(name, "x");
  const std::vector<std::string> others = {"a.tmp", "a.tmpx", "a.tmp1x", "a.tmp1-", "a.tmp1-2x", "tmp1", "a.tmp1.jpg"};
  for (const std::string& name : others) folder.write(name, "x");
  std::filesystem::create_directory(folder / "b.tmp1");
  std::filesystem::create_symlink(folder / "a.tmp", folder / "c.tmp1");
  folder.write("below/further/diopter.tmp6", "x");
  const std::string alive = folder.write("d.tmp5", "x");
  const int writer = open(alive.c_str(), O_RDONLY);
  REQUIRE(flock(writer, LOCK_EX) == 0);
  CHECK(remove_temporary_files(folder.path()) == 4);
  for (const std::string& name : others) CHECK(file_exists(folder / name));
  CHECK(file_exists(alive));
  close(writer);
  CHECK(remove_temporary_files(folder.path()) == 1);
  CHECK(std::distance(std::filesystem::directory_iterator(folder.path()), {}) == std::ssize(others) + 3);
  CHECK(remove_temporary_files(folder / "none") == 0);
}

TEST_CASE("files: what a program leaves when it is killed while it writes is locked until then") {
  const TemporaryFolder folder;
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  const pid_t child = fork();
  if (child == 0) {  // writes for ever
    close(ends[0]);
    const std::string part(1 << 16, 'x');
    const std::vector<std::string_view> parts(1 << 16, part);
    [[maybe_unused]] const ssize_t told = write(ends[1], "x", 1);
    write_file_atomically(folder / "file", parts, OnDisk::later);
    _exit(0);
  }
  char byte = 0;
  REQUIRE(read(ends[0], &byte, 1) == 1);
  const std::string temporary = folder / ("diopter.tmp" + std::to_string(child));
  while (!file_exists(temporary) || std::filesystem::file_size(temporary) == 0) usleep(1000);
  CHECK(remove_temporary_files(folder.path()) == 0);
  kill(child, SIGKILL);
  REQUIRE(waitpid(child, nullptr, 0) == child);
  CHECK(file_exists(temporary));
  CHECK(remove_temporary_files(folder.path()) == 1);
  CHECK(std::filesystem::is_empty(folder.path()));
  close(ends[0]);
  close(ends[1]);
}

TEST_CASE("files: what is appended is there as a whole, or not at all") {
  const TemporaryFolder folder;
  const std::string file = folder / "log";
  append_to_file(file, "one\n");
  append_to_file(file, "two\n");
  put_on_disk(file);
  put_on_disk(folder / "none");
  rlimit before{};
  REQUIRE(getrlimit(RLIMIT_FSIZE, &before) == 0);
  const rlimit limit{10, before.rlim_max};
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  REQUIRE(setrlimit(RLIMIT_FSIZE, &limit) == 0);
  const std::string error = error_of([&] { append_to_file(file, "three\n"); });
  REQUIRE(setrlimit(RLIMIT_FSIZE, &before) == 0);
  std::signal(SIGXFSZ, handler);
  CHECK(error == file + ": cannot write: File too large");
  CHECK(read_file(file) == "one\ntwo\n");
}

TEST_CASE("files: a system without descriptors is no fault of the file") {
  if (test::kSanitized) return test::skip("UndefinedBehaviorSanitizer needs a descriptor to look at an object");
  const TemporaryFolder folder;
  const std::string file = folder.write("file", "x");
  rlimit before{};
  REQUIRE(getrlimit(RLIMIT_NOFILE, &before) == 0);
  const rlimit none{0, before.rlim_max};
  REQUIRE(setrlimit(RLIMIT_NOFILE, &none) == 0);
  const auto thrown_by = [](const auto& call) -> std::exception_ptr {
    try {
      call();
    } catch (...) {
      return std::current_exception();
    }
    return nullptr;
  };
  const std::exception_ptr read = thrown_by([&] { read_file(file); });
  const std::exception_ptr written = thrown_by([&] { write_file_atomically(file, "y"); });
  REQUIRE(setrlimit(RLIMIT_NOFILE, &before) == 0);
  REQUIRE(read);
  REQUIRE(written);
  CHECK_THROWS_AS(std::rethrow_exception(read), OutOfResources);
  CHECK(error_of([&] { std::rethrow_exception(read); }) == file + ": cannot be read: Too many open files");
  CHECK(error_of([&] { std::rethrow_exception(written); }) == file + ": cannot write: Too many open files");
  CHECK(read_file(file) == "x");
}
