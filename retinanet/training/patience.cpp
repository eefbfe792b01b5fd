#include "retinanet/training/patience.h"

#include <algorithm>

#include "kernels/base/text.h"

namespace diopter {

std::string note_evaluation(RunState& state, const Schedule& schedule, bool better) {
  const int patience = state.config.train.patience;
  if (patience == 0) return "";
  state.stale = better ? 0 : state.stale + 1;
  const std::int64_t place = state.iteration + state.left_out;
  if (state.stale < patience || place >= schedule.iterations) return "";
  state.stale = 0;
  const std::int64_t next = schedule.next_decay(place);
  state.left_out += next - place;
  const std::string reason = "train.patience = " + std::to_string(patience) +
                             ": no evaluation since has had an AP of more than " +
                             formatted("%.1f", 100 * std::max(state.best_ap, 0.0)) + "; ";
  const std::string steps = std::to_string(next - place) + " iterations of the schedule are left out";
  if (next < schedule.iterations) {
    return reason + formatted("the learning rate falls from %g to %g now: ", schedule.at(place), schedule.at(next)) +
           steps;
  }
  return reason + formatted("training ends at a learning rate of %g: ", schedule.at(place)) + steps;
}

std::string left_out_text(const RunState& state) {
  if (state.left_out == 0) return "";
  return "train.patience left out " + std::to_string(state.left_out) + " of the schedule's " +
         std::to_string(state.config.train.iterations) + " iterations";
}

}  // namespace diopter
