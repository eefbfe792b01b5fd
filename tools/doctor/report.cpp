#include "tools/doctor/report.h"

#include <algorithm>
#include <cstdio>
#include <string>
#include <utility>

#include "kernels/base/json.h"
#include "kernels/base/text.h"
#include "retinanet/detection/anchors_for_levels.h"

namespace diopter {

namespace {

using Json = nlohmann::ordered_json;

// ---- text

std::string range(double low, double high) {
  char text[48];
  if (low == high) {
    std::snprintf(text, sizeof text, "%.0f", low);
  } else {
    std::snprintf(text, sizeof text, "%.0f-%.0f", low, high);
  }
  return text;
}

std::string sizes(const Spread& width, const Spread& height) {
  return range(width.min, width.max) + " x " + range(height.min, height.max);
}

long long count(std::int64_t n) { return static_cast<long long>(n); }

double mib(std::int64_t bytes) { return static_cast<double>(bytes) / (1 << 20); }

void print_data(const PictureCheck& pictures, const DatasetReport& d) {
  const std::int64_t unusable = pictures.missing.count + pictures.undecodable.count + pictures.unknown_size.count;
  std::printf("data\n  pictures      %8lld  %s pixels, at the network's input %s%s\n", count(d.pictures),
              sizes(d.width, d.height).c_str(), sizes(d.input_width, d.input_height).c_str(),
              pictures.opened ? "" : " (not opened)");
  if (unusable > 0) std::printf("  unusable      %8lld\n", count(unusable));
  std::printf("  empty         %8lld  pictures without objects\n", count(d.empty_pictures));
  std::printf("  boxes         %8lld  of them %lld crowd, %lld difficult, %lld unusable\n", count(d.boxes),
              count(d.crowd), count(d.difficult), count(d.degenerate.count + d.outside.count + d.vanishing.count));
  std::printf("  objects       %8lld  boxes to learn from; %.0f to %.0f a picture, median %.0f\n", count(d.objects),
              d.objects_per_picture.min, d.objects_per_picture.max, d.objects_per_picture.median);
  std::printf("                          small %lld (below 32^2), medium %lld, large %lld (96^2 and more)\n",
              count(d.by_area[0]), count(d.by_area[1]), count(d.by_area[2]));
  std::printf("  sizes                   %.0f / %.0f / %.0f pixels, at the input %.1f / %.1f / %.1f (5 / 50 / 95 %%)\n",
              d.size.p5, d.size.median, d.size.p95, d.input_size.p5, d.input_size.median, d.input_size.p95);
}

/// repeats: of each class, or empty.
void print_classes(const std::vector<ClassCount>& classes, const std::vector<double>& repeats) {
  constexpr std::size_t kShown = 10;
  struct Row : ClassCount {
    std::string repeated;
  };
  std::vector<Row> sorted;
  for (std::size_t i = 0; i < classes.size(); ++i) {
    sorted.push_back({classes[i], repeats.empty() ? "" : formatted(" %9.2f", repeats[i])});
  }
  std::stable_sort(sorted.begin(), sorted.end(), [](const Row& a, const Row& b) { return a.boxes > b.boxes; });
  std::printf("\nclasses                    objects  pictures%s\n", repeats.empty() ? "" : "  an epoch");
  for (std::size_t i = 0; i < sorted.size() && i < kShown; ++i) {
    std::printf("  %-22s %9lld %9lld%s\n", printable(sorted[i].name).c_str(), count(sorted[i].boxes),
                count(sorted[i].pictures), sorted[i].repeated.c_str());
  }
  if (sorted.size() > kShown) {
    std::printf("  and %zu more, down to %lld objects of '%s'\n", sorted.size() - kShown, count(sorted.back().boxes),
                printable(sorted.back().name).c_str());
  }
}

void print_bin(const CoverageBin& bin) {
  std::printf("  %-22s %9lld  %6.1f %%  %6.1f %%\n", bin.name.c_str(), count(bin.boxes), 100 * bin.foreground_share(),
              100 * bin.background_share());
}

/// " --set a=1 --set 'b=[1, 2]'"
std::string set_options(const std::vector<std::string>& settings) {
  std::string options;
  for (const std::string& setting : settings) {
    const bool quoted = setting.find_first_of("[ ") != std::string::npos;
    options += quoted ? " --set '" + setting + "'" : " --set " + setting;
  }
  return options;
}

void print_anchors(const DoctorReport& report, const Config& config) {
  const AnchorMatches& m = report.matches;
  std::printf(
      "\nanchors                    objects  IoU>=%.2g  IoU>=%.2g   of the best anchor; %.0f anchors a picture\n",
      config.match.foreground_iou, config.match.background_iou, report.coverage.anchors_per_picture);
  print_bin(report.coverage.all);
  for (const CoverageBin& bin : report.coverage.by_size) print_bin(bin);
  for (const CoverageBin& bin : report.coverage.by_ratio) print_bin(bin);
  const auto [smallest, largest] = std::minmax_element(config.anchors.scales.begin(), config.anchors.scales.end());
  std::printf("  anchor sizes            %.4g to %.4g pixels at the input, levels %d to %d\n",
              anchor_size(config.anchors, config.model.min_level, *smallest),
              anchor_size(config.anchors, config.model.max_level, *largest), config.model.min_level,
              config.model.max_level);
  std::printf("  positive anchors        %.0f to %.0f a picture, median %.0f; foreground : background 1 : %.0f%s\n",
              m.positives_per_picture.min, m.positives_per_picture.max, m.positives_per_picture.median,
              static_cast<double>(m.background) / static_cast<double>(std::max<std::int64_t>(m.positives, 1)),
              m.pictures < report.data.pictures ? (" (" + std::to_string(m.pictures) + " pictures)").c_str() : "");
  std::printf("  weaker anchors only     %lld objects, no anchor at all %lld\n", count(m.low_quality),
              count(m.unmatched));
  if (!report.advice.empty()) std::printf("  settings that would change it:\n");
  for (const AnchorAdvice& advice : report.advice) {
    std::printf("   %s", set_options(advice.settings).c_str());
    std::printf("\n        %.1f %% of the objects, %.2g times the anchors\n", 100 * advice.coverage, advice.anchors);
  }
}

void print_sizes(const std::vector<SizeChoice>& sizes, const Config& config) {
  if (sizes.size() < 2) return;
  std::printf(
      "\nsizes                       object  IoU>=%.2g    pixels   median at the input; of a picture's inputs\n",
      config.match.foreground_iou);
  for (const SizeChoice& choice : sizes) {
    const bool now = choice.settings.empty();
    if (!now) std::printf("   %s\n", set_options(choice.settings).c_str());
    std::printf("  %-22s %6.1f px  %6.1f %%  %8.0f\n", now ? "as it is" : "", choice.object, 100 * choice.coverage,
                choice.pixels);
  }
}

void print_balance(const DoctorReport& report) {
  if (report.balanced_priors.empty()) return;
  std::printf("  negatives per positive  %.5g logits\n  balanced model.prior    ", report.imbalance);
  for (const BalancedPrior& p : report.balanced_priors) {
    std::printf("%s%s %.2g", &p == &report.balanced_priors[0] ? "" : ", ", p.loss.c_str(), p.prior);
  }
  std::printf("\n");
}

void print_start(const DoctorReport& report, const Config& config) {
  const StepMemory& m = report.memory;
  std::printf(
      "\nstart of training\n  classification loss     %.4g expected from model.prior, %.4g measured on %d %s%s\n",
      report.loss.expected, report.loss.measured, report.loss.pictures,
      report.pictures.opened ? "picture" : "blank picture", report.loss.pictures == 1 ? "" : "s");
  print_balance(report);
  std::printf("  parameters              %lld\n", count(m.parameters));
  std::printf(
      "  memory                  %.0f MiB for a step with %d pictures padded to %d x %d, at most %.0f MiB for "
      "loading\n",
      mib(m.predicted), config.train.batch_size, m.width, m.height, mib(m.loader));
}

// ---- JSON

Json json_of(const Findings& findings) { return {{"count", findings.count}, {"examples", findings.examples}}; }

Json json_of(const Spread& s) {
  return {{"min", s.min}, {"p5", s.p5}, {"median", s.median}, {"p95", s.p95}, {"max", s.max}};
}

Json json_of(const CoverageBin& bin) {
  return {{"name", bin.name},
          {"objects", bin.boxes},
          {"foreground", bin.foreground},
          {"background", bin.background},
          {"foreground_share", bin.foreground_share()},
          {"background_share", bin.background_share()}};
}

Json json_of(const ClassCount& c) { return {{"name", c.name}, {"objects", c.boxes}, {"pictures", c.pictures}}; }

Json json_of(const BalancedPrior& p) { return {{"loss", p.loss}, {"prior", p.prior}}; }

Json json_of(const AnchorAdvice& a) {
  return {{"settings", a.settings}, {"coverage", a.coverage}, {"anchors", a.anchors}};
}

Json json_of(const SizeChoice& c) {
  return {{"settings", c.settings}, {"object", c.object}, {"coverage", c.coverage}, {"pixels", c.pixels}};
}

template <class T>
Json json_of(const std::vector<T>& values) {
  Json list = Json::array();
  for (const T& v : values) list.push_back(json_of(v));
  return list;
}

Json json_of(const PictureCheck& p) {
  return {{"opened", p.opened},
          {"missing", json_of(p.missing)},
          {"undecodable", json_of(p.undecodable)},
          {"nearly_black", json_of(p.dark)},
          {"several_pages", json_of(p.several)},
          {"other_size", json_of(p.other_size)},
          {"unknown_size", json_of(p.unknown_size)}};
}

Json json_of(const DatasetReport& d) {
  return {{"pictures", d.pictures},
          {"empty_pictures", d.empty_pictures},
          {"boxes", d.boxes},
          {"crowd", d.crowd},
          {"difficult", d.difficult},
          {"objects", d.objects},
          {"objects_per_picture", json_of(d.objects_per_picture)},
          {"width", json_of(d.width)},
          {"height", json_of(d.height)},
          {"input_width", json_of(d.input_width)},
          {"input_height", json_of(d.input_height)},
          {"size", json_of(d.size)},
          {"input_size", json_of(d.input_size)},
          {"below_stride", d.below_stride},
          {"small_medium_large", d.by_area},
          {"classes", json_of(d.classes)},
          {"degenerate", json_of(d.degenerate)},
          {"outside", json_of(d.outside)},
          {"partly_outside", json_of(d.partly_outside)},
          {"vanishing", json_of(d.vanishing)},
          {"duplicates", json_of(d.duplicates)},
          {"contradictions", json_of(d.contradictions)},
          {"crowded", json_of(d.crowded)}};
}

Json json_of(const Coverage& c) {
  return {{"all", json_of(c.all)},
          {"by_size", json_of(c.by_size)},
          {"by_ratio", json_of(c.by_ratio)},
          {"mean_iou", c.mean_iou},
          {"anchors_per_picture", c.anchors_per_picture}};
}

Json json_of(const AnchorMatches& m) {
  return {{"pictures", m.pictures},
          {"positives", m.positives},
          {"ignored", m.ignored},
          {"background", m.background},
          {"positives_per_picture", json_of(m.positives_per_picture)},
          {"objects", m.objects},
          {"low_quality", m.low_quality},
          {"unmatched", m.unmatched}};
}

Json json_of(const InitialLoss& l) {
  return {{"expected", l.expected}, {"measured", l.measured}, {"box", l.box}, {"pictures", l.pictures}};
}

Json json_of(const StepMemory& m) {
  return {{"parameters", m.parameters}, {"fixed_bytes", m.fixed}, {"bytes_per_pixel", m.per_pixel},
          {"width", m.width},           {"height", m.height},     {"predicted_bytes", m.predicted},
          {"loader_bytes", m.loader}};
}

/// Oddities of the annotations: those left out, or those read otherwise.
Json json_of(const std::vector<Finding>& findings, bool dropped) {
  Json list = Json::array();
  for (const Finding& f : findings) {
    if (f.dropped == dropped)
      list.push_back({{"kind", f.kind}, {"text", f.text}, {"count", f.count}, {"places", f.places}});
  }
  return list;
}

Json json_of(const RanksForecast& forecast) {
  Json steps = Json::array();
  for (const StepForecast& f : forecast.steps) {
    steps.push_back({{"processes", f.ranks},
                     {"work", f.work},
                     {"transfer", f.transfer},
                     {"waiting", f.waiting},
                     {"total", f.total()},
                     {"bytes_sent", f.bytes}});
  }
  return {{"bits_per_second", forecast.network.bits_per_second},
          {"latency", forecast.network.latency},
          {"shard_work", forecast.shard_seconds},
          {"steps", steps}};
}

}  // namespace

void print_report(const DoctorReport& report, const Config& config) {
  print_data(report.pictures, report.data);
  print_classes(report.data.classes, report.repeats);
  print_anchors(report, config);
  print_sizes(report.sizes, config);
  print_start(report, config);
  std::printf(report.warnings.empty() ? "\nno warnings\n" : "\nwarnings\n");
  int number = 0;
  for (const std::string& warning : report.warnings) std::printf("  %d. %s\n", ++number, printable(warning).c_str());
}

void print_forecast(const RanksForecast& forecast, const Config& config) {
  std::printf(
      "\nranks, with train.shards = %d and a network of %g Gbit/s and %g ms\n"
      "  processes   work ms   transfer ms   waiting ms   step ms   pictures/s   sent by each, MiB\n",
      config.train.shards, forecast.network.bits_per_second / 1e9, 1000 * forecast.network.latency);
  const double pictures = static_cast<double>(config.train.batch_size * config.train.accumulate);
  for (const StepForecast& f : forecast.steps) {
    std::printf("  %9d  %8.1f  %12.1f  %11.1f  %8.1f  %11.1f  %18.1f\n", f.ranks, 1000 * f.work, 1000 * f.transfer,
                1000 * f.waiting, 1000 * f.total(), pictures / f.total(), static_cast<double>(f.bytes) / (1 << 20));
  }
}

std::string json_text(const DoctorReport& report, const std::optional<RanksForecast>& forecast) {
  Json json = {{"pictures", json_of(report.pictures)},
               {"data", json_of(report.data)},
               {"repeats", report.repeats},
               {"coverage", json_of(report.coverage)},
               {"matches", json_of(report.matches)},
               {"imbalance", report.imbalance},
               {"balanced_priors", json_of(report.balanced_priors)},
               {"advice", json_of(report.advice)},
               {"sizes", json_of(report.sizes)},
               {"loss", json_of(report.loss)},
               {"memory", json_of(report.memory)},
               {"dropped", json_of(report.findings, true)},
               {"noted", json_of(report.findings, false)},
               {"warnings", report.warnings}};
  if (forecast) json["ranks"] = json_of(*forecast);
  // Names that are no UTF-8 are written with replacement characters.
  return json_text(json, 1) + "\n";
}

}  // namespace diopter
