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

/// Polls until it is so. MPI's own waiting takes a processor that another rank may need.
template <class Done>
void wait_until(const Done& done) {
  constexpr int kPatience = 200;  // polls without a pause
  constexpr useconds_t kPause = 50;
  for (int polls = 0; !done(); ++polls) {
    if (polls > kPatience) usleep(kPause);
  }
}

void wait_for(MPI_Request request) {
  wait_until([&] {
    int done = 0;
    MPI_Test(&request, &done, MPI_STATUS_IGNORE);
    return done != 0;
  });
}

/// Messages that have begun and not ended. `arriving`: bytes of each, 0 of one that this rank sends.
struct UnderWay {
  std::vector<MPI_Request> requests;
  std::vector<std::int64_t> arriving;

  void add(MPI_Request request, std::int64_t bytes) {
    requests.push_back(request);
    arriving.push_back(bytes);
  }
  /// Forgets those that have ended; whether all have.
  bool test() {
    int ended = 0;
    if (!requests.empty()) {
      std::vector<int> places(requests.size());
      MPI_Testsome(static_cast<int>(requests.size()), requests.data(), &ended, places.data(), MPI_STATUSES_IGNORE);
    }
    std::size_t left = 0;
    for (std::size_t i = 0; i < requests.size(); ++i) {
      if (requests[i] == MPI_REQUEST_NULL) continue;
      requests[left] = requests[i];
      arriving[left++] = arriving[i];
    }
    requests.resize(left);
    arriving.resize(left);
    return left == 0;
  }
} under_way;

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

void begin_send(int to, int tag, const void* bytes, std::int64_t count) {
  MPI_Request request = MPI_REQUEST_NULL;
  MPI_Isend(bytes, static_cast<int>(count), MPI_BYTE, to, tag, MPI_COMM_WORLD, &request);
  under_way.add(request, 0);
}

void begin_receive(int from, int tag, void* bytes, std::int64_t count) {
  MPI_Request request = MPI_REQUEST_NULL;
  MPI_Irecv(bytes, static_cast<int>(count), MPI_BYTE, from, tag, MPI_COMM_WORLD, &request);
  under_way.add(request, count);
}

std::int64_t progress() {
  under_way.test();
  return std::accumulate(under_way.arriving.begin(), under_way.arriving.end(), std::int64_t{0});
}

void complete() {
  wait_until([] { return under_way.test(); });
}

void finish() {
  MPI_Request request = MPI_REQUEST_NULL;
  MPI_Ibarrier(MPI_COMM_WORLD, &request);
  wait_for(request);
  MPI_Finalize();
}

void abort_all(int code) { MPI_Abort(MPI_COMM_WORLD, code); }

const diopter::MpiLibrary kLibrary{start,    gather_bytes, gather_sizes, begin_send, begin_receive,
                                   progress, complete,     finish,       abort_all};

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
