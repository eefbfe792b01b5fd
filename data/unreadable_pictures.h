// Pictures of a set that cannot be read: found by a quick look before anything is done with them.
#pragma once

#include <compare>
#include <cstddef>
#include <string>
#include <vector>

#include "data/dataset.h"

namespace diopter {

struct UnreadablePicture {
  std::size_t image;   // index into Dataset::images
  std::string reason;  // "FILE: no such file"

  auto operator<=>(const UnreadablePicture&) const = default;
};

/// How closely a picture is looked at: its header alone, which tells kind and size, or all of it, which finds damage
/// behind the header as well and takes as long as decoding does.
enum class Look { header, whole };

/// The pictures that cannot be read, in the order of the set. Several threads look.
std::vector<UnreadablePicture> unreadable_pictures(const Dataset& dataset, Look look);

/// "2 of the 20 validation pictures cannot be read: a.png: no such file; b.png: the file is empty", for kind =
/// "validation pictures"; after the third an ellipsis.
std::string describe(const std::vector<UnreadablePicture>& unreadable, std::size_t pictures, const std::string& kind);

/// The set without them.
Dataset without(Dataset dataset, const std::vector<UnreadablePicture>& unreadable);

}  // namespace diopter
