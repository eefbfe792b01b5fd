#include "retinanet/laboratory/protocol.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <map>
#include <sstream>

#include "kernels/base/did_you_mean.h"
#include "kernels/base/hash.h"
#include "kernels/base/limits.h"
#include "kernels/base/text.h"
#include "retinanet/config/config_error.h"
#include "retinanet/config/config_text.h"
#include "retinanet/config/configure.h"
#include "retinanet/config/presets.h"
#include "retinanet/config/toml_table.h"
#include "retinanet/network/backbone.h"

namespace diopter {

const std::map<std::string, std::string>& protocol_files();

namespace {

/// Keys that the protocol itself decides, and that settings may therefore not touch.
constexpr std::array kReserved = {"train.lr",       "train.seed",    "train.iterations",     "train.minutes",
                                  "train.patience", "train.stop_at", "train.evaluate_every", "train.pictures"};

StudyData read_shapes(const TomlTable& t) {
  StudyData data;
  const auto count = [&](const char* key) { return t.integer(key, 1); };
  const auto real = [&](const char* key, float fallback) {
    return static_cast<float>(t.number(key, static_cast<double>(fallback)));
  };
  ShapesOptions& s = data.shapes;
  data.counts = {count("train"), count("tune"), count("test")};
  s.size = t.integer("size", 1, s.size);
  const auto objects = t.range("objects", {s.min_objects, s.max_objects});
  for (const double bound : {objects.first, objects.second}) {
    constexpr int kMost = 1000000;
    if (std::trunc(bound) != bound || std::fabs(bound) > kMost)
      t.reject_key("objects", "must be integers up to ", kMost);
  }
  s.min_objects = static_cast<int>(objects.first);
  s.max_objects = static_cast<int>(objects.second);
  const auto sizes = t.range("object_size", {s.min_object_size, s.max_object_size});
  s.min_object_size = static_cast<float>(sizes.first);
  s.max_object_size = static_cast<float>(sizes.second);
  s.distractors = t.integer("distractors", 0, s.distractors);
  s.noise = real("noise", s.noise);
  s.contrast = real("contrast", s.contrast);
  s.empty = real("empty", s.empty);
  s.forms = t.integer("forms", 1, s.forms);
  s.colours = t.integer("colours", 1, s.colours);
  s.textures = t.integer("textures", 1, s.textures);
  s.parts = real("parts", s.parts);
  s.missing = real("missing", s.missing);
  s.rich = t.flag("rich", false);
  s.seed = static_cast<std::uint64_t>(t.integer("seed", 0, 0));
  data.stream = t.flag("stream", false);
  return data;
}

StudyData read_split(const TomlTable& t) {
  StudyData data;
  data.kind = StudyData::Kind::split;
  data.sources[0] = {t.text("annotations"), t.text("images", "")};
  data.format = t.text("format", "");
  const std::vector<double> shares = t.numbers("shares");
  double sum = 0;
  for (const double share : shares) sum += share;
  if (shares.size() != 3 || std::fabs(sum - 1) > 1e-6 || *std::min_element(shares.begin(), shares.end()) <= 0) {
    t.reject_key("shares", "must be three positive numbers (train, tune, test) that add up to 1");
  }
  std::copy(shares.begin(), shares.end(), data.shares.begin());
  data.seed = static_cast<std::uint64_t>(t.integer("seed", 0, 0));
  return data;
}

StudyData read_files(const TomlTable& t) {
  StudyData data;
  data.kind = StudyData::Kind::files;
  data.format = t.text("format", "");
  const char* keys[] = {"train", "tune", "test"};
  for (int i = 0; i < 3; ++i) {
    const TomlTable source = t.table(keys[i], {"annotations", "images"});
    data.sources[i] = {source.text("annotations"), source.text("images", "")};
  }
  return data;
}

StudyData read_data(const TomlTable& file) {
  const TomlTable t = file.table("data", {"shapes", "split", "files"});
  if (t.raw().size() != 1) t.reject(t.raw(), "[data] must hold one of [data.shapes], [data.split], [data.files]");
  if (t.has("shapes")) {
    return read_shapes(t.table(
        "shapes", {"train", "tune", "test", "size", "objects", "object_size", "distractors", "noise", "contrast",
                   "empty", "forms", "colours", "textures", "parts", "missing", "rich", "stream", "seed"}));
  }
  if (t.has("split")) return read_split(t.table("split", {"annotations", "images", "format", "shares", "seed"}));
  return read_files(t.table("files", {"train", "tune", "test", "format"}));
}

/// `count` values from `from` to `to`, each the same factor above the one before.
std::vector<double> log_grid(double from, double to, int count) {
  std::vector<double> values;
  for (int i = 0; i < count; ++i) {
    values.push_back(rounded_rate(from * std::pow(to / from, static_cast<double>(i) / static_cast<double>(count - 1))));
  }
  return values;
}

/// A list, or {from, to, count}; ascending and positive.
std::vector<double> read_learning_rates(const TomlTable& t) {
  const char* key = "learning_rates";
  std::vector<double> values;
  if (t.at(key).is_table()) {
    const TomlTable grid = t.table(key, {"from", "to", "count"});
    const double from = grid.number("from"), to = grid.number("to");
    const int count = grid.integer("count", 2);
    check_limit(limits::kProtocolList, count, grid.place(grid.at("count")));
    if (from <= 0 || to <= from) grid.reject(grid.raw(), t.full_name(key), ": from must be positive and below to");
    values = log_grid(from, to, count);
  } else {
    values = t.numbers(key);
    check_limit(limits::kProtocolList, static_cast<std::int64_t>(values.size()), t.place(t.at(key)));
  }
  if (values[0] <= 0 || std::adjacent_find(values.begin(), values.end(), std::greater_equal()) != values.end()) {
    t.reject_key(key, "must be positive and ascending");
  }
  return values;
}

/// One rate for all, or those to try.
std::vector<double> read_rate_or_rates(const TomlTable& t, Protocol& p) {
  p.fixed_lr = t.has("learning_rate");
  if (p.fixed_lr == t.has("learning_rates")) {
    t.reject(t.raw(), "[tuning] needs learning_rates, to be tuned, or learning_rate, the same for all");
  }
  if (!p.fixed_lr) return read_learning_rates(t);
  const double lr = t.number("learning_rate");
  if (lr <= 0) t.reject_key("learning_rate", "must be positive");
  return {lr};
}

/// How far tuning may go beyond the grid.
int read_extra_rates(const TomlTable& t) {
  constexpr int kByDefault = 4;
  const bool extend = t.flag("extend", false);
  if (t.has("extra_rates") && !extend) t.reject_key("extra_rates", "needs extend = true");
  if (!extend) return 0;
  if (t.has("learning_rate")) t.reject_key("extend", "has nothing to extend where learning_rate is fixed");
  const int most = t.integer("extra_rates", 1, kByDefault);
  check_limit(limits::kProtocolList, most, t.place(t.at("extend")));
  return most;
}

std::optional<StoppingRule> read_stopping_rule(const TomlTable& t, std::size_t seeds) {
  if (!t.has("stop_at_width")) {
    if (t.has("least")) t.reject_key("least", "needs stop_at_width");
    return {};
  }
  const StoppingRule rule{t.number("stop_at_width"), t.integer("least", 2, kSeedsForAClaim)};
  if (rule.width <= 0) t.reject_key("stop_at_width", "must be positive");
  if (static_cast<std::size_t>(rule.least) >= seeds) {
    t.reject_key("stop_at_width", "needs more than ", rule.least, " seeds, the least to begin with");
  }
  return rule;
}

/// The configuration with the settings. Errors of one setting name its place; where values do not go together, the
/// place of the setting that the error is about, or the table's.
Config applied(Config config, const TomlTable& t, const Settings& settings) {
  for (const Setting& setting : settings) {
    if (std::count(kReserved.begin(), kReserved.end(), setting.key)) {
      fail(setting.where, ": ", setting.key, " is the protocol's own to set");
    }
  }
  apply_settings(config, settings);
  try {
    check_config(config);
    check_backbone(config.model);
  } catch (const ConfigError& error) {
    const auto named = std::find_if(settings.rbegin(), settings.rend(),
                                    [&](const Setting& setting) { return setting.key == error.key(); });
    fail(named == settings.rend() ? t.place(t.raw()) : named->where, ": ", error.what());
  }
  return config;
}

Settings read_list_of_settings(const TomlTable& t) {
  Settings settings;
  if (!t.has("settings")) return settings;
  const toml::array* list = t.at("settings").as_array();
  if (!list) t.reject_key("settings", "must be a list of \"key=value\"");
  for (const toml::node& node : *list) {
    if (!node.is_string()) t.reject(node, t.full_name("settings"), " must be a list of \"key=value\"");
    settings.push_back(parse_setting(**node.as_string(), t.place(node)));
  }
  return settings;
}

/// The values to try of one setting.
struct Axis {
  std::string key;
  const toml::array* values;
};

/// All lists below a table, keys joined with dots.
void read_axes(const TomlTable& t, const toml::table& table, const std::string& prefix, std::vector<Axis>& axes) {
  for (const auto& [name, node] : table) {
    const std::string key = prefix + std::string(name.str());
    if (const toml::table* inner = node.as_table()) {
      read_axes(t, *inner, key + ".", axes);
      continue;
    }
    const toml::array* values = node.as_array();
    if (!values || values->empty()) t.reject(node, "grid of ", key, " must be a list of values that is not empty");
    axes.push_back({key, values});
  }
}

/// Every combination of the grid's values, as settings that the configuration takes.
std::vector<Settings> read_grid(const TomlTable& t, const Config& base) {
  std::vector<Axis> axes;
  if (t.has("grid")) {
    const toml::table* grid = t.at("grid").as_table();
    if (!grid) t.reject_key("grid", "must be a table");
    read_axes(t, *grid, "", axes);
  }
  std::vector<Settings> combinations{{}};
  for (const Axis& axis : axes) {
    check_limit(limits::kProtocolConfigurations, static_cast<std::int64_t>(combinations.size() * axis.values->size()),
                t.place(*axis.values));
    std::vector<Settings> longer;
    for (const Settings& combination : combinations) {
      for (const toml::node& value : *axis.values) {
        longer.push_back(combination);
        longer.back().emplace_back(axis.key, value_of(value, t.place(value)), t.place(value));
      }
    }
    combinations = std::move(longer);
  }
  for (const Settings& combination : combinations) applied(base, t, combination);
  return combinations;
}

/// A contestant before its learning rates are known to be enough.
struct Entry {
  Contestant contestant;
  std::vector<Settings> combinations;
  std::vector<double> learning_rates;
  const toml::node* node;

  std::size_t configurations() const { return combinations.size() * learning_rates.size(); }
};

Entry read_contestant(const TomlTable& t, const Config& common, const std::vector<double>& learning_rates) {
  Entry entry;
  entry.node = &t.raw();
  entry.contestant.name = t.text("name");
  const std::string& name = entry.contestant.name;
  const auto fits = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '-' || c == '.' || c == '+';
  };
  if (!std::all_of(name.begin(), name.end(), fits)) {
    t.reject_key("name", "may have letters, digits and _ - . + only: files are named after it");
  }
  entry.contestant.settings = read_list_of_settings(t);
  entry.combinations = read_grid(t, applied(common, t, entry.contestant.settings));
  entry.learning_rates = t.has("learning_rates") ? read_learning_rates(t) : learning_rates;
  return entry;
}

/// Gives every contestant the same number of configurations: where one has fewer it is an error, or with `pad` its
/// learning rates are refined within their range.
void equalise(const TomlTable& file, std::vector<Entry>& entries, bool pad) {
  const auto most = std::max_element(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return a.configurations() < b.configurations();
  });
  const std::size_t wanted = most->configurations();
  check_limit(limits::kProtocolConfigurations, static_cast<std::int64_t>(wanted * entries.size()),
              file.place(*most->node));
  for (Entry& e : entries) {
    if (e.configurations() == wanted) continue;
    const std::string difference = "contestant " + e.contestant.name + " tries " + std::to_string(e.configurations()) +
                                   " configurations and " + most->contestant.name + " " + std::to_string(wanted);
    if (!pad) {
      file.reject(*e.node, difference,
                  ": all must have the same tuning budget; give it learning_rates of its own, or set "
                  "[tuning].pad = true");
    }
    if (e.learning_rates.size() < 2 || wanted % e.combinations.size() != 0) {
      file.reject(*e.node, difference, ": no number of learning rates makes up for it; change a grid");
    }
    e.learning_rates =
        log_grid(e.learning_rates.front(), e.learning_rates.back(), static_cast<int>(wanted / e.combinations.size()));
    e.contestant.padded = true;
  }
}

std::vector<Entry> read_contestants(const TomlTable& file, const std::string& where, const Config& common,
                                    const std::vector<double>& learning_rates) {
  const toml::array* list = file.at("contestant").as_array();
  if (!list || list->size() < 2) file.reject_key("contestant", "must be two or more tables [[contestant]]");
  check_limit(limits::kProtocolList, static_cast<std::int64_t>(list->size()), file.place(*list));
  std::vector<Entry> entries;
  for (const toml::node& node : *list) {
    if (!node.is_table()) file.reject_key("contestant", "must be two or more tables [[contestant]]");
    const TomlTable t(where, "contestant", *node.as_table(), {"name", "settings", "grid", "learning_rates"});
    entries.push_back(read_contestant(t, common, learning_rates));
    const auto same = [&](const Entry& e) { return e.contestant.name == entries.back().contestant.name; };
    if (std::count_if(entries.begin(), entries.end(), same) > 1) t.reject_key("name", "is another contestant's, too");
  }
  return entries;
}

/// Keys that came after the first release: said only where they say something, so that older protocols keep their hash.
std::string later_data_text(const StudyData& data) {
  const ShapesOptions none;
  const ShapesOptions& s = data.shapes;
  std::ostringstream out;
  if (s.forms != none.forms || s.colours != none.colours || s.textures != none.textures) {
    out << "\nclasses " << s.forms << ' ' << s.colours << ' ' << s.textures;
  }
  if (s.parts > 0) out << "\nparts " << shortest(static_cast<double>(s.parts));
  if (s.missing > 0) out << "\nmissing " << shortest(static_cast<double>(s.missing));
  if (s.rich) out << "\nrich";
  if (data.stream) out << "\nstream";
  return out.str();
}

/// All that decides the outcome, one statement a line.
std::string canonical_text(const Protocol& p) {
  std::ostringstream out;
  const StudyData& d = p.data;
  const ShapesOptions& s = d.shapes;
  out << "data " << static_cast<int>(d.kind) << ' ' << d.format << ' ' << d.seed << '\n';
  for (int i = 0; i < 3; ++i) {
    out << d.counts[i] << ' ' << shortest(d.shares[i]) << ' ' << d.sources[i].annotations << ' ' << d.sources[i].images
        << '\n';
  }
  out << s.size << ' ' << s.min_objects << ' ' << s.max_objects << ' ' << s.distractors << ' ' << s.seed;
  for (const float v : {s.min_object_size, s.max_object_size, s.noise, s.contrast, s.empty}) {
    out << ' ' << shortest(static_cast<double>(v));
  }
  out << later_data_text(d) << "\nsignificance " << shortest(p.significance) << "\nbaseline "
      << p.contestants[p.baseline].name << "\ntuning seeds";
  for (const std::int64_t seed : p.tuning_seeds) out << ' ' << seed;
  out << "\nfinal seeds";
  for (const std::int64_t seed : p.final_seeds) out << ' ' << seed;
  if (p.extra_rates > 0) out << "\nextra rates " << p.extra_rates;
  if (p.stop) out << "\nstop at width " << shortest(p.stop->width) << ", least " << p.stop->least;
  for (const Contestant& c : p.contestants) {
    for (const Configuration& configuration : c.configurations) {
      const Config config = run_config(p, c, configuration, 0);
      out << "\ncontestant " << c.name << '\n' << hashed_text(config, keys_with(config.loss.kind));
    }
  }
  return out.str();
}

}  // namespace

double rounded_rate(double lr) { return std::strtod(formatted("%.3g", lr).c_str(), nullptr); }

std::vector<std::string> protocol_names() {
  std::vector<std::string> names;
  for (const auto& file : protocol_files()) names.push_back(file.first);
  return names;
}

const std::string& protocol_text(const std::string& name) {
  const auto found = protocol_files().find(name);
  if (found != protocol_files().end()) return found->second;
  fail(name, ": no such file, and no built-in protocol of that name", hint_with_list(name, protocol_names()));
}

Protocol parse_protocol(const std::string& text, const std::string& file) {
  const toml::table root = parse_toml_file(text, file);
  const TomlTable t(file, "", root,
                    {"title", "baseline", "significance", "data", "training", "tuning", "final", "contestant"});
  Protocol p;
  p.title = t.text("title");
  p.data = read_data(t);
  p.significance = t.number("significance", 0.05);
  if (p.significance <= 0 || p.significance >= 1) t.reject_key("significance", "must lie between 0 and 1");

  const TomlTable training = t.table("training", {"preset", "iterations", "settings"});
  p.written_preset = training.text("preset");
  p.preset = original_preset(p.written_preset);
  p.iterations = training.integer("iterations", 1);
  Config common;
  try {
    common = preset(p.preset);
  } catch (const Error& error) {
    training.reject_key("preset", "is no preset: ", error.what());
  }
  p.settings = read_list_of_settings(training);
  common = applied(common, training, p.settings);

  const TomlTable tuning =
      t.table("tuning", {"learning_rates", "learning_rate", "seeds", "pad", "extend", "extra_rates"});
  const std::vector<double> learning_rates = read_rate_or_rates(tuning, p);
  p.extra_rates = read_extra_rates(tuning);
  p.tuning_seeds = tuning.seeds("seeds");
  const TomlTable final_part = t.table("final", {"seeds", "stop_at_width", "least"});
  p.final_seeds = final_part.seeds("seeds");
  p.stop = read_stopping_rule(final_part, p.final_seeds.size());
  for (const std::int64_t seed : p.final_seeds) {
    if (std::count(p.tuning_seeds.begin(), p.tuning_seeds.end(), seed)) {
      final_part.reject_key("seeds", "must be fresh: ", seed, " is a tuning seed, too");
    }
  }

  std::vector<Entry> entries = read_contestants(t, file, common, learning_rates);
  for (const Entry& e : entries) {
    if (p.fixed_lr && e.learning_rates != learning_rates) {
      t.reject(*e.node, "contestant ", e.contestant.name,
               " has learning_rates of its own, but [tuning].learning_rate "
               "is the same for all");
    }
  }
  equalise(t, entries, tuning.flag("pad", false));
  for (Entry& e : entries) {
    for (const Settings& combination : e.combinations) {
      for (const double lr : e.learning_rates) e.contestant.configurations.push_back({combination, lr});
    }
    p.contestants.push_back(std::move(e.contestant));
  }
  const std::string baseline = t.text("baseline");
  const auto found =
      std::find_if(p.contestants.begin(), p.contestants.end(), [&](const Contestant& c) { return c.name == baseline; });
  if (found == p.contestants.end()) t.reject_key("baseline", "is '", baseline, "', which is no contestant");
  p.baseline = static_cast<int>(found - p.contestants.begin());
  return p;
}

std::string settings_text(const Contestant& contestant, const Configuration& configuration) {
  Settings all = contestant.settings;
  all.insert(all.end(), configuration.settings.begin(), configuration.settings.end());
  return join(all, " ", [](const Setting& setting) { return setting.text(); });
}

Config run_config(const Protocol& protocol, const Contestant& contestant, const Configuration& configuration,
                  std::int64_t seed) {
  Config config = preset(protocol.preset);
  for (const auto* settings : {&protocol.settings, &contestant.settings, &configuration.settings}) {
    apply_settings(config, *settings);
  }
  config.train.lr = configuration.lr;
  config.train.seed = seed;
  config.train.iterations = protocol.iterations;
  config.train.stop_at = 0;
  config.train.evaluate_every = 0;
  config.train.pictures = 0;
  return config;
}

std::string protocol_hash(const Protocol& protocol) {
  Fnv1a hash;
  hash.add(canonical_text(protocol));
  return hash.text();
}

}  // namespace diopter
