#include "retinanet/laboratory/protocol.h"
#include "retinanet/config/config_text.h"
#include "retinanet/config/presets.h"

#include <filesystem>
#include <map>
#include <set>

#include "generated/source_dir.h"
#include "tests/support/files.h"
#include "tests/support/protocols.h"

using namespace diopter;
using test::contains;
using test::replaced;
using test::tiny_protocol;

namespace {

Protocol parse(const std::string& text) { return parse_protocol(text, "p.toml"); }

std::string protocol_error(const std::string& text) {
  return test::error_of([&] { parse(text); });
}

void require_error(const std::string& part, const std::string& by, const std::string& message) {
  const std::string error = protocol_error(replaced(tiny_protocol(), part, by));
  INFO("'" << error << "' instead of '" << message << "'");
  REQUIRE(error.starts_with(message));
  REQUIRE(error.find('\n') == std::string::npos);
}

std::vector<double> rates_of(const Contestant& contestant) {
  std::vector<double> rates;
  for (const Configuration& configuration : contestant.configurations) rates.push_back(configuration.lr);
  return rates;
}

}  // namespace

TEST_CASE("a protocol says everything about a study") {
  const Protocol p = parse(tiny_protocol());
  REQUIRE(p.title == "A tiny study");
  REQUIRE(p.data.kind == StudyData::Kind::shapes);
  REQUIRE(p.data.counts == std::array<int, 3>{12, 4, 6});
  REQUIRE(p.data.shapes.size == 32);
  REQUIRE(p.data.shapes.max_object_size == 0.6f);
  REQUIRE(p.data.shapes.distractors == ShapesOptions{}.distractors);
  REQUIRE(p.preset == "small_sgd");  // which `small` in a protocol means
  REQUIRE(p.iterations == 6);
  REQUIRE(p.tuning_seeds == std::vector<std::int64_t>{101});
  REQUIRE(p.final_seeds == std::vector<std::int64_t>{1, 2});
  REQUIRE(p.significance == 0.05);
  REQUIRE(p.baseline == 0);
  REQUIRE(p.contestants.size() == 3);
  REQUIRE(p.contestants[1].name == "focal");
  REQUIRE(rates_of(p.contestants[1]) == std::vector<double>{0.02, 0.1});
  REQUIRE(rates_of(p.contestants[2]) == std::vector<double>{1e30, 1e31});
}

TEST_CASE("a run's configuration is the preset, what all share, the contestant's settings, and the protocol's own") {
  const Protocol p = parse(tiny_protocol());
  const Config config = run_config(p, p.contestants[0], p.contestants[0].configurations[1], 2);
  REQUIRE(config.model.width == 4);
  REQUIRE(config.train.lr == 0.1);
  REQUIRE(config.train.seed == 2);
  REQUIRE(config.train.iterations == 6);
  REQUIRE(config.train.evaluate_every == 0);
  REQUIRE(config.train.optimizer == OptimizerKind::sgd);
  REQUIRE(config.train.weight_decay == preset("small_sgd").train.weight_decay);
  REQUIRE(contains(format_config(config), "\nkind = 'ce'\n"));
  REQUIRE(settings_text(p.contestants[0], p.contestants[0].configurations[1]) == "loss.kind=ce");
}

TEST_CASE("the built-in protocols are those that studies on disk were made by") {
  const std::map<std::string, std::string> hashes{{"quick", "e82b74c369816241"},   {"table1a", "ea95a57d614701a7"},
                                                  {"table1b", "c270d6bb4b6cade9"}, {"table1c", "b34dba56bedb7a77"},
                                                  {"table1d", "3219cc167f6a330c"}, {"table3", "49573ecbc856fe06"},
                                                  {"prior", "dd5768f70b207dcd"}};
  for (const std::string& name : protocol_names()) {
    INFO(name);
    REQUIRE(protocol_hash(parse(protocol_text(name))) == hashes.at(name));
  }
}

TEST_CASE("the protocols of the focal loss study are those that its results were made by") {
  const std::string study = DIOPTER_SOURCE_DIR "/docs/focal_loss_study/";
  int protocols = 0;
  for (const auto& entry : std::filesystem::directory_iterator(study)) {
    const std::string file = entry.path(), results = study + "results/" + entry.path().stem().string() + ".csv";
    if (entry.path().extension() != ".toml" || !std::filesystem::exists(results)) continue;
    INFO(file);
    const std::string table = test::read_bytes(results), first_row = table.substr(table.find('\n') + 1);
    CHECK(first_row.starts_with(protocol_hash(parse_protocol(test::read_bytes(file), file)) + ","));
    ++protocols;
  }
  CHECK(protocols >= 25);
}

TEST_CASE("grids are every combination of their values, with every learning rate") {
  std::string text = replaced(tiny_protocol(), "settings = [\"loss.gamma=2\"]",
                              "grid.loss.gamma = [1, 2.5]\ngrid.\"input.mean\" = [[0, 0, 0], [1, 1, 1.5]]");
  text = replaced(text, "seeds = [101]", "seeds = [101]\npad = true");
  const Contestant focal = parse(text).contestants[1];
  REQUIRE(focal.configurations.size() == 8);
  std::set<std::string> different;
  for (const Configuration& c : focal.configurations) different.insert(settings_text(focal, c) + std::to_string(c.lr));
  REQUIRE(different.size() == 8);
  REQUIRE(settings_text(focal, focal.configurations[7]) == "input.mean=[1, 1, 1.5] loss.gamma=2.5");
}

TEST_CASE("learning rates may be a log grid") {
  const std::string text = replaced(tiny_protocol(), "[0.02, 0.1]", "{ from = 0.01, to = 0.1, count = 3 }");
  const Protocol p = parse(replaced(text, "[1e30, 1e31]", "[1e30, 1e31, 1e32]"));
  REQUIRE(rates_of(p.contestants[0]) == std::vector<double>{0.01, 0.0316, 0.1});
}

TEST_CASE("one learning rate may be fixed for all, other settings tuned or not") {
  const std::string text = replaced(replaced(tiny_protocol(), "learning_rates = [0.02, 0.1]", "learning_rate = 0.05"),
                                    "learning_rates = [1e30, 1e31]\n", "");
  const Protocol p = parse(text);
  REQUIRE(p.fixed_lr);
  for (const Contestant& c : p.contestants) REQUIRE(rates_of(c) == std::vector<double>{0.05});
  const Protocol tuned = parse(replaced(replaced(text, "settings = [\"loss.gamma=2\"]", "grid.loss.gamma = [1, 2]"),
                                        "settings = [\"loss.kind=ce\"]", "grid.train.clip_norm = [0, 10]")
                                   .append("grid.loss.alpha = [0.25, 0.5]\n"));
  for (const Contestant& c : tuned.contestants) REQUIRE(rates_of(c) == std::vector<double>{0.05, 0.05});
  REQUIRE_FALSE(parse(tiny_protocol()).fixed_lr);
}

TEST_CASE("contestants must try equally many configurations, or have their learning rates refined") {
  const std::string unequal = replaced(tiny_protocol(), "settings = [\"loss.gamma=2\"]", "grid.loss.gamma = [1, 2, 3]");
  REQUIRE(protocol_error(unequal).starts_with("p.toml:25: contestant ce tries 2 configurations and focal 6"));
  const Protocol p = parse(replaced(unequal, "seeds = [101]", "seeds = [101]\npad = true"));
  REQUIRE(p.contestants[0].padded);
  REQUIRE_FALSE(p.contestants[1].padded);
  REQUIRE(rates_of(p.contestants[0]) == std::vector<double>{0.02, 0.0276, 0.0381, 0.0525, 0.0725, 0.1});
  for (const Contestant& c : p.contestants) REQUIRE(c.configurations.size() == 6);

  const std::string odd =
      replaced(unequal, "settings = [\"train.clip_norm=0\"]", "grid.train.clip_norm = [1, 2, 3, 4]");
  REQUIRE(contains(protocol_error(replaced(odd, "seeds = [101]", "seeds = [101]\npad = true")), "change a grid"));
}

TEST_CASE("what is wrong with a protocol is said with its line") {
  require_error("seeds = [101]", "seedss = [101]", "p.toml:20: unknown key [tuning].seedss; the nearest is seeds");
  const std::string text = tiny_protocol(), table = "[[contestant]]";
  const std::string one = text.substr(0, text.find(table, text.find(table) + 1));
  CHECK(contains(protocol_error(one), "contestant must be two or more tables [[contestant]]"));
  require_error("title =", "titel =", "p.toml:1: unknown key titel; the nearest is title");
  require_error("title = \"A tiny study\"\n", "", "p.toml: title is missing");
  require_error("size = 32\n", "size = 32.5\n", "p.toml:8: [data.shapes].size must be an integer");
  require_error("test = 6\n", "", "p.toml:4: [data.shapes].test is missing");
  require_error("[0.3, 0.6]", "[0.3]", "p.toml:9: [data.shapes].object_size must be [least, greatest]");
  require_error("seed = 5", "objects = [1, 2.5]", "p.toml:10: [data.shapes].objects must be integers");
  require_error("[data.shapes]", "[data.pictures]", "p.toml:4: unknown key [data].pictures");
  require_error("\"small\"", "\"smal\"", "p.toml:13: [training].preset is no preset: unknown preset smal");
  require_error("iterations = 6", "iterations = 0", "p.toml:14: [training].iterations must be an integer from 1");
  require_error("model.groups=4", "model.grups=4", "p.toml:15: unknown key model.grups; the nearest is model.groups");
  require_error("model.groups=4", "model.groups=3", "p.toml:15: model.groups must divide");
  require_error("train.workers=1", "train.lr=1", "p.toml:16: train.lr is the protocol's own to set");
  require_error("[0.02, 0.1]", "[]", "p.toml:19: [tuning].learning_rates must be a list of numbers that is not empty");
  require_error("[0.02, 0.1]", "[0.1, 0.02]", "p.toml:19: [tuning].learning_rates must be positive and ascending");
  require_error("[0.02, 0.1]", "{ from = 1, to = 0.1, count = 3 }", "p.toml:19: [tuning].learning_rates: from must be");
  require_error("seeds = [1, 2]", "seeds = [1, 101]", "p.toml:23: [final].seeds must be fresh: 101 is a tuning seed");
  require_error("seeds = [1, 2]", "seeds = [1, 1]", "p.toml:23: [final].seeds names 1 twice");
  require_error("seeds = [1, 2]", "seeds = []", "p.toml:23: [final].seeds must be a list of seeds that is not empty");
  require_error("\"ce\"\n\n[data", "\"none\"\n\n[data", "p.toml:2: baseline is 'none', which is no contestant");
  require_error("name = \"focal\"", "name = \"ce\"", "p.toml:30: [contestant].name is another contestant's");
  require_error("name = \"focal\"", "name = \"a/b\"", "p.toml:30: [contestant].name may have letters");
  require_error("settings = [\"loss.gamma=2\"]", "settings = [\"loss.gamma=-2\"]",
                "p.toml:31: loss.gamma must lie between 0 and 10");
  require_error("settings = [\"loss.gamma=2\"]", "grid.loss.gamma = []",
                "p.toml:31: grid of loss.gamma must be a list");
  require_error("settings = [\"loss.gamma=2\"]", "grid.loss.gama = [1]",
                "p.toml:31: unknown key loss.gama; the nearest is loss.gamma");
  require_error("settings = [\"loss.gamma=2\"]", "grid.loss.gamma = [-1]",
                "p.toml:31: loss.gamma must lie between 0 and 10");
  require_error("iterations = 6", "iterations = ", "p.toml:14: ");
  require_error("learning_rates = [0.02, 0.1]", "", "p.toml:18: [tuning] needs learning_rates, to be tuned, or");
  require_error("learning_rates = [0.02, 0.1]", "learning_rate = 0", "p.toml:19: [tuning].learning_rate must be pos");
  require_error("learning_rates = [0.02, 0.1]", "learning_rate = 0.1",
                "p.toml:33: contestant wild has learning_rates of its own");
  require_error("learning_rates = [0.02, 0.1]", "learning_rate = 0.1\nextend = true",
                "p.toml:20: [tuning].extend has nothing to extend");
  require_error("seeds = [101]", "seeds = [101]\nextra_rates = 2",
                "p.toml:21: [tuning].extra_rates needs extend = true");
  require_error("seeds = [1, 2]", "seeds = [1, 2]\nstop_at_width = 1",
                "p.toml:24: [final].stop_at_width needs more than 8 seeds");
  require_error("seeds = [1, 2]", "seeds = [1, 2]\nleast = 2", "p.toml:24: [final].least needs stop_at_width");
  require_error("seeds = [1, 2]", "seeds = [1, 2, 3]\nleast = 2\nstop_at_width = 0",
                "p.toml:25: [final].stop_at_width must be positive");
  std::string many = "[1";
  for (int i = 2; i <= 201; ++i) many += ", " + std::to_string(i);
  many += "]";
  require_error("[0.02, 0.1]", many, "p.toml:19: learning rates, seeds or contestants: 201, at most 200");
  require_error("[0.02, 0.1]", "{ from = 1, to = 2, count = 2000000000 }",
                "p.toml:19: learning rates, seeds or contestants: 2000000000, at most 200");
  require_error("seeds = [1, 2]", "seeds = " + many, "p.toml:23: learning rates, seeds or contestants: 201, at most");
  require_error("settings = [\"loss.gamma=2\"]", "grid.train.momentum = " + many + "\ngrid.loss.gamma = " + many,
                "p.toml:31: configurations of all contestants: 40401, at most 2000");
}

TEST_CASE("data may be divided by a seed, or given as three sets") {
  const std::string shapes =
      tiny_protocol().substr(tiny_protocol().find("[data.shapes]"),
                             tiny_protocol().find("[training]") - tiny_protocol().find("[data.shapes]"));
  const auto with_data = [&](const std::string& data) { return replaced(tiny_protocol(), shapes, data + "\n"); };
  const Protocol split =
      parse(with_data("[data.split]\nannotations = \"a.json\"\nimages = \"i\"\nshares = [0.6, 0.2, 0.2]\nseed = 3"));
  REQUIRE(split.data.kind == StudyData::Kind::split);
  REQUIRE(split.data.sources[0].annotations == "a.json");
  REQUIRE(split.data.shares[2] == 0.2);
  REQUIRE(split.data.seed == 3);
  const Protocol files =
      parse(with_data("[data.files]\ntrain = { annotations = \"a\" }\ntune = { annotations = \"b\" }\n"
                      "test = { annotations = \"c\", images = \"i\" }\nformat = \"voc\""));
  REQUIRE(files.data.kind == StudyData::Kind::files);
  REQUIRE(files.data.sources[2].images == "i");
  REQUIRE(files.data.format == "voc");
  REQUIRE(contains(protocol_error(with_data("[data.split]\nannotations = \"a.json\"\nshares = [0.6, 0.2]")),
                   "add up to 1"));
  REQUIRE(contains(protocol_error(with_data("[data.files]\ntrain = { annotations = \"a\" }")),
                   "[data.files].tune is missing"));
}

TEST_CASE("the hash is of what a protocol says, not of how it is written") {
  const std::string hash = protocol_hash(parse(tiny_protocol()));
  REQUIRE(hash.size() == 16);
  const auto hash_with = [&](const std::string& part, const std::string& by) {
    return protocol_hash(parse(replaced(tiny_protocol(), part, by)));
  };
  REQUIRE(hash_with("seed = 5\n", "seed = 5  # of the pictures\n\n") == hash);
  REQUIRE(hash_with("[0.02, 0.1]", "[2e-2, 0.10]") == hash);
  REQUIRE(hash_with("train = 12\ntune = 4", "tune = 4\ntrain = 12") == hash);
  REQUIRE(hash_with("seed = 5", "seed = 6") != hash);
  REQUIRE(hash_with("[0.02, 0.1]", "[0.02, 0.11]") != hash);
  REQUIRE(hash_with("seeds = [1, 2]", "seeds = [1, 3]") != hash);
  REQUIRE(hash_with("loss.gamma=2", "loss.gamma=3") != hash);
  REQUIRE(hash_with("baseline = \"ce\"", "baseline = \"focal\"") != hash);
  REQUIRE(hash_with("tune = 4", "tune = 5") != hash);
  REQUIRE(hash_with("seeds = [101]", "seeds = [101]\nextend = false") == hash);
  const std::string extended = hash_with("seeds = [101]", "seeds = [101]\nextend = true");
  REQUIRE(extended != hash);
  REQUIRE(hash_with("seeds = [101]", "seeds = [101]\nextend = true\nextra_rates = 3") != extended);
  const std::string fixed = hash_with("seeds = [1, 2]", "seeds = [1, 2, 3, 4]");
  const std::string stopped = hash_with("seeds = [1, 2]", "seeds = [1, 2, 3, 4]\nstop_at_width = 1\nleast = 2");
  REQUIRE(stopped != fixed);
  REQUIRE(hash_with("seeds = [1, 2]", "seeds = [1, 2, 3, 4]\nstop_at_width = 1\nleast = 3") != stopped);
  REQUIRE(
      hash_with(
          "seed = 5",
          "seed = 5\nforms = 3\ncolours = 1\ntextures = 1\nparts = 0.0\nmissing = 0.0\nrich = false\nstream = false") ==
      hash);
  for (const char* key :
       {"forms = 4", "colours = 3", "textures = 3", "parts = 0.5", "missing = 0.1", "rich = true", "stream = true"}) {
    INFO(key);
    REQUIRE(hash_with("seed = 5", "seed = 5\n" + std::string(key)) != hash);
  }
}

TEST_CASE("the built-in protocols can be read and let every contestant try as much") {
  REQUIRE(protocol_names() ==
          std::vector<std::string>{"prior", "quick", "table1a", "table1b", "table1c", "table1d", "table3"});
  for (const std::string& name : protocol_names()) {
    INFO(name);
    const Protocol p = parse_protocol(protocol_text(name), name);
    for (const Contestant& c : p.contestants) {
      REQUIRE(c.configurations.size() == p.contestants[0].configurations.size());
    }
    REQUIRE((name == "quick" || p.final_seeds.size() >= kSeedsForAClaim));
  }
  REQUIRE(contains(test::error_of([] { protocol_text("table1"); }), "the nearest is table1a"));
}
