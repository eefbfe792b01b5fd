#include "kernels/base/files.h"

#include <sys/stat.h>

#include <fstream>
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
  CHECK(error_of([&] { write_file_atomically(folder / "none/file", "x"); }) ==
        folder / "none/file: cannot write: No such file or directory");
  std::filesystem::create_directory(folder / "taken");
  CHECK(error_of([&] { write_file_atomically(folder / "taken", "x"); }) ==
        folder / "taken: cannot write: Is a directory");
  std::size_t entries = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder.path())) entries += entry.exists();
  CHECK(entries == 2);  // no temporary file stays
}
