#include "engine/distributed/mpi_library.h"

#include <mpi.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <numeric>
#include <vector>

namespace {

int ranks_of_all() {
  int ranks = 1;
  MPI_Comm_size(MPI_COMM_WORLD, &ranks);
  return ranks;
}

int own_rank() {
  int rank = 0;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  return rank;
}

/// MPI's own waiting takes a processor that another rank may need.
void wait_for(MPI_Request request) {
  constexpr int kPatience = 200;  // polls without a pause
  constexpr useconds_t kPause = 50;
  int done = 0;
  for (int polls = 0; MPI_Test(&request, &done, MPI_STATUS_IGNORE), !done; ++polls) {
    if (polls > kPatience) usleep(kPause);
  }
}

/// Counts, and where each rank's values begin, as MPI takes them.
struct Layout {
  explicit Layout(const std::int64_t* sizes) {
    int offset = 0;
    for (int r = 0; r < ranks_of_all(); ++r) {
      counts.push_back(static_cast<int>(sizes[r]));
      offsets.push_back(offset);
      offset += counts.back();
    }
  }
  std::vector<int> counts, offsets;
};

bool start(int* rank, int* ranks) {
  int started = 0;
  MPI_Initialized(&started);
  if (started) return false;
  int provided = 0;
  MPI_Init_thread(nullptr, nullptr, MPI_THREAD_FUNNELED, &provided);
  *rank = own_rank();
  *ranks = ranks_of_all();
  return true;
}

void gather_sizes(std::int64_t mine, std::int64_t* all) {
  MPI_Request request = MPI_REQUEST_NULL;
  MPI_Iallgather(&mine, 1, MPI_INT64_T, all, 1, MPI_INT64_T, MPI_COMM_WORLD, &request);
  wait_for(request);
}

void gather_bytes(const void* mine, const std::int64_t* sizes, void* all) {
  const Layout layout(sizes);
  MPI_Request request = MPI_REQUEST_NULL;
  MPI_Iallgatherv(mine, layout.counts[own_rank()], MPI_BYTE, all, layout.counts.data(), layout.offsets.data(), MPI_BYTE,
                  MPI_COMM_WORLD, &request);
  wait_for(request);
}

void all_to_all(const float* send, const std::int64_t* send_counts, float* receive,
                const std::int64_t* receive_counts) {
  const Layout sent(send_counts), received(receive_counts);
  MPI_Request request = MPI_REQUEST_NULL;
  MPI_Ialltoallv(send, sent.counts.data(), sent.offsets.data(), MPI_FLOAT, receive, received.counts.data(),
                 received.offsets.data(), MPI_FLOAT, MPI_COMM_WORLD, &request);
  wait_for(request);
}

void gather_slices(float* values, const std::int64_t* counts) {
  const Layout layout(counts);
  MPI_Request request = MPI_REQUEST_NULL;
  MPI_Iallgatherv(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, values, layout.counts.data(), layout.offsets.data(), MPI_FLOAT,
                  MPI_COMM_WORLD, &request);
  wait_for(request);
}

void finish() {
  MPI_Request request = MPI_REQUEST_NULL;
  MPI_Ibarrier(MPI_COMM_WORLD, &request);
  wait_for(request);
  MPI_Finalize();
}

void abort_all(int code) { MPI_Abort(MPI_COMM_WORLD, code); }

const diopter::MpiLibrary kLibrary{start, gather_bytes, gather_sizes, all_to_all, gather_slices, finish, abort_all};

}  // namespace

const diopter::MpiLibrary* diopter_mpi_library(char* version, int room) {
  std::array<char, MPI_MAX_LIBRARY_VERSION_STRING> text{};
  int length = 0;
  MPI_Get_library_version(text.data(), &length);
  // "Open MPI v4.1.4, package: ...": what comes before the first comma says enough.
  const char* end = std::find(text.data(), text.data() + length, ',');
  const auto count = std::min<std::ptrdiff_t>(end - text.data(), room - 1);
  *std::copy_n(text.data(), count, version) = '\0';
  return &kLibrary;
}
