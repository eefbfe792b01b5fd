#include "retinanet/training/trainer.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <sstream>
#include <utility>

#include "data/dataset_hash.h"
#include "data/pictures/white.h"
#include "engine/files/checkpoint.h"
#include "engine/profile/profile.h"
#include "kernels/base/files.h"
#include "kernels/base/process.h"
#include "kernels/base/text.h"
#include "kernels/toolkit/dispatch.h"
#include "retinanet/config/config_text.h"
#include "retinanet/config/configure.h"
#include "retinanet/network/input.h"
#include "retinanet/network/make_optimizer.h"
#include "retinanet/training/metrics_file.h"
#include "retinanet/training/non_finite.h"
#include "retinanet/training/patience.h"
#include "retinanet/training/run_folder.h"
#include "retinanet/training/setting_changes.h"
#include "retinanet/training/validation.h"
#include "retinanet/weights/start.h"

namespace diopter {

namespace {

/// Whether something that is done every so many steps is done after this one.
bool due(std::int64_t every, std::int64_t iteration) { return every > 0 && iteration % every == 0; }

Schedule schedule_of(const Config::Train& t) {
  Schedule schedule;
  schedule.kind = t.schedule;
  schedule.base = t.lr;
  schedule.iterations = t.iterations;
  for (double share : t.milestones) {
    schedule.milestones.push_back(std::llround(share * static_cast<double>(t.iterations)));
  }
  schedule.gamma = t.lr_gamma;
  schedule.warmup_iterations = t.warmup_iterations;
  schedule.warmup_factor = t.warmup_factor;
  return schedule;
}

std::vector<std::string> class_names(const Dataset& dataset) {
  std::vector<std::string> names;
  for (const Category& c : dataset.categories) names.push_back(c.name);
  return names;
}

/// Puts what the training pictures say into the place of input.white = "auto".
void choose_white(Config& config, const Dataset& train) {
  if (config.input.white == kAutoWhite) config.input.white = full_scale_of(train);
}

bool asked(const std::function<bool()>& question) { return question && question(); }

/// The callbacks of a rank, where what is requested on one of them is requested on all.
TrainerCallbacks with_requests_of_all(const TrainerCallbacks& own, Communicator& ranks) {
  TrainerCallbacks callbacks = own;
  callbacks.stop_requested = [&] { return any(ranks, asked(own.stop_requested)); };
  callbacks.save_requested = [&] { return any(ranks, asked(own.save_requested)); };
  return callbacks;
}

/// Refuses steps that cannot be meant.
void check_step_size(const Config::Train& t, std::int64_t pictures) {
  constexpr std::int64_t kMostTimes = 1000;
  const std::int64_t step = std::int64_t{t.batch_size} * t.accumulate;
  DIOPTER_CHECK(step <= kMostTimes * std::max<std::int64_t>(pictures, 1), "train.batch_size = ", t.batch_size,
                " and train.accumulate = ", t.accumulate, " make steps of ", step,
                " pictures, each of the training set's ", pictures, " more than ", kMostTimes,
                " times: lower one of the two");
}

/// Takes over the hash of the data, or throws Error when the run has seen other data.
void check_data(std::string& known, const Dataset& data, const std::string& file, const char* name) {
  const std::string hash = dataset_hash(data);
  DIOPTER_CHECK(known.empty() || hash.empty() || known == hash, file, ": the run has seen another ", name,
                " set, with the same classes but other pictures or boxes; a new run may start from its weights "
                "(--set model.weights=",
                file, ")");
  if (!hash.empty()) known = hash;
}

/// What the batches of a step change before its end, kept to be put back when the step is given up.
class BeforeStep {
 public:
  BeforeStep(const RetinaNet& model, const Normaliser& normaliser, const LossState& loss) {
    for (const NamedBuffer& buffer : model.buffers()) add(buffer.tensor);
    add(normaliser.average_tensor());
    loss.for_each_memory([&](const char*, const Tensor& memory) { add(memory); });
  }
  void put_back() const {
    for (const auto& [tensor, before] : tensors_) tensor.copy_from(before);
  }

 private:
  void add(const Tensor& tensor) { tensors_.emplace_back(tensor, tensor.clone()); }

  std::vector<std::pair<Tensor, Tensor>> tensors_;
};

}  // namespace

RunState Trainer::fresh_state(const Config& config, const Dataset& train, const Dataset& validation) {
  RunState state;
  state.data = dataset_hash(train);
  state.validation_data = dataset_hash(validation);
  state.config = config;
  state.classes = class_names(train);
  for (const Category& c : train.categories) state.category_ids.push_back(c.id);
  state.normaliser = config.loss.ema_start;
  choose_white(state.config, train);
  return state;
}

Trainer::Trainer(const Config& config, const Dataset& train, const Dataset& validation, const std::string& folder,
                 Device device, Communicator& ranks)
    : Trainer(fresh_state(config, train, validation), train, validation, folder, device, ranks) {
  start_weights();
  if (ranks_.leads()) {
    lock_ = create_run_folder(folder);
    write_file_atomically(config_file(folder), format_config(state_.config));
    if (config.train.tensorboard) events_ = std::make_unique<RunEvents>(folder);
  }
  if (config.input.white != state_.config.input.white && state_.config.input.white != kFullRange) {
    messages_.push_back("input.white = auto: " + std::to_string(state_.config.input.white) +
                        ", by the greatest samples of the training pictures");
  }
}

Trainer::Trainer(const RunState& state, const Dataset& train, const Dataset& validation, const std::string& folder,
                 Device device, Communicator& ranks)
    : state_(state),
      train_(train),
      validation_(validation),
      folder_(folder),
      device_(device),
      ranks_(ranks),
      schedule_(schedule_of(state.config.train)),
      queued_(state.iteration) {
  const Config& config = state_.config;
  check_config(config);
  DIOPTER_CHECK(!config.train.cuda_graph || device == Device::cuda, "train.cuda_graph=true needs --device cuda");
  DIOPTER_CHECK(!train_.categories.empty(), "the training set has no classes");
  DIOPTER_CHECK(validation_.images.empty() || class_names(validation_) == state_.classes,
                "the validation set has other classes than the training set");
  check_step_size(config.train, static_cast<std::int64_t>(train_.images.size()));
  model_ = std::make_unique<RetinaNet>(config, static_cast<int>(train_.categories.size()));
  model_->move_to(device);
  model_->set_precision(config.train.precision);
  optimizer_ = make_optimizer(config.train, *model_, {ranks_.rank(), ranks_.ranks()});
  work_ = std::make_unique<TrainingStep>(state_.config, *model_, *optimizer_, ranks_);
  if (ranks_.ranks() > 1 && device_ != Device::cpu) {
    messages_.push_back(work_->between_devices() ? "gradients pass from GPU to GPU by NCCL"
                                                 : "gradients pass through the host: NCCL is not on every rank");
  }
  load_next();
  if (config.train.cuda_graph) {
    graphs_ = std::make_unique<StepGraphs>(device, [this](const Variable& images, const TruthTensors& truth) {
      work_->start();
      work_->add_batch({{images, truth}}, nullptr);
      work_->finish(average_.get());
    });
  }
  for (QueuedStep& step : steps_)
    step.numbers = DIOPTER_DISPATCH(device, make_pinned_buffer, kStepNumbers * sizeof(float));
}

void Trainer::load_next() {
  const Config& config = state_.config;
  batches_.reset();  // it uses the loader
  LoaderOptions options = loader_options(config, device_);
  options.shards = work_->shards();
  loader_ = std::make_unique<Loader>(train_, options, queued_ * config.train.accumulate * options.shards.mine());
  batches_ = std::make_unique<BatchQueue>(*loader_, device_);
}

void Trainer::start_weights() {
  const Config::Model& model = state_.config.model;
  const std::string message = start(*model_, state_.classes);
  if (!message.empty()) (model.weights == kAutoWeights ? notes_ : messages_).push_back(message);
  if ((model.freeze_stages > 0 || model.norm == NormKind::frozen_batch) && starts_afresh(state_.config)) {
    messages_.push_back(
        "no weights to start from, but model.freeze_stages or model.norm keeps parts of the backbone as they were "
        "initialised");
  }
  refresh_copies();
}

void Trainer::refresh_copies() {
  model_->set_precision(model_->precision());
  const double decay = config().train.average;
  if (decay > 0) average_ = std::make_unique<WeightAverage>(*model_, static_cast<float>(decay));
}

std::unique_ptr<Trainer> Trainer::resume(const std::string& folder, const Settings& settings, const Dataset& train,
                                         const Dataset& validation, Device device,
                                         const std::function<void(const Resumption&)>& check, Communicator& ranks) {
  const std::string file = last_checkpoint(folder);
  std::unique_ptr<FolderLock> lock;
  if (ranks.leads() && file_exists(file)) lock = lock_run_folder(folder);
  const Checkpoint checkpoint = load_checkpoint(file);
  RunState state = parse_run_state(checkpoint);
  DIOPTER_CHECK(state.classes == class_names(train), file, ": was trained on other classes than the training set's");
  const bool data_known = !state.data.empty();
  check_data(state.data, train, file, "training");
  check_data(state.validation_data, validation, file, "validation");
  state.config.train.stop_at = 0;
  const Config before = state.config;
  apply_settings(state.config, settings);
  choose_white(state.config, train);
  check_config(state.config);
  const std::vector<SettingChange> changes = setting_changes(before, state.config, state.iteration);
  state.changes.insert(state.changes.end(), changes.begin(), changes.end());
  if (check) check({state.config, changes});

  std::unique_ptr<Trainer> trainer(new Trainer(state, train, validation, folder, device, ranks));
  trainer->lock_ = std::move(lock);
  if (!data_known) {
    trainer->messages_.push_back(file +
                                 ": an older Diopter wrote it, which did not note the data: whether the training "
                                 "set is the same cannot be checked");
  }
  for (const SettingChange& change : changes) trainer->messages_.push_back("from now on " + describe(change));
  const std::int64_t place = state.iteration + state.left_out;
  const double old_lr = schedule_of(before.train).at(place), lr = trainer->schedule_.at(place);
  if (!changes.empty() && lr != old_lr) {
    trainer->messages_.push_back(formatted("the learning rate goes on at %g instead of %g", lr, old_lr));
  }
  get_tensors(checkpoint, "", model_state(*trainer->model_));
  const std::vector<Tensor> optimizer_state = trainer->optimizer_->whole_state();
  get_tensors(checkpoint, kOptimizerPrefix, trainer->optimizer_->named(optimizer_state));
  trainer->optimizer_->take_state(optimizer_state);
  trainer->work_->normaliser().set_average(state.normaliser);
  trainer->work_->loss_state().set_memory(state.loss_memory);
  trainer->refresh_copies();
  if (trainer->average_ && state.average_updates > 0) {
    get_tensors(checkpoint, kAveragePrefix, trainer->average_->averages());
    trainer->average_->set_updates(state.average_updates);
  }
  if (ranks.leads()) {
    rewind_run_folder(folder, state.iteration, trainer->evaluation_pending());
    if (state.config.train.tensorboard) trainer->events_ = std::make_unique<RunEvents>(folder, state.iteration);
    write_file_atomically(config_file(folder), change_comments(state.changes) + format_config(state.config));
  }
  return trainer;
}

template <class Queue>
void Trainer::with_next_batch(QueuedStep& step, const Queue& queue) {
  std::vector<Shard> shards;
  for (int i = 0; i < work_->shards().mine(); ++i) {
    DeviceBatch batch = batches_->next();
    shards.push_back({batch.images, batch.truth});
    step.batches.push_back(std::move(batch.host));
  }
  queue(shards);
  batches_->prefetch();
}

bool Trainer::queue_step(const TrainerCallbacks& callbacks) {
  const ProfiledScope phase("step");
  QueuedStep& step = steps_[queued_ % steps_.size()];
  step.report = {};
  step.report.iteration = queued_ + 1;
  step.report.lr = schedule_.at(queued_ + state_.left_out);
  step.batches.clear();
  model_->set_training(true);
  optimizer_->set_lr(static_cast<float>(step.report.lr), step.report.iteration);
  if (average_) average_->advance();
  if (graphs_) {
    with_next_batch(step, [&](const std::vector<Shard>& shards) { graphs_->run(shards[0].images, shards[0].truth); });
  } else {
    const AnyLoss& loss = state_.config.loss.kind;
    std::optional<ExampleLogits> examples;
    const bool logged = due(state_.config.train.log_every, queued_ + 1);
    // Shares of losses are told where each is what the formula says of it by itself.
    const bool by_itself = !hard_example_rule(loss) && !remembers_steps(loss);
    if (logged && device_ == Device::cpu && by_itself) examples.emplace();
    std::optional<BeforeStep> before;
    if (state_.config.train.accumulate > 1) before.emplace(*model_, work_->normaliser(), work_->loss_state());
    work_->start();
    for (int i = 0; i < state_.config.train.accumulate; ++i) {
      if (i > 0 && asked(callbacks.stop_requested)) {
        work_->give_up();
        before->put_back();
        if (average_) average_->set_updates(average_->updates() - 1);
        load_next();
        return false;
      }
      with_next_batch(
          step, [&](const std::vector<Shard>& shards) { work_->add_batch(shards, examples ? &*examples : nullptr); });
    }
    work_->finish(average_.get());
    if (examples) step.report.hardest_negatives = hardest_shares(examples->negatives, loss, false);
  }
  step.numbers->download(work_->numbers().raw(), work_->numbers().bytes());
  ++queued_;
  return true;
}

StepReport Trainer::finish_step() {
  const QueuedStep& step = steps_[state_.iteration % steps_.size()];
  const float* numbers = static_cast<const float*>(step.numbers->data());
  if (!std::isfinite(numbers[kClassificationLoss]) || !std::isfinite(numbers[kBoxLoss]))
    stop_at_non_finite(step, "the loss");
  if (!std::isfinite(numbers[kGradientNorm])) stop_at_non_finite(step, "the gradient");
  StepReport report = step.report;
  const double accumulate = state_.config.train.accumulate;
  report.classification_loss = static_cast<double>(numbers[kClassificationLoss]) / accumulate;
  report.box_loss = static_cast<double>(numbers[kBoxLoss]) / accumulate;
  if (state_.config.loss.classification_weight == kGuidedWeight) {
    report.classification_weight = static_cast<double>(numbers[kClassificationWeight]) / accumulate;
  }
  report.gradient_norm = static_cast<double>(numbers[kGradientNorm]);
  report.positives = std::llround(numbers[kPositives]);
  losses_.push_back({report.classification_loss, report.box_loss});
  ++state_.iteration;
  return report;
}

void Trainer::stop_at_non_finite(const QueuedStep& step, const char* what) {
  const std::string message = std::string(what) + " is not finite at iteration " +
                              std::to_string(step.report.iteration) + ": " +
                              non_finite_cause(*model_, step.batches, ranks_) + "; " +
                              where_the_last_checkpoint_is(folder_) + " (a lower train.lr or train.clip_norm may help)";
  if (ranks_.leads() && !folder_.empty()) write_outcome(folder_, {"diverged", step.report.iteration, message});
  throw NotFinite(step.report.iteration, message);
}

bool Trainer::schedule_ends(std::int64_t iteration) const {
  return iteration + state_.left_out >= state_.config.train.iterations;
}

bool Trainer::evaluation_due(std::int64_t iteration) const {
  return !validation_.images.empty() &&
         (due(state_.config.train.evaluate_every, iteration) || schedule_ends(iteration));
}

bool Trainer::evaluation_pending() const {
  return state_.evaluated < state_.iteration && evaluation_due(state_.iteration);
}

bool Trainer::evaluate(const TrainerCallbacks& callbacks, Result& result) {
  struct Stopped {};
  const auto progress = [&](std::int64_t done, std::int64_t total) {
    if (callbacks.evaluation) callbacks.evaluation(done, total);
    if (done < total && asked(callbacks.stop_requested)) throw Stopped{};
  };
  std::vector<UnreadablePicture> skipped;
  Evaluated evaluated;
  try {
    evaluated = evaluate_into_run_folder(*model_, average_.get(), validation_, folder_, events_.get(), state_.iteration,
                                         progress, skipped, ranks_);
  } catch (const Stopped&) {
    return false;
  }
  if (!skipped.empty() && callbacks.message) {
    callbacks.message("evaluation at iteration " + std::to_string(state_.iteration) + ": " +
                      describe(skipped, validation_.images.size(), "validation pictures") + "; it goes without them");
  }
  result.metrics = std::move(evaluated.metrics);
  state_.evaluated = state_.iteration;
  state_.thresholds = evaluated.thresholds;
  const bool better = result.metrics.stats.ap > state_.best_ap;
  if (better) {
    state_.best_ap = result.metrics.stats.ap;
    save(best_checkpoint(folder_), false);
  }
  const std::string decided = note_evaluation(state_, schedule_, better);
  save_last();  // it knows now of the evaluation and the best AP
  if (callbacks.note) {
    callbacks.note(describe(evaluated.kept));
    if (!decided.empty()) callbacks.note(decided);
  }
  if (ranks_.leads() && callbacks.evaluated) callbacks.evaluated();
  return true;
}

void Trainer::save(const std::string& file, bool with_optimizer) {
  std::vector<NamedBuffer> optimizer_state;
  if (with_optimizer) optimizer_state = work_->optimizer_state();
  if (!ranks_.leads()) return;
  Checkpoint checkpoint;
  put_tensors(checkpoint, "", model_state(*model_));
  put_tensors(checkpoint, kOptimizerPrefix, optimizer_state);
  if (average_) put_tensors(checkpoint, kAveragePrefix, average_->averages());
  state_.normaliser = work_->normaliser().average();
  state_.loss_memory = work_->loss_state().memory();
  state_.average_updates = average_ ? average_->updates() : 0;
  put_run_state(checkpoint, state_);
  save_checkpoint(file, checkpoint);
}

void Trainer::save_last() {
  if (ranks_.leads()) put_on_disk(metrics_file(folder_));  // before the checkpoint that it leads up to
  save(last_checkpoint(folder_), true);
}

std::vector<std::string> Trainer::take_warnings() {
  std::vector<std::string> mine = loader_->take_warnings();
  if (ranks_.ranks() == 1) return mine;
  std::vector<std::string> fresh;
  for (const std::string& of_rank : ranks_.gather(join(mine, "\n"))) {
    std::istringstream lines(of_rank);
    for (std::string line; std::getline(lines, line);) {
      if (warned_.insert(line).second) fresh.push_back(line);
    }
  }
  return fresh;
}

Trainer::Result Trainer::run(const TrainerCallbacks& own) {
  const TrainerCallbacks callbacks = with_requests_of_all(own, ranks_);
  using Clock = std::chrono::steady_clock;
  const Config::Train& t = state_.config.train;
  const auto ends = [&](std::int64_t i) { return schedule_ends(i) || (t.stop_at > 0 && i >= t.stop_at); };
  const auto start = Clock::now();
  const auto seconds_since = [](Clock::time_point since) {
    return std::chrono::duration<double>(Clock::now() - since).count();
  };
  // A GPU is kept busy: its next step is queued before the numbers of the one before are waited for.
  const std::int64_t ahead = device_ == Device::cpu ? 0 : 1;
  double training_seconds = 0;
  bool told_sizes = false;
  const std::int64_t first = state_.iteration;
  std::int64_t saved = std::filesystem::exists(last_checkpoint(folder_)) ? first : -1;
  Result result{state_.iteration, false, false, {}};
  for (const std::string& note : notes_)
    if (callbacks.note) callbacks.note(note);
  for (const std::string& message : messages_)
    if (callbacks.message) callbacks.message(message);
  const auto tell = [&](StepReport& report) {
    report.seconds = seconds_since(start);
    report.images_per_second =
        static_cast<double>((report.iteration - first) * t.batch_size * t.accumulate) / training_seconds;
    report.peak_memory_mib = peak_resident_mib();
    if (ranks_.leads() && (due(t.log_every, report.iteration) || ends(report.iteration))) {
      append_step(folder_, report);
      if (events_) events_->numbers("train", metrics_line(report));
    }
    if (callbacks.step) callbacks.step(report);
  };
  bool stopped = false;
  if (evaluation_pending()) {
    result.evaluated = evaluate(callbacks, result);
    stopped = !result.evaluated;
  }
  while (!stopped && !ends(queued_) && !asked(callbacks.stop_requested)) {
    const auto step_start = Clock::now();
    if (callbacks.step_begins) callbacks.step_begins();
    if (!queue_step(callbacks)) break;
    result.evaluated = false;
    const bool evaluates = evaluation_due(queued_);
    const bool saves = due(t.save_every, queued_) || evaluates || asked(callbacks.save_requested);
    std::vector<StepReport> finished;
    while (state_.iteration < queued_ - (saves ? 0 : ahead)) finished.push_back(finish_step());
    training_seconds += seconds_since(step_start);
    for (StepReport& report : finished) tell(report);
    if (graphs_ && graphs_->overflowed() && !std::exchange(told_sizes, true) && callbacks.message) {
      callbacks.message("train.cuda_graph: there are more than " + std::to_string(StepGraphs::kMostSizes) +
                        " sizes of batches; steps of further ones run kernel by kernel");
    }
    for (const std::string& warning : take_warnings()) {
      if (callbacks.skipped) callbacks.skipped(warning);
    }

    if (saves) {  // first of all: an evaluation may be interrupted or fail
      save_last();
      saved = state_.iteration;
    }
    if (evaluates) {
      result.evaluated = evaluate(callbacks, result);
      stopped = !result.evaluated;
    }
  }
  while (state_.iteration < queued_) {
    StepReport report = finish_step();
    tell(report);
  }
  if (saved != state_.iteration) save_last();
  result.iteration = state_.iteration;
  result.finished = schedule_ends(state_.iteration) && !evaluation_pending();
  if (ranks_.leads()) {
    write_outcome(folder_, {result.finished ? "finished" : "stopped", result.iteration, left_out_text(state_)});
  }
  return result;
}

}  // namespace diopter
