// Names of the pictures that a program draws.
#pragma once

#include <filesystem>
#include <set>
#include <string>

#include "kernels/base/text.h"

namespace diopter {

/// Names output files after input pictures. Pictures of equal name from different folders (a/1.png, b/1.png), or of
/// different type (1.png, 1.jpg), get a number: 1.jpg, 1_2.jpg. The same pictures in the same order get the same names.
/// Long names are cut short, so that file systems take them with all that is added: they end at 255 bytes.
class OutputNames {
 public:
  /// "a/1.png" -> "1.jpg", a name that was not given before.
  std::string next(const std::string& picture) {
    constexpr std::size_t kMostBytes = 200;
    const std::string whole = std::filesystem::path(picture).stem().string();
    const std::string stem(shortened(whole, kMostBytes));
    std::string name = stem;
    for (int i = 2; !taken_.insert(name).second; ++i) name = stem + "_" + std::to_string(i);
    return name + ".jpg";
  }

 private:
  std::set<std::string> taken_;
};

}  // namespace diopter
