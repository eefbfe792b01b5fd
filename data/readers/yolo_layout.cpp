#include "data/readers/yolo_layout.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>

#include "data/pictures/image.h"
#include "data/readers/picture_names.h"
#include "data/readers/reader_support.h"
#include "data/readers/yolo_yaml.h"
#include "kernels/base/check.h"
#include "kernels/base/files.h"
#include "kernels/base/text.h"

namespace diopter {

namespace {

namespace fs = std::filesystem;

bool is_names(const std::string& file) { return extension_of(file) == ".names"; }

/// Text files that lie beside labels and are none.
bool is_label_file(const std::string& file) {
  static const std::set<std::string> others = {"classes", "labels", "obj", "train", "val", "valid", "test", "readme"};
  return is_text(file) && !others.contains(name_key(fs::path(file).stem().string()));
}

std::vector<std::string> values_of(const YoloSettings& settings, const std::string& key) {
  const auto found = settings.find(key);
  return found == settings.end() ? std::vector<std::string>() : found->second;
}

/// The data.yaml of a folder; "" when it has none.
std::string yaml_of(const fs::path& folder) {
  for (const char* name : {"data.yaml", "data.yml"}) {
    if (file_exists(folder / name)) return folder / name;
  }
  return "";
}

/// Class names from the first file of the usual names in `folder` or up to two folders above; empty when there is none.
std::vector<std::string> find_names(const fs::path& folder) {
  constexpr int kFolders = 3;
  fs::path place = fs::absolute(folder / ".").lexically_normal().parent_path();
  for (int i = 0; i < kFolders; ++i, place = place.parent_path()) {
    if (const std::string yaml = yaml_of(place); !yaml.empty()) {
      if (std::vector<std::string> names = values_of(read_data_yaml(yaml), "names"); !names.empty()) return names;
    }
    for (const char* name : {"classes.txt", "obj.names"}) {
      if (file_exists(place / name)) return read_name_lines(place / name);
    }
    const std::vector<std::string> others = list_files(place, is_names);
    if (!others.empty()) return read_name_lines(place / others.front());
  }
  return {};
}

/// The path with its last component `from` replaced by `to`; empty when it has none.
fs::path with_component_replaced(const fs::path& path, const std::string& from, const std::string& to) {
  std::vector<fs::path> parts(path.begin(), path.end());
  const auto found = std::find(parts.rbegin(), parts.rend(), fs::path(from));
  if (found == parts.rend()) return {};
  *found = to;
  fs::path result;
  for (const fs::path& part : parts) result /= part;
  return result;
}

/// Label files below a folder, by the names of pictures.
class Labels {
 public:
  Labels(fs::path folder, ReadLog& findings) : folder_(std::move(folder)), findings_(&findings) {
    if (folder_exists(folder_)) files_ = files_below(folder_, is_label_file);
    used_.resize(files_.size());
  }

  /// The label file of a picture by its path below its folder: the same path with .txt, else the only one whose name
  /// is the same but for the way it is written; "" where there is none.
  std::string find(const std::string& picture) {
    const std::string expected = fs::path(picture).replace_extension(".txt").string();
    const auto exact = std::lower_bound(files_.begin(), files_.end(), expected);
    if (exact != files_.end() && *exact == expected) return take(static_cast<std::size_t>(exact - files_.begin()));
    if (file_exists(folder_ / expected)) return folder_ / expected;  // of a picture called train.png, say
    index();
    for (const std::string& name : {fs::path(picture).replace_extension().string(), picture}) {
      const auto others = by_key_.find(name_key(name));
      if (others == by_key_.end() || others->second.size() != 1) continue;
      findings_->add(oddity::kLabelName, files_[others->second[0]] + " of " + picture);
      return take(others->second[0]);
    }
    return "";
  }

  /// Files that no picture asked for.
  void report_unused() const {
    for (std::size_t i = 0; i < files_.size(); ++i) {
      if (!used_[i]) findings_->add(oddity::kLonelyLabels, (folder_ / files_[i]).string());
    }
  }

 private:
  /// Only names that are written otherwise need it.
  void index() {
    if (!by_key_.empty()) return;
    for (std::size_t i = 0; i < files_.size(); ++i)
      by_key_[name_key(fs::path(files_[i]).replace_extension().string())].push_back(i);
  }

  std::string take(std::size_t file) {
    used_[file] = true;
    return folder_ / files_[file];
  }

  fs::path folder_;
  ReadLog* findings_;
  std::vector<std::string> files_;  // by name
  std::map<std::string, std::vector<std::size_t>> by_key_;
  std::vector<bool> used_;
};

/// All pictures below a folder. Their names are the paths below it, after `prefix`.
void add_folder(YoloLayout& layout, const fs::path& pictures, const fs::path& label_folder, const std::string& prefix,
                ReadLog& findings) {
  Labels labels(label_folder, findings);
  for (const std::string& picture : files_below(pictures, is_picture))
    layout.pictures.push_back({pictures / picture, fs::path(prefix) / picture, labels.find(picture)});
  labels.report_unused();
}

/// Where the labels of a folder of pictures are: in `labels` instead of `images`, or beside them.
fs::path label_folder_of(const fs::path& pictures) {
  const fs::path labels = with_component_replaced(fs::absolute(pictures).lexically_normal(), "images", "labels");
  return folder_exists(labels) ? labels : pictures;
}

/// The picture of a line of a list: relative to the list's folder or one above, as darknet starts in the project's.
fs::path picture_of_line(const fs::path& list, std::string line) {
  std::replace(line.begin(), line.end(), '\\', '/');
  if (line.starts_with("./")) line.erase(0, 2);
  constexpr int kFolders = 4;
  const fs::path here = fs::absolute(list).parent_path();
  fs::path folder = here;
  for (int i = 0; i < kFolders; ++i, folder = folder.parent_path()) {
    if (file_exists(folder / line)) return folder / line;
  }
  return here / line;
}

/// Of the first picture that has labels; where none has, the one where they would be.
fs::path folder_of_labels(const YoloLayout& layout) {
  for (const YoloPicture& picture : layout.pictures) {
    if (!picture.labels.empty()) return fs::path(picture.labels).parent_path();
  }
  return label_folder_of(fs::path(layout.pictures[0].file).parent_path());
}

void add_list(YoloLayout& layout, const fs::path& list, ReadLog& findings) {
  std::set<fs::path> seen;
  std::map<fs::path, Labels> labels_in;
  const std::vector<std::string> lines = read_lines(list);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const std::string line(trim(lines[i]));
    if (line.empty()) continue;
    const fs::path picture = picture_of_line(list, line);
    if (!seen.insert(picture).second) {
      findings.add(oddity::kTwice, "line " + std::to_string(i + 1));
      continue;
    }
    const fs::path folder = picture.parent_path();
    const auto labels = labels_in.try_emplace(folder, label_folder_of(folder), findings).first;
    layout.pictures.push_back({picture, line, labels->second.find(picture.filename())});
  }
}

/// A folder or list that data.yaml or a .data file names. Roboflow writes ../train/images and means ./train/images; its
/// `path` may be of another machine.
fs::path find_entry(const fs::path& file, const std::string& root, const std::string& entry) {
  constexpr std::string_view kUp = "../";
  const fs::path here = file.parent_path();
  std::vector<fs::path> candidates = {here / root / entry, here / entry};
  if (entry.starts_with(kUp)) candidates.push_back(here / root / entry.substr(kUp.size()));
  for (const fs::path& candidate : candidates) {
    if (folder_exists(candidate) || file_exists(candidate)) return candidate;
  }
  return {};
}

YoloLayout layout_of_settings(const std::string& file, const YoloSettings& settings, const ReadOptions& options,
                              ReadLog& findings) {
  const std::string split = kDatasetSplitNames[static_cast<int>(options.split)];
  std::vector<std::string> entries = values_of(settings, split);
  std::string key = split;
  if (entries.empty() && options.split == DatasetSplit::val) entries = values_of(settings, key = "valid");
  DIOPTER_CHECK(!entries.empty(), file, ": no key '", split, "'",
                options.split == DatasetSplit::val ? " and no 'valid'" : "", "; --split chooses another part");
  const std::vector<std::string> path = values_of(settings, "path");

  YoloLayout layout;
  layout.names = values_of(settings, "names");
  for (const std::string& entry : entries) {
    const fs::path found = find_entry(file, path.empty() ? "" : path[0], entry);
    DIOPTER_CHECK(!found.empty(), file, ": '", key, "' is '", entry,
                  "', which is neither a folder nor a list of pictures");
    if (file_exists(found)) {
      add_list(layout, found, findings);
    } else {
      const fs::path pictures = options.images.empty() ? found : fs::path(options.images);
      add_folder(layout, pictures, label_folder_of(found), entries.size() > 1 ? entry : "", findings);
    }
  }
  layout.origin = "its " + key + ": " + join(entries);
  return layout;
}

/// Whether the files of the folder say which pictures are for what: a data.yaml, and no labels right in the folder.
bool is_root_of_splits(const fs::path& folder) {
  const fs::path labels = folder / "labels";
  return !yaml_of(folder).empty() && list_files(folder, is_label_file).empty() &&
         (!folder_exists(labels) || list_files(labels, is_label_file).empty());
}

YoloLayout layout_of_folder(const std::string& annotations, const ReadOptions& options, ReadLog& findings) {
  DIOPTER_CHECK(folder_exists(annotations), annotations, ": no such folder");
  if (is_root_of_splits(annotations)) {
    const std::string yaml = yaml_of(annotations);
    return layout_of_settings(yaml, read_data_yaml(yaml), options, findings);
  }
  refuse_split(annotations, options);
  fs::path labels = annotations;
  if (folder_exists(labels / "labels")) labels /= "labels";
  fs::path pictures = with_component_replaced(fs::absolute(labels), "labels", "images");
  if (!folder_exists(pictures)) pictures = labels;
  if (!options.images.empty()) pictures = options.images;
  YoloLayout layout;
  add_folder(layout, pictures, labels, "", findings);
  DIOPTER_CHECK(!layout.pictures.empty(), pictures.string(), ": no pictures");
  layout.names = find_names(labels);
  return layout;
}

}  // namespace

bool is_data_yaml(const std::string& file) { return extension_of(file) == ".yaml" || extension_of(file) == ".yml"; }
bool is_darknet_data(const std::string& file) { return extension_of(file) == ".data"; }

bool is_yolo_list(const std::string& file) {
  if (!is_text(file) || !file_exists(file)) return false;
  for (const std::string& line : read_lines(file)) {
    const std::string name(trim(line));
    if (name.empty()) continue;
    if (!is_picture(name)) return false;
    const fs::path picture = picture_of_line(file, name);
    const fs::path labels = label_folder_of(picture.parent_path());
    return file_exists(labels / picture.filename().replace_extension(".txt")) ||
           (file_exists(picture) && !file_exists(fs::path(picture).replace_extension(".xml")) &&
            folder_exists(picture.parent_path()) && name.find('/') != std::string::npos);
  }
  return false;
}

YoloLayout find_yolo_layout(const std::string& annotations, const ReadOptions& options, ReadLog& findings) {
  YoloLayout layout;
  if (is_data_yaml(annotations)) {
    layout = layout_of_settings(annotations, read_data_yaml(annotations), options, findings);
  } else if (is_darknet_data(annotations)) {
    YoloSettings settings = read_darknet_data(annotations);
    if (const std::vector<std::string> names = values_of(settings, "names"); !names.empty()) {
      const fs::path file = find_entry(annotations, "", names[0]);
      const fs::path above = find_entry(annotations, "..", names[0]);
      settings["names"] = file_exists(file)    ? read_name_lines(file)
                          : file_exists(above) ? read_name_lines(above)
                                               : std::vector<std::string>();
    }
    for (auto& [key, values] : settings) {  // darknet's paths start in the project's folder
      if (key != "names" && values.size() == 1 && find_entry(annotations, "", values[0]).empty())
        values[0] = "../" + values[0];
    }
    layout = layout_of_settings(annotations, settings, options, findings);
  } else if (file_exists(annotations)) {
    refuse_split(annotations, options);
    add_list(layout, annotations, findings);
  } else {
    layout = layout_of_folder(annotations, options, findings);
  }
  DIOPTER_CHECK(!layout.pictures.empty(), annotations, ": no pictures");
  if (layout.names.empty()) layout.names = find_names(folder_of_labels(layout));
  if (layout.names.empty()) layout.names = find_names(fs::path(annotations).parent_path());
  return layout;
}

}  // namespace diopter
