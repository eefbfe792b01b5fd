#include "retinanet/network/found_in_views.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace diopter {

namespace {

/// Appends values of which the ranks have the same form.
template <class T>
void put(std::string& bytes, const T* values, std::size_t count) {
  static_assert(std::is_trivially_copyable_v<T>);
  bytes.append(reinterpret_cast<const char*>(values), count * sizeof(T));
}

void put_count(std::string& bytes, std::size_t count) { put(bytes, &count, 1); }

template <class T>
std::vector<T> take(std::string_view& bytes, std::size_t count) {
  std::vector<T> values(count);
  if (count > 0) std::memcpy(values.data(), bytes.data(), count * sizeof(T));
  bytes.remove_prefix(count * sizeof(T));
  return values;
}

std::size_t take_count(std::string_view& bytes) { return take<std::size_t>(bytes, 1)[0]; }

}  // namespace

std::vector<FoundInViews> gather_found(Communicator& ranks, FoundInViews mine) {
  std::vector<FoundInViews> all;
  if (ranks.ranks() == 1) {
    all.push_back(std::move(mine));
    return all;
  }
  std::string bytes;
  put_count(bytes, mine.views.size());
  put(bytes, mine.views.data(), mine.views.size());
  for (const std::vector<DetectedBox>& boxes : mine.found) {
    put_count(bytes, boxes.size());
    put(bytes, boxes.data(), boxes.size());
  }
  for (const std::string& told : ranks.gather(bytes)) {
    std::string_view left = told;
    FoundInViews& of_rank = all.emplace_back();
    of_rank.views = take<PictureView>(left, take_count(left));
    for (std::size_t i = 0; i < of_rank.views.size(); ++i) {
      of_rank.found.push_back(take<DetectedBox>(left, take_count(left)));
    }
  }
  return all;
}

std::vector<UnreadablePicture> gather_skipped(Communicator& ranks, std::vector<UnreadablePicture> mine) {
  std::string bytes;
  for (const UnreadablePicture& picture : mine) {
    put_count(bytes, picture.image);
    put_count(bytes, picture.reason.size());
    bytes += picture.reason;
  }
  std::vector<UnreadablePicture> all;
  for (const std::string& told : ranks.gather(bytes)) {
    for (std::string_view left = told; !left.empty();) {
      const std::size_t image = take_count(left), length = take_count(left);
      all.push_back({image, std::string(left.substr(0, length))});
      left.remove_prefix(length);
    }
  }
  std::sort(all.begin(), all.end());
  const auto same = [](const UnreadablePicture& a, const UnreadablePicture& b) { return a.image == b.image; };
  all.erase(std::unique(all.begin(), all.end(), same), all.end());
  return all;
}

}  // namespace diopter
