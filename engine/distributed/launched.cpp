#include "engine/distributed/launched.h"

#include <dlfcn.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <limits>
#include <optional>

#include "engine/distributed/device_messages.h"
#include "engine/distributed/mpi_library.h"
#include "kernels/base/text.h"

namespace diopter {

namespace {

constexpr const char* kLibraryName = "libdiopter_mpi.so";

struct Loaded {
  const MpiLibrary* library = nullptr;
  std::string version, problem;
};

/// Loads the library from beside the program.
Loaded load() {
  Loaded loaded;
  std::error_code error;
  const std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe", error);
  const std::string file = program.parent_path() / kLibraryName;
  if (!std::filesystem::exists(file, error)) {
    loaded.problem = "not in this build";
    return loaded;
  }
  // What MPI loads in its turn looks for its symbols among those of all libraries.
  void* handle = dlopen(file.c_str(), RTLD_NOW | RTLD_GLOBAL);
  void* function = handle ? dlsym(handle, "diopter_mpi_library") : nullptr;
  if (!function) {
    const char* reason = dlerror();
    loaded.problem = file + ": cannot be loaded: " + (reason ? reason : "it has no such functions");
    return loaded;
  }
  std::array<char, 64> version{};
  loaded.library = reinterpret_cast<decltype(&diopter_mpi_library)>(function)(version.data(), version.size());
  loaded.version = version.data();
  return loaded;
}

class MpiRanks final : public LaunchedRanks {
 public:
  explicit MpiRanks(const MpiLibrary& library) : library_(library) {
    DIOPTER_CHECK(library_.start(&rank_, &ranks_), "MPI has been started twice");
  }
  ~MpiRanks() override { library_.finish(); }

  int rank() const override { return rank_; }
  int ranks() const override { return ranks_; }

  std::vector<std::string> gather(const std::string& mine) override {
    std::vector<std::int64_t> sizes(static_cast<std::size_t>(ranks_));
    library_.gather_sizes(std::ssize(mine), sizes.data());
    std::int64_t total = 0;
    for (const std::int64_t size : sizes) total += size;
    DIOPTER_CHECK(total <= std::numeric_limits<int>::max(), "ranks tell each other ", total,
                  " bytes, too many for MPI");
    std::string all(static_cast<std::size_t>(total), '\0');
    library_.gather_bytes(mine.data(), sizes.data(), all.data());
    std::vector<std::string> result;
    std::size_t offset = 0;
    for (const std::int64_t size : sizes) {
      result.push_back(all.substr(offset, static_cast<std::size_t>(size)));
      offset += static_cast<std::size_t>(size);
    }
    sent_ += (std::ssize(mine) + std::int64_t{sizeof(std::int64_t)}) * (ranks_ - 1);
    return result;
  }

  void begin_send(int to, int tag, const void* bytes, std::int64_t count) override {
    DIOPTER_CHECK(count <= std::numeric_limits<int>::max(), "a message of ", count, " bytes is too long for MPI");
    library_.begin_send(to, tag, bytes, count);
    sent_ += count;
  }
  void begin_receive(int from, int tag, void* bytes, std::int64_t count) override {
    library_.begin_receive(from, tag, bytes, count);
  }
  std::int64_t progress() override { return library_.progress(); }
  void complete() override { library_.complete(); }

  std::unique_ptr<Messages> connect_devices() override {
    return diopter::connect_devices(*this, nccl_of_machine().library);
  }

  void abort(int code) override { library_.abort(code); }

  std::int64_t bytes_sent() const override { return sent_; }

 private:
  const MpiLibrary& library_;
  int rank_ = 0, ranks_ = 1;
  std::int64_t sent_ = 0;
};

/// A whole number that a launcher left in the environment.
std::optional<int> environment_number(const char* name) {
  const char* text = std::getenv(name);
  const std::optional<double> number = text ? parse_number(text) : std::nullopt;
  return number ? std::optional(static_cast<int>(*number)) : std::nullopt;
}

}  // namespace

int launched_processes() {
  for (const char* name : {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE"}) {
    if (const std::optional<int> number = environment_number(name)) return *number;
  }
  // srun with its plugin for PMIx says how many tasks the step has.
  if (std::getenv("PMIX_RANK")) return environment_number("SLURM_STEP_NUM_TASKS").value_or(1);
  return 1;
}

int launched_rank() {
  for (const char* name : {"OMPI_COMM_WORLD_RANK", "PMI_RANK", "PMIX_RANK"}) {
    if (const std::optional<int> number = environment_number(name)) return *number;
  }
  return 0;
}

std::string mpi_version() {
  const Loaded loaded = load();
  return loaded.library ? loaded.version : loaded.problem;
}

std::unique_ptr<LaunchedRanks> join_ranks() {
  const int processes = launched_processes();
  if (processes <= 1) return nullptr;
  const Loaded loaded = load();
  DIOPTER_CHECK(loaded.library, "a launcher of MPI has started ", processes, " processes, but MPI is ", loaded.problem,
                " (tools/setup.sh --mpi, then build anew)");
  return std::make_unique<MpiRanks>(*loaded.library);
}

}  // namespace diopter
