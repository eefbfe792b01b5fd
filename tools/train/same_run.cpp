#include "tools/train/same_run.h"

#include <string>

#include "data/dataset_hash.h"
#include "kernels/base/files.h"
#include "kernels/base/hash.h"
#include "kernels/base/text.h"
#include "retinanet/config/config_text.h"

namespace diopter {

namespace {

std::string hash_of_program() {
  Fnv1a hash;
  hash.add(read_file("/proc/self/exe"));
  return hash.text();
}

std::string hash_of_weights(const RetinaNet& model) {
  Fnv1a hash;
  for (const NamedParameter& p : model.parameters()) {
    for (const float value : p.variable.value().to_vector<float>()) hash.add_number(value);
  }
  return hash.text();
}

std::string numbers_of(const std::vector<UnreadablePicture>& pictures) {
  return join(pictures, " ", [](const UnreadablePicture& picture) { return std::to_string(picture.image); });
}

}  // namespace

void require_same_run(Communicator& ranks, const RunOfRank& run) {
  if (ranks.ranks() == 1) return;
  std::vector<std::pair<std::string, std::string>> facts;
  together(ranks, [&] {
    facts = {{"program", hash_of_program()},
             {"training set", dataset_hash(run.training)},
             {"validation set", dataset_hash(run.validation)},
             {"set of training pictures that cannot be read", numbers_of(run.unreadable)},
             {"set of validation pictures that cannot be read", numbers_of(run.unreadable_validation)},
             {"configuration", format_config(run.trainer.config())},
             {"checkpoint", std::to_string(run.trainer.iteration())},
             {"set of weights to start from", hash_of_weights(run.trainer.model())}};
  });
  require_same(ranks, facts);
}

}  // namespace diopter
