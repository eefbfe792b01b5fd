// What the readers share: lists of files, JSON, numbering of classes, boxes of shapes, in shares and outside.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "data/readers/reading.h"

namespace diopter {

/// Throws Error "PLACE: ..." for the name of a class that is empty or not UTF-8, which checkpoints cannot hold.
void check_class_name(const std::string& name, const std::string& place);

/// Whether the extension is .xml or .txt.
bool is_xml(const std::string& file);
bool is_text(const std::string& file);
bool is_json(const std::string& file);

/// Whether the file's first character that is not blank is `first` and its first 64 KiB hold one of the words.
bool begins_with(const std::string& file, char first, const std::vector<std::string_view>& words);

/// The file as one JSON value. Throws Error "FILE: line 3, column 7: ..." for text that is none.
nlohmann::json read_json(const std::string& file);

/// A member as a number or a text: nothing where the value is no object, has no such member or one of another kind.
std::optional<double> number_in(const nlohmann::json& object, const char* member);
std::optional<std::string> text_in(const nlohmann::json& object, const char* member);

/// A size in pixels from a number; 0 where it is none, or no whole number above 0.
int size_from(std::optional<double> number);

/// Names (without the folder) of the files in `folder` that `wanted` accepts, sorted. Throws Error "FOLDER: reason".
std::vector<std::string> list_files(const std::string& folder, bool (*wanted)(const std::string& file));

/// The same with the folders in it: paths relative to `folder`.
std::vector<std::string> files_below(const std::string& folder, bool (*wanted)(const std::string& file));

/// Throws Error where the user asked for a split of annotations that hold only one set.
void refuse_split(const std::string& annotations, const ReadOptions& options);

/// When all boxes of the set lie within [0, 1] they are shares of their pictures' sizes, taken times those. Each is a
/// finding; where the size is not stated, the picture's header says it, or the box is left out.
void take_shares_times_size(Dataset& dataset, ReadLog& findings);

/// The box around corners x, y, x, y, ... of one or more polygons; nothing for fewer than three.
std::optional<Rect> box_of_polygon(const std::vector<double>& corners);

/// The upright box around one that is turned by an angle in degrees about the point (x, y).
Rect box_of_turned(const Rect& rect, double degrees, double x, double y);

/// The upright box around an ellipse that is turned by an angle in degrees.
Rect box_of_ellipse(double x, double y, double horizontal_radius, double vertical_radius, double degrees);

/// Whether a box can be learned from; otherwise it is a finding at `place`: not finite, empty, or outside its picture.
bool is_usable(const Rect& rect, const ImageRecord& record, const std::string& place, ReadLog& findings);

/// Leaves out boxes that share no point with their picture, where its size is stated.
void drop_boxes_outside(Dataset& dataset, ReadLog& findings);

/// Whether the box shares no point with the picture; false where its size is not known.
bool is_outside(const Rect& rect, const ImageRecord& record);

/// Numbers class names while a reader meets them: in a given order, or by name once all are known.
class ClassNumbers {
 public:
  /// `given`: the only classes allowed, in their order; empty: any.
  explicit ClassNumbers(const std::vector<std::string>& given);

  /// Number of the class, provisional until finish(). Throws Error "PLACE: class 'x' is not one of ..." for a class
  /// that is not among the given ones, and as check_class_name.
  int number(const std::string& name, const std::string& place);

  /// Sets the categories, with ids from 1, and the final numbers in the annotations.
  void finish(Dataset& dataset) const;

 private:
  bool fixed_;
  std::vector<std::string> names_;
  std::unordered_map<std::string, int> numbers_;
};

}  // namespace diopter
