// Annotations of every format.
#include <cctype>
#include <functional>

#include "data/pictures/image.h"
#include "data/readers/coco.h"
#include "data/readers/csv.h"
#include "data/readers/cvat.h"
#include "data/readers/label_studio.h"
#include "data/readers/labelme.h"
#include "data/readers/via.h"
#include "data/readers/voc.h"
#include "data/readers/yolo.h"
#include "tests/fuzz/target.h"

namespace diopter::fuzz {
namespace {

void coco_truth(std::string_view input) {
  read_coco(in_memory(input), {.images = "pictures"});
  read_coco(in_memory(input), {.images = "pictures", .categories = {"person", "car"}});
}

void coco_results(std::string_view input) {
  static const Dataset truth{{{1, "person"}, {2, "car"}}, {{.id = 1, .file = "a", .name = "a", .annotations = {}}}, {}};
  std::vector<std::string> warnings;
  read_coco_results(in_memory(input), truth, warnings);
}

void voc(std::string_view input) {
  write_scratch("voc/a.xml", input);
  read_voc(scratch_folder() + "/voc", {.images = scratch_folder() + "/voc"});
}

/// Whether paths in it may lead out of the folder: then what is read is the machine's, not the input's.
bool leads_out(std::string_view yaml) {
  if (yaml.find("..") != yaml.rfind("..")) return true;  // one leads to the scratch folder
  for (std::size_t slash = yaml.find('/'); slash != yaml.npos; slash = yaml.find('/', slash + 1)) {
    if (slash == 0 || !std::isalnum(static_cast<unsigned char>(yaml[slash - 1]))) return true;
  }
  return false;
}

/// data.yaml, a zero byte, the labels of one picture.
void yolo(std::string_view input) {
  const auto parts = split(input, 2);
  if (leads_out(parts[0])) return;
  write_scratch("yolo/data.yaml", parts[0]);
  write_scratch("yolo/labels/a.txt", parts[1]);
  static const bool written = [] {
    write_scratch("yolo/images/.keep", "");
    write_image(scratch_folder() + "/yolo/images/a.bmp", {4, 2, std::vector<std::uint8_t>(24)});
    return true;
  }();
  (void)written;
  const std::string root = scratch_folder() + "/yolo";
  // Both ways to name the set, each for half of the inputs.
  const bool by_yaml = std::hash<std::string_view>{}(input) % 2 == 0;
  read_yolo(root + (by_yaml ? "/data.yaml" : "/labels"), {.images = root + "/images"});
}

void cvat(std::string_view input) { read_cvat(in_memory(input), {.images = "pictures"}); }

void label_studio(std::string_view input) { read_label_studio(in_memory(input), {.images = "pictures"}); }

/// JSON or CSV.
void via(std::string_view input) { read_via(in_memory(input), {.images = "pictures"}); }

void labelme(std::string_view input) { read_labelme(in_memory(input), {.images = "pictures"}); }

void csv(std::string_view input) { read_csv(in_memory(input), {.images = "pictures"}); }

constexpr Target kAnnotations[] = {{"coco_truth", coco_truth},
                                   {"coco_results", coco_results},
                                   {"voc", voc},
                                   {"yolo", yolo},
                                   {"csv", csv},
                                   {"cvat", cvat},
                                   {"label_studio", label_studio},
                                   {"via", via},
                                   {"labelme", labelme}};

}  // namespace

std::span<const Target> annotation_targets() { return kAnnotations; }

}  // namespace diopter::fuzz
