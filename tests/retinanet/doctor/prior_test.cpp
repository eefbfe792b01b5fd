#include "retinanet/doctor/prior.h"

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "data/pictures/image.h"
#include "kernels/base/check.h"
#include "kernels/detection/losses/ce.h"
#include "kernels/detection/losses/focal.h"
#include "kernels/plain/match.h"
#include "retinanet/config/configure.h"
#include "retinanet/config/presets.h"
#include "retinanet/network/head.h"
#include "retinanet/network/input.h"
#include "retinanet/network/retinanet.h"
#include "tests/retinanet/annotated.h"
#include "tests/support/catch.h"
#include "tests/support/files.h"

using namespace diopter;
using namespace diopter::test;

namespace {

/// Two pictures of 64 x 64 with objects of two classes, one without; a third class has none.
Dataset three_pictures() {
  Dataset dataset;
  dataset.categories = {{1, "one"}, {2, "two"}, {3, "three"}};
  dataset.images = {annotated("a", 64, 64, {{5, 6, 20, 22}, {33, 30, 25, 14}}), annotated("b", 64, 64, {}),
                    annotated("c", 64, 64, {{20, 20, 30, 30}})};
  dataset.images[0].annotations[1].category = 1;
  return dataset;
}

struct Counted {
  std::int64_t positives = 0, negatives = 0;  // anchors
};

/// The paper's rule, anchor by anchor: the best box decides, and a box's best anchors belong to it.
Counted count_anchors(const Config& config, const Dataset& dataset) {
  Counted counted;
  for (const ImageRecord& record : dataset.images) {
    const InputSize size = input_size(config, record.width, record.height);
    const AnchorGrid grid = anchors_of_input(config, size.padded_width, size.padded_height);
    std::vector<float> anchors(static_cast<std::size_t>(grid.size()) * 4);
    cpu::generate_anchors(grid, anchors.data());
    std::vector<std::vector<float>> ious;  // [boxes][anchors]
    for (const TargetBox& target : input_targets(record, size)) {
      std::vector<float>& of_box = ious.emplace_back();
      for (std::size_t i = 0; i < anchors.size(); i += 4) {
        of_box.push_back(box_iou({anchors[i], anchors[i + 1], anchors[i + 2], anchors[i + 3]}, target.box));
      }
    }
    for (std::int64_t i = 0; i < grid.size(); ++i) {
      float best = 0;
      bool claimed = false;
      for (const std::vector<float>& of_box : ious) {
        best = std::max(best, of_box[i]);
        claimed = claimed || of_box[i] == *std::max_element(of_box.begin(), of_box.end());
      }
      if (best >= static_cast<float>(config.match.foreground_iou) || (config.match.low_quality && claimed))
        ++counted.positives;
      else if (best < static_cast<float>(config.match.background_iou))
        ++counted.negatives;
    }
  }
  return counted;
}

}  // namespace

TEST_CASE("the balanced prior of cross-entropy is 1 / (1 + rho)") {
  for (const double rho : {0.5, 1.0, 132.0, 279.0, 7650.0, 160000.0, 1e9}) {
    REQUIRE(balanced_prior(CeLoss{}, rho) == Approx(1 / (1 + rho)).epsilon(1e-9));
  }
}

TEST_CASE("the balanced priors of known set-ups: COCO's rho of 160,000, and 279") {
  const AnyLoss focal = FocalLoss{};  // gamma 2, alpha 0.25
  CHECK(balanced_prior(focal, 160000) == Approx(0.0090).epsilon(0.02));
  CHECK(balanced_prior(focal, 279) == Approx(0.077).epsilon(0.02));
  CHECK(balanced_prior(CeLoss{}, 160000) == Approx(6e-6).epsilon(0.05));
  CHECK(balanced_prior(CeLoss{}, 279) == Approx(0.0036).epsilon(0.02));
}

TEST_CASE("the balanced prior of every loss is where a scan finds its gradients to change places") {
  for (const AnyLoss& loss : all_losses()) {
    for (const double rho : {3.0, 132.0, 7650.0, 160000.0}) {
      constexpr double kStep = 4e-3;
      int crossings = 0;
      double crossing = 0;
      bool before = true;
      for (double x = -40; x < 40; x += kStep) {
        const bool positives =
            std::fabs(loss_at(loss, x, true).derivative) > rho * std::fabs(loss_at(loss, x, false).derivative);
        if (positives != before) crossing = x;
        crossings += positives != before;
        before = positives;
      }
      INFO(loss_name(loss) << " rho " << rho);
      REQUIRE(crossings == 1);
      const double p = balanced_prior(loss, rho), x = std::log(p / (1 - p));
      REQUIRE(std::fabs(x - crossing) <= 1.01 * kStep);
    }
  }
}

TEST_CASE("rho is classes times negative by positive anchors") {
  for (const std::string setting : {"match.low_quality=true", "match.low_quality=false", "match.foreground_iou=0.7"}) {
    Config config = preset("small");
    set_config(config, setting);
    const Dataset dataset = three_pictures();
    const Counted counted = count_anchors(config, dataset);
    INFO(setting);
    REQUIRE(counted.positives > 0);
    REQUIRE(
        imbalance(match_pictures(config, dataset), 3) ==
        Approx(3.0 * static_cast<double>(counted.negatives) / static_cast<double>(counted.positives)).epsilon(1e-12));
  }
}

TEST_CASE("rho and the doctor's count of anchors are those of match.rule = atss") {
  Config config = preset("small");
  set_config(config, "match.rule=atss");
  const Dataset dataset = three_pictures();
  std::int64_t positives = 0, negatives = 0;
  for (const ImageRecord& record : dataset.images) {
    const InputSize size = input_size(config, record.width, record.height);
    const AnchorGrid grid = anchors_of_input(config, size.padded_width, size.padded_height);
    std::vector<float> boxes;
    std::vector<std::int32_t> classes;
    for (const TargetBox& target : input_targets(record, size)) {
      boxes.insert(boxes.end(), {target.box.x1, target.box.y1, target.box.x2, target.box.y2});
      classes.push_back(target.label);
    }
    const std::vector<std::int32_t> offsets{0, static_cast<std::int32_t>(classes.size())};
    std::vector<std::int32_t> labels(grid.size()), matches(grid.size()), found(1);
    plain::match_anchors({grid,
                          {1, offsets[1], boxes.data(), classes.data(), offsets.data()},
                          {.kind = MatchKind::atss, .candidates = 9},
                          labels.data(),
                          matches.data(),
                          found.data()});
    positives += found[0];
    negatives += grid.size() - found[0];
  }
  REQUIRE(positives > 0);
  const AnchorMatches counted = match_pictures(config, dataset);
  REQUIRE(counted.positives == positives);
  REQUIRE(counted.low_quality == 0);
  REQUIRE(imbalance(counted, 3) == Approx(3.0 * static_cast<double>(negatives) / static_cast<double>(positives)));
}

TEST_CASE("model.prior finds its numbers on the training set") {
  const Dataset dataset = three_pictures();
  Config config = preset("small");
  REQUIRE(with_prior(config, dataset).model.prior.values == std::vector<double>{0.01});

  set_config(config, "model.prior=balance");
  const AnchorMatches matches = match_pictures(config, dataset);
  const Prior balanced = with_prior(config, dataset).model.prior;
  REQUIRE(balanced.rule == PriorRule::stated);
  REQUIRE(balanced.values == std::vector<double>{balanced_prior(config.loss.kind, imbalance(matches, 3))});

  set_config(config, "model.prior=data");
  const Prior data = with_prior(config, dataset).model.prior;
  REQUIRE(data.rule == PriorRule::stated);
  REQUIRE(data.values.size() == 3);
  const double anchors = static_cast<double>(matches.positives + matches.background);
  REQUIRE(data.values[0] + data.values[1] == Approx(static_cast<double>(matches.positives) / anchors));
  REQUIRE(data.values[0] > data.values[1]);  // two objects, one
  REQUIRE(data.values[2] == 0.5 / anchors);
}

TEST_CASE("model.prior = balance reads sizes from the files where the annotations have none") {
  const TemporaryFolder folder;
  Config config = preset("small");
  set_config(config, "model.prior=balance");
  Dataset dataset = three_pictures();
  const double stated = with_prior(config, dataset).model.prior.values[0];
  for (ImageRecord& record : dataset.images) {
    record.width = record.height = 0;
    record.file = folder.path(record.name);
    if (record.name != "b.png") write_image(record.file, {64, 64, std::vector<std::uint8_t>(64 * 64 * 3)});
  }
  const double read = with_prior(config, dataset).model.prior.values[0];
  std::erase_if(dataset.images, [](const ImageRecord& record) { return record.name == "b.png"; });
  REQUIRE(read == with_prior(config, dataset).model.prior.values[0]);
  REQUIRE(read > stated);  // the picture without objects is missing
}

TEST_CASE("model.prior = balance needs positives, and a network its numbers") {
  Config config = preset("small");
  set_config(config, "model.prior=balance");
  Dataset dataset = three_pictures();
  dataset.images.resize(2);
  dataset.images[0].annotations.clear();
  REQUIRE(error_of([&] { with_prior(config, dataset); }) ==
          "none of the anchors is positive, on 2 pictures of the training set");
  REQUIRE(error_of([&] { RetinaNet(config, 3); }) ==
          "model.prior = balance is found when training starts: here it must be a number");
  set_config(config, "model.prior=[0.1, 0.2]");
  REQUIRE(error_of([&] { RetinaNet(config, 3); }) == "model.prior has 2 numbers, and there are 3 classes");
}

TEST_CASE("with one prior per class, each class starts at its own") {
  Config config = preset("small");
  set_config(config, "model.prior=[0.1, 0.02, 0.003]");
  const RetinaNet model(config, 3);
  bool found = false;
  for (const NamedParameter& p : model.parameters()) {
    if (!p.name.ends_with("cls_logits.bias")) continue;
    found = true;
    const std::vector<float> biases = p.variable.value().to_vector<float>();
    REQUIRE(biases.size() % 3 == 0);
    for (std::size_t i = 0; i < biases.size(); ++i) REQUIRE(biases[i] == prior_bias(config.model.prior.values[i % 3]));
  }
  REQUIRE(found);
}
