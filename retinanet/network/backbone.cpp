#include "retinanet/network/backbone.h"

#include <string>

#include "generated/backbone_list.h"
#include "kernels/base/check.h"
#include "kernels/base/did_you_mean.h"
#include "retinanet/config/backbone_names.h"
#include "retinanet/config/config_error.h"

namespace diopter {

namespace {

/// What can be done with a backbone before there is one.
struct BackboneKind {
  std::unique_ptr<Backbone> (*make)(const Config::Model& model, int last_level, InitRandom& random);
  std::optional<ResNetSpec> (*resnet_spec)(const Config::Model& model);
};

template <class B>
std::unique_ptr<Backbone> make(const Config::Model& model, int last_level, InitRandom& random) {
  return std::make_unique<B>(model, last_level, random);
}

template <class B>
std::optional<ResNetSpec> spec_of(const Config::Model& model) {
  if constexpr (requires { B::spec(model); }) return B::spec(model);
  return std::nullopt;
}

template <class... B>
std::vector<BackboneKind> kinds_of(BackboneTypes<B...>) {
  return {{make<B>, spec_of<B>}...};
}

BackboneKind kind_of(const Config::Model& model) {
  const std::vector<std::string>& names = backbone_names();
  const std::vector<BackboneKind> kinds = kinds_of(AllBackbones());
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (names[i] == model.backbone) return kinds[i];
  }
  fail("model.backbone: there is no '", model.backbone, "'", hint(model.backbone, names));
}

}  // namespace

void check_backbone(const Config::Model& model) {
  const std::optional<ResNetSpec> spec = resnet_spec(model);
  // All channels of a residual network are multiples of its stem's.
  if (!spec || model.norm != NormKind::group || spec->stem_width % model.groups == 0) return;
  throw ConfigError(
      "model.groups", "",
      "model.groups must divide the channels of the backbone's stem (" + std::to_string(spec->stem_width) + ")");
}

std::unique_ptr<Backbone> make_backbone(const Config::Model& model, int last_level, InitRandom& random) {
  check_backbone(model);
  return kind_of(model).make(model, last_level, random);
}

std::optional<ResNetSpec> resnet_spec(const Config::Model& model) { return kind_of(model).resnet_spec(model); }

}  // namespace diopter
