// Functions of libdiopter_mpi.so, the only part of the program that is linked with MPI.
#pragma once

#include <cstdint>

namespace diopter {

/// A table of functions, so that nothing but plain C types crosses from one library to the other. An error of MPI ends
/// all ranks (MPI_ERRORS_ARE_FATAL). While a call waits for other ranks it leaves the processor to them.
struct MpiLibrary {
  /// Before all others; false when MPI has been started already.
  bool (*start)(int* rank, int* ranks);
  /// sizes[r] bytes of each rank, one after another, into `all`.
  void (*gather_bytes)(const void* mine, const std::int64_t* sizes, void* all);
  /// One number of each rank.
  void (*gather_sizes)(std::int64_t mine, std::int64_t* all);
  /// As those of Communicator.
  void (*begin_send)(int to, int tag, const void* bytes, std::int64_t count);
  void (*begin_receive)(int from, int tag, void* bytes, std::int64_t count);
  std::int64_t (*progress)();
  void (*complete)();
  /// Waits for all ranks.
  void (*finish)();
  /// Ends all ranks with this exit code.
  void (*abort)(int code);
};

}  // namespace diopter

/// The table; `version` gets what MPI says of itself, at most `room` characters.
extern "C" const diopter::MpiLibrary* diopter_mpi_library(char* version, int room);
