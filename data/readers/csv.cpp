#include "data/readers/csv.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <filesystem>
#include <optional>
#include <unordered_map>

#include "data/readers/picture_names.h"
#include "data/readers/reader_support.h"
#include "kernels/base/check.h"
#include "kernels/base/csv_text.h"
#include "kernels/base/files.h"
#include "kernels/base/text.h"

namespace diopter {
namespace {

using Fields = std::vector<std::string>;

Fields fields_of(const std::string& line, char separator, const std::string& place) {
  std::optional<Fields> fields = csv_fields(line, separator);
  DIOPTER_CHECK(fields, place, ": a quote is not closed");
  for (std::string& field : *fields) field = std::string(trim(field));
  return *fields;
}

/// The one of comma, semicolon and tab that cuts the line into most fields.
char separator_of(const std::string& line) {
  char best = ',';
  std::size_t most = 0;
  for (const char separator : {',', ';', '\t'}) {
    const std::optional<Fields> fields = csv_fields(line, separator);
    if (!fields || fields->size() <= most) continue;
    best = separator;
    most = fields->size();
  }
  return best;
}

/// A column's name without what makes no difference.
std::string plain_name(const std::string& name) {
  std::string plain;
  for (const char c : name) {
    if (c != '_' && c != '-' && c != ' ') plain += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  return plain;
}

/// What is taken from a row, and what the column may be called; the first name that the header has counts.
struct Column {
  const char* what;
  std::vector<const char*> names;
};

const Column kPicture{
    "the picture",
    {"filename", "imagepath", "filepath", "path", "file", "imagename", "image", "imageid", "img", "imgpath"}};
const Column kClass{"the class", {"class", "label", "labelname", "classname", "category", "categoryname", "name"}};
const std::array<Column, 4> kCorners{{{"the left edge", {"xmin", "x1", "left", "xtl"}},
                                      {"the upper edge", {"ymin", "y1", "top", "ytl"}},
                                      {"the right edge", {"xmax", "x2", "right", "xbr"}},
                                      {"the lower edge", {"ymax", "y2", "bottom", "ybr"}}}};
const std::array<Column, 4> kCornerAndSize{{{"the left edge", {"x", "xmin", "x1", "left"}},
                                            {"the upper edge", {"y", "ymin", "y1", "top"}},
                                            {"the width", {"width", "w", "bboxwidth", "boxwidth"}},
                                            {"the height", {"height", "h", "bboxheight", "boxheight"}}}};
const Column kPictureWidth{"the picture's width", {"width", "imagewidth", "imgwidth"}};
const Column kCrowd{"a group of objects", {"isgroupof"}};
const Column kPictureHeight{"the picture's height", {"height", "imageheight", "imgheight"}};

/// Where in a row each value stands.
struct Layout {
  std::size_t picture = 0, label = 5;
  std::array<std::size_t, 4> box = {1, 2, 3, 4};
  bool corners = true;  // otherwise corner and size
  std::optional<std::size_t> width, height, crowd;
  std::size_t columns = 6;  // that a row needs
};

std::optional<std::size_t> position(const Fields& header, const Column& column) {
  for (const char* name : column.names) {
    const auto found =
        std::find_if(header.begin(), header.end(), [&](const std::string& field) { return plain_name(field) == name; });
    if (found != header.end()) return static_cast<std::size_t>(found - header.begin());
  }
  return std::nullopt;
}

std::size_t required(const Fields& header, const Column& column, const std::string& place) {
  const std::optional<std::size_t> found = position(header, column);
  DIOPTER_CHECK(found, place, ": no column of this header is ", column.what, "; it may be called ", join(column.names));
  return *found;
}

Layout layout_of(const Fields& header, const std::string& place) {
  Layout layout;
  layout.picture = required(header, kPicture, place);
  layout.label = required(header, kClass, place);
  layout.corners = position(header, kCorners[2]) || !position(header, kCornerAndSize[2]);
  const std::array<Column, 4>& columns = layout.corners ? kCorners : kCornerAndSize;
  for (std::size_t i = 0; i < 4; ++i) layout.box[i] = required(header, columns[i], place);
  if (layout.corners) {
    layout.width = position(header, kPictureWidth);
    layout.height = position(header, kPictureHeight);
  }
  layout.crowd = position(header, kCrowd);
  layout.columns =
      1 + std::max({layout.picture, layout.label, *std::max_element(layout.box.begin(), layout.box.end())});
  return layout;
}

/// Whether no field is a number, as in a header.
bool is_header(const Fields& fields) {
  return fields.size() > 1 && std::none_of(fields.begin(), fields.end(), [](const std::string& field) {
           return field.empty() || parse_number(field);
         });
}

/// Columns of the file by its first line that is not blank; `first_row` is set to the first line with a box.
Layout layout_of_file(const std::vector<std::string>& lines, char separator, const std::string& file,
                      std::size_t& first_row) {
  while (first_row < lines.size() && trim(lines[first_row]).empty()) ++first_row;
  DIOPTER_CHECK(first_row < lines.size(), file, ": no pictures are listed");
  const std::string place = file + ": line " + std::to_string(first_row + 1);
  const Fields fields = fields_of(lines[first_row], separator, place);
  if (is_header(fields)) {
    ++first_row;
    return layout_of(fields, place);
  }
  const Layout layout;
  DIOPTER_CHECK(fields.size() == layout.columns, place, ": ", fields.size(),
                fields.size() == 1 ? " column" : " columns",
                " and no header: without one the columns are path,x1,y1,x2,y2,class");
  return layout;
}

/// A size in whole pixels; 0 where it is something else.
int size_in(const Fields& fields, std::optional<std::size_t> column) {
  if (!column || *column >= fields.size()) return 0;
  const std::optional<double> value = parse_number(fields[*column]);
  return value && *value > 0 && *value < 1e9 && *value == std::floor(*value) ? static_cast<int>(*value) : 0;
}

/// Whether the row names a picture without objects: no box, or four zeros (DeepForest).
bool is_negative(const Fields& fields, const Layout& layout) {
  const auto all = [&](const auto& is) {
    return std::all_of(layout.box.begin(), layout.box.end(), [&](std::size_t column) { return is(fields[column]); });
  };
  return all([](const std::string& field) { return field.empty(); }) ||
         all([](const std::string& field) { return parse_number(field) == 0.0; });
}

/// Nothing, with a finding, where the row has no box that can be used.
std::optional<Rect> parse_box(const Fields& fields, const Layout& layout, const std::string& place, ReadLog& findings) {
  double v[4];
  for (std::size_t i = 0; i < 4; ++i) {
    const std::optional<double> value = parse_number(fields[layout.box[i]]);
    if (!value || !std::isfinite(*value)) {
      findings.add(oddity::kNoNumber, place + ", '" + fields[layout.box[i]] + "'");
      return std::nullopt;
    }
    v[i] = *value;
  }
  const Rect rect = layout.corners ? Rect{v[0], v[1], v[2] - v[0], v[3] - v[1]} : Rect{v[0], v[1], v[2], v[3]};
  if (!(rect.w > 0 && rect.h > 0)) {
    findings.add(oddity::kEmptyBox, place);
    return std::nullopt;
  }
  return rect;
}

}  // namespace

bool recognises_csv(const std::string& annotations) {
  return file_exists(annotations) && (extension_of(annotations) == ".csv" || extension_of(annotations) == ".tsv");
}

Dataset read_csv(const std::string& file, const ReadOptions& options) {
  refuse_split(file, options);
  const std::filesystem::path own_folder = std::filesystem::path(file).parent_path();
  ReadLog findings(file, options.strict);
  PictureNames pictures(options.images.empty() ? own_folder.string() : options.images, findings);
  Dataset dataset;
  ClassNumbers classes(options.categories);
  std::unordered_map<std::string, std::size_t> image_of_path;
  std::int64_t annotation_id = 0;

  const std::vector<std::string> lines = read_lines(file);
  const auto first = std::find_if(lines.begin(), lines.end(), [](const std::string& l) { return !trim(l).empty(); });
  const char separator = first == lines.end() ? ',' : separator_of(*first);
  std::size_t row = 0;
  const Layout layout = layout_of_file(lines, separator, file, row);
  for (; row < lines.size(); ++row) {
    if (trim(lines[row]).empty()) continue;
    const std::string place = "line " + std::to_string(row + 1);
    const Fields fields = fields_of(lines[row], separator, file + ": " + place);
    if (fields.size() < layout.columns) {
      findings.add(oddity::kNoLabel, place);
      continue;
    }
    const std::string& path = fields[layout.picture];
    DIOPTER_CHECK(!path.empty(), file, ": ", place, ": the path is empty");
    const auto [entry, is_new] = image_of_path.emplace(path, dataset.images.size());
    if (is_new) {
      ImageRecord record;
      record.id = static_cast<std::int64_t>(dataset.images.size()) + 1;
      record.file = options.find_pictures ? pictures.find(path, place) : path;
      record.name = path;
      record.width = size_in(fields, layout.width);
      record.height = size_in(fields, layout.height);
      dataset.images.push_back(std::move(record));
    }
    if (is_negative(fields, layout)) continue;
    const std::optional<Rect> rect = parse_box(fields, layout, place, findings);
    if (!rect) continue;
    const int category = classes.number(fields[layout.label], file + ": " + place);
    dataset.images[entry->second].annotations.push_back(
        {.id = ++annotation_id,
         .category = category,
         .rect = *rect,
         .area = rect->w * rect->h,
         .crowd = layout.crowd && *layout.crowd < fields.size() && parse_number(fields[*layout.crowd]) == 1.0});
  }
  DIOPTER_CHECK(!dataset.images.empty(), file, ": no pictures are listed");
  take_shares_times_size(dataset, findings);
  drop_boxes_outside(dataset, findings);
  classes.finish(dataset);
  findings.report(dataset);
  return dataset;
}

}  // namespace diopter
