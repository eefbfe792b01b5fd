#include "data/unreadable_pictures.h"

#include <algorithm>

#include "data/pictures/image.h"
#include "kernels/base/check.h"
#include "kernels/base/parallel.h"
#include "kernels/base/text.h"

namespace diopter {

namespace {

/// Why the file cannot be read; "" where it can.
std::string why_unreadable(const std::string& file, Look look) {
  try {
    if (look == Look::whole) {
      read_image(file);
    } else {
      int width = 0, height = 0;
      read_image_size(file, width, height);
    }
    return "";
  } catch (const OutOfResources&) {  // the system is to blame, not the picture
    throw;
  } catch (const Error& error) {
    return error.what();
  }
}

}  // namespace

std::vector<UnreadablePicture> unreadable_pictures(const Dataset& dataset, Look look) {
  constexpr std::int64_t kAtOnce = 16;
  std::vector<std::string> reasons(dataset.images.size());
  parallel_for(std::ssize(reasons), look == Look::whole ? 1 : kAtOnce, [&](std::int64_t begin, std::int64_t end) {
    for (auto i = static_cast<std::size_t>(begin); i < static_cast<std::size_t>(end); ++i)
      reasons[i] = why_unreadable(dataset.images[i].file, look);
  });
  std::vector<UnreadablePicture> unreadable;
  for (std::size_t i = 0; i < reasons.size(); ++i) {
    if (!reasons[i].empty()) unreadable.push_back({i, reasons[i]});
  }
  return unreadable;
}

std::string describe(const std::vector<UnreadablePicture>& unreadable, std::size_t pictures, const std::string& kind) {
  constexpr std::size_t kShown = 3;
  std::vector<std::string> shown;
  for (const UnreadablePicture& picture : unreadable) {
    if (shown.size() < kShown) shown.push_back(picture.reason);
  }
  if (unreadable.size() > kShown) shown.emplace_back("...");
  return std::to_string(unreadable.size()) + " of the " + std::to_string(pictures) + " " + kind +
         " cannot be read: " + join(shown, "; ");
}

Dataset without(Dataset dataset, const std::vector<UnreadablePicture>& unreadable) {
  std::vector<ImageRecord> kept;
  auto next = unreadable.begin();
  for (std::size_t i = 0; i < dataset.images.size(); ++i) {
    if (next != unreadable.end() && next->image == i) {
      ++next;
    } else {
      kept.push_back(std::move(dataset.images[i]));
    }
  }
  dataset.images = std::move(kept);
  return dataset;
}

}  // namespace diopter
