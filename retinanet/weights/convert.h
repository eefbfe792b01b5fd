// diopter convert: weights from one program to another.
#pragma once

#include <string>
#include <vector>

#include "retinanet/weights/weights.h"

namespace diopter {

struct ConvertOptions {
  bool to_torchvision = false;        // otherwise to a checkpoint of diopter
  std::string preset;                 // configuration instead of the recognised one, but for [model]; "": that one
  std::vector<std::string> settings;  // key=value: what the file does not say, or says wrongly
  std::string classes;                // "": as in the file; a number; a COCO .json; a text file with a name per line
};

struct Conversion {
  Checkpoint checkpoint;
  std::vector<std::string> notes;  // what was read, decided, changed and left out, one line each
};

struct ClassList {
  std::vector<std::string> names;
  std::vector<std::int64_t> ids;
};

/// Classes for the outputs of the weights, or for a new classification layer when their number is another one.
/// `wanted`: as in ConvertOptions. A list whose ids all are category ids of the weights (with the same names, where
/// these are known) only names outputs: torchvision's 91 outputs stay 91 for the 80 classes of COCO, so that scores,
/// the candidates among which the best are chosen and hence all detections are torchvision's.
ClassList chosen_classes(const Weights& weights, const std::string& wanted);

/// Reads a file as read_weights does and converts it.
///
/// To diopter: a checkpoint with the configuration and classes, which detect, evaluate and train (model.weights) take;
/// of a backbone, only its tensors, for training.
///
/// To torchvision: the tensors that load_state_dict(strict=True) of the same network there wants, with the input's
/// channels as RGB and the anchors of a pixel ratio-major. Throws Error when torchvision has no such network.
///
/// Where the file's classes and the wanted ones differ in number, the last classification layer starts afresh, and a
/// note says so.
Conversion convert_weights(const std::string& file, const ConvertOptions& options);

}  // namespace diopter
