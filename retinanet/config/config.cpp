#include "retinanet/config/config.h"

#include <algorithm>
#include <concepts>
#include <functional>
#include <map>
#include <sstream>
#include <toml++/toml.h>

#include "kernels/base/check.h"
#include "retinanet/config/backbone_names.h"
#include "retinanet/config/loss_text.h"
#include "kernels/base/did_you_mean.h"
#include "kernels/base/text.h"

namespace diopter {

const std::map<std::string, std::string>& preset_files();

namespace {

using Choices = std::vector<std::string>;

/// The one list of keys: v(key, member) or v(key, member, choices) for each, in the order of the file.
template <class C, class Visitor>
void visit(C& c, Visitor&& v) {
  v("model.backbone", c.model.backbone, backbone_names());
  v("model.width", c.model.width);
  v("model.norm", c.model.norm, kBackboneNorms);
  v("model.groups", c.model.groups);
  v("model.norm_eps", c.model.norm_eps);
  v("model.freeze_stages", c.model.freeze_stages);
  v("model.stride_in_1x1", c.model.stride_in_1x1);
  v("model.weights", c.model.weights);
  v("model.min_level", c.model.min_level);
  v("model.max_level", c.model.max_level);
  v("model.p6_from", c.model.p6_from, kP6Sources);
  v("model.fpn_channels", c.model.fpn_channels);
  v("model.head_depth", c.model.head_depth);
  v("model.head_norm", c.model.head_norm, kHeadNorms);
  v("model.prior", c.model.prior);
  v("anchors.size_factor", c.anchors.size_factor);
  v("anchors.scales", c.anchors.scales);
  v("anchors.ratios", c.anchors.ratios);
  v("anchors.round", c.anchors.round, kAnchorRoundings);
  v("anchors.order", c.anchors.order, kAnchorOrders);
  v("anchors.stride", c.anchors.stride, kAnchorStrides);
  v("anchors.offset", c.anchors.offset);
  v("match.foreground_iou", c.match.foreground_iou);
  v("match.background_iou", c.match.background_iou);
  v("match.low_quality", c.match.low_quality);
  v("match.ignore_overlap", c.match.ignore_overlap);
  v("loss.kind", c.loss.kind);
  for_each_parameter(c.loss.kind, [&](const auto& p, auto& value) { v(std::string("loss.") + p.name, value); });
  v("loss.normaliser", c.loss.normaliser, kLossNormalisers);
  v("loss.ema_momentum", c.loss.ema_momentum);
  v("loss.ema_start", c.loss.ema_start);
  v("loss.box", c.loss.box, kBoxLosses);
  v("loss.smooth_l1_beta", c.loss.smooth_l1_beta);
  v("loss.classification_weight", c.loss.classification_weight);
  v("loss.box_weight", c.loss.box_weight);
  v("input.resize", c.input.resize, kResizes);
  v("input.min_sizes", c.input.min_sizes);
  v("input.max_size", c.input.max_size);
  v("input.enlarge", c.input.enlarge);
  v("input.filter", c.input.filter, kResizeFilters);
  v("input.round", c.input.round);
  v("input.float_scale", c.input.float_scale);
  v("input.size_divisor", c.input.size_divisor);
  v("input.mean", c.input.mean);
  v("input.std", c.input.std);
  v("input.divisor", c.input.divisor);
  v("input.bgr", c.input.bgr);
  v("augment.flip", c.augment.flip);
  v("augment.scale_min", c.augment.scale_min);
  v("augment.scale_max", c.augment.scale_max);
  v("augment.crop", c.augment.crop);
  v("augment.crop_min", c.augment.crop_min);
  v("augment.brightness", c.augment.brightness);
  v("augment.contrast", c.augment.contrast);
  v("augment.saturation", c.augment.saturation);
  v("augment.hue", c.augment.hue);
  v("train.iterations", c.train.iterations);
  v("train.stop_at", c.train.stop_at);
  v("train.batch_size", c.train.batch_size);
  v("train.accumulate", c.train.accumulate);
  v("train.lr", c.train.lr);
  v("train.momentum", c.train.momentum);
  v("train.nesterov", c.train.nesterov);
  v("train.weight_decay", c.train.weight_decay);
  v("train.norm_decay", c.train.norm_decay);
  v("train.bias_decay", c.train.bias_decay);
  v("train.schedule", c.train.schedule, kSchedules);
  v("train.milestones", c.train.milestones);
  v("train.lr_gamma", c.train.lr_gamma);
  v("train.warmup_iterations", c.train.warmup_iterations);
  v("train.warmup_factor", c.train.warmup_factor);
  v("train.clip_norm", c.train.clip_norm);
  v("train.average", c.train.average);
  v("train.seed", c.train.seed);
  v("train.precision", c.train.precision, kPrecisions);
  v("train.cuda_graph", c.train.cuda_graph);
  v("train.evaluate_every", c.train.evaluate_every);
  v("train.save_every", c.train.save_every);
  v("train.log_every", c.train.log_every);
  v("train.pictures", c.train.pictures);
  v("train.workers", c.train.workers);
  v("train.cache_mib", c.train.cache_mib);
  v("detect.score_threshold", c.detect.score_threshold);
  v("detect.top_k", c.detect.top_k);
  v("detect.nms_iou", c.detect.nms_iou);
  v("detect.class_aware", c.detect.class_aware);
  v("detect.max_detections", c.detect.max_detections);
  v("detect.clip_before_nms", c.detect.clip_before_nms);
  v("detect.batch_size", c.detect.batch_size);
  v("detect.precision", c.detect.precision, kPrecisions);
}

[[noreturn]] void wrong_type(const std::string& where, const std::string& key, const char* wanted) {
  fail(where, ": ", key, " must be ", wanted);
}

/// Reads the value of one key out of a TOML node, strictly by type.
struct Assign {
  const std::string& where;
  const std::string& key;
  const toml::node& node;

  void operator()(bool& target) const {
    if (!node.is_boolean()) wrong_type(where, key, "true or false");
    target = **node.as_boolean();
  }
  void operator()(int& target) const {
    std::int64_t wide = 0;
    (*this)(wide);
    if (wide != static_cast<int>(wide)) wrong_type(where, key, "a smaller integer");
    target = static_cast<int>(wide);
  }
  void operator()(std::int64_t& target) const {
    if (!node.is_integer()) wrong_type(where, key, "an integer");
    target = **node.as_integer();
  }
  void operator()(double& target) const {
    if (!node.is_number()) wrong_type(where, key, "a number");
    target = *node.value<double>();
    DIOPTER_CHECK(target - target == 0, where, ": ", key, " must be finite");
  }
  void operator()(float& target) const {
    double wide = 0;
    (*this)(wide);
    target = static_cast<float>(wide);
    DIOPTER_CHECK(target - target == 0, where, ": ", key, " must be finite");
  }
  void operator()(AnyLoss& target) const {
    if (!node.is_string()) wrong_type(where, key, "the name of a loss");
    target = parse_loss(**node.as_string(), where);
  }
  void operator()(std::string& target) const {
    if (!node.is_string()) wrong_type(where, key, "a string");
    target = **node.as_string();
  }
  void operator()(std::string& target, const Choices& choices) const {
    const bool known = node.is_string() && std::count(choices.begin(), choices.end(), **node.as_string());
    DIOPTER_CHECK(known, where, ": ", key, " must be one of ", join(choices));
    target = **node.as_string();
  }
  template <class E, std::size_t N>
  void operator()(E& target, const Named<E> (&names)[N]) const {
    target = value_of(names, node.is_string() ? **node.as_string() : "", where + ": " + key);
  }
  template <class T>
  void operator()(std::vector<T>& target) const {
    if (!node.is_array()) wrong_type(where, key, "a list");
    target.clear();
    for (const toml::node& element : *node.as_array()) Assign{where, key, element}(target.emplace_back());
  }
};

template <std::floating_point T>
std::string format(T value) {
  const std::string result = shortest(value);
  return result.find_first_of(".e") == std::string::npos ? result + ".0" : result;
}
std::string format(int value) { return std::to_string(value); }
std::string format(std::int64_t value) { return std::to_string(value); }
std::string format(bool value) { return value ? "true" : "false"; }
std::string format(const std::string& value) {
  std::ostringstream text;
  text << toml::value<std::string>(value);
  return text.str();
}
std::string format(const std::string& value, const Choices&) { return format(value); }
template <class E, std::size_t N>
std::string format(E value, const Named<E> (&names)[N]) {
  return format(name_of(names, value));
}
std::string format(const AnyLoss& loss) { return format(std::string(loss_name(loss))); }
template <class T>
std::string format(const std::vector<T>& values) {
  return "[" + join(values, ", ", [](const T& value) { return format(value); }) + "]";
}

/// Where a key that the configuration lacks is a parameter of other losses: "; loss.kind is focal, ...", else "".
std::string other_losses_hint(const Config& config, const std::string& key) {
  Choices owners;
  for (const AnyLoss& loss : all_losses()) {
    for_each_parameter(loss, [&](const auto& p, float) {
      if (key == std::string("loss.") + p.name) owners.push_back(loss_name(loss));
    });
  }
  if (owners.empty()) return "";
  return std::string("; loss.kind is ") + loss_name(config.loss.kind) + ", this belongs to " + join(owners);
}

void assign(Config& config, const std::string& where, const std::string& key, const toml::node& node) {
  Choices known;
  bool found = false;
  visit(config, [&](const std::string& name, auto& member, const auto&... choices) {
    known.push_back(name);
    if (name != key) return;
    Assign{where, key, node}(member, choices...);
    found = true;
  });
  if (found) return;
  const std::string owners = other_losses_hint(config, key);
  fail(where, ": unknown key ", key, owners.empty() ? hint(key, known) : owners);
}

/// Calls f(key, node) for every value below the table, keys joined with dots.
void for_each_value(const toml::table& table, const std::string& prefix,
                    const std::function<void(const std::string&, const toml::node&)>& f) {
  for (const auto& [key, node] : table) {
    const std::string name = prefix + std::string(key.str());
    if (const toml::table* inner = node.as_table()) {
      for_each_value(*inner, name + ".", f);
    } else {
      f(name, node);
    }
  }
}

/// Whether an assignment chooses the loss, and with it the parameters that there are.
bool chooses_loss(const std::string& assignment) { return assignment.starts_with("loss.kind="); }

toml::table parse_toml(const std::string& text, const std::string& where) {
  try {
    return toml::parse(text);
  } catch (const toml::parse_error& error) {
    fail(where, ": line ", error.source().begin.line, ": ", error.description());
  }
}

/// Assigns every value of the text, the loss first; returns the keys.
std::vector<std::string> assign_all(Config& config, const std::string& text, const std::string& where) {
  const toml::table table = parse_toml(text, where);
  std::vector<std::string> keys;
  for (const bool loss : {true, false}) {
    for_each_value(table, "", [&](const std::string& key, const toml::node& node) {
      if (chooses_loss(key + "=") != loss) return;
      assign(config, where, key, node);
      keys.push_back(key);
    });
  }
  return keys;
}

}  // namespace

std::vector<std::string> preset_names() {
  std::vector<std::string> names;
  for (const auto& file : preset_files()) names.push_back(file.first);
  return names;
}

const std::string& preset_text(const std::string& name) {
  const auto found = preset_files().find(name);
  DIOPTER_CHECK(found != preset_files().end(), "unknown preset ", name,
                hint_with_list(name, preset_names()));
  return found->second;
}

Config preset(const std::string& name) { return parse_config(preset_text(name), "preset " + name); }

Config parse_config(const std::string& text, const std::string& where) {
  Config config{};
  const std::vector<std::string> present = assign_all(config, text, where);
  visit(config, [&](const std::string& name, const auto&, const auto&...) {
    DIOPTER_CHECK(std::count(present.begin(), present.end(), name), where, ": key ", name, " is missing");
  });
  return config;
}

void override_config(Config& config, const std::string& text, const std::string& where) {
  assign_all(config, text, where);
}

void set_config(Config& config, const std::string& assignment) {
  const std::size_t equals = assignment.find('=');
  DIOPTER_CHECK(equals != std::string::npos && equals > 0, "--set ", assignment, ": expected key=value");
  const std::string key = assignment.substr(0, equals), value = assignment.substr(equals + 1);
  toml::table table;
  try {
    table = toml::parse("value = " + value);
  } catch (const toml::parse_error&) {
    table.insert_or_assign("value", value);  // a bare word is a string
  }
  assign(config, "--set " + assignment, key, *table.get("value"));
}

void apply_settings(Config& config, std::vector<std::string> assignments) {
  std::stable_partition(assignments.begin(), assignments.end(), chooses_loss);
  for (const std::string& assignment : assignments) set_config(config, assignment);
}

std::string format_config(const Config& config) {
  std::string text, section;
  visit(config, [&](const std::string& name, const auto& member, const auto&... names) {
    const std::size_t dot = name.find('.');
    if (name.substr(0, dot) != section) {
      section = name.substr(0, dot);
      text += (text.empty() ? "[" : "\n[") + section + "]\n";
    }
    text += name.substr(dot + 1) + " = " + format(member, names...) + "\n";
  });
  return text;
}

std::vector<std::string> differences(const Config& a, const Config& b, const std::vector<std::string>& keys) {
  const auto values = [](const Config& config) {
    std::map<std::string, std::string> texts;
    visit(config, [&](const std::string& name, const auto& member, const auto&... names) { texts[name] = format(member, names...); });
    return texts;
  };
  const std::map<std::string, std::string> of_a = values(a), of_b = values(b);
  std::vector<std::string> found;
  for (const std::string& key : keys) {
    if (of_a.at(key) != of_b.at(key)) found.push_back(key + " is " + of_a.at(key) + ", not " + of_b.at(key));
  }
  return found;
}

void check_config(const Config& c) {
  const auto check = [](bool fits, const char* key, const char* rule) { DIOPTER_CHECK(fits, key, " ", rule); };
  const auto share = [&](double value, const char* key) { check(0 <= value && value <= 1, key, "must lie between 0 and 1"); };
  check(c.model.width >= 4, "model.width", "must be at least 4");
  check(c.model.groups >= 1, "model.groups", "must be at least 1");
  check(c.model.norm_eps >= 0, "model.norm_eps", "must not be negative");
  check(c.model.freeze_stages >= 0 && c.model.freeze_stages <= 5, "model.freeze_stages", "must lie between 0 and 5");
  check(c.model.min_level >= 2 && c.model.min_level <= 5, "model.min_level", "must lie between 2 and 5");
  check(c.model.max_level >= c.model.min_level && c.model.max_level <= 9, "model.max_level",
        "must lie between model.min_level and 9");
  check(c.model.fpn_channels >= 1, "model.fpn_channels", "must be at least 1");
  check(c.model.head_depth >= 0, "model.head_depth", "must not be negative");
  check(c.model.head_norm != NormKind::group || c.model.fpn_channels % c.model.groups == 0, "model.groups",
        "must divide model.fpn_channels");
  check(c.model.prior > 0 && c.model.prior < 1, "model.prior", "must lie between 0 and 1");
  check(c.anchors.size_factor > 0, "anchors.size_factor", "must be positive");
  const std::size_t cells = c.anchors.scales.size() * c.anchors.ratios.size();
  check(cells >= 1 && cells <= 16, "anchors.scales and anchors.ratios", "must give 1 to 16 anchors a pixel");
  for (double s : c.anchors.scales) check(s > 0, "anchors.scales", "must be positive");
  for (double r : c.anchors.ratios) check(r > 0, "anchors.ratios", "must be positive");
  share(c.match.foreground_iou, "match.foreground_iou");
  share(c.match.background_iou, "match.background_iou");
  check(c.match.background_iou <= c.match.foreground_iou, "match.background_iou", "must not exceed match.foreground_iou");
  check_loss(c.loss.kind, "loss.");
  check(c.loss.smooth_l1_beta >= 0, "loss.smooth_l1_beta", "must not be negative");
  share(c.loss.ema_momentum, "loss.ema_momentum");
  check(c.loss.ema_start > 0, "loss.ema_start", "must be positive");
  check(!c.input.min_sizes.empty(), "input.min_sizes", "must not be empty");
  for (int size : c.input.min_sizes) check(size >= 1, "input.min_sizes", "must be positive");
  check(c.input.max_size >= 1, "input.max_size", "must be positive");
  check(c.input.size_divisor >= 1, "input.size_divisor", "must be positive");
  check(c.input.mean.size() == 3 && c.input.std.size() == 3, "input.mean and input.std", "must have 3 values");
  for (double s : c.input.std) check(s > 0, "input.std", "must be positive");
  check(c.input.divisor > 0, "input.divisor", "must be positive");
  share(c.augment.flip, "augment.flip");
  share(c.augment.crop, "augment.crop");
  check(c.augment.crop_min > 0 && c.augment.crop_min <= 1, "augment.crop_min", "must lie between 0 and 1");
  check(c.augment.scale_min > 0 && c.augment.scale_max >= c.augment.scale_min, "augment.scale_min",
        "must be positive and not exceed augment.scale_max");
  for (double v : {c.augment.brightness, c.augment.contrast, c.augment.saturation, c.augment.hue}) {
    check(0 <= v && v <= 1, "augment.brightness, contrast, saturation and hue", "must lie between 0 and 1");
  }
  check(c.train.iterations >= 1, "train.iterations", "must be at least 1");
  check(c.train.stop_at >= 0, "train.stop_at", "must not be negative");
  check(c.train.batch_size >= 1, "train.batch_size", "must be at least 1");
  check(c.train.accumulate >= 1, "train.accumulate", "must be at least 1");
  check(c.train.lr >= 0, "train.lr", "must not be negative");
  check(c.train.momentum >= 0 && c.train.momentum < 1, "train.momentum", "must lie in [0, 1)");
  check(c.train.weight_decay >= 0 && c.train.norm_decay >= 0 && c.train.bias_decay >= 0,
        "train.weight_decay, norm_decay and bias_decay", "must not be negative");
  check(c.train.lr_gamma >= 0, "train.lr_gamma", "must not be negative");
  check(c.train.warmup_factor >= 0, "train.warmup_factor", "must not be negative");
  for (double m : c.train.milestones) share(m, "train.milestones");
  check(c.train.warmup_iterations >= 0, "train.warmup_iterations", "must not be negative");
  check(c.train.clip_norm >= 0, "train.clip_norm", "must not be negative");
  check(c.train.average >= 0 && c.train.average < 1, "train.average", "must lie in [0, 1)");
  check(c.train.evaluate_every >= 0 && c.train.save_every >= 0 && c.train.log_every >= 0,
        "train.evaluate_every, save_every and log_every", "must not be negative");
  check(!c.train.cuda_graph || c.train.accumulate == 1, "train.cuda_graph", "needs train.accumulate = 1");
  check(c.train.pictures >= 0, "train.pictures", "must not be negative");
  check(c.train.workers >= 0 && c.train.workers <= 256, "train.workers", "must lie between 0 and 256");
  check(c.train.cache_mib >= 0, "train.cache_mib", "must not be negative");
  share(c.detect.nms_iou, "detect.nms_iou");
  check(c.detect.score_threshold >= 0 && c.detect.score_threshold < 1, "detect.score_threshold", "must lie in [0, 1)");
  check(c.detect.top_k >= 1, "detect.top_k", "must be at least 1");
  check(c.detect.max_detections >= 1, "detect.max_detections", "must be at least 1");
  check(c.detect.batch_size >= 1, "detect.batch_size", "must be at least 1");
}

}  // namespace diopter
