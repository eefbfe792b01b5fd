// Training a RetinaNet: the loop, its run folder, evaluation on the way, interruption and resumption.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "data/loader.h"
#include "data/metrics/coco_metrics.h"
#include "engine/distributed/communicator.h"
#include "engine/optimizer.h"
#include "engine/schedule.h"
#include "kernels/base/check.h"
#include "kernels/base/folder_lock.h"
#include "retinanet/config/setting.h"
#include "retinanet/detection/targets.h"
#include "retinanet/network/retinanet.h"
#include "retinanet/tensorboard/run_events.h"
#include "retinanet/training/batch_queue.h"
#include "retinanet/training/loss_distribution.h"
#include "retinanet/training/step_graphs.h"
#include "retinanet/training/step_report.h"
#include "retinanet/training/training_step.h"
#include "retinanet/weights/run_state.h"

namespace diopter {

/// Callbacks of a training run; any may be empty.
struct TrainerCallbacks {
  std::function<bool()> stop_requested;  // polled before every step, between its batches, and within evaluations
  std::function<bool()> save_requested;  // polled after every step: true once for each time that one is wanted
  std::function<void()> step_begins;
  std::function<void(const StepReport&)> step;
  std::function<void(std::int64_t done, std::int64_t total)> evaluation;
  std::function<void()> evaluated;                  // an evaluation is in the run folder
  std::function<void(const std::string&)> note;     // what the run does and has found, one line each
  std::function<void(const std::string&)> message;  // warnings, one line each
  std::function<void(const std::string&)> skipped;  // "FILE: reason": a training picture that cannot be used
};

/// A loss or gradient was not finite: the run has diverged.
class NotFinite : public Error {
 public:
  NotFinite(std::int64_t iteration, const std::string& what) : Error(what), iteration_(iteration) {}
  std::int64_t iteration() const { return iteration_; }

 private:
  std::int64_t iteration_;
};

/// A run folder holds
///   config.toml                    everything, resolved
///   metrics.csv                    one line every log_every steps, and one for each evaluation
///   checkpoints/last.safetensors   all that is needed to go on: weights, what the optimizer keeps, averages, state
///   checkpoints/best.safetensors   the weights with the best AP so far, without what only training needs
///   pictures/                      validation pictures with their detections
///   errors/                        cut-outs of the worst errors of the last evaluation (error_crops.h)
///   evaluation.json                metrics and curves of the last evaluation (evaluation_file.h)
///   outcome.json                   how the run ended (run_folder.h)
/// The same configuration and data give the same weights, bit for bit, whether interrupted and resumed or not, and for
/// any number of threads, loader workers and ranks. The folder is locked while the trainer lives.
///
/// With several ranks (docs/scaling.md) each has a trainer of its own, with the same arguments; what it throws, it
/// throws alone, but for SharedError and NotFinite. Making one does not communicate. Rank 0 alone writes into the
/// folder and calls evaluated(); stop_requested and save_requested hold for all when they hold for one.
class Trainer {
 public:
  /// A new run; throws Error when the folder holds a run already, or the configuration does not fit the data.
  /// `validation` may have no images: then there is no evaluation. It has the classes of `train`.
  Trainer(const Config& config, const Dataset& train, const Dataset& validation, const std::string& folder,
          Device device = Device::cpu, Communicator& ranks = single_process());

  /// What is different when a run goes on.
  struct Resumption {
    const Config& config;
    std::vector<SettingChange> changes;  // of the settings (setting_changes.h)
  };

  /// Goes on from the folder's last checkpoint; its configuration is overridden with the settings. What that changes is
  /// told, and noted in checkpoints and config.toml. train.stop_at of the checkpoint is forgotten. Throws Error for
  /// other data than the run has seen (dataset_hash). `check` is called before anything is made, and may throw.
  static std::unique_ptr<Trainer> resume(const std::string& folder, const Settings& settings, const Dataset& train,
                                         const Dataset& validation, Device device = Device::cpu,
                                         const std::function<void(const Resumption&)>& check = {},
                                         Communicator& ranks = single_process());

  struct Result {
    std::int64_t iteration;
    bool finished;   // false: stopped before the end of the schedule
    bool evaluated;  // whether `metrics` is of the final weights
    CocoMetrics metrics;
  };
  /// Trains until the schedule ends, train.stop_at is reached or a stop is requested; saves and, at the end of the
  /// schedule, evaluates, without the pictures that cannot be decoded. An evaluation that was due when the run was
  /// killed, stopped or failed is made first. A stop within a
  /// step of several batches, or within an evaluation, leaves the run as it was before. Throws NotFinite when a loss or
  /// gradient is not finite: it names the first layer with such a value and the pictures of the batch, and the last
  /// checkpoint stays.
  Result run(const TrainerCallbacks& own);

  /// Training steps that leave nothing behind: those of a new run, at the rates of `schedule`, without a folder. `step`
  /// is called after each one; false ends them. Throws NotFinite as run().
  static void rehearse(const Config& config, const Dataset& train, Device device, const Schedule& schedule,
                       const std::function<bool(const StepReport&)>& step);

  const RetinaNet& model() const { return *model_; }
  const Config& config() const { return state_.config; }
  std::int64_t iteration() const { return state_.iteration; }
  /// Losses of every step of this run so far: classification, box.
  const std::vector<std::array<double, 2>>& losses() const { return losses_; }
  /// Share of the gradients of other ranks that had arrived when this rank's backward passes ended.
  double arrived_early() const { return work_->arrived_early(); }
  /// Bytes that this rank has sent to others so far, in all ways.
  std::int64_t bytes_sent() const {
    const Messages* between_devices = work_->between_devices();
    return ranks_.bytes_sent() + (between_devices ? between_devices->bytes_sent() : 0);
  }

 private:
  Trainer(const RunState& state, const Dataset& train, const Dataset& validation, const std::string& folder,
          Device device, Communicator& ranks);
  static RunState fresh_state(const Config& config, const Dataset& train, const Dataset& validation);

  /// A step whose work is queued, and whose numbers are on their way from the device.
  struct QueuedStep {
    StepReport report;                      // what is known beforehand
    std::vector<Batch> batches;             // this rank's shards of the step, for messages
    std::unique_ptr<PinnedBuffer> numbers;  // StepNumbers of the step
  };

  /// The weights of a new run: as they are initialised, or from model.weights.
  void start_weights();
  /// What follows from the weights that the model has now: their copies in bf16, and the start of their average.
  void refresh_copies();
  /// Starts to load the batches of the next step.
  void load_next();
  /// Queues the next step on the device, without waiting for it. False when a stop was requested between its batches:
  /// then all is as it was before, and the step is not taken.
  bool queue_step(const TrainerCallbacks& callbacks);
  /// Takes the next batch's shards of this rank from the loader and calls queue(shards).
  template <class Queue>
  void with_next_batch(QueuedStep& step, const Queue& queue);
  /// Messages about skipped pictures since the last call, of all ranks, each once.
  std::vector<std::string> take_warnings();
  /// Waits for the oldest queued step. Throws NotFinite when a loss or gradient of it is not finite.
  StepReport finish_step();
  /// Throws NotFinite for the step; the run folder tells why.
  [[noreturn]] void stop_at_non_finite(const QueuedStep& step, const char* what);
  /// Whether the schedule ends after so many steps.
  bool schedule_ends(std::int64_t iteration) const;
  /// Whether the weights after so many steps are evaluated, and whether those of now still have to be.
  bool evaluation_due(std::int64_t iteration) const;
  bool evaluation_pending() const;
  /// Evaluates and saves, and returns true; false when a stop was requested meanwhile.
  bool evaluate(const TrainerCallbacks& callbacks, Result& result);
  void save(const std::string& file, bool with_optimizer);
  void save_last();

  RunState state_;
  Dataset train_, validation_;
  std::string folder_;
  std::unique_ptr<FolderLock> lock_;
  std::unique_ptr<RunEvents> events_;  // with train.tensorboard
  Device device_;
  Communicator& ranks_;
  std::unique_ptr<RetinaNet> model_;
  std::unique_ptr<Optimizer> optimizer_;
  std::unique_ptr<WeightAverage> average_;
  Schedule schedule_;
  std::unique_ptr<TrainingStep> work_;
  std::unique_ptr<Loader> loader_;
  std::unique_ptr<BatchQueue> batches_;
  std::unique_ptr<StepGraphs> graphs_;  // with train.cuda_graph
  std::array<QueuedStep, 2> steps_;     // step number i is in i % 2
  std::int64_t queued_ = 0;             // steps, state_.iteration of them finished
  std::vector<std::array<double, 2>> losses_;
  std::vector<std::string> notes_, messages_;  // for run() to tell
  std::set<std::string> warned_;               // of all ranks, where there are several
};

}  // namespace diopter
