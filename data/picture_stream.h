// Training pictures that are made in memory as they are needed, without end: no picture twice.
#pragma once

#include <cstdint>
#include <string>

#include "data/dataset.h"
#include "data/pictures/image.h"

namespace diopter {

class PictureStream {
 public:
  virtual ~PictureStream() = default;

  /// Picture `number` of the stream that belongs to a seed, and its annotations; depends on both only. May be called
  /// from several threads at once.
  virtual Image make(std::uint64_t seed, std::int64_t number, ImageRecord& record) const = 0;

  /// All that decides its pictures, in one line.
  virtual std::string text() const = 0;
};

}  // namespace diopter
