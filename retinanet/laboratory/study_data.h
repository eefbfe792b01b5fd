// The pictures of a study: three splits that share none.
#pragma once

#include <array>
#include <string>

#include "data/dataset.h"
#include "retinanet/laboratory/protocol.h"

namespace diopter {

enum Split { kTrainSplit, kTuneSplit, kTestSplit };
constexpr std::array<const char*, 3> kSplitNames = {"train", "tune", "test"};

/// Writes FOLDER/{train,tune,test}.json, and FOLDER/images where the pictures are synthetic: what all runs of a study
/// read, so that they see the same whatever happens to the original files. Boxes marked difficult (VOC) become crowd
/// regions, which COCO's metrics ignore. Relative paths of the protocol are taken from `protocol_folder`. Warnings of
/// the readers are returned. Throws Error when a split has no picture, the tuning or the test split has no object, or
/// two splits share a picture. `progress` may be null.
std::vector<std::string> write_study_data(const StudyData& data, const std::string& protocol_folder,
                                          const std::string& folder, void (*progress)(int done, int total));

/// One split of what write_study_data wrote.
Dataset read_study_data(const std::string& folder, Split split);

}  // namespace diopter
