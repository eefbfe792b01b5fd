#include "tools/detect/drawings.h"

#include <filesystem>
#include <set>

#include "data/pictures/output_names.h"
#include "kernels/base/check.h"
#include "kernels/base/csv_text.h"
#include "kernels/base/files.h"

namespace diopter {

namespace {

namespace fs = std::filesystem;

std::string absolute(const std::string& file) { return fs::weakly_canonical(file).string(); }

/// Whether it can be the name of a drawing: one in this folder.
bool is_drawing(const std::string& name) { return extension_of(name) == ".jpg" && fs::path(name).filename() == name; }

/// What an earlier call listed; nothing where the file is something else.
std::map<std::string, std::string> read_list(const std::string& file) {
  std::map<std::string, std::string> pictures;
  if (!file_exists(file)) return pictures;
  for (const std::string& line : read_lines(file)) {
    const auto fields = csv_fields(line);
    const bool drawing = fields && fields->size() == 2 && is_drawing((*fields)[0]);
    if (drawing) pictures.emplace((*fields)[0], (*fields)[1]);
  }
  return pictures;
}

}  // namespace

Drawings::Drawings(const std::string& folder, const Dataset& pictures) : folder_(folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  DIOPTER_CHECK(!error, folder, ": cannot be made: ", error.message());
  pictures_ = read_list(list_file());
  std::map<std::string, std::string> before;  // drawings, by their pictures
  for (const auto& [drawing, picture] : pictures_) before.emplace(picture, drawing);
  std::set<std::string> inputs;
  for (const ImageRecord& record : pictures.images) inputs.insert(absolute(record.file));

  OutputNames names;
  for (const ImageRecord& record : pictures.images) {
    const std::string picture = absolute(record.file);
    const auto own = before.find(picture);
    std::string name = own == before.end() ? "" : own->second;
    const auto taken = [&] {
      DIOPTER_CHECK(inputs.count(absolute(folder + "/" + name)) == 0, folder, "/", name,
                    ": is one of the pictures and would be replaced by a drawing; choose another folder with --out");
      const auto listed = pictures_.find(name);
      return listed != pictures_.end() ? listed->second != picture : file_exists(folder + "/" + name);
    };
    while (name.empty() || taken()) name = names.next(record.name);
    pictures_[name] = picture;
    names_.push_back(name);
    files_.push_back(folder + "/" + name);
  }
}

std::vector<std::string> Drawings::renamed(const Dataset& pictures) const {
  std::vector<std::string> lines;
  for (std::size_t i = 0; i < names_.size(); ++i) {
    const ImageRecord& record = pictures.images[i];
    if (names_[i] != OutputNames().next(record.name)) lines.push_back(files_[i] + " is " + record.file);
  }
  return lines;
}

void Drawings::write_list(const std::vector<UnreadablePicture>& not_drawn) const {
  std::map<std::string, std::string> drawn = pictures_;
  for (const UnreadablePicture& picture : not_drawn) drawn.erase(names_[picture.image]);
  CsvText csv({"drawing", "picture"});
  for (const auto& [drawing, picture] : drawn) csv.line({drawing, picture});
  write_file_atomically(list_file(), csv.text());
}

}  // namespace diopter
