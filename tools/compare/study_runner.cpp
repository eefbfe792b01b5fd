#include "tools/compare/study_runner.h"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <list>
#include <set>
#include <thread>

#include "retinanet/laboratory/claims.h"
#include "tools/command/interrupt.h"
#include "tools/command/progress.h"
#include "tools/compare/child_process.h"

namespace diopter {

namespace {

using Clock = std::chrono::steady_clock;

constexpr auto kPoll = std::chrono::milliseconds(20);
constexpr auto kLook = std::chrono::seconds(1);  // for what other workers do
constexpr int kSignsInALease = 6;                // of life

std::string log_file(const std::string& folder) { return folder + "/log.txt"; }

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
std::vector<std::string> arguments_of_run(const Study& study, const std::string& name, const std::string& folder,
                                          const RunnerOptions& options) {
  std::vector<std::string> arguments{"compare",
                                     "--out",
                                     study.folder(),
                                     "--run",
                                     name,
                                     "--in",
                                     folder,
                                     "--device",
                                     options.device,
                                     "--threads",
                                     std::to_string(options.threads)};
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
        progress_("compare", total_, "iterations", 1, iterations()) {
    if (options.sharing) claims_.emplace(study, options.sharing->lease_seconds);
  }

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
      if (claims_) renew_claims();
      collect(stopping);
      if (!stopping) start();
      show();
      if (!jobs_.empty() || waiting_) std::this_thread::sleep_for(kPoll);
    } while (!jobs_.empty() || (waiting_ && !stopping));
    return failures_;
  }

 private:
  struct Job {
    std::string name, folder;
    ChildProcess process;
    std::optional<RunClaims::Claim> claim;
    bool lost = false;  // the claim, to another worker
  };

  /// Of all runs. A run that has no result yet is short of one, so that the bar is full only when everything is done.
  std::int64_t iterations() const {
    const std::int64_t each = study_.protocol().iterations;
    std::int64_t done = static_cast<std::int64_t>(results_.size()) * each;
    for (const Job& job : jobs_) done += std::min(iterations_done(job.folder), each - 1);
    return done;
  }

  void renew_claims() {
    const auto now = Clock::now();
    if (now - renewed_ < std::chrono::duration<double>(options_.sharing->lease_seconds / kSignsInALease)) return;
    renewed_ = now;
    for (Job& job : jobs_) {
      if (job.lost || claims_->renew(*job.claim)) continue;
      job.lost = true;
      job.process.request_stop();
      progress_.print(job.name + ": another worker has taken it over");
    }
  }

  void collect(bool stopping) {
    for (auto job = jobs_.begin(); job != jobs_.end();) {
      if (job->process.running()) {
        ++job;
        continue;
      }
      looked_ = {};
      auto result = study_.result_in(job->folder);
      if (job->claim && !(result && claims_->publish(*job->claim))) {
        result.reset();
        claims_->release(*job->claim);
      }
      if (result) {
        results_[job->name] = *result;
        study_.write_results(results_);
        progress_.print(outcome_text(*result));
        shown_ = {};
      } else if (!stopping && !job->lost && !study_.result(job->name)) {
        const std::string log = log_file(job->folder);
        failures_.push_back(job->name + " ended with exit code " + std::to_string(job->process.exit_code()) + ": " +
                            last_line(log) + " (" + log + ")");
        progress_.print("diopter: " + failures_.back());
      }
      job = jobs_.erase(job);
    }
  }

  void start() {
    if (claims_) {
      const auto now = Clock::now();
      if (now - looked_ < kLook) return;
      looked_ = now;
      add_results_of_others();
    }
    if (static_cast<int>(jobs_.size()) >= options_.jobs) return;
    bool others_left = false, others_work = false;
    for (const PlannedRun& run : ready_runs(study_.protocol(), results_)) {
      if (static_cast<int>(jobs_.size()) >= options_.jobs) return;
      if (!started_.count(run.name) && mine(run) && start(run.name)) continue;
      others_left = others_left || !started_.count(run.name);
      others_work = others_work || (claims_ && claims_->held(run.name));
    }
    wait_for_others(others_left, others_work);
  }

  /// False where another worker has the run.
  bool start(const std::string& name) {
    std::optional<RunClaims::Claim> claim;
    std::string folder = study_.run_folder(name);
    if (claims_) {
      claim = claims_->take(name);
      if (!claim) return false;
      folder = claim->folder;
      if (!claim->taken_from.empty()) {
        progress_.print(name + ": taken over from " + claim->taken_from + ", which gave no sign of life");
      }
    }
    started_.insert(name);
    std::filesystem::create_directories(folder);
    jobs_.push_back({name, folder, ChildProcess(arguments_of_run(study_, name, folder, options_), log_file(folder)),
                     std::move(claim)});
    return true;
  }

  bool mine(const PlannedRun& run) const {
    if (!options_.sharing) return true;
    return number_of(study_.protocol(), run) % options_.sharing->shards == options_.sharing->shard - 1;
  }

  void add_results_of_others() {
    bool more = true;
    while (more) {  // results say which runs there are
      more = false;
      for (const PlannedRun& run : ready_runs(study_.protocol(), results_)) {
        if (const auto result = study_.result(run.name)) {
          results_[run.name] = *result;
          more = true;
        }
      }
    }
  }

  /// Runs are left that this worker cannot take now: `others_left`, that it has not tried; `others_work`, that others
  /// hold. Between two runs a worker holds none for a moment: one look is not enough to end.
  void wait_for_others(bool others_left, bool others_work) {
    const bool shard = options_.sharing && options_.sharing->shards > 1;
    looks_in_vain_ = others_work || (others_left && !shard) ? 0 : looks_in_vain_ + 1;
    waiting_ = claims_ && !ready_runs(study_.protocol(), results_).empty() && looks_in_vain_ < 3;
  }

  /// Files are read for it: once a second is enough.
  void show() {
    const auto now = Clock::now();
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
  Clock::time_point shown_;
  std::optional<RunClaims> claims_;  // where the study is shared
  Clock::time_point renewed_, looked_;
  bool waiting_ = false;
  int looks_in_vain_ = 0;
};

}  // namespace

std::vector<std::string> make_runs(const Study& study, const RunnerOptions& options, RunResults& results) {
  return Runner(study, options, results).run();
}

}  // namespace diopter
