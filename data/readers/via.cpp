#include "data/readers/via.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <unordered_map>

#include "data/readers/picture_names.h"
#include "data/readers/reader_support.h"
#include "kernels/base/check.h"
#include "kernels/base/csv_text.h"
#include "kernels/base/files.h"
#include "kernels/base/json.h"

namespace diopter {
namespace {

using Json = nlohmann::json;
namespace fs = std::filesystem;

constexpr const char *kShape = "shape_attributes", *kAttributes = "region_attributes";
constexpr const char* kProject = "_via_img_metadata";

/// A region as the file has it.
struct Region {
  Json shape, attributes;
  std::string place;
};

struct Picture {
  std::string name, place;
  std::vector<Region> regions;
};

std::vector<Picture> pictures_of_json(const std::string& file) {
  const Json whole = read_json(file);
  DIOPTER_CHECK(whole.is_object(), file, ": must hold an object of pictures");
  const Json& entries = whole.contains(kProject) ? whole[kProject] : whole;
  DIOPTER_CHECK(entries.is_object(), file, ": ", kProject, ": must be an object of pictures");
  std::vector<Picture> pictures;
  for (const auto& [key, entry] : entries.items()) {
    const std::optional<std::string> name = text_in(entry, "filename");
    DIOPTER_CHECK(name && !name->empty(), file, ": '", key, "': has no text \"filename\"");
    Picture picture{*name, "'" + *name + "'", {}};
    if (const auto regions = entry.find("regions"); regions != entry.end()) {  // a list; in version 1 an object
      for (const auto& [number, region] : regions->items()) {
        const auto part = [&, r = &region](const char* member) {
          return r->is_object() && r->contains(member) ? r->at(member) : Json();
        };
        picture.regions.push_back({part(kShape), part(kAttributes), picture.place + ", region " + number});
      }
    }
    pictures.push_back(std::move(picture));
  }
  return pictures;
}

/// JSON in a field; null where it is none.
Json json_in(const std::string& field) {
  try {
    return parse_json(field);
  } catch (const Json::exception&) {
    return {};
  }
}

std::vector<Picture> pictures_of_csv(const std::string& file) {
  const std::vector<std::string> lines = read_lines(file);
  std::vector<Picture> pictures;
  std::unordered_map<std::string, std::size_t> number_of;
  std::array<std::size_t, 3> columns{};
  bool in_header = true;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (lines[i].empty()) continue;
    const std::string place = "line " + std::to_string(i + 1);
    const std::optional<std::vector<std::string>> fields = csv_fields(lines[i]);
    DIOPTER_CHECK(fields, file, ": ", place, ": a quote is not closed");
    if (in_header) {
      const char* names[] = {"filename", "region_shape_attributes", "region_attributes"};
      for (std::size_t c = 0; c < columns.size(); ++c) {
        const auto found = std::find_if(fields->begin(), fields->end(), [&](const std::string& field) {
          return field == names[c] || field == std::string("#") + names[c];
        });
        DIOPTER_CHECK(found != fields->end(), file, ": ", place, ": no column ", names[c]);
        columns[c] = static_cast<std::size_t>(found - fields->begin());
      }
      in_header = false;
      continue;
    }
    DIOPTER_CHECK(*std::max_element(columns.begin(), columns.end()) < fields->size(), file, ": ", place,
                  ": fewer columns than the header");
    const std::string& name = (*fields)[columns[0]];
    DIOPTER_CHECK(!name.empty(), file, ": ", place, ": the filename is empty");
    const auto [entry, is_new] = number_of.emplace(name, pictures.size());
    if (is_new) pictures.push_back({name, place, {}});
    Json shape = json_in((*fields)[columns[1]]);
    if (shape.is_object() && shape.empty()) continue;  // a picture without regions
    pictures[entry->second].regions.push_back({std::move(shape), json_in((*fields)[columns[2]]), place});
  }
  return pictures;
}

/// The text of an attribute's value, of checkboxes the first that is set; "" where there is none.
std::string text_of(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_number_integer()) return json_text(value);
  if (!value.is_object()) return "";
  for (const auto& [name, set] : value.items()) {
    if (set.is_boolean() && set.get<bool>()) return name;
  }
  return "";
}

/// The attribute that holds the class; "" where no region has one.
std::string class_attribute(const std::vector<Picture>& pictures) {
  std::map<std::string, std::size_t> counts;
  for (const Picture& picture : pictures) {
    for (const Region& region : picture.regions) {
      if (!region.attributes.is_object()) continue;
      for (const auto& [name, value] : region.attributes.items()) counts[name] += !text_of(value).empty();
    }
  }
  for (const char* usual : {"class", "label", "name", "type", "category"}) {
    if (const auto found = counts.find(usual); found != counts.end() && found->second > 0) return usual;
  }
  const auto most =
      std::max_element(counts.begin(), counts.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
  return most == counts.end() || most->second == 0 ? "" : most->first;
}

std::vector<double> numbers_of(const Json& shape, const char* member) {
  std::vector<double> numbers;
  if (!shape.contains(member) || !shape[member].is_array()) return numbers;
  for (const Json& value : shape[member]) {
    if (value.is_number()) numbers.push_back(value.get<double>());
  }
  return numbers;
}

/// The region's box; nothing, with a finding, where it has none.
std::optional<Rect> box_of_region(const Json& shape, const std::string& place, ReadLog& findings) {
  constexpr double kDegrees = 57.295779513082323;  // of a radian
  const std::string kind = text_in(shape, "name").value_or("");
  const auto numbers = [&](std::initializer_list<const char*> members) {
    std::vector<double> values;
    for (const char* member : members) {
      if (const std::optional<double> value = number_in(shape, member)) values.push_back(*value);
    }
    return values.size() == members.size() ? values : std::vector<double>();
  };
  std::optional<Rect> rect;
  if (kind == "rect") {
    if (const auto v = numbers({"x", "y", "width", "height"}); !v.empty()) return Rect{v[0], v[1], v[2], v[3]};
  } else if (kind == "polygon") {
    const std::vector<double> xs = numbers_of(shape, "all_points_x"), ys = numbers_of(shape, "all_points_y");
    std::vector<double> corners;
    for (std::size_t i = 0; i < xs.size() && xs.size() == ys.size(); ++i) {
      corners.insert(corners.end(), {xs[i], ys[i]});
    }
    rect = box_of_polygon(corners);
    if (rect) findings.add(oddity::kPolygon, place);
  } else if (kind == "circle") {
    if (const auto v = numbers({"cx", "cy", "r"}); !v.empty()) rect = box_of_ellipse(v[0], v[1], v[2], v[2], 0);
    if (rect) findings.add(oddity::kRound, place);
  } else if (kind == "ellipse") {
    if (const auto v = numbers({"cx", "cy", "rx", "ry"}); !v.empty()) {
      rect = box_of_ellipse(v[0], v[1], v[2], v[3], kDegrees * number_in(shape, "theta").value_or(0));
      findings.add(oddity::kRound, place);
    }
  } else {
    findings.add(oddity::kNoLabel, kind.empty() ? place : place + ", '" + kind + "'");
    return std::nullopt;
  }
  if (!rect) findings.add(oddity::kNoNumber, place);
  return rect;
}

}  // namespace

bool recognises_via(const std::string& annotations) {
  if (!file_exists(annotations)) return false;
  const std::string word = std::string("region_") + kShape;
  if (extension_of(annotations) == ".csv") {
    return begins_with(annotations, 'f', {word}) || begins_with(annotations, '#', {word});
  }
  return is_json(annotations) &&
         begins_with(annotations, '{',
                     {"\"_via_settings\"", "\"_via_img_metadata\"", "\"shape_attributes\"", "\"file_attributes\""});
}

Dataset read_via(const std::string& file, const ReadOptions& options) {
  refuse_split(file, options);
  const std::vector<Picture> read = begins_with(file, '{', {"\""}) ? pictures_of_json(file) : pictures_of_csv(file);
  DIOPTER_CHECK(!read.empty(), file, ": no pictures are listed");
  const std::string attribute = class_attribute(read);
  ReadLog findings(file, options.strict);
  PictureNames pictures(options.images.empty() ? fs::path(file).parent_path().string() : options.images, findings);
  ClassNumbers classes(options.categories);
  Dataset dataset;
  dataset.origin = attribute.empty() ? "as VIA's annotations, without attributes: the class is 'object'"
                                     : "as VIA's annotations, the class from the attribute '" + attribute + "'";
  std::int64_t annotation_id = 0;
  for (const Picture& picture : read) {
    ImageRecord record;
    record.id = static_cast<std::int64_t>(dataset.images.size()) + 1;
    record.name = picture.name;
    record.file = options.find_pictures ? pictures.find(picture.name, picture.place) : picture.name;
    for (const Region& region : picture.regions) {
      const std::optional<Rect> rect = box_of_region(region.shape, region.place, findings);
      if (!rect || !is_usable(*rect, record, region.place, findings)) continue;
      const bool has_attribute = region.attributes.is_object() && region.attributes.contains(attribute);
      const std::string label = attribute.empty() ? "object"
                                : has_attribute   ? text_of(region.attributes[attribute])
                                                  : "";
      if (label.empty()) {
        findings.add(oddity::kNoClass, region.place);
        continue;
      }
      record.annotations.push_back({.id = ++annotation_id,
                                    .category = classes.number(label, file + ": " + region.place),
                                    .rect = *rect,
                                    .area = rect->w * rect->h});
    }
    dataset.images.push_back(std::move(record));
  }
  classes.finish(dataset);
  findings.report(dataset);
  return dataset;
}

}  // namespace diopter
