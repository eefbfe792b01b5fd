// Weights from files of any kind that is known, and how they get into a model.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "engine/files/checkpoint.h"
#include "retinanet/config/setting.h"
#include "retinanet/network/retinanet.h"
#include "retinanet/weights/run_state.h"

namespace diopter {

struct Weights {
  std::string kind;                // "torchvision RetinaNet with resnet50", "Detectron2 ResNet with resnet101", ...
  bool foreign = false;            // not written by diopter: kind, configuration and classes were recognised
  Checkpoint checkpoint;           // tensors under the names used here; moving averages in place of what they average
  RunState state;                  // the configuration that they are for, and their classes
  bool backbone_only = false;      // then there are no classes
  bool names_known = true;         // whether the classes' names are more than numbers
  bool labels_are_ids = false;     // whether the category ids are the numbers of the network's outputs
  std::vector<std::string> notes;  // decisions that the file does not make, one line each
};

/// Reads a checkpoint of diopter, or of PyTorch, torchvision or Detectron2 (.safetensors, .pth, .pt, .pkl); a run
/// folder stands for its best weights (weights_file). Throws Error naming file and place for any other file, and for
/// settings that no configuration may have.
Weights read_weights(const std::string& name);

/// The same of what such a file holds; Errors name `checkpoint.file`.
Weights weights_of(Checkpoint checkpoint);

/// Classes of a network with `outputs` outputs whose file names none: those of COCO for 80 outputs and for
/// torchvision's 91 (an output for every id up to 90; the unused ones are called "unused ID"), "class 0", "class 1",
/// ... for others. Sets `known` accordingly. Ids start at 0 when labels are ids, at 1 otherwise.
std::vector<Category> default_classes(int outputs, bool labels_are_ids, bool& known);

/// Copies weights into a model, whose configuration may have the input's channels or the anchors of a pixel in another
/// order: both are permuted. What the weights do not hold keeps its values: pyramid and heads when they are of a
/// backbone, the last classification layer when it is for other classes. Returns what there is to say about that and
/// about settings in which the weights' configuration differs from the model's, one line each. Throws Error naming the
/// first tensor that is missing, different or surplus, and the preset that the weights fit, and then changes nothing.
/// `classes`: of the model; where they are given and the weights name theirs, the rows of the last classification layer
/// follow the names (class_rows.h), else their order.
std::vector<std::string> load_into(const RetinaNet& model, const Weights& weights,
                                   const std::vector<std::string>& classes = {});

/// Where the network of the weights and that of a configuration differ, one line per key: then their tensors do not
/// fit, or would mean something else (groups of norms). Of a backbone's weights only what is of the backbone.
std::vector<std::string> network_differences(const Weights& weights, const Config& config);

/// The model of a checkpoint with its configuration and class names.
struct LoadedModel {
  std::unique_ptr<RetinaNet> model;
  std::vector<std::string> classes;
  std::vector<std::int64_t> category_ids;  // of the classes, in the annotations that it was trained on
  std::vector<double> thresholds{};        // RunState::thresholds
};

/// Loads a checkpoint of a detector, of any kind that read_weights knows; the moving average of the weights is taken
/// where there is one. It detects in its configuration's detect.precision. Throws Error when the file is no such
/// checkpoint, naming the first tensors that differ, when its settings describe a larger network than its tensors, and
/// when a tensor has values that are not finite, naming it. `settings` override keys detect.* of the configuration;
/// Error for other keys.
LoadedModel load_model(const std::string& name, Device device = Device::cpu, const Settings& settings = {});

/// The same of weights that have been read.
LoadedModel model_with(Weights weights, Device device = Device::cpu, const Settings& settings = {});

}  // namespace diopter
