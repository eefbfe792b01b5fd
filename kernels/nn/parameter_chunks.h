// Parameters of a model as segments of one table, for kernels that update all of them in one launch. The segments are
// cut into chunks, numbered one after another, which both devices work on side by side.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/base/host_device.h"

namespace diopter {

inline constexpr std::int64_t kParameterChunk = 4096;  // values in a chunk, at most

/// Sets first_chunk of all segments of a model and returns the number of chunks.
template <class Segment>
std::int64_t number_chunks(std::vector<Segment>& segments) {
  std::int64_t chunks = 0;
  for (Segment& segment : segments) {
    segment.first_chunk = chunks;
    chunks += (segment.count + kParameterChunk - 1) / kParameterChunk;
  }
  return chunks;
}

/// The segment that chunk `chunk` belongs to: the last one that does not begin behind it. (Empty segments have no
/// chunk: of several that begin with the same one, the last holds it.)
template <class Segment>
DIOPTER_HD const Segment& segment_of_chunk(const Segment* segments, int count, std::int64_t chunk) {
  int low = 0;
  for (int high = count; high - low > 1;) {
    const int middle = (low + high) / 2;
    (segments[middle].first_chunk <= chunk ? low : high) = middle;
  }
  return segments[low];
}

}  // namespace diopter
