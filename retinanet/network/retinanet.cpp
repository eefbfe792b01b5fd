#include "retinanet/network/retinanet.h"

#include <algorithm>

#include "engine/profile/profile.h"
#include "retinanet/detection/anchors_for_levels.h"

namespace diopter {

namespace {

int last_backbone_level(const Config::Model& model) { return std::min(model.max_level, 5); }

std::vector<int> fpn_inputs(const Config::Model& model, const Backbone& body) {
  std::vector<int> channels;
  for (int level = model.min_level; level <= last_backbone_level(model); ++level)
    channels.push_back(body.channels(level));
  return channels;
}

}  // namespace

RetinaNet::BackboneWithFpn::BackboneWithFpn(const Config::Model& model, InitRandom& random)
    : body(make_backbone(model, last_backbone_level(model), random)),
      fpn(model, fpn_inputs(model, *body), random),
      first_map(model.min_level - 2) {
  add_module("body", *body);
  add_module("fpn", fpn);
}

RetinaNet::RetinaNet(const Config& config, int classes, InitialWeights weights, double most_weights)
    : config_(config),
      classes_(classes),
      random_(static_cast<std::uint64_t>(config.train.seed), weights, most_weights),
      backbone_(config.model, random_),
      head_(config.model, cells_of(config.anchors), classes, random_) {
  add_module("backbone", backbone_);
  add_module("head", head_);
  name_parameters();
}

void RetinaNet::set_precision(DType precision) {
  precision_ = precision;
  if (precision == DType::bf16) write_bf16_copies();
  fold_frozen_norms();
}

RetinaNet::Output RetinaNet::operator()(const Variable& images, Features* features) const {
  const ProfiledScope phase("forward");
  std::vector<Variable> maps = (*backbone_.body)(cast(images, precision_));
  maps.erase(maps.begin(), maps.begin() + backbone_.first_map);
  const Pyramid pyramid = backbone_.fpn(maps);
  if (features) *features = {maps, pyramid};
  const int height = static_cast<int>(images.shape()[1]), width = static_cast<int>(images.shape()[2]);
  return {head_.logits(pyramid), head_.deltas(pyramid), anchors_for_levels(config_, pyramid.levels, width, height)};
}

}  // namespace diopter
