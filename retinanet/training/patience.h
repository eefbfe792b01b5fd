// Patience: stages of the schedule that bring nothing more are cut short (train.patience).
#pragma once

#include <string>

#include "engine/schedule.h"
#include "retinanet/weights/run_state.h"

namespace diopter {

/// Notes an evaluation, whose AP was `better` than all before or not. After train.patience in a row that were not, the
/// run goes on as if the schedule had come to its next milestone, or to its end: state.left_out grows by the steps
/// between, and the count starts anew. Returns what was decided, one line; "" where the schedule goes on as it is.
std::string note_evaluation(RunState& state, const Schedule& schedule, bool better);

/// "train.patience left out 700 of the schedule's 1500 iterations"; "" where it left out none.
std::string left_out_text(const RunState& state);

}  // namespace diopter
