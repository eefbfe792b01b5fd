// Pictures by names that are written otherwise than their files.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "data/readers/reading.h"

namespace diopter {

/// The name as a key that is equal for different ways to write the same one: percent-encoding decoded, backslashes as
/// slashes, characters with marks decomposed (Unicode NFD, in Latin, Greek, Cyrillic, Japanese and Korean), letters A
/// to Z in lower case.
std::string name_key(std::string_view name);

/// Pictures of one folder, by the names that annotations have for them.
class PictureNames {
 public:
  PictureNames(std::string folder, ReadLog& findings) : folder_(std::move(folder)), findings_(&findings) {}

  /// The file of the picture `name`: FOLDER/name where that exists. Else the only picture below the folder whose name
  /// has the same key; then the one whose last component has, so that paths of other machines, of Windows and addresses
  /// are found; then the one with another extension, where several fit a name without one that with .jpg, .jpeg or
  /// .png, in this order. Each such case is a finding at `place`. Where there is none, or more than one: FOLDER/name.
  std::string find(const std::string& name, const std::string& place);

 private:
  void index();
  /// The file for a key without an extension; -1 when there is none.
  int without_stated_extension(const std::string& key) const;

  std::string folder_;
  ReadLog* findings_;
  bool indexed_ = false;
  std::vector<std::string> files_;                                                 // relative to the folder
  std::unordered_map<std::string, std::vector<int>> by_path_, by_name_, by_stem_;  // keys -> files_
};

/// Images of a set by what other files call them.
class ImagesByName {
 public:
  /// The set must outlive it.
  explicit ImagesByName(const Dataset& dataset);

  /// Indices of the images with the same last component (of their keys); where these are several, of those whose name
  /// ends as the other one does, or the other way round, in whole components.
  std::vector<std::size_t> find(std::string_view name) const;

 private:
  const Dataset& dataset_;
  std::unordered_map<std::string, std::vector<std::size_t>> by_name_;
};

}  // namespace diopter
