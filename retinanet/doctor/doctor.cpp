#include "retinanet/doctor/doctor.h"

#include <algorithm>
#include <cmath>
#include <sstream>
#include <utility>

#include "data/pictures/white.h"
#include "kernels/base/check.h"
#include "kernels/base/text.h"
#include "retinanet/config/configure.h"
#include "retinanet/network/backbone.h"
#include "retinanet/network/input.h"

namespace diopter {

namespace {

constexpr double kImbalance = 20;   // commonest class : rarest class
constexpr double kManyEmpty = 0.5;  // share of pictures without objects
constexpr double kManySmall = 0.1;  // share of objects that are smaller than the finest stride
constexpr double kManyWeak = 0.1;   // share of objects with low-quality anchors only
constexpr double kLossTolerance = 0.2;

template <class... Parts>
std::string text(const Parts&... parts) {
  std::ostringstream out;
  (out << ... << parts);
  return out.str();
}

std::string percent(double share) { return formatted("%.1f %%", 100 * share); }

double share(std::int64_t part, std::int64_t whole) {
  return whole > 0 ? static_cast<double>(part) / static_cast<double>(whole) : 0;
}

class Warnings {
 public:
  explicit Warnings(std::vector<std::string>& lines) : lines_(lines) {}

  template <class... Parts>
  void add(const Parts&... parts) {
    lines_.push_back(text(parts...));
  }

  /// "WHAT: 12 (first; second; third; ...)"
  void found(const Findings& findings, const char* what) {
    if (findings.count == 0) return;
    std::string line = text(what, ": ", findings.count, " (");
    for (const std::string& example : findings.examples) {
      line += (&example == &findings.examples[0] ? "" : "; ") + example;
    }
    const bool more = findings.count > static_cast<std::int64_t>(findings.examples.size());
    lines_.push_back(line + (more ? "; ...)" : ")"));
  }

 private:
  std::vector<std::string>& lines_;
};

void warn_of_files(const Dataset& dataset, const PictureCheck& pictures, Warnings& warnings) {
  for (const std::string& warning : dataset.warnings) warnings.add(warning);
  warnings.found(pictures.missing, "pictures that do not exist");
  warnings.found(pictures.undecodable, "pictures that cannot be decoded");
  if (pictures.dark.count > 0) {
    warnings.found(pictures.dark, "pictures that are nearly black");
    if (pictures.greatest > 0) {
      warnings.add("the greatest sample of the pictures with more than 8 bits is ", pictures.greatest,
                   ": --set input.white=", full_scale(pictures.greatest), " (or auto) makes them brighter");
    }
  }
  warnings.found(pictures.several, "files with several pages or frames, of which the first is used");
  warnings.found(pictures.other_size, "pictures of another size than the annotations say");
  warnings.found(pictures.unknown_size, "pictures left out because the annotations do not say their size");
}

void warn_of_boxes(const DatasetReport& data, Warnings& warnings) {
  warnings.found(data.degenerate, "boxes without width or height, which training drops");
  warnings.found(data.outside, "boxes outside their picture, which training drops");
  warnings.found(data.partly_outside, "boxes across their picture's border, which training clips");
  warnings.found(data.vanishing, "boxes less than a pixel wide or high at the network's input, which training drops");
  warnings.found(data.duplicates, "boxes that are there twice");
  warnings.found(data.contradictions, "boxes that are there with two classes");
  warnings.found(data.crowded, "pictures with more objects than detect.max_detections, which limits the recall");
  const double empty = share(data.empty_pictures, data.pictures);
  if (empty > kManyEmpty) warnings.add(percent(empty), " of the pictures have no objects");
}

void warn_of_classes(const DatasetReport& data, Warnings& warnings) {
  const ClassCount *rarest = nullptr, *commonest = nullptr;
  std::vector<std::string> empty;
  for (const ClassCount& c : data.classes) {
    if (c.boxes == 0) {
      empty.push_back(c.name);
      continue;
    }
    if (!rarest || c.boxes < rarest->boxes) rarest = &c;
    if (!commonest || c.boxes > commonest->boxes) commonest = &c;
  }
  if (!empty.empty()) {
    warnings.add(empty.size(), empty.size() == 1 ? " class has no objects: it" : " classes have no objects: they",
                 " cannot be learned: ", quoted_list(empty));
  }
  if (static_cast<double>(commonest->boxes) >= kImbalance * static_cast<double>(rarest->boxes)) {
    warnings.add("classes are uneven: ", commonest->boxes, " objects of '", commonest->name, "', ", rarest->boxes,
                 " of '", rarest->name, "'");
  }
}

void warn_of_anchors(const DoctorReport& report, const Config& config, Warnings& warnings) {
  const std::int64_t objects = report.matches.objects;
  const double small = share(report.data.below_stride, report.data.objects);
  if (small > kManySmall) {
    warnings.add(percent(small), " of the objects are smaller at the network's input than its finest stride of ",
                 1 << config.model.min_level, " pixels: cut the pictures into tiles or raise input.max_size");
  }
  const double covered = report.coverage.all.foreground_share();
  if (covered < kPoorCoverage) {
    warnings.add(
        "only ", percent(covered), " of the objects have an anchor with IoU >= ", config.match.foreground_iou,
        report.advice.empty() ? "" : "; with the settings above up to " + percent(report.advice.back().coverage));
  }
  const double weak = share(report.matches.low_quality, objects);
  if (weak > kManyWeak) {
    warnings.add(percent(weak), " of the objects are learned only from anchors below IoU ", config.match.foreground_iou,
                 " (match.low_quality)");
  }
  if (report.matches.unmatched > 0) {
    warnings.add(report.matches.unmatched, " of ", objects, " objects get no anchor at all and are not learned",
                 config.match.low_quality ? "" : " (match.low_quality = true gives each its best ones)");
  }
}

void warn_of_start(const DoctorReport& report, const Config& config, std::int64_t system_memory, Warnings& warnings) {
  const double expected = report.loss.expected, measured = report.loss.measured;
  // Trained weights do not start at the prior.
  if (config.model.weights.empty() && !(std::fabs(measured - expected) <= kLossTolerance * expected)) {
    warnings.add("the untrained network's classification loss is ", measured, " where model.prior predicts ", expected,
                 config.model.norm == NormKind::frozen_batch
                     ? ": model.norm = frozen_batch needs pretrained model.weights"
                     : "");
  }
  const std::int64_t needed = report.memory.predicted + report.memory.loader;
  if (system_memory > 0 && needed > system_memory) {
    warnings.add("a training step needs about ", needed >> 20, " MiB, this machine has ", system_memory >> 20,
                 " MiB: lower train.batch_size and raise train.accumulate");
  }
}

}  // namespace

DoctorReport examine(Dataset dataset, const Config& config, const DoctorOptions& options) {
  check_config(config);
  check_backbone(config.model);
  DIOPTER_CHECK(!dataset.categories.empty(), "the data set has no classes");
  DIOPTER_CHECK(!dataset.images.empty(), "the data set has no pictures");
  DoctorReport report;
  report.pictures =
      check_pictures(dataset, options.open_pictures,
                     config.input.white == kAutoWhite ? full_scale_of(dataset) : white_of(config), options.progress);
  if (dataset.images.empty()) {
    for (const Findings* f : {&report.pictures.missing, &report.pictures.undecodable, &report.pictures.unknown_size}) {
      DIOPTER_CHECK(f->count == 0, "none of the pictures can be used; the first: ", f->examples[0],
                    f == &report.pictures.missing        ? ": no such file"
                    : f == &report.pictures.unknown_size ? ": its size is not known"
                                                         : "");
    }
  }
  report.findings = dataset.findings;
  report.data = lint(dataset, config);
  DIOPTER_CHECK(report.data.objects > 0, "there is no object to learn from: of ", report.data.boxes, " boxes ",
                report.data.crowd + report.data.difficult, " are crowd or difficult and ",
                report.data.degenerate.count + report.data.outside.count + report.data.vanishing.count,
                " have less than a pixel in their picture at the network's input");
  report.coverage = anchor_coverage(config, dataset);
  report.matches = match_pictures(config, dataset);
  report.advice = advise_anchors(config, dataset);
  if (report.matches.positives > 0) {
    report.imbalance = imbalance(report.matches, static_cast<int>(dataset.categories.size()));
    report.balanced_priors = balanced_priors(config.loss.kind, report.imbalance);
  }
  const Config started = with_prior(config, report.matches);
  report.loss = initial_loss(started, dataset, options.open_pictures);
  report.memory = step_memory(started, dataset, report.pictures.bytes);

  Warnings warnings(report.warnings);
  warn_of_files(dataset, report.pictures, warnings);
  warn_of_boxes(report.data, warnings);
  warn_of_classes(report.data, warnings);
  warn_of_anchors(report, config, warnings);
  warn_of_start(report, config, options.system_memory, warnings);
  return report;
}

}  // namespace diopter
