// Training steps outside of a run, for what is measured before it: the time of a step, and how the loss answers to the
// learning rate.
#include "retinanet/training/trainer.h"

namespace diopter {

void Trainer::rehearse(const Config& config, const Dataset& train, Device device, const Schedule& schedule,
                       const std::function<bool(const StepReport&)>& step) {
  Trainer trainer(fresh_state(config, train, {}), train, {}, "", device, single_process());
  trainer.start_weights();
  trainer.schedule_ = schedule;
  for (bool go_on = true; go_on;) {
    trainer.queue_step({});
    go_on = step(trainer.finish_step());
  }
}

}  // namespace diopter
