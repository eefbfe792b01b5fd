#include "tools/detect/pictures.h"

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <unordered_set>

#include "data/pictures/image.h"
#include "data/readers/picture_names.h"
#include "data/readers/reader_support.h"
#include "kernels/base/check.h"
#include "kernels/base/files.h"
#include "kernels/base/text.h"

namespace diopter {

namespace {

namespace fs = std::filesystem;

/// Collects pictures, each once.
class Pictures {
 public:
  explicit Pictures(const PictureRequest& request) : request_(request) {
    if (!request.not_below.empty()) not_below_ = fs::weakly_canonical(request.not_below).string() + "/";
  }

  /// A picture, whether it exists or not, or what is in a folder.
  void add(const std::string& name) {
    if (!folder_exists(name)) return add_file(name);
    const std::size_t before = named_;
    const bool deep = request_.recursive;
    for (const std::string& file : deep ? files_below(name, is_picture) : list_files(name, is_picture)) {
      const std::string path = (fs::path(name) / file).string();
      const bool drawing = deep && !not_below_.empty() && fs::weakly_canonical(path).string().starts_with(not_below_);
      if (!drawing) add_file(path);
    }
    DIOPTER_CHECK(named_ > before, name, ": a folder without pictures",
                  deep ? "" : " (--recursive looks into its folders, too)");
  }

  Dataset dataset;

 private:
  void add_file(const std::string& file) {
    ++named_;
    if (!seen_.insert(fs::weakly_canonical(file).string()).second) return;
    ImageRecord record;
    record.id = std::ssize(dataset.images) + 1;
    record.file = record.name = file;
    dataset.images.push_back(record);
  }

  const PictureRequest& request_;
  std::string not_below_;
  std::size_t named_ = 0;
  std::unordered_set<std::string> seen_;
};

void add_line(const std::string& line, Pictures& pictures) {
  const std::string name(trim(line));
  if (!name.empty()) pictures.add(name);
}

}  // namespace

Dataset requested_pictures(const PictureRequest& request) {
  Pictures pictures(request);
  for (const std::string& input : request.inputs) {
    if (input == "-") {
      for (std::string line; std::getline(std::cin, line);) add_line(line, pictures);
    } else {
      DIOPTER_CHECK(file_exists(input) || folder_exists(input), input, ": no such file or folder");
      pictures.add(input);
    }
  }
  if (!request.list.empty()) {
    for (const std::string& line : read_lines(request.list)) add_line(line, pictures);
  }
  DIOPTER_CHECK(!pictures.dataset.images.empty(), "no picture is named");
  return pictures.dataset;
}

void take_ids(const std::string& annotations, const Dataset& listed, Dataset& pictures) {
  constexpr std::size_t kShown = 3;
  const ImagesByName images(listed);
  std::vector<std::string> unknown;
  std::unordered_set<std::int64_t> taken;
  std::size_t count = 0;
  for (ImageRecord& picture : pictures.images) {
    const std::vector<std::size_t> fitting = images.find(picture.file);
    if (fitting.size() == 1 && taken.insert(listed.images[fitting[0]].id).second) {
      picture.id = listed.images[fitting[0]].id;
      picture.name = listed.images[fitting[0]].name;
    } else if (++count <= kShown) {
      unknown.push_back(picture.file + (fitting.empty() ? "" : " (more than one could be meant)"));
    }
  }
  DIOPTER_CHECK(count == 0, annotations, ": lists no picture for ", count, " of ", pictures.images.size(), ": ",
                join(unknown), count > kShown ? ", ..." : "");
}

}  // namespace diopter
