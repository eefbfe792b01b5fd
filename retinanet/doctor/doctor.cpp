#include "retinanet/doctor/doctor.h"

#include <algorithm>
#include <cmath>
#include <sstream>
#include <utility>

#include "data/loader.h"
#include "data/pictures/white.h"
#include "data/repeat_factors.h"
#include "kernels/base/check.h"
#include "kernels/base/text.h"
#include "retinanet/config/configure.h"
#include "retinanet/detection/class_weights.h"
#include "retinanet/network/backbone.h"
#include "retinanet/network/input.h"
#include "retinanet/weights/start.h"

namespace diopter {

namespace {

constexpr int kCocoDetections = 100;  // of a class in a picture, that COCO's metrics count
constexpr double kImbalance = 20;     // commonest class : rarest class
constexpr double kManyEmpty = 0.5;    // share of pictures without objects
constexpr double kManySmall = 0.1;    // share of objects that are smaller than the finest stride
constexpr double kManyWeak = 0.1;     // share of objects with low-quality anchors only
constexpr double kLossTolerance = 0.2;
constexpr double kMostOfAdamw = 0.04;  // learning rate; half of it is the best of those tried (docs/recipe.md)
constexpr double kManyViews = 30;      // of a picture, all alike (docs/recipe.md)

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

/// What a warning is about, the heaviest first.
enum class Weight { run, objects, classes, note };

/// Collects warnings; those of one weight are sorted by the share of objects or pictures that they cost.
class Warnings {
 public:
  template <class... Parts>
  void add(Weight weight, double cost, const Parts&... parts) {
    all_.push_back({weight, cost, text(parts...)});
  }

  /// "WHAT: 12 (first; second; third; ...)"; the cost is the share of `whole`.
  void found(Weight weight, const Findings& findings, std::int64_t whole, const std::string& what) {
    if (findings.count == 0) return;
    const bool more = findings.count > std::ssize(findings.examples);
    add(weight, share(findings.count, whole), what, ": ", findings.count, " (", join(findings.examples, "; "),
        more ? "; ...)" : ")");
  }

  std::vector<std::string> by_weight() {
    std::stable_sort(all_.begin(), all_.end(), [](const Warning& a, const Warning& b) {
      return a.weight != b.weight ? a.weight < b.weight : a.cost > b.cost;
    });
    std::vector<std::string> lines;
    for (const Warning& warning : all_) lines.push_back(warning.line);
    return lines;
  }

 private:
  struct Warning {
    Weight weight;
    double cost;
    std::string line;
  };

  std::vector<Warning> all_;
};

void warn_of_files(const Dataset& dataset, const PictureCheck& pictures, std::int64_t boxes, Warnings& warnings) {
  for (const std::string& line : dataset.warnings) {
    const auto finding = std::find_if(dataset.findings.begin(), dataset.findings.end(),
                                      [&](const Finding& f) { return f.line == line; });
    const bool noted = finding != dataset.findings.end() && !finding->dropped;
    const std::int64_t lost = finding == dataset.findings.end() || noted ? 0 : finding->count;
    warnings.add(noted ? Weight::note : Weight::objects, share(lost, boxes + lost), line);
  }
  const std::int64_t all =
      std::ssize(dataset.images) + pictures.missing.count + pictures.undecodable.count + pictures.unknown_size.count;
  warnings.found(Weight::objects, pictures.missing, all, "pictures that do not exist");
  warnings.found(Weight::objects, pictures.undecodable, all, "pictures that cannot be decoded");
  warnings.found(Weight::objects, pictures.dark, all, "pictures that are nearly black");
  if (pictures.dark.count > 0 && pictures.greatest > 0) {
    warnings.add(Weight::objects, share(pictures.dark.count, all),
                 "the greatest sample of the pictures with more than 8 bits is ", pictures.greatest,
                 ": --set input.white=", full_scale(pictures.greatest), " (or auto) makes them brighter");
  }
  warnings.found(Weight::note, pictures.several, all, "files with several pages or frames, of which the first is used");
  warnings.found(Weight::objects, pictures.other_size, all, "pictures of another size than the annotations say");
  warnings.found(Weight::objects, pictures.unknown_size, all,
                 "pictures left out because the annotations do not say their size");
}

/// The next hundred from the number on.
std::int64_t rounded_up(double number) { return 100 * static_cast<std::int64_t>(std::ceil(number / 100)); }

void warn_of_boxes(const DatasetReport& data, Warnings& warnings) {
  const auto boxes = [&](Weight weight, const Findings& findings, const char* what) {
    warnings.found(weight, findings, data.boxes, what);
  };
  boxes(Weight::objects, data.degenerate, "boxes without width or height, which training drops");
  boxes(Weight::objects, data.outside, "boxes outside their picture, which training drops");
  boxes(Weight::note, data.partly_outside, "boxes across their picture's border, which training clips");
  boxes(Weight::objects, data.vanishing,
        "boxes less than a pixel wide or high at the network's input, which training drops");
  boxes(Weight::note, data.duplicates, "boxes that are there twice");
  boxes(Weight::objects, data.contradictions, "boxes that are there with two classes");
  const double most = data.objects_per_picture.max;
  warnings.found(Weight::objects, data.crowded, data.pictures,
                 text("pictures with more objects than detect.max_detections, which limits the recall (--set "
                      "detect.max_detections=",
                      rounded_up(most), ")"));
  if (most > kCocoDetections) {
    warnings.add(Weight::note, 0, "a picture has ", most, " objects; COCO's metrics count ", kCocoDetections,
                 " detections of a class in a picture (diopter evaluate --max-detections 1,10,", rounded_up(most), ")");
  }
  const double empty = share(data.empty_pictures, data.pictures);
  if (empty > kManyEmpty) warnings.add(Weight::note, empty, percent(empty), " of the pictures have no objects");
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
    warnings.add(Weight::classes, 1, empty.size(),
                 empty.size() == 1 ? " class has no objects: it" : " classes have no objects: they",
                 " cannot be learned: ", quoted_list(empty));
  }
  if (static_cast<double>(commonest->boxes) >= kImbalance * static_cast<double>(rarest->boxes)) {
    warnings.add(Weight::classes, 0, "classes are uneven: ", commonest->boxes, " objects of '", commonest->name, "', ",
                 rarest->boxes, " of '", rarest->name, "'");
  }
}

void warn_of_anchors(const DoctorReport& report, const Config& config, bool advised, Warnings& warnings) {
  const std::int64_t objects = report.matches.objects;
  const double small = share(report.data.below_stride, report.data.objects);
  if (small > kManySmall) {
    warnings.add(Weight::objects, small, percent(small),
                 " of the objects are smaller at the network's input than its finest stride of ",
                 1 << config.model.min_level, " pixels: cut the pictures into tiles or raise input.max_size");
  }
  // Without a threshold of the IoU the best anchors are enough.
  const double covered = report.coverage.all.foreground_share();
  if (config.match.rule == MatchKind::iou && covered < kPoorCoverage) {
    warnings.add(Weight::objects, 1 - covered, "only ", percent(covered),
                 " of the objects have an anchor with IoU >= ", config.match.foreground_iou,
                 !advised                ? "; diopter doctor looks for settings that fit"
                 : report.advice.empty() ? ""
                                         : "; with the settings above up to " + percent(report.advice.back().coverage));
  }
  const double weak = share(report.matches.low_quality, objects);
  if (weak > kManyWeak) {  // they are learned, but not well
    warnings.add(Weight::objects, weak / 2, percent(weak), " of the objects are learned only from anchors below IoU ",
                 config.match.foreground_iou, " (match.low_quality)");
  }
  if (report.matches.unmatched > 0) {
    warnings.add(Weight::objects, share(report.matches.unmatched, objects), report.matches.unmatched, " of ", objects,
                 " objects get no anchor at all and are not learned",
                 config.match.low_quality || config.match.rule == MatchKind::atss
                     ? ""
                     : " (match.low_quality = true gives each its best ones)");
  }
}

void warn_of_sizes(const DoctorReport& report, Warnings& warnings) {
  const double object = report.data.input_size.median;
  const auto has_objects = [](const ClassCount& c) { return c.boxes > 0; };
  const auto classes = std::count_if(report.data.classes.begin(), report.data.classes.end(), has_objects);
  if (classes < 2 || object >= kTellingApart) return;
  const SizeChoice* larger = sufficient_choice(report.sizes);
  const auto set = [](const std::string& setting) { return "--set " + setting; };
  warnings.add(
      Weight::classes, 0.5, "half of the objects are smaller than ", formatted("%.1f", object),
      " pixels at the network's input: below ", kTellingApart, " its ", classes, " classes can hardly be told apart",
      larger ? "; " + join(larger->settings, " ", set) + formatted(" makes it %.1f pixels", larger->object) : "");
}

void warn_of_tiles(const Dataset& dataset, const Config& config, Warnings& warnings) {
  const TileRule tiles = tile_rule(config);
  const auto is_cut = [&](const ImageRecord& r) { return views_of(tiles, r.width, r.height).size() > 1; };
  if (tiles.size == 0 || std::any_of(dataset.images.begin(), dataset.images.end(), is_cut)) return;
  warnings.add(Weight::note, 0, "input.tile = ", tiles.size, " is no smaller than any picture: none is cut");
}

void warn_of_rate(const Config& config, Warnings& warnings) {
  if (config.train.optimizer != OptimizerKind::adamw || config.train.lr < kMostOfAdamw) return;
  warnings.add(Weight::run, 1, "train.lr = ", config.train.lr, " is a rate for SGD: AdamW wants .001 to .02 (",
               "--set train.lr=0.01, or --preset small_sgd where the preset was small)");
}

/// Of a long run whose pictures never change.
void warn_of_views(const Dataset& dataset, const Config& config, Warnings& warnings) {
  const Config::Augment& a = config.augment;
  const bool changes = a.scale_min < 1 || a.scale_max > 1 || a.crop > 0 || a.brightness > 0 || a.contrast > 0 ||
                       a.saturation > 0 || a.hue > 0 || config.input.min_sizes.size() > 1;
  if (changes || dataset.stream) return;
  const double drawn = static_cast<double>(config.train.iterations) * config.train.batch_size * config.train.accumulate;
  const double views = drawn / views_per_epoch(dataset, loader_options(config));
  if (views <= kManyViews) return;
  warnings.add(Weight::note, 0, formatted("the run sees each picture %.0f times, ", views),
               "always in the same size and light, and may learn them by heart: --set augment.scale_min=0.7 --set "
               "augment.scale_max=1.4 --set augment.brightness=0.2 --set augment.contrast=0.2 --set "
               "augment.saturation=0.2 --set augment.ramp_epochs=20");
}

void warn_of_start(const DoctorReport& report, const Config& config, std::int64_t system_memory, Warnings& warnings) {
  const double expected = report.loss.expected, measured = report.loss.measured;
  // Trained weights do not start at the prior.
  if (starts_afresh(config) && !(std::fabs(measured - expected) <= kLossTolerance * expected)) {
    warnings.add(Weight::run, 1, "the untrained network's classification loss is ", measured,
                 " where model.prior predicts ", expected,
                 config.model.norm == NormKind::frozen_batch
                     ? ": model.norm = frozen_batch needs pretrained model.weights"
                     : "");
  }
  const std::int64_t needed = report.memory.predicted + report.memory.loader;
  if (system_memory > 0 && needed > system_memory) {
    warnings.add(Weight::run, 1, "a training step needs about ", needed >> 20, " MiB, this machine has ",
                 system_memory >> 20, " MiB: lower train.batch_size and raise train.accumulate");
  }
}

}  // namespace

std::string describe_input(const DatasetReport& data) {
  const auto size = [](const Spread& width, const Spread& height) {
    return formatted("%.0f x %.0f", width.median, height.median);
  };
  const std::string from = size(data.width, data.height), to = size(data.input_width, data.input_height);
  return from +
         (from == to                                    ? " kept"
          : data.input_width.median < data.width.median ? " shrunk to " + to
                                                        : " enlarged to " + to) +
         formatted(": median object %.1f px", data.input_size.median);
}

DoctorReport examine(Dataset dataset, const Config& asked, const DoctorOptions& options) {
  check_config(asked);
  const Config config = with_class_weights(asked, dataset);
  check_backbone(config.model);
  DIOPTER_CHECK(!dataset.categories.empty(), "the data set has no classes");
  DIOPTER_CHECK(!dataset.images.empty(), "the data set has no pictures");
  DoctorReport report;
  const bool pixels = options.open_pictures && options.look == Look::whole;
  const int white = pixels && config.input.white == kAutoWhite ? full_scale_of(dataset) : white_of(config);
  report.pictures = check_pictures(dataset, options.open_pictures, white, options.progress, options.look);
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
  if (config.train.repeat_threshold > 0) report.repeats = mean_repeats(dataset, config.train.repeat_threshold);
  report.coverage = anchor_coverage(config, dataset);
  report.matches = match_pictures(config, dataset);
  if (report.matches.positives > 0) {
    report.imbalance = imbalance(report.matches, static_cast<int>(dataset.categories.size()));
    report.balanced_priors = balanced_priors(config.loss.kind, weighted_imbalance(config, report.matches));
  }
  if (options.rehearse) {
    if (config.match.rule == MatchKind::iou) report.advice = advise_anchors(config, dataset);
    report.sizes = size_choices(config, dataset);
    const Config started = with_prior(config, report.matches);
    report.loss = initial_loss(started, dataset, options.open_pictures);
    report.memory = step_memory(started, dataset, report.pictures.bytes);
  }

  Warnings warnings;
  warn_of_files(dataset, report.pictures, report.data.boxes, warnings);
  warn_of_boxes(report.data, warnings);
  warn_of_classes(report.data, warnings);
  warn_of_anchors(report, config, options.rehearse, warnings);
  warn_of_sizes(report, warnings);
  warn_of_tiles(dataset, config, warnings);
  warn_of_rate(config, warnings);
  warn_of_views(dataset, config, warnings);
  if (options.rehearse) warn_of_start(report, config, options.system_memory, warnings);
  report.warnings = warnings.by_weight();
  return report;
}

}  // namespace diopter
