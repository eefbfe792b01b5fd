#include "retinanet/config/keys.h"

#include <algorithm>
#include <set>

#include "kernels/detection/losses/ce.h"
#include "kernels/detection/losses/focal.h"
#include "kernels/detection/losses/focal_star.h"
#include "retinanet/config/config_error.h"
#include "retinanet/config/config_text.h"
#include "retinanet/config/configure.h"
#include "retinanet/config/presets.h"
#include "tests/retinanet/support.h"
#include "tests/support/catch.h"

using namespace diopter;
using test::error_of;

namespace {

std::vector<std::string> names_of(const std::vector<Key>& keys) {
  std::vector<std::string> names;
  for (const Key& key : keys) names.push_back(key.name);
  return names;
}

std::vector<std::string> names_with(const AnyLoss& loss) { return names_of(keys_with(loss)); }

/// The configuration's text without the line of a key.
std::string without(std::string text, const std::string& key) {
  const std::size_t dot = key.find('.'), section = text.find("[" + key.substr(0, dot) + "]");
  const std::size_t line = text.find("\n" + key.substr(dot + 1) + " = ", section) + 1;
  return text.erase(line, text.find('\n', line) + 1 - line);
}

}  // namespace

TEST_CASE("keys have a name of their own, a help of one line, and a value for files without them") {
  for (const AnyLoss& loss : all_losses()) {
    const std::vector<Key> keys = keys_with(loss);
    const std::vector<std::string> names = names_of(keys);
    REQUIRE(std::set<std::string>(names.begin(), names.end()).size() == names.size());
    for (const Key& key : keys) {
      INFO(key.name);
      CHECK(!key.help.empty());
      CHECK(key.help.find('\n') == std::string::npos);
      const bool number_or_name = key.name == "input.white" || key.name == "loss.classification_weight";
      CHECK((key.type == "name" || number_or_name) == !key.choices.empty());
    }
  }
}

TEST_CASE("a file without any key has these values, for good") {
  const Config config = parse_config("", "old.toml");
  CHECK_NOTHROW(check_config(config));
  CHECK(format_config(config) == R"([model]
backbone = 'resnet50'
width = 16
norm = 'frozen_batch'
groups = 32
norm_eps = 1e-05
freeze_stages = 2
stride_in_1x1 = false
weights = ''
min_level = 3
max_level = 7
p6_from = 'p5'
fpn_channels = 256
head_depth = 4
head_norm = 'none'
prior = 0.01

[anchors]
size_factor = 4.0
scales = [1.0, 1.2599210498948732, 1.5874010519681994]
ratios = [0.5, 1.0, 2.0]
round = 'torchvision'
order = 'ratio_major'
stride = 'grid'
offset = 0.0

[match]
rule = 'iou'
candidates = 9
foreground_iou = 0.5
background_iou = 0.4
low_quality = true
ignore_overlap = 0.5

[loss]
kind = 'focal'
gamma = 2.0
alpha = 0.25
normaliser = 'image'
ema_momentum = 0.9
ema_start = 100.0
box = 'l1'
smooth_l1_beta = 0.0
classification_weight = 1.0
box_weight = 1.0
class_weights = 'none'
effective_beta = 0.999

[input]
resize = 'shorter_side'
min_sizes = [800]
max_size = 1333
enlarge = true
filter = 'bilinear'
round = false
float_scale = false
size_divisor = 32
mean = [0.485, 0.456, 0.406]
std = [0.229, 0.224, 0.225]
divisor = 255.0
bgr = false
white = 'full'
tile = 0
tile_overlap = 0.2
tile_whole = false

[augment]
flip = 0.5
vertical_flip = 0.0
turn = 0.0
scale_min = 1.0
scale_max = 1.0
crop = 0.0
crop_min = 0.5
brightness = 0.0
contrast = 0.0
saturation = 0.0
hue = 0.0
ramp_epochs = 0.0

[train]
iterations = 190596
minutes = 0.0
patience = 0
stop_at = 0
batch_size = 16
shards = 1
wire = 'float'
accumulate = 1
optimizer = 'sgd'
lr = 0.01
momentum = 0.9
nesterov = false
beta1 = 0.9
beta2 = 0.999
epsilon = 1e-08
weight_decay = 1e-04
norm_decay = 1e-04
bias_decay = 1e-04
schedule = 'multistep'
milestones = [0.6153846, 0.8461538]
lr_gamma = 0.1
warmup_iterations = 1000
warmup_factor = 0.001
clip_norm = 0.0
average = 0.0
seed = 0
precision = 'float'
cuda_graph = false
evaluate_every = 7331
save_every = 1000
log_every = 20
pictures = 8
tensorboard = false
workers = 2
cache_mib = 0
repeat_threshold = 0.0

[detect]
score_threshold = 0.05
top_k = 1000
nms_iou = 0.5
class_aware = true
max_detections = 300
clip_before_nms = true
batch_size = 2
precision = 'float'
cuda_graph = false
)");
}

TEST_CASE("a file that lacks a key has the value from before it existed, and all others as they stand") {
  for (const AnyLoss& loss : all_losses()) {
    Config config = preset("small");
    config.loss.kind = loss;
    for_each_parameter(config.loss.kind,
                       [](const auto& p, float& value) { value = p.whole ? p.highest : (p.lowest + value) / 2; });
    const std::string whole = format_config(config);
    for (const Key& key : keys_with(loss)) {
      if (key.name == "loss.kind") continue;
      INFO(loss_name(loss) << ", " << key.name);
      Config expected = config;
      key.set(expected, key.before, "");
      CHECK(format_config(parse_config(without(whole, key.name), "old.toml")) == format_config(expected));
    }
  }
  const std::string focal = format_config(preset("small"));
  CHECK(parse_config(without(focal, "loss.kind"), "old.toml").loss.kind.index() == AnyLoss(FocalLoss{}).index());
}

TEST_CASE("every name of a key can be set and is read back") {
  int checked = 0;
  for (const Key& key : keys_with(preset("small").loss.kind)) {
    for (const std::string& name : key.choices) {
      INFO(key.name << " = " << name);
      Config config = preset("small");
      set_config(config, {key.name, name});
      CHECK(std::get<std::string>(key.get(config).of) == name);
      ++checked;
    }
  }
  CHECK(checked > 30);
}

TEST_CASE("a value is checked against the key's range, list by element") {
  const std::vector<Key> keys = keys_with(preset("small").loss.kind);
  for (const Key& key : keys) {
    const Value now = key.get(preset("small"));
    const bool list = std::holds_alternative<Value::List>(now.of),
               whole = key.type.find("integer") != std::string::npos;
    if (key.range.text().empty()) continue;
    INFO(key.name << ": " << key.values());
    const auto error_with = [&](double number) {
      return error_of([&] {
        Config config = preset("small");
        const Value value = whole ? Value(static_cast<std::int64_t>(number)) : Value(number);
        key.set(config, list ? Value(Value::List(std::max<std::size_t>(key.least, 1), value)) : value, "");
        key.check(config);
      });
    };
    const double step = whole ? 1 : 1e-6;
    CHECK((error_with(key.range.lowest) == "") == key.range.with_lowest);
    CHECK(error_with(key.range.lowest - step).starts_with(key.name + " must "));
    CHECK(error_with(key.range.lowest + step) == "");
    if (key.range.highest > 1e300) continue;
    CHECK((error_with(key.range.highest) == "") == key.range.with_highest);
    CHECK(error_with(key.range.highest + step).starts_with(key.name + " must "));
  }
}

TEST_CASE("the loss decides which parameters are keys, behind its own") {
  const std::vector<std::string> ce = names_with(CeLoss{}), star = names_with(FocalStarLoss{});
  const auto kind = std::find(star.begin(), star.end(), "loss.kind");
  CHECK(std::vector<std::string>(kind + 1, kind + 5) ==
        std::vector<std::string>{"loss.gamma", "loss.beta", "loss.alpha", "loss.normaliser"});
  CHECK(ce.size() + 3 == star.size());
  CHECK(std::count(ce.begin(), ce.end(), "loss.gamma") == 0);
}

TEST_CASE("errors of configurations know their key and place") {
  Config config = preset("small");
  const auto caught = [](const auto& call) {
    try {
      call();
    } catch (const ConfigError& error) {
      return error.key() + " at '" + error.where() + "'";
    }
    return std::string("nothing");
  };
  CHECK(caught([&] { set_config(config, "train.lr=fast"); }) == "train.lr at '--set train.lr=fast'");
  CHECK(caught([&] { set_config(config, {"train.lr", "fast", "p.toml:3"}); }) == "train.lr at 'p.toml:3'");
  CHECK(caught([&] { override_config(config, "[train]\nlr = 1\nrl = 2\n", "c.toml"); }) == "train.rl at 'c.toml:3'");
  CHECK(caught([&] { override_config(config, "[loss]\n\nkind = 'focl'\n", "c.toml"); }) == "loss.kind at 'c.toml:3'");
  config.train.momentum = 1;
  CHECK(caught([&] { check_config(config); }) == "train.momentum at ''");
  config = preset("small");
  config.model.groups = 3;
  CHECK(caught([&] { check_config(config); }) == "model.groups at ''");
  CHECK_THROWS_AS(set_config(config, "train.rl=1"), UnknownKey);
}
