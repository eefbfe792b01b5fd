// Drawings of diopter detect: their names, and the list of what belongs to what.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "data/unreadable_pictures.h"

namespace diopter {

/// Drawings of pictures in one folder, NAME.jpg each. FOLDER/drawings.csv lists which drawing is of which picture, so
/// that a picture gets its own drawing's name again, and no other file in the folder is ever replaced: pictures whose
/// name is taken get a number.
class Drawings {
 public:
  static constexpr const char* kList = "drawings.csv";

  /// Makes the folder. Throws Error when it cannot be made, or when a drawing would have the name of one of the
  /// pictures themselves.
  Drawings(const std::string& folder, const Dataset& pictures);

  /// Of the picture with that index.
  const std::string& file(std::size_t picture) const { return files_[picture]; }

  /// "FOLDER/1_2.jpg is b/1.png" for the pictures whose drawing has another name than they have.
  std::vector<std::string> renamed(const Dataset& pictures) const;

  /// Writes drawings.csv, without the pictures that could not be drawn.
  void write_list(const std::vector<UnreadablePicture>& not_drawn) const;

 private:
  std::string list_file() const { return folder_ + "/" + kList; }

  std::string folder_;
  std::map<std::string, std::string> pictures_;  // by the names of drawings, of earlier calls, too: absolute paths
  std::vector<std::string> names_, files_;       // of drawings, by picture
};

}  // namespace diopter
