#include "tests/fuzz/target.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>

#include "kernels/base/check.h"
#include "kernels/base/limits.h"

// Of the sanitizers' runtime, where it is linked.
extern "C" {
__attribute__((weak)) int __sanitizer_install_malloc_and_free_hooks(void (*)(const volatile void*, std::size_t),
                                                                    void (*)(const volatile void*));
__attribute__((weak)) std::size_t __sanitizer_get_allocated_size(const volatile void*);
}

namespace diopter::fuzz {
namespace {

std::atomic<std::int64_t> held{0}, most_held{0};

void count_allocation(const volatile void*, std::size_t size) {
  const std::int64_t now = held += static_cast<std::int64_t>(size);
  std::int64_t most = most_held;
  while (now > most && !most_held.compare_exchange_weak(most, now)) {
  }
}

void count_release(const volatile void* memory) {
  if (memory) held -= static_cast<std::int64_t>(__sanitizer_get_allocated_size(memory));
}

double processor_seconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

}  // namespace

void run_within_limits(const Target& target, std::string_view input) {
  static const bool counting = [] {
    return __sanitizer_install_malloc_and_free_hooks &&
           __sanitizer_install_malloc_and_free_hooks(count_allocation, count_release) > 0;
  }();
  constexpr double kSeconds = 2;
  const std::int64_t held_before = held;
  most_held = held_before;
  const double begin = processor_seconds();
  try {
    target.run(input);
  } catch (const Error&) {
  }
  const double seconds = processor_seconds() - begin;
  const std::int64_t bytes = counting ? most_held - held_before : 0;
  if (seconds <= kSeconds && bytes <= limits::memory(static_cast<std::int64_t>(input.size()))) return;
  std::fprintf(stderr, "%s: an input of %zu bytes took %.1f s and %lld bytes of memory\n", target.name, input.size(),
               seconds, static_cast<long long>(bytes));
  std::abort();
}

std::vector<std::string_view> split(std::string_view input, std::size_t parts) {
  std::vector<std::string_view> result;
  while (result.size() + 1 < parts) {
    const std::size_t end = std::min(input.find('\0'), input.size());
    result.push_back(input.substr(0, end));
    input.remove_prefix(std::min(end + 1, input.size()));
  }
  result.push_back(input);
  return result;
}

const std::string& in_memory(std::string_view bytes) {
  static const int file = memfd_create("fuzz", 0);
  static const std::string path = "/proc/self/fd/" + std::to_string(file);
  const bool written = file >= 0 && ftruncate(file, 0) == 0 &&
                       pwrite(file, bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size());
  if (!written) std::abort();
  return path;
}

const std::string& scratch_folder() {
  struct Folder {
    std::string path =
        (std::filesystem::is_directory("/dev/shm") ? "/dev/shm" : "/tmp") + std::string("/diopter-fuzz-XXXXXX");
    Folder() {
      if (!mkdtemp(path.data())) std::abort();
    }
    ~Folder() {
      std::error_code ignored;
      std::filesystem::remove_all(path, ignored);
    }
  };
  static const Folder folder;
  return folder.path;
}

void write_scratch(const std::string& name, std::string_view bytes) {
  const std::string path = scratch_folder() + "/" + name;
  const auto create = [&] { return open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600); };
  int file = create();
  if (file < 0) {
    std::filesystem::create_directories(std::filesystem::path(path).parent_path());
    file = create();
  }
  if (file < 0 || write(file, bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size())) std::abort();
  close(file);
}

}  // namespace diopter::fuzz
