// The protocol of a study: everything that decides its outcome, fixed before the first run.
// docs/comparing.md explains every key; examples are in retinanet/laboratory/protocols.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "data/shapes.h"
#include "retinanet/config/config.h"
#include "retinanet/config/setting.h"

namespace diopter {

/// Where the pictures come from: one of three kinds.
struct StudyData {
  enum class Kind { shapes, split, files };
  struct Source {
    std::string annotations, images;
  };
  Kind kind = Kind::shapes;
  std::array<int, 3> counts{};  // shapes: pictures to train, tune and test with
  ShapesOptions shapes;
  bool stream = false;            // shapes: training makes its pictures itself, none twice; the train split is a sample
  std::array<Source, 3> sources;  // files: train, tune, test; split: the first is the set that is divided. As written
  std::array<double, 3> shares{};  // split
  std::uint64_t seed = 0;          // split
  std::string format;              // coco, voc, csv, yolo; "": recognised
};

/// One point of a contestant's grid.
struct Configuration {
  Settings settings;
  double lr;
};

struct Contestant {
  std::string name;
  Settings settings;                          // in all its runs
  std::vector<Configuration> configurations;  // to choose from on the tuning split; one: there is nothing to tune
  bool padded = false;                        // its learning rates were refined so that it tries as many as the others
};

/// When final runs end before the last seed: with `least` seeds or more, as soon as the 95 % interval of every paired
/// difference to the baseline is at most `width` AP (percentage points) from end to end.
struct StoppingRule {
  double width;
  int least;
};

struct Protocol {
  std::string title;
  StudyData data;
  std::string preset;          // the original of the one that is written: presets.h
  std::string written_preset;  // in the protocol's own words
  Settings settings;           // in all runs
  std::int64_t iterations;
  std::vector<std::int64_t> tuning_seeds, final_seeds;
  std::optional<StoppingRule> stop = {};  // of the final seeds, which then are the most there may be
  bool fixed_lr = false;                  // one learning rate for all, which nothing chose
  int extra_rates = 0;  // most learning rates that a contestant adds where its best is at the edge of its grid
  std::vector<Contestant> contestants;  // all have the same number of configurations
  int baseline;                         // the contestant that the others are compared with
  double significance;
};

/// Final seeds from which on a study may claim a difference.
constexpr int kSeedsForAClaim = 8;

/// A few digits are enough for a learning rate, and are what people read in the tables.
double rounded_rate(double lr);

/// Names of the built-in protocols, and the TOML text of one; throws Error that names the nearest.
std::vector<std::string> protocol_names();
const std::string& protocol_text(const std::string& name);

/// Reads a protocol. Throws Error "FILE:LINE: ..." for unknown keys, values that do not fit, settings that the preset
/// refuses, contestants with unequal numbers of configurations, and tuning seeds that are final seeds too.
Protocol parse_protocol(const std::string& text, const std::string& file);

/// The settings of a contestant: "loss.gamma=2 loss.alpha=0.25".
std::string settings_text(const Contestant& contestant, const Configuration& configuration);

/// The configuration of a run, complete.
Config run_config(const Protocol& protocol, const Contestant& contestant, const Configuration& configuration,
                  std::int64_t seed);

/// 16 hexadecimal digits (FNV-1a, 64 bits) of all that the protocol says and of the settings that it starts from:
/// comments, order of keys and number formats do not matter, a changed preset does.
std::string protocol_hash(const Protocol& protocol);

}  // namespace diopter
