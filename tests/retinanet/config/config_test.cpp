#include "retinanet/config/config.h"
#include "kernels/detection/losses/balanced_ce.h"
#include "kernels/detection/losses/focal.h"
#include "kernels/detection/losses/focal_star.h"
#include "kernels/detection/losses/hinge.h"
#include "retinanet/config/config_text.h"
#include "retinanet/config/configure.h"
#include "retinanet/config/presets.h"

#include <cmath>
#include <map>
#include <set>
#include <sstream>

#include "kernels/base/check.h"
#include "tests/retinanet/support.h"
#include "tests/support/catch.h"

using namespace diopter;
using test::contains;
using test::error_of;

namespace {

/// The message of --set `assignment` on the preset small.
std::string set_error(const std::string& assignment) {
  return error_of([&] {
    Config config = preset("small");
    set_config(config, assignment);
  });
}

/// The message of check_config after --set `assignment`.
std::string range_error(const std::string& assignment) {
  return error_of([&] {
    Config config = preset("small");
    set_config(config, assignment);
    check_config(config);
  });
}

}  // namespace

TEST_CASE("every preset parses, is sound and survives being written") {
  REQUIRE(preset_names() ==
          std::vector<std::string>{"detectron2", "paper", "small", "small_sgd", "torchvision", "torchvision_v2"});
  for (const std::string& name : preset_names()) {
    INFO(name);
    const Config config = preset(name);
    CHECK_NOTHROW(check_config(config));
    const std::string text = format_config(config);
    CHECK(format_config(parse_config(text, name)) == text);
  }
}

TEST_CASE("values survive being written to the last bit") {
  Config config = preset("small");
  config.train.lr = 0.1 + 0.2;
  config.train.warmup_factor = 1e-300;
  config.loss.ema_start = 1e22;
  config.train.seed = -9007199254740993;
  config.model.weights = "C:\\a \"b\"\t\xc3\xa4.safetensors";
  config.anchors.scales = {1.0 / 3};
  config.train.milestones = {};
  const Config read = parse_config(format_config(config), "text");
  CHECK(read.train.lr == config.train.lr);
  CHECK(read.train.warmup_factor == config.train.warmup_factor);
  CHECK(read.loss.ema_start == config.loss.ema_start);
  CHECK(read.train.seed == config.train.seed);
  CHECK(read.model.weights == config.model.weights);
  CHECK(read.anchors.scales == config.anchors.scales);
  CHECK(read.train.milestones.empty());
}

TEST_CASE("presets differ from torchvision's in these keys and no others") {
  const auto lines = [](const std::string& name) {
    std::map<std::string, std::string> values;
    std::istringstream text(format_config(preset(name)));
    std::string section;
    for (std::string line; std::getline(text, line);) {
      if (line.starts_with("[")) section = line.substr(1, line.size() - 2) + ".";
      const std::size_t equals = line.find(" = ");
      if (equals != std::string::npos) values[section + line.substr(0, equals)] = line.substr(equals);
    }
    return values;
  };
  const auto different = [&](const std::string& name) {
    const auto of_torchvision = lines("torchvision"), of_name = lines(name);
    std::set<std::string> keys;
    for (const auto& [key, value] : of_torchvision) {
      if (of_name.at(key) != value) keys.insert(key);
    }
    return keys;
  };
  CHECK(different("torchvision_v2") == std::set<std::string>{"model.norm", "model.freeze_stages", "model.p6_from",
                                                             "model.head_norm", "loss.box", "input.min_sizes",
                                                             "train.norm_decay"});
  CHECK(different("detectron2") == std::set<std::string>{"model.stride_in_1x1", "model.p6_from", "anchors.round",
                                                         "anchors.order", "anchors.stride", "loss.normaliser",
                                                         "input.min_sizes", "input.filter", "input.round", "input.mean",
                                                         "input.std", "input.divisor", "input.bgr", "train.iterations",
                                                         "train.norm_decay", "train.milestones", "train.evaluate_every",
                                                         "detect.max_detections", "detect.clip_before_nms"});
  CHECK(different("paper") ==
        std::set<std::string>{"model.p6_from", "anchors.round", "anchors.stride", "match.low_quality",
                              "loss.normaliser", "loss.box", "loss.smooth_l1_beta", "input.min_sizes", "input.max_size",
                              "input.round", "train.iterations", "train.milestones", "train.warmup_iterations",
                              "train.evaluate_every", "detect.max_detections"});
}

TEST_CASE("presets differ where their models differ") {
  const Config tv = preset("torchvision"), v2 = preset("torchvision_v2"), d2 = preset("detectron2"),
               paper = preset("paper");
  CHECK(tv.model.p6_from == P6Source::p5);
  CHECK(v2.model.p6_from == P6Source::c5);
  CHECK(d2.model.p6_from == P6Source::c5);
  CHECK(paper.model.p6_from == P6Source::c5);
  CHECK(!tv.model.stride_in_1x1);
  CHECK(d2.model.stride_in_1x1);
  CHECK(!tv.input.bgr);
  CHECK(d2.input.bgr);
  CHECK(d2.input.mean == std::vector<double>{103.53, 116.28, 123.675});
  CHECK(d2.input.std == std::vector<double>{1, 1, 1});
  CHECK(d2.input.divisor == 1);
  for (const Config& c : {tv, d2, paper}) {
    CHECK(c.model.norm == NormKind::frozen_batch);
    CHECK(c.model.freeze_stages == 2);
  }
  CHECK(v2.model.norm == NormKind::batch);
  CHECK(v2.model.freeze_stages == 0);
  CHECK(v2.model.head_norm == NormKind::group);
  CHECK(v2.loss.box == BoxLoss::giou);
  CHECK(tv.anchors.round == AnchorRounding::torchvision);
  CHECK(d2.anchors.round == AnchorRounding::none);
  CHECK(tv.anchors.order == AnchorOrder::ratio_major);
  CHECK(d2.anchors.order == AnchorOrder::scale_major);
  CHECK(tv.anchors.stride == AnchorStride::grid);
  CHECK(d2.anchors.stride == AnchorStride::fixed);
  CHECK(tv.loss.normaliser == LossNormaliser::image);
  CHECK(paper.loss.normaliser == LossNormaliser::batch);
  CHECK(d2.loss.normaliser == LossNormaliser::ema);
  CHECK(d2.loss.ema_start == 100);
  CHECK(d2.loss.ema_momentum == 0.9);
  CHECK(tv.loss.box == BoxLoss::l1);
  CHECK(d2.loss.box == BoxLoss::l1);
  CHECK(tv.match.low_quality);
  CHECK(d2.match.low_quality);
  CHECK(!paper.match.low_quality);
  CHECK(tv.detect.max_detections == 300);
  CHECK(d2.detect.max_detections == 100);
  CHECK(tv.detect.clip_before_nms);
  CHECK(!d2.detect.clip_before_nms);
  CHECK(!tv.input.round);
  CHECK(d2.input.round);
  CHECK(tv.input.min_sizes == std::vector<int>{800});
  CHECK(d2.input.min_sizes == std::vector<int>{640, 672, 704, 736, 768, 800});
  CHECK(d2.train.norm_decay == 0);
  CHECK(v2.train.norm_decay == 0);
  for (const Config& c : {d2, v2, tv, paper}) CHECK(c.train.bias_decay == c.train.weight_decay);
  CHECK(tv.train.norm_decay == tv.train.weight_decay);
  for (const Config& c : {tv, v2, d2, paper}) {
    CHECK(c.loss.kind.get<FocalLoss>().gamma == 2);
    CHECK(c.loss.kind.get<FocalLoss>().alpha == 0.25f);
    CHECK(c.model.prior.values == std::vector<double>{0.01});
    CHECK(c.train.lr == 0.01);
    CHECK(c.train.batch_size == 16);
    CHECK(c.detect.score_threshold == 0.05);
    CHECK(c.detect.top_k == 1000);
  }
  for (const Config& c : {d2, paper}) {  // 90,000 iterations, steps after 60,000 and 80,000
    CHECK(c.train.iterations == 90000);
    CHECK(std::llround(c.train.milestones[0] * 90000) == 60000);
    CHECK(std::llround(c.train.milestones[1] * 90000) == 80000);
  }
}

TEST_CASE("the preset of a run: the original, where only that has its optimizer") {
  REQUIRE(preset("small").train.optimizer == OptimizerKind::adamw);
  const auto optimizer = [](const std::string& name, const Settings& others, const char* of_run) {
    Config run = preset("small"), config = run;
    set_config(run, std::string("train.optimizer=") + of_run);
    apply_settings(config, preset_settings_of_run(name, others, run));
    return config.train.lr == preset("small_sgd").train.lr ? OptimizerKind::sgd : OptimizerKind::adamw;
  };
  CHECK(optimizer("small", {}, "sgd") == OptimizerKind::sgd);
  CHECK(optimizer("small", {}, "adamw") == OptimizerKind::adamw);
  CHECK(optimizer("small_sgd", {}, "adamw") == OptimizerKind::sgd);
  CHECK(optimizer("small", {"train.optimizer=sgd"}, "sgd") == OptimizerKind::adamw);  // said on top of today's preset
  Config config = preset("small");  // a run from before the preset named weights goes on as it is
  config.model.weights = "";
  apply_settings(config, preset_settings_of_run("small", {}, config));
  CHECK(config.model.weights == "");
  apply_settings(config, preset_settings_of_run("small", {}, preset("small")));
  CHECK(config.model.weights == "auto");
  config.augment = preset("small_sgd").augment;  // and one from before it named augmentation
  apply_settings(config, preset_settings_of_run("small", {}, config));
  CHECK(config.augment.crop == 0);
  CHECK(config.model.weights == "auto");
  apply_settings(config, preset_settings_of_run("small", {}, preset("small")));
  CHECK(format_config(config) == format_config(preset("small")));
  config = preset("torchvision");
  apply_settings(config, preset_settings_of_run("torchvision", {}, preset("small")));
  CHECK(format_config(config) == format_config(preset("torchvision")));
}

TEST_CASE("an unknown preset names the nearest one and lists all") {
  const std::string message = error_of([] { preset("torchvison"); });
  CHECK(contains(message, "unknown preset torchvison; the nearest is torchvision "));
  CHECK(contains(message, "detectron2, paper, small, small_sgd, torchvision, torchvision_v2"));
  CHECK(!contains(error_of([] { preset("xyz"); }), "nearest"));
}

TEST_CASE("set_config takes every type") {
  Config config = preset("small");
  const auto set = [&](const std::string& assignment) { set_config(config, assignment); };
  set("train.lr=0.02");
  CHECK(config.train.lr == 0.02);
  set("train.lr=1");
  CHECK(config.train.lr == 1);
  set("train.lr=1e-3");
  CHECK(config.train.lr == 1e-3);
  set("train.batch_size=3");
  CHECK(config.train.batch_size == 3);
  set("train.seed=-5000000000");
  CHECK(config.train.seed == -5000000000);
  set("input.bgr=true");
  CHECK(config.input.bgr);
  set("loss.box=giou");
  CHECK(config.loss.box == BoxLoss::giou);
  set("loss.box=\"ciou\"");
  CHECK(config.loss.box == BoxLoss::ciou);
  set("anchors.ratios=[1, 2.5]");
  CHECK(config.anchors.ratios == std::vector<double>{1, 2.5});
  set("input.min_sizes=[480, 512]");
  CHECK(config.input.min_sizes == std::vector<int>{480, 512});
  set("model.weights=some/a=b.safetensors");
  CHECK(config.model.weights == "some/a=b.safetensors");
  set("model.weights=");
  CHECK(config.model.weights == "");
  set("input.white=auto");
  CHECK(config.input.white == kAutoWhite);
  CHECK(contains(format_config(config), "white = 'auto'"));
  set("input.white=4095");
  CHECK(config.input.white == 4095);
  CHECK(parse_config(format_config(config), "a.toml").input.white == 4095);
  set("input.white=full");
  CHECK(config.input.white == kFullRange);
}

TEST_CASE("an unknown key names the nearest one, if one is near") {
  CHECK(contains(set_error("train.batchsize=4"),
                 "--set train.batchsize=4: unknown key train.batchsize; the nearest is train.batch_size"));
  CHECK(contains(set_error("los.gamma=1"), "the nearest is loss.gamma"));
  const std::string far = set_error("qqqqqqqqqqqq=1");
  CHECK(contains(far, "unknown key qqqqqqqqqqqq"));
  CHECK(!contains(far, "nearest"));
  CHECK(contains(set_error("train.lr"), "expected key=value"));
  CHECK(contains(set_error("=3"), "expected key=value"));
}

TEST_CASE("a value of another type says what is wanted") {
  CHECK(contains(set_error("train.batch_size=2.5"), "train.batch_size must be an integer"));
  CHECK(contains(set_error("train.batch_size=5000000000"), "train.batch_size must be a smaller integer"));
  CHECK(contains(set_error("train.lr=fast"), "train.lr must be a number"));
  CHECK(contains(set_error("train.lr=nan"), "train.lr must be finite"));
  CHECK(contains(set_error("train.lr=inf"), "train.lr must be finite"));
  CHECK(contains(set_error("input.bgr=1"), "input.bgr must be true or false"));
  CHECK(contains(set_error("anchors.ratios=2"), "anchors.ratios must be a list"));
  CHECK(contains(set_error("anchors.ratios=[1, wide]"), "anchors.ratios must be a list"));
  CHECK(contains(set_error("anchors.ratios=[1, \"wide\"]"), "anchors.ratios must be a number"));
  CHECK(contains(set_error("model.weights=3"), "model.weights must be a string"));
  CHECK(contains(set_error("loss.box=l2"), "loss.box must be one of l1, smooth_l1, giou, diou, ciou"));
  CHECK(contains(set_error("loss.box=1"), "loss.box must be one of"));
  CHECK(contains(set_error("input.white=bright"), "input.white must be one of auto, full, or an integer"));
  CHECK(contains(set_error("input.white=0"), "input.white must lie between 1 and 65535"));
  CHECK(contains(set_error("input.white=-1"), "input.white must lie between 1 and 65535"));
  CHECK(contains(set_error("input.white=1.5"), "input.white must be an integer"));
  CHECK(contains(set_error("loss.classification_weight=much"),
                 "loss.classification_weight must be one of guided, or a number"));
  CHECK(contains(set_error("loss.classification_weight=inf"), "loss.classification_weight must be finite"));
}

TEST_CASE("a value out of range names its key") {
  for (const char* assignment : {"loss.class_weights=[1, -0.5]",
                                 "loss.class_weights=[]",
                                 "loss.effective_beta=1",
                                 "model.prior=0",
                                 "model.prior=1",
                                 "model.prior=[]",
                                 "model.prior=[0.1, 1]",
                                 "model.min_level=1",
                                 "model.max_level=10",
                                 "model.max_level=1",
                                 "model.head_depth=-1",
                                 "model.freeze_stages=6",
                                 "model.groups=0",
                                 "model.norm_eps=-1e-5",
                                 "anchors.scales=[]",
                                 "anchors.scales=[0]",
                                 "anchors.ratios=[-1]",
                                 "anchors.size_factor=0",
                                 "match.foreground_iou=1.5",
                                 "match.background_iou=0.6",
                                 "loss.gamma=-0.5",
                                 "loss.smooth_l1_beta=-1",
                                 "loss.alpha=1.5",
                                 "loss.ema_momentum=2",
                                 "loss.ema_start=0",
                                 "input.min_sizes=[]",
                                 "input.max_size=0",
                                 "input.std=[1, 1]",
                                 "input.mean=[0, 0, 0, 0]",
                                 "input.std=[1, 1, 0]",
                                 "augment.flip=-1",
                                 "augment.crop_min=0",
                                 "augment.scale_min=2",
                                 "augment.hue=2",
                                 "train.iterations=0",
                                 "train.stop_at=-1",
                                 "train.batch_size=0",
                                 "train.accumulate=0",
                                 "train.lr=-1",
                                 "train.momentum=1",
                                 "train.milestones=[1.5]",
                                 "train.weight_decay=-1",
                                 "train.norm_decay=-1",
                                 "train.bias_decay=-1",
                                 "train.lr_gamma=-1",
                                 "train.warmup_factor=-1",
                                 "train.clip_norm=-1",
                                 "train.average=1",
                                 "train.log_every=-1",
                                 "train.pictures=-1",
                                 "train.workers=-1",
                                 "train.cache_mib=-1",
                                 "detect.score_threshold=1",
                                 "detect.top_k=0",
                                 "detect.nms_iou=1.1",
                                 "detect.max_detections=0",
                                 "detect.batch_size=0"}) {
    INFO(assignment);
    const std::string text = assignment, message = range_error(text);
    const std::size_t dot = text.find('.'), equals = text.find('=');
    CHECK(message.starts_with(text.substr(0, dot + 1)));
    CHECK(contains(message, text.substr(dot + 1, equals - dot - 1)));
    CHECK(contains(message, " must "));
  }
  CHECK(range_error("model.prior=0") == "model.prior must lie between 0 and 1");
  CHECK(range_error("train.lr=0") == "");
}

TEST_CASE("scales times ratios of anchors are bounded") {
  const auto refusal = [](const std::string& scales, const std::string& ratios) {
    Config config = preset("small");
    return error_of([&] {
      apply_settings(config, parse_settings({"anchors.scales=" + scales, "anchors.ratios=" + ratios}));
      check_config(config);
    });
  };
  CHECK(refusal("[1, 2, 3, 4]", "[1, 2, 3, 4]").empty());
  CHECK(refusal("[1, 2, 3, 4, 5]", "[1, 2, 3, 4]") ==
        "anchors.scales and anchors.ratios must give at most 16 anchors per pixel");
}

TEST_CASE("differences name key and values") {
  Config a = preset("small"), b = a;
  CHECK(differences(a, b, {"model.norm_eps", "input.mean", "loss.box"}).empty());
  b.model.norm_eps = 0;
  b.input.mean = {1, 2, 3};
  b.train.lr = 7;
  CHECK(differences(a, b, {"model.norm_eps", "input.mean", "loss.box"}) ==
        std::vector<std::string>{"model.norm_eps is 1e-05, not 0.0",
                                 "input.mean is [0.485, 0.456, 0.406], not [1.0, 2.0, 3.0]"});
}

TEST_CASE("a file overrides the keys that it has") {
  Config config = preset("small");
  override_config(config, "[train]\nlr = 0.5\n[loss]\ngamma = 1\n", "b.toml");
  CHECK(config.train.lr == 0.5);
  CHECK(config.loss.kind.get<FocalLoss>().gamma == 1);
  CHECK(config.train.momentum == 0.9);
  CHECK(contains(error_of([&] { override_config(config, "[train]\nlearning_rate = 1\n", "b.toml"); }),
                 "b.toml:2: unknown key train.learning_rate"));
  CHECK(contains(error_of([&] { override_config(config, "[train]\nlr = true\n", "b.toml"); }),
                 "b.toml:2: train.lr must be a number"));
}

TEST_CASE("every loss's configuration survives being written, no parameter has the name of another key") {
  for (const AnyLoss& loss : all_losses()) {
    INFO(loss_name(loss));
    Config config = preset("small");
    config.loss.kind = loss;
    for_each_parameter(config.loss.kind,
                       [](const auto& p, float& value) { value = p.whole ? p.highest : (p.lowest + value) / 2; });
    const std::string text = format_config(config);
    CHECK_NOTHROW(check_config(config));
    CHECK(format_config(parse_config(text, "text")) == text);
    CHECK(parse_config(text, "text").loss.kind.index() == loss.index());
  }
}

TEST_CASE("the chosen loss decides which parameters there are, in any order") {
  Config config = preset("small");
  apply_settings(config, {"loss.beta=-1", "train.lr=2", "loss.kind=focal_star", "loss.gamma=3"});
  const FocalStarLoss star = config.loss.kind.get<FocalStarLoss>();
  CHECK(star.gamma == 3);
  CHECK(star.beta == -1);
  CHECK(star.alpha == 0.25f);
  CHECK(config.train.lr == 2);

  override_config(config, "[loss]\nalpha = 0.5\nkind = \"balanced_ce\"\nnormaliser = \"image\"\n", "d.toml");
  CHECK(config.loss.kind.get<BalancedCeLoss>().alpha == 0.5f);
  CHECK(config.loss.normaliser == LossNormaliser::image);

  set_config(config, "loss.kind=hinge:margin=0.75");
  CHECK(config.loss.kind.get<HingeLoss>().margin == 0.75f);
  set_config(config, "loss.kind=hinge");  // its defaults, whatever was set before
  CHECK(config.loss.kind.get<HingeLoss>().margin == 0.5f);
}

TEST_CASE("a parameter of another loss, or of none, is refused") {
  CHECK(set_error("loss.beta=1") ==
        "--set loss.beta=1: unknown key loss.beta; loss.kind is focal, this belongs to focal_star, quality_focal");
  CHECK(contains(set_error("loss.gama=1"), "unknown key loss.gama; the nearest is loss.gamma"));
  CHECK(contains(set_error("loss.kind=focl"), "--set loss.kind=focl: unknown loss focl; the nearest is focal"));
  CHECK(contains(set_error("loss.kind=1"), "loss.kind must be the name of a loss"));
  CHECK(contains(set_error("loss.gamma=big"), "loss.gamma must be a number"));
  CHECK(contains(set_error("loss.gamma=1e99"), "loss.gamma must be finite"));
  CHECK(range_error("loss.gamma=11") == "loss.gamma must lie between 0 and 10");
}

TEST_CASE("a key that came later counts in hashes once its value is another than before it existed") {
  Config config = preset("small_sgd");
  std::vector<Key> keys = keys_with(config.loss.kind);
  for (Key& key : keys) key.later = false;
  CHECK(hashed_text(config, keys) == format_config(config));
  for (Key& key : keys) key.later = key.name == "train.nesterov" || key.name == "train.lr";
  CHECK(!contains(hashed_text(config, keys), "nesterov"));
  CHECK(contains(hashed_text(config, keys), "\nlr = 0.1\n"));
  config.train.nesterov = true;
  CHECK(hashed_text(config, keys) == format_config(config));
}

TEST_CASE("TOML that is too deep is refused with its line") {
  const auto error = [](const std::string& text) { return error_of([&] { parse_config(text, "c.toml"); }); };
  const auto dotted = [](int parts) {
    std::string key = "a";
    for (int i = 1; i < parts; ++i) key += ".a";
    return key;
  };
  const std::string keys = ": parts of a dotted key: 17, at most 16";
  const std::string depth = ": values inside each other: 17, at most 16";
  CHECK(error("\n[" + dotted(100000) + "]\n") == "c.toml:2" + keys);
  CHECK(error(dotted(17) + " = 1\n") == "c.toml:1" + keys);
  CHECK(error("x = { y = 1, " + dotted(17) + " = 1 }\n") == "c.toml:1" + keys);
  CHECK(error("a . 'a'.\"a\"" + std::string(14, '.') + "a = 1") == "c.toml:1" + keys);
  CHECK(error("x = " + std::string(17, '[')) == "c.toml:1" + depth);
  CHECK(error("x = " + std::string(200000, '[')) == "c.toml:1" + depth);
  CHECK(contains(error(dotted(16) + " = 1\n"), "unknown key a.a."));
  CHECK(contains(error("x = " + std::string(16, '[') + std::string(16, ']')), "unknown key x"));
  // Dots and brackets of strings and comments, and of one value after another, do not count.
  const std::string many = std::string(50, '.') + std::string(50, '['), three(3, '\''), quotes(3, '"');
  for (const std::string& text :
       {"# " + many, "x = \"" + many + "\\\"" + many + "\"", "x = '" + many + "\\'",
        "x = " + quotes + "\n" + many + "\"\"" + many + "\\" + quotes + "\"" + quotes,
        "x = " + three + many + "\n''" + many + three + "''",
        std::string("x = [1.5, 1.5, 1.5, 1.5, 1.5, 1.5, 1.5, 1.5, 1.5, 1.5, 1.5, 1.5, 1.5, 1.5, 1.5, 1.5, 1.5]")}) {
    INFO(text);
    CHECK(!contains(error(text + "\n"), "at most 16"));
    // What follows is seen again, on its line.
    CHECK(error(text + "\n" + dotted(17) + " = 1") ==
          "c.toml:" + std::to_string(2 + std::count(text.begin(), text.end(), '\n')) + keys);
  }
}

TEST_CASE("a TOML error names its line") {
  CHECK(contains(error_of([] { parse_config("[model]\nwidth = 16\nnorm = batch\n", "c.toml"); }), "c.toml:3: "));
  CHECK(!contains(error_of([] { parse_config("[model]\nwidth = 16\nnorm = batch\n", "c.toml"); }), "\n"));
}
