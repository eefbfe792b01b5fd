// diopter train: trains a detector on a data set.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "data/readers/same_pictures.h"
#include "data/shapes_stream.h"
#include "data/unreadable_pictures.h"
#include "engine/device.h"
#include "kernels/base/text.h"
#include "retinanet/config/configure.h"
#include "retinanet/config/loss_text.h"
#include "retinanet/detection/class_weights.h"
#include "retinanet/doctor/doctor.h"
#include "retinanet/doctor/prior.h"
#include "retinanet/report/run_report.h"
#include "retinanet/training/run_folder.h"
#include "retinanet/training/setting_changes.h"
#include "retinanet/training/time_budget.h"
#include "retinanet/training/trainer.h"
#include "retinanet/weights/start.h"
#include "tools/command/command.h"
#include "tools/command/environment.h"
#include "tools/command/interrupt.h"
#include "tools/command/profile.h"
#include "tools/command/progress.h"
#include "tools/command/ranks.h"
#include "tools/command/reading.h"
#include "tools/train/find_lr.h"
#include "tools/train/same_run.h"
#include "tools/train/train_request.h"

namespace diopter {

namespace {

using Clock = std::chrono::steady_clock;

/// train.iterations of train.minutes, of which `start` was the begin; says how they were found.
Setting iterations_of_minutes(const TrainRequest& request, const Config& config, const Dataset& training,
                              const Dataset& validation, Device device, Clock::time_point start) {
  const double minutes = config.train.minutes;
  DIOPTER_CHECK(!states_iterations(request), "train.minutes and --set train.iterations exclude each other");
  // A twentieth of the time is spent on measuring, within limits.
  const RunTimes times = measure_times(config, training, validation, device, std::clamp(60 * minutes / 20, 0.5, 20.0));
  const double left = 60 * minutes - std::chrono::duration<double>(Clock::now() - start).count();
  const std::int64_t iterations = iterations_within(times, left);
  const std::string each = formatted("%.3g s a step and %.3g s an evaluation", times.step, times.evaluation);
  DIOPTER_CHECK(iterations > 0, "train.minutes = ", minutes, ": not even one step and one evaluation fit (", each, ")");
  std::printf("train.minutes = %g: train.iterations = %lld, with %lld evaluations (%s)\n", minutes,
              static_cast<long long>(iterations), static_cast<long long>(evaluations_of(times, iterations)),
              each.c_str());
  return {"train.iterations", iterations};
}

void check_changes(const TrainRequest& request, const std::vector<SettingChange>& changes) {
  std::vector<std::string> others;
  for (const SettingChange& change : changes) {
    if (is_another_training(change)) others.push_back(describe(change));
  }
  constexpr std::size_t kShown = 6;
  if (others.size() > kShown) {
    const std::string more = std::to_string(others.size() - kShown) + " more";
    others.resize(kShown);
    others.push_back(more);
  }
  DIOPTER_CHECK(request.change || others.empty(), request.out,
                ": goes on with other settings than the run has: ", join(others),
                "; with --change they hold from here on, and config.toml says so; a new run may start "
                "from its weights (--set model.weights=",
                request.out, ")");
}

/// The training set is its own part of a data set with several; --split chooses that of the validation set.
Dataset read_training_set(const TrainRequest& request) {
  Reading reading = request.reading;
  reading.split.clear();
  return read_annotations(reading, request.train_annotations, request.train_images, {}, DatasetSplit::train);
}

/// Lets training make pictures of its own by the recipe, of which those of the training set are examples.
void stream_pictures(const std::string& file, Dataset& training) {
  const ShapesOptions options = read_shapes_recipe(file);
  const std::vector<Category> classes = shapes_categories(options);
  const auto same = [](const Category& a, const Category& b) { return a.name == b.name; };
  DIOPTER_CHECK(
      std::equal(classes.begin(), classes.end(), training.categories.begin(), training.categories.end(), same), file,
      ": makes pictures of other classes than the training set has");
  training.stream = shapes_stream(options);
}

/// Warns of pictures that cannot be read, before hours are spent; `strict`: throws Error. Training goes on without
/// single ones, but not without all. Returns them.
std::vector<UnreadablePicture> check_pictures(const Dataset& dataset, const std::string& kind, Look look, bool strict) {
  std::vector<UnreadablePicture> unreadable = unreadable_pictures(dataset, look);
  if (unreadable.empty()) return unreadable;
  const std::string text = describe(unreadable, dataset.images.size(), kind + " pictures");
  DIOPTER_CHECK(!strict && unreadable.size() < dataset.images.size(), text);
  print_warnings({text + "; " + kind + " goes without them"});
  return unreadable;
}

/// What the report says of a data set: how large it is, what was left out or read otherwise than it stands there, and
/// which pictures cannot be read.
void add_facts(const std::string& kind, const Dataset& dataset, const std::vector<UnreadablePicture>& unreadable,
               Facts& facts) {
  facts.emplace_back(kind, describe(dataset));
  for (const bool dropped : {true, false}) {
    std::vector<std::string> lines;
    for (const Finding& finding : dataset.findings) {
      if (finding.dropped == dropped) lines.push_back(finding.line);
    }
    if (!lines.empty()) facts.emplace_back(kind + (dropped ? ", left out" : ", noted"), join(lines, "; "));
  }
  if (!unreadable.empty())
    facts.emplace_back(kind + ", not read", describe(unreadable, dataset.images.size(), "pictures"));
}

/// What the doctor finds in a moment. Throws Error when there is nothing that could be learned. What has been told of
/// annotations and of pictures that cannot be read is left out.
DoctorReport ask_doctor(const Dataset& training, const std::vector<UnreadablePicture>& unreadable,
                        const Config& config) {
  Dataset dataset = without(training, unreadable);
  dataset.warnings.clear();
  return examine(std::move(dataset), config, {.look = Look::header, .rehearse = false, .progress = {}});
}

/// What makes a step or an evaluation smaller.
std::string smaller(const Config& c) {
  return ", with batches of " + std::to_string(c.train.batch_size) + " pictures of up to " +
         std::to_string(c.input.max_size) + " pixels a side in training and " + std::to_string(c.detect.batch_size) +
         " in evaluation: lower train.batch_size (and raise train.accumulate), detect.batch_size, input.max_size, "
         "train.workers or train.cache_mib; ";
}

/// "0.0123", "0.01, 0.002, 0.0005"; of more than a few classes the range.
std::string numbers_text(const std::vector<double>& values) {
  const auto number = [](double value) { return formatted("%.3g", value); };
  constexpr std::size_t kShown = 6;
  if (values.size() <= kShown) return join(values, ", ", number);
  const auto [least, most] = std::minmax_element(values.begin(), values.end());
  return number(*least) + " to " + number(*most);
}

/// A report that cannot be written costs no training.
void write_report(const std::string& folder, Progress& progress) {
  try {
    write_run_report(folder);
  } catch (const Error& error) {
    progress.print(std::string("diopter: warning: no report: ") + error.what());
  }
}

/// A run that can begin.
struct Prepared {
  Device device = Device::cpu;
  Dataset training, validation;
  std::vector<UnreadablePicture> unreadable, unreadable_validation;
  std::optional<DoctorReport> doctor;
  std::unique_ptr<Trainer> trainer;
};

/// Ready to train; without a trainer where there was something else to be done.
Prepared prepare(const TrainRequest& request, Communicator& ranks) {
  const auto began = Clock::now();
  DIOPTER_CHECK(request.resume || !request.change, "--change is for --resume");
  DIOPTER_CHECK(!request.resume || !request.find_lr, "--find-lr looks for the rate of a new run, not of --resume");
  DIOPTER_CHECK(request.reading.split.empty() || !request.val_annotations.empty(),
                "--split chooses the part of --val-annotations, which is not given");
  Prepared run;
  run.device = device_from_name(request.device);
  Dataset &training = run.training, &validation = run.validation;
  training = read_training_set(request);
  check_training_set(name_of(request.train_annotations), training);
  DIOPTER_CHECK(request.stream.empty() || request.epochs == 0,
                "--stream has no epochs: say how long to train by --set train.iterations=N");
  if (!request.stream.empty()) stream_pictures(request.stream, training);
  std::vector<std::string> classes;
  for (const Category& c : training.categories) classes.push_back(c.name);
  if (!request.val_annotations.empty())
    validation =
        read_annotations(request.reading, request.val_annotations, request.val_images, classes, DatasetSplit::val);
  if (const std::string warning = check_validation_set(training, validation); !warning.empty())
    print_warnings({warning});
  const bool strict = request.reading.strict;
  run.unreadable = check_pictures(training, "training", Look::header, strict);
  // An evaluation that fails would come after hours.
  run.unreadable_validation = check_pictures(validation, "validation", strict ? Look::whole : Look::header, strict);

  const auto check = [&](const Config& config) {
    if (run.device == Device::cpu) check_memory(config, training, available_memory());
  };
  const auto check_resumption = [&](const Trainer::Resumption& next) {
    check_changes(request, next.changes);
    check(next.config);
  };
  const auto config_of_new_run = [&] {
    Config config = config_of(request);
    if (request.epochs > 0) {
      set_config(config, iterations_of_epochs(request, config, training));
      check_config(config);
    }
    const Config asked = config;
    config = with_prior(with_class_weights(config, training), training);
    const auto tell = [](const char* key, const auto& before, const auto& now, const auto& rules) {
      if (before.rule == now.rule) return;
      std::printf("%s = %s: %s\n", key, name_of(rules, before.rule).c_str(), numbers_text(now.values).c_str());
    };
    tell("loss.class_weights", asked.loss.class_weights, config.loss.class_weights, kClassWeightRules);
    tell("model.prior", asked.model.prior, config.model.prior, kPriorRules);
    check(config);
    DIOPTER_CHECK(ranks.ranks() == 1 || config.train.minutes == 0,
                  "train.minutes measures one process: with several say how long by --set train.iterations=N");
    return config;
  };
  if (request.find_lr) {
    DIOPTER_CHECK(ranks.ranks() == 1, "--find-lr is for one process");
    write_lr_range(config_of_new_run(), training, request.out, run.device);
    return run;
  }
  const auto start = [&] {
    Config config = config_of_new_run();
    if (!request.no_doctor && ranks.leads()) run.doctor = ask_doctor(training, run.unreadable, config);
    if (config.train.minutes > 0) {
      set_config(config, iterations_of_minutes(request, config, training, validation, run.device, began));
    }
    return std::make_unique<Trainer>(config, training, validation, request.out, run.device, ranks);
  };
  run.trainer = request.resume ? Trainer::resume(request.out, settings_of_resumption(request, training), training,
                                                 validation, run.device, check_resumption, ranks)
                               : start();
  return run;
}

int train(const TrainRequest& request, Communicator& ranks) {
  Prepared run;
  together(ranks, [&] { run = prepare(request, ranks); });
  if (!run.trainer) return 0;
  require_distinct(ranks, "GPU", run.device == Device::cuda ? gpu_name() : "rank " + std::to_string(ranks.rank()));
  require_same_run(ranks, {*run.trainer, run.training, run.validation, run.unreadable, run.unreadable_validation});
  const Device device = run.device;
  const Dataset &training = run.training, &validation = run.validation;
  const std::unique_ptr<Trainer>& trainer = run.trainer;
  if (run.doctor) {
    std::fprintf(stderr, "diopter: at the network's input: %s\n", describe_input(run.doctor->data).c_str());
    print_warnings(run.doctor->warnings);
  }
  std::unique_ptr<StepProfile> profile;
  DIOPTER_CHECK(request.profile == 0 || !trainer->config().train.cuda_graph,
                "--profile: a step as one CUDA graph has no kernels to tell apart: add --set train.cuda_graph=false");
  if (request.profile > 0 && ranks.leads())
    profile = std::make_unique<StepProfile>(request.profile, request.out, device);
  Facts data;
  add_facts("training", training, run.unreadable, data);
  if (training.stream) data.emplace_back("training, streamed", "no picture twice, by " + request.stream);
  add_facts("validation", validation, run.unreadable_validation, data);
  if (ranks.ranks() > 1) data.emplace_back("processes", std::to_string(ranks.ranks()));
  if (ranks.leads()) append_start(request.out, this_start(device, data));
  std::int64_t parameters = 0;
  for (const NamedParameter& p : trainer->model().parameters()) parameters += p.variable.value().size();
  const Config& config = trainer->config();
  const bool from_builtin = config.model.weights == kAutoWeights && !starts_afresh(config);
  std::printf(
      "%zu training and %zu validation pictures, %zu classes; %s with %lld parameters%s on %s; iteration %lld of "
      "%lld\n",
      training.images.size(), validation.images.size(), training.categories.size(), config.model.backbone.c_str(),
      static_cast<long long>(parameters), from_builtin ? " from the built-in weights" : "",
      device == Device::cpu ? "cpu" : "cuda", static_cast<long long>(trainer->iteration()),
      static_cast<long long>(config.train.iterations));
  if (training.stream) std::printf("streaming: no picture twice, by %s\n", printable(request.stream).c_str());
  const Interrupt interrupt;
  check_standard_output();

  Progress progress("train", config.train.iterations, "images", config.train.batch_size * config.train.accumulate,
                    trainer->iteration());
  const std::int64_t first = trainer->iteration(), sent_before = trainer->bytes_sent();
  StepReport last;
  std::int64_t skipped = 0;
  TrainerCallbacks callbacks;
  callbacks.stop_requested = [] { return Interrupt::requested(); };
  callbacks.save_requested = [] { return Interrupt::save_requested(); };
  callbacks.step_begins = [&] {
    if (profile) profile->next_step();
  };
  callbacks.step = [&](const StepReport& step) {
    last = step;
    char text[96];
    std::snprintf(text, sizeof text, "loss %.3f (cls %.3f box %.3f)", step.classification_loss + step.box_loss,
                  step.classification_loss, step.box_loss);
    progress.update(step.iteration, text);
  };
  callbacks.note = [&](const std::string& note) { progress.print("diopter: " + note); };
  callbacks.message = [&](const std::string& message) { progress.print("diopter: warning: " + message); };
  callbacks.skipped = [&](const std::string& reason) {
    ++skipped;
    progress.print("diopter: warning: skipped " + reason);
  };
  const auto report = [&] {
    if (ranks.leads()) write_report(request.out, progress);
  };
  callbacks.evaluated = report;
  const Trainer::Result result = [&] {
    try {
      return trainer->run(callbacks);
    } catch (const NotFinite&) {  // the report tells
      report();
      throw;
    } catch (const SharedError&) {
      throw;
    } catch (const OutOfMemory& error) {
      fail(error.what(), smaller(config), where_the_last_checkpoint_is(request.out));
    } catch (const Error& error) {
      fail(error.what(), "; ", where_the_last_checkpoint_is(request.out));
    } catch (const std::bad_alloc&) {
      fail("out of memory", smaller(config), where_the_last_checkpoint_is(request.out));
    }
  }();
  if (profile) profile->finish();
  report();

  if (skipped > 0)
    std::fprintf(stderr, "diopter: warning: %lld of the training pictures skipped\n", static_cast<long long>(skipped));
  if (result.evaluated) std::printf("%s", format_coco_metrics(result.metrics).c_str());
  std::printf("%s at iteration %lld after %s; %.0f MiB of memory at most; %s; %s/report.html\n",
              result.finished ? "finished" : "stopped", static_cast<long long>(result.iteration),
              format_duration(last.seconds).c_str(), last.peak_memory_mib, last_checkpoint(request.out).c_str(),
              request.out.c_str());
  if (ranks.ranks() > 1 && result.iteration > first) {
    const double kib = static_cast<double>(trainer->bytes_sent() - sent_before) / 1024;
    std::printf("%d processes; the first sent %.1f KiB a step, and %.0f %% of the others' came before it waited\n",
                ranks.ranks(), kib / static_cast<double>(result.iteration - first), 100 * trainer->arrived_early());
  }
  if (!result.finished) std::printf("go on with the same command and --resume\n");
  check_standard_output();
  return any(ranks, Interrupt::requested() && !result.finished) ? kInterrupted : 0;
}

}  // namespace

void add_train_command(Command& program) {
  Command command = program.subcommand(
      "train", "Trains a detector on a data set",
      "train --preset small --train-annotations shapes/instances_train.json --train-images shapes/images \\\n"
      "    --val-annotations shapes/instances_val.json --val-images shapes/images --out run --set train.lr=0.05\n\n"
      "The run folder holds config.toml, metrics.csv, checkpoints/{last,best}.safetensors, pictures/ and report.html,\n"
      "which shows it all in a browser. Ctrl-C finishes the step and saves; the same command with --resume goes on.\n"
      "Presets: paper, torchvision, torchvision_v2, detectron2, small; `diopter info --keys` lists every key that "
      "--set\n"
      "can change.\n\n"
      "Losses, and what --loss NAME:PARAMETER=VALUE,... can change:\n" +
          describe_losses());
  const auto request = std::make_shared<TrainRequest>();
  command.text("--preset", request->preset, "Configuration to start from (default small)").type("NAME");
  command.text("--config", request->config, "TOML file that overrides keys of the preset").type("FILE");
  command.repeated("--set", request->settings, "Overrides one key, may be repeated").type("KEY=VALUE");
  command.text("--loss", request->loss, "Classification loss, by default the preset's; see below (loss.kind)")
      .type("NAME[:PARAMETER=VALUE,...]");
  command.number("--epochs", request->epochs, "Passes over the training set, which give train.iterations")
      .type("N")
      .positive()
      .default_in_words();
  command.number("--minutes", request->minutes, "Wall time, which the schedule is made to fit (train.minutes)")
      .type("N")
      .positive()
      .default_in_words();
  command
      .number("--patience", request->patience,
              "Evaluations without a better AP that end a stage of the schedule (train.patience)")
      .type("N")
      .not_negative()
      .default_in_words();
  command.number("--lr", request->lr, "Learning rate (train.lr)").type("RATE").not_negative().default_in_words();
  command.number("--batch", request->batch, "Pictures of a step (train.batch_size)")
      .type("N")
      .positive()
      .default_in_words();
  command.text("--prior", request->prior, "Initial probability of a positive: a number, balance or data (model.prior)")
      .type("P");
  add_annotations_option(command, "--train-annotations", request->train_annotations,
                         "COCO .json, VOC folder or split file, .csv or YOLO folder")
      .required();
  command.text("--train-images", request->train_images, "Folder of the training pictures").type("DIR");
  command
      .text("--stream", request->stream,
            "shapes.json of `diopter shapes`: training makes each picture itself, none twice; the training set is a "
            "sample")
      .type("FILE");
  add_annotations_option(command, "--val-annotations", request->val_annotations,
                         "As for training; without it there is no evaluation");
  command.text("--val-images", request->val_images, "Folder of the validation pictures").type("DIR");
  add_reading_options(command, request->reading, "val, for --val-annotations");
  command.text("--out", request->out, "Run folder").required().type("DIR");
  command.flag("--resume", request->resume, "Go on from the run folder's last checkpoint");
  command.flag("--change", request->change, "With --resume: other settings than the run has are meant");
  command.flag("--find-lr", request->find_lr,
               "Instead of training: a range test that proposes a learning rate, in lr_range.csv and lr_range.svg");
  command.flag("--no-doctor", request->no_doctor, "Do not look at the data set before training");
  command.number("--seed", request->seed, "Of weights, data order and augmentation (train.seed)")
      .type("K")
      .default_in_words();
  add_profile_option(command, request->profile, "steps", "run folder");
  add_device_option(command, request->device);
  add_thread_option(command);
  command.action([request] { return run_on_ranks([&](Communicator& ranks) { return train(*request, ranks); }); });
}

}  // namespace diopter
