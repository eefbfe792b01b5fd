#include "retinanet/laboratory/study_data.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <numeric>

#include "data/readers/coco.h"
#include "data/readers/read_dataset.h"
#include "data/unreadable_pictures.h"
#include "kernels/base/check.h"
#include "kernels/base/philox.h"

namespace diopter {

namespace {

namespace fs = std::filesystem;
using Splits = std::array<Dataset, 3>;

Dataset read(const StudyData::Source& source, const std::string& format, const std::string& protocol_folder,
             const std::vector<Category>& categories, DatasetSplit split) {
  const auto resolved = [&](const std::string& path) {
    return path.empty() ? path : (fs::path(protocol_folder) / path).string();
  };
  const std::string annotations = resolved(source.annotations);
  std::vector<std::string> classes;
  for (const Category& c : categories) classes.push_back(c.name);
  return read_dataset(format, annotations, {.images = resolved(source.images), .categories = classes, .split = split});
}

/// Moves the pictures from `first` on into another set of the same classes.
Dataset take_from(Dataset& dataset, std::size_t first) {
  const auto begin = dataset.images.begin() + static_cast<std::ptrdiff_t>(first);
  Dataset taken{
      dataset.categories, {std::make_move_iterator(begin), std::make_move_iterator(dataset.images.end())}, {}};
  dataset.images.erase(begin, dataset.images.end());
  return taken;
}

Splits make_shapes(const StudyData& data, const std::string& folder, void (*progress)(int, int)) {
  const auto [train, tune, test] = data.counts;
  write_shapes(folder, train, tune + test, data.shapes, progress);
  const fs::path files[] = {fs::path(folder) / "instances_train.json", fs::path(folder) / "instances_val.json"};
  const std::string images = fs::path(folder) / "images";
  Splits splits{read_coco(files[0], {.images = images}), read_coco(files[1], {.images = images}), {}};
  splits[kTestSplit] = take_from(splits[kTuneSplit], static_cast<std::size_t>(tune));
  for (const fs::path& file : files) fs::remove(file);
  return splits;
}

Splits divide(const StudyData& data, const std::string& protocol_folder) {
  Splits splits{read(data.sources[0], data.format, protocol_folder, {}, DatasetSplit::train), {}, {}};
  std::vector<ImageRecord>& images = splits[kTrainSplit].images;
  Philox random(data.seed, 0);
  for (std::size_t i = images.size(); i > 1; --i) {
    std::swap(images[i - 1], images[random.below(static_cast<std::uint32_t>(i))]);
  }
  const auto size = static_cast<double>(images.size());
  const auto train = static_cast<std::size_t>(std::llround(data.shares[kTrainSplit] * size));
  const auto tune = static_cast<std::size_t>(std::llround(data.shares[kTuneSplit] * size));
  splits[kTuneSplit] = take_from(splits[kTrainSplit], std::min(train, images.size()));
  splits[kTestSplit] = take_from(splits[kTuneSplit], std::min(tune, splits[kTuneSplit].images.size()));
  return splits;
}

Splits read_all(const StudyData& data, const std::string& protocol_folder) {
  Splits splits;
  for (int s = 0; s < 3; ++s) {
    splits[s] = read(data.sources[s], data.format, protocol_folder, splits[kTrainSplit].categories,
                     static_cast<DatasetSplit>(s));  // train, tuning on val, test
  }
  return splits;
}

/// The same file under another name is the same picture, too.
void check_disjoint(const Splits& splits) {
  std::map<std::string, int> split_of;
  for (int s = 0; s < 3; ++s) {
    for (const ImageRecord& image : splits[s].images) {
      const auto [found, fresh] = split_of.emplace(fs::weakly_canonical(image.file).string(), s);
      DIOPTER_CHECK(fresh || found->second == s, image.file, ": is in the ", kSplitNames[found->second], " and in the ",
                    kSplitNames[s], " split");
    }
  }
}

/// A picture that cannot be read would end every run that comes to it.
void leave_out_unreadable(Dataset& split, const char* name) {
  const std::vector<UnreadablePicture> unreadable = unreadable_pictures(split, Look::header);
  if (unreadable.empty()) return;
  const std::string text = describe(unreadable, split.images.size(), std::string("pictures of the ") + name + " split");
  DIOPTER_CHECK(unreadable.size() < split.images.size(), text);
  split.warnings.push_back(text + "; the study goes without them");
  split = without(std::move(split), unreadable);
}

void check_filled(const Splits& splits) {
  for (int s = 0; s < 3; ++s) {
    DIOPTER_CHECK(!splits[s].images.empty(), "the ", kSplitNames[s], " split has no pictures");
    const bool objects = std::any_of(splits[s].images.begin(), splits[s].images.end(), [](const ImageRecord& image) {
      return std::any_of(image.annotations.begin(), image.annotations.end(),
                         [](const Annotation& a) { return !a.crowd && !a.difficult; });
    });
    DIOPTER_CHECK(objects, "the ", kSplitNames[s], " split has no objects");
  }
}

/// Ids from 1 on; pictures inside `folder` are named from there, others by their full path.
void rename_for(const fs::path& folder, Dataset& split) {
  std::int64_t image_id = 0, annotation_id = 0;
  for (ImageRecord& image : split.images) {
    const fs::path inside = fs::absolute(image.file).lexically_relative(fs::absolute(folder));
    image.name = inside.empty() || *inside.begin() == ".." ? fs::absolute(image.file).string() : inside.string();
    image.id = ++image_id;
    for (Annotation& a : image.annotations) {
      a.id = ++annotation_id;
      a.crowd = a.crowd || a.difficult;
    }
  }
}

std::string file_of(const std::string& folder, int split) {
  return fs::path(folder) / (std::string(kSplitNames[split]) + ".json");
}

}  // namespace

std::vector<std::string> write_study_data(const StudyData& data, const std::string& protocol_folder,
                                          const std::string& folder, void (*progress)(int done, int total)) {
  Splits splits = data.kind == StudyData::Kind::shapes  ? make_shapes(data, folder, progress)
                  : data.kind == StudyData::Kind::split ? divide(data, protocol_folder)
                                                        : read_all(data, protocol_folder);
  check_filled(splits);
  check_disjoint(splits);
  for (int s = 0; s < 3; ++s) leave_out_unreadable(splits[s], kSplitNames[s]);
  std::error_code error;
  fs::create_directories(folder, error);
  DIOPTER_CHECK(!error, folder, ": cannot be made: ", error.message());
  std::vector<std::string> warnings;
  for (int s = 0; s < 3; ++s) {
    warnings.insert(warnings.end(), splits[s].warnings.begin(), splits[s].warnings.end());
    rename_for(folder, splits[s]);
    splits[s].categories = splits[kTrainSplit].categories;  // the same classes in the same order, under their own ids
    write_coco(file_of(folder, s), splits[s]);
  }
  return warnings;
}

Dataset read_study_data(const std::string& folder, Split split) {
  return read_coco(file_of(folder, split), {.images = folder});
}

}  // namespace diopter
