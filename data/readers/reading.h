// What readers of annotations are told, and what they find odd.
#pragma once

#include <string>
#include <vector>

#include "data/dataset.h"

namespace diopter {

/// A part of a data set, where its files say which pictures belong to which: data.yaml, the lists of a VOC kit.
enum class DatasetSplit { train, val, test };

inline constexpr const char* kDatasetSplitNames[] = {"train", "val", "test"};

struct ReadOptions {
  /// Folder of the pictures; "": as the format's habits say.
  std::string images = {};
  /// When not empty: classes that the annotations must be of (names; another one is an error), in that order.
  std::vector<std::string> categories = {};
  /// Read where there are several. Asked for by the user: an error where the annotations have none.
  DatasetSplit split = DatasetSplit::train;
  bool split_asked = false;
  /// Whatever would be left out is an error.
  bool strict = false;
  /// Look for the pictures: their names may be written otherwise than their files'.
  bool find_pictures = true;
};

/// A kind of oddity in annotations.
struct Oddity {
  const char* key;   // in the JSON of doctor
  const char* text;  // of one: "box of ..."
  bool dropped;      // left out; otherwise read as the text says
};

namespace oddity {
inline constexpr Oddity kEmptyBox{"empty_box", "box of zero or negative width or height", true};
inline constexpr Oddity kFlatBox{"flat_box", "box of zero width or height, which counts in metrics but is not learned",
                                 false};
inline constexpr Oddity kNoNumber{"not_finite", "box that is not four finite numbers", true};
inline constexpr Oddity kOutside{"outside", "box wholly outside its picture", true};
inline constexpr Oddity kOutsideKept{
    "outside_kept", "box wholly outside its picture, which counts in metrics but is not learned", false};
inline constexpr Oddity kNoBox{"no_box", "annotation without a box, a polygon or a mask", true};
inline constexpr Oddity kUnknownImage{"unknown_image", "annotation of an image that the file does not list", true};
inline constexpr Oddity kUnknownCategory{"unknown_category", "annotation of a category that the file does not list",
                                         true};
inline constexpr Oddity kNoLabel{"no_label", "line or shape that is neither a box nor a polygon", true};
inline constexpr Oddity kBeyond{"beyond", "box with values outside [0, 1], which are relative to the picture's size",
                                true};
inline constexpr Oddity kNoSize{"no_size", "box in shares of a picture whose size cannot be read", true};
inline constexpr Oddity kTwice{"listed_twice", "picture listed twice, read once", true};
inline constexpr Oddity kPolygon{"polygon", "box taken from a polygon", false};
inline constexpr Oddity kMask{"mask", "box taken from a mask", false};
inline constexpr Oddity kRound{"circle", "box taken from a circle or an ellipse", false};
inline constexpr Oddity kTurned{"turned", "upright box taken around one that is turned", false};
inline constexpr Oddity kNoClass{"no_class", "box without a class", true};
inline constexpr Oddity kUnlabelled{"unlabelled", "picture that nobody has labelled", true};
inline constexpr Oddity kSeveralLabellings{"several_labellings",
                                           "picture labelled more than once, of which one labelling is taken", false};
inline constexpr Oddity kSixthColumn{"sixth_column", "sixth column (a confidence) that is not read", false};
inline constexpr Oddity kRelative{"relative", "box in shares of the picture's size, taken times the size", false};
inline constexpr Oddity kTextId{"text_id", "id that is a text, numbered", false};
inline constexpr Oddity kNoId{"no_id", "annotation without an id, numbered by its position", false};
inline constexpr Oddity kRepeatedId{"repeated_id", "annotation kept although an earlier one has its id", false};
inline constexpr Oddity kNegativeArea{"negative_area",
                                      "annotation that the metrics ignore because its area is negative", false};
inline constexpr Oddity kSamePicture{"same_picture", "picture that an earlier image has as well: labels may contradict",
                                     false};
inline constexpr Oddity kSameClassName{"same_class_name", "class with the name of an earlier one", false};
inline constexpr Oddity kPictureName{"picture_name", "picture found although its name is written otherwise", false};
inline constexpr Oddity kLabelName{"label_name", "label file found although its name is written otherwise", false};
inline constexpr Oddity kLonelyLabels{"lonely_labels", "label file without a picture", true};
inline constexpr Oddity kOtherPicture{"other_picture", "picture of another extension used", false};
inline constexpr Oddity kUnknownResult{"unknown_result", "detection of a category that the ground truth does not have",
                                       true};
inline constexpr Oddity kSeveralFiles{"several_files", "picture of several annotation files, with the boxes of all",
                                      false};
inline constexpr Oddity kImageIdAgain{"image_id_again", "image id that an earlier annotation file uses, numbered anew",
                                      false};
inline constexpr Oddity kMissingPicture{"missing_picture", "picture that does not exist", false};
}  // namespace oddity

/// Collects oddities while a file is read: each kind is counted, its first places are kept.
class ReadLog {
 public:
  /// `source`: the annotations as the user named them; "": places name their files themselves.
  ReadLog(std::string source, bool strict) : source_(std::move(source)), strict_(strict) {}

  /// Throws Error "SOURCE: PLACE: text" for what is dropped when the user wants a strict reader.
  void add(const Oddity& kind, const std::string& place);

  /// Appends to the dataset's findings, and a line each to its warnings:
  /// "SOURCE: box of zero or negative width or height: 4 left out (first: line 3, line 8, line 12)".
  void report(Dataset& dataset) const;

 private:
  std::string source_;
  bool strict_;
  std::vector<Finding> findings_;
};

}  // namespace diopter
