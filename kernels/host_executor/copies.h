// Copies between host and device that streams have done, for tests of how often that is.
#pragma once

#include <cstdint>

namespace diopter::host_executor {

struct Copies {
  std::int64_t to_device = 0, to_host = 0;              // number
  std::int64_t bytes_to_device = 0, bytes_to_host = 0;  // their sum
};

/// Of this process so far.
Copies copies();

}  // namespace diopter::host_executor
