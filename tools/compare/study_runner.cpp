#include "tools/compare/study_runner.h"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <list>
#include <set>
#include <thread>

#include "tools/command/interrupt.h"
#include "tools/command/progress.h"
#include "tools/compare/child_process.h"

namespace diopter {

namespace {

constexpr auto kPoll = std::chrono::milliseconds(20);

std::string log_file(const Study& study, const std::string& name) { return study.run_folder(name) + "/log.txt"; }

std::string last_line(const std::string& file) {
  std::ifstream in(file);
  std::string last;
  for (std::string line; std::getline(in, line);) {
    if (!line.empty()) last = line;
  }
  return last;
}

std::string outcome_text(const RunResult& result) {
  if (result.diverged) return result.name + ": diverged at iteration " + std::to_string(result.iteration);
  char text[64];
  std::snprintf(text, sizeof text, ": AP %.1f after %s", 100 * result.stats.ap,
                format_duration(result.seconds).c_str());
  return result.name + text;
}

/// After `diopter`, for one run in a process of its own.
std::vector<std::string> arguments_of_run(const Study& study, const std::string& name, const RunnerOptions& options) {
  std::vector<std::string> arguments{"compare",      "--out",     study.folder(),
                                     "--run",        name,        "--device",
                                     options.device, "--threads", std::to_string(options.threads)};
  if (options.exact) arguments.push_back("--exact");
  return arguments;
}

class Runner {
 public:
  Runner(const Study& study, const RunnerOptions& options, RunResults& results)
      : study_(study),
        options_(options),
        results_(results),
        total_(greatest_number_of_runs(study.protocol()) * study.protocol().iterations),
        progress_("compare", total_, "iterations", 1, iterations()) {}

  std::vector<std::string> run() {
    bool stopping = false;
    do {
      if (!stopping && Interrupt::requested()) {
        stopping = true;
        for (const Job& job : jobs_) job.process.request_stop();
      }
      if (Interrupt::save_requested()) {
        for (const Job& job : jobs_) job.process.request_save();
      }
      collect(stopping);
      if (!stopping) start();
      show();
      if (!jobs_.empty()) std::this_thread::sleep_for(kPoll);
    } while (!jobs_.empty());
    return failures_;
  }

 private:
  struct Job {
    std::string name;
    ChildProcess process;
  };

  /// Of all runs. A run that has no result yet is short of one, so that the bar is full only when everything is done.
  std::int64_t iterations() const {
    const std::int64_t each = study_.protocol().iterations;
    std::int64_t done = static_cast<std::int64_t>(results_.size()) * each;
    for (const Job& job : jobs_) done += std::min(study_.iterations_done(job.name), each - 1);
    return done;
  }

  void collect(bool stopping) {
    for (auto job = jobs_.begin(); job != jobs_.end();) {
      if (job->process.running()) {
        ++job;
        continue;
      }
      if (const auto result = study_.result(job->name)) {
        results_[job->name] = *result;
        study_.write_results(results_);
        progress_.print(outcome_text(*result));
        shown_ = {};
      } else if (!stopping) {
        const std::string log = log_file(study_, job->name);
        failures_.push_back(job->name + " ended with exit code " + std::to_string(job->process.exit_code()) + ": " +
                            last_line(log) + " (" + log + ")");
        progress_.print("diopter: " + failures_.back());
      }
      job = jobs_.erase(job);
    }
  }

  void start() {
    if (static_cast<int>(jobs_.size()) >= options_.jobs) return;
    for (const PlannedRun& run : ready_runs(study_.protocol(), results_)) {
      if (static_cast<int>(jobs_.size()) >= options_.jobs) return;
      if (!started_.insert(run.name).second) continue;
      std::filesystem::create_directories(study_.run_folder(run.name));
      jobs_.push_back(
          {run.name, ChildProcess(arguments_of_run(study_, run.name, options_), log_file(study_, run.name))});
    }
  }

  /// Files are read for it: once a second is enough.
  void show() {
    const auto now = std::chrono::steady_clock::now();
    if (now - shown_ < std::chrono::seconds(1)) return;
    shown_ = now;
    progress_.update(iterations(), std::to_string(results_.size()) + "/" +
                                       std::to_string(number_of_runs(study_.protocol(), results_)) + " runs");
  }

  const Study& study_;
  const RunnerOptions& options_;
  RunResults& results_;
  std::list<Job> jobs_;
  std::set<std::string> started_;
  std::vector<std::string> failures_;
  std::int64_t total_;
  Progress progress_;
  std::chrono::steady_clock::time_point shown_;
};

}  // namespace

std::vector<std::string> make_runs(const Study& study, const RunnerOptions& options, RunResults& results) {
  return Runner(study, options, results).run();
}

}  // namespace diopter
