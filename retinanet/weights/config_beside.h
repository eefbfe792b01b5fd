// Class names in a config.json beside weights, as Hugging Face's models have it.
#pragma once

#include <string>
#include <vector>

namespace diopter {

/// The names of `outputs` classes that config.json in the folder of `file` gives, in the order of the outputs:
/// "label_dict" (DeepForest), {"Tree": 0}, or "id2label" (transformers), {"0": "Tree"}. None where there is no such
/// file or it names no classes. Throws Error naming config.json for one that is no JSON, or whose classes are not those
/// of the outputs 0, 1, ... one each.
std::vector<std::string> class_names_beside(const std::string& file, int outputs);

}  // namespace diopter
