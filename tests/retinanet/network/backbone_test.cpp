#include "retinanet/network/backbone.h"

#include <set>

#include "retinanet/config/backbone_names.h"
#include "retinanet/network/resnet.h"
#include "tests/retinanet/support.h"
#include "tests/support/catch.h"
#include "tests/support/random.h"

namespace diopter {
namespace {

using namespace test;

Config::Model model_of(const std::string& backbone, NormKind norm = NormKind::batch, int groups = 1) {
  Config::Model model = tiny_config().model;
  model.backbone = backbone;
  model.norm = norm;
  model.groups = groups;
  return model;
}

TEST_CASE("backbones: every name makes one, and stages beyond the last level are left out") {
  for (const std::string& name : backbone_names()) {
    INFO(name);
    InitRandom random(1, InitialWeights::unset);
    const std::unique_ptr<Backbone> backbone = make_backbone(model_of(name), 2, random);
    const std::vector<Variable> maps = (*backbone)(Variable(Tensor::zeros({1, 32, 48, 3})));
    REQUIRE(maps.size() == 1);
    CHECK(maps[0].shape() == Shape{1, 8, 12, backbone->channels(2)});
  }
}

TEST_CASE("backbones: an unknown name is an error, not some backbone") {
  CHECK(error_of([] { check_backbone(model_of("resnet5")); }) ==
        "model.backbone: there is no 'resnet5'; the nearest is resnet50");
  InitRandom random(1);
  CHECK(contains(error_of([&] { make_backbone(model_of("vgg"), 5, random); }), "there is no 'vgg'"));
  CHECK(contains(error_of([] { resnet_spec(model_of("")); }), "there is no ''"));
}

TEST_CASE("backbones: group norms need channels that their groups divide") {
  for (const std::string& name : preset_names()) CHECK_NOTHROW(check_backbone(preset(name).model));
  CHECK_NOTHROW(check_backbone(model_of("resnet50", NormKind::group, 32)));
  CHECK_NOTHROW(check_backbone(model_of("resnet50", NormKind::batch, 48)));
  CHECK(error_of([] { check_backbone(model_of("resnet50", NormKind::group, 48)); }) ==
        "model.groups must divide the channels of the backbone's stem (64)");
  InitRandom random(1);
  CHECK(contains(error_of([&] { make_backbone(model_of("tiny", NormKind::group, 3), 5, random); }), "stem (4)"));
}

TEST_CASE("backbones: the residual networks give C2 to C5 at strides 4 to 32", "[thorough]") {
  const auto require_shapes = [](const std::vector<std::string>& settings, const std::vector<int>& channels,
                                 int blocks) {
    INFO(settings[0]);
    const Config config = configured("small", settings);
    InitRandom random(0);
    const std::unique_ptr<Backbone> body = make_backbone(config.model, 5, random);
    const std::vector<Variable> maps = (*body)(Variable(Tensor::zeros({2, 64, 33, 3})));
    REQUIRE(maps.size() == 4);
    for (int i = 0; i < 4; ++i) {
      const int size = 4 << i;
      CHECK(maps[i].shape() == Shape{2, 64 / size, (33 + size - 1) / size, channels[i]});
      CHECK(body->channels(2 + i) == channels[i]);
    }
    std::set<std::string> seen;
    for (const NamedParameter& p : body->parameters()) {
      if (p.name.starts_with("layer")) seen.insert(p.name.substr(0, p.name.find('.', 7)));
    }
    CHECK(static_cast<int>(seen.size()) == blocks);
  };
  require_shapes({"model.backbone=tiny", "model.width=8"}, {16, 32, 32, 64}, 4);
  require_shapes({"model.backbone=resnet18"}, {64, 128, 256, 512}, 8);
  require_shapes({"model.backbone=resnet34"}, {64, 128, 256, 512}, 16);
  require_shapes({"model.backbone=resnet50"}, {256, 512, 1024, 2048}, 16);
  require_shapes({"model.backbone=resnet101"}, {256, 512, 1024, 2048}, 33);
}

TEST_CASE("backbones: stride_in_1x1 moves a bottleneck's stride") {
  // A 1x1 convolution of stride 2 never reads odd pixels, a 3x3 does.
  const auto reads_odd_pixels = [](bool stride_in_1x1) {
    Config config = preset("torchvision");
    config.model.stride_in_1x1 = stride_in_1x1;
    InitRandom random(3);
    const ResidualBlock block(4, 4, 16, 2, true, config.model, random);
    const std::vector<float> x = uniform(8 * 8 * 4, -1, 1, 4);
    std::vector<float> changed = x;
    for (int c = 0; c < 4; ++c) changed[(3 * 8 + 3) * 4 + c] += 1;
    const auto y = [&](const std::vector<float>& values) {
      return block(Variable(Tensor::from({1, 8, 8, 4}, values))).value().to_vector<float>();
    };
    return y(x) != y(changed);
  };
  CHECK(reads_odd_pixels(false));
  CHECK(!reads_odd_pixels(true));
}

}  // namespace
}  // namespace diopter
