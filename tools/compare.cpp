// diopter compare: a study of losses, or of any settings, by a protocol fixed beforehand.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "engine/device.h"
#include "kernels/base/check.h"
#include "kernels/base/files.h"
#include "kernels/base/folder_lock.h"
#include "kernels/base/parallel.h"
#include "kernels/base/text.h"
#include "retinanet/laboratory/claims.h"
#include "retinanet/laboratory/comparison.h"
#include "retinanet/laboratory/study.h"
#include "retinanet/report/study_report.h"
#include "tools/command/command.h"
#include "tools/command/environment.h"
#include "tools/command/interrupt.h"
#include "tools/command/progress.h"
#include "tools/compare/slurm_script.h"
#include "tools/compare/study_runner.h"

namespace diopter {

namespace {

namespace fs = std::filesystem;

constexpr const char* kLock = "lock";            // a folder with this file is one that we made
constexpr const char* kJoiningLock = "joining";  // held for as long as one worker prepares the study for all
constexpr double kPatience = 60;                 // seconds that runs of a study that was killed get to stop
constexpr double kPreparation = 3600;            // seconds in which another worker makes the study's pictures

struct CompareRequest {
  std::string protocol, out, run, run_folder, shard, device = "auto";
  int jobs = 0, threads = 0;  // 0: as many as fit
  int slurm_tasks = 0;        // 0: no script is asked for
  double lease = 60;
  bool resume = false, print = false, plan = false, exact = false, join = false;
};

/// A protocol's text and the name of its file, or of the built-in one.
struct Source {
  std::string file, text;
};

Source read_protocol(const std::string& name) {
  const std::vector<std::string> built_in = protocol_names();
  const bool is_built_in = std::find(built_in.begin(), built_in.end(), name) != built_in.end();
  // A study folder may have the name of its protocol.
  if (!fs::exists(name) || (is_built_in && fs::is_directory(name))) return {name, protocol_text(name)};
  return {name, read_file(name)};
}

/// write_study_data takes a plain function: the bar lives in here.
void show_pictures(int done, int total) {
  static Progress progress("shapes", total, "pictures");
  progress.update(done);
}

/// A preset whose recipe has changed since protocols name it.
void print_reading(const Protocol& protocol) {
  if (protocol.preset == protocol.written_preset) return;
  std::printf("preset %s in a protocol is what it was at first: %s\n", protocol.written_preset.c_str(),
              protocol.preset.c_str());
}

void print_plan(const Protocol& protocol) {
  std::printf("%s\nprotocol %s: %lld runs of %lld iterations\n", printable(protocol.title).c_str(),
              protocol_hash(protocol).c_str(), static_cast<long long>(number_of_runs(protocol)),
              static_cast<long long>(protocol.iterations));
  print_reading(protocol);
  if (protocol.fixed_lr) std::printf("one learning rate for all, fixed\n");
  if (protocol.extra_rates > 0) {
    std::printf("learning rates beyond the grid, where the best is at its edge: up to %d per contestant\n",
                protocol.extra_rates);
  }
  if (protocol.stop) {
    std::printf("from %d final seeds on none more once all intervals of differences are at most %g AP wide\n",
                protocol.stop->least, protocol.stop->width);
  }
  if (const auto most = greatest_number_of_runs(protocol); most > number_of_runs(protocol)) {
    std::printf("%lld runs at most\n", static_cast<long long>(most));
  }
  for (const Contestant& c : protocol.contestants) {
    const std::size_t tried = c.configurations.size();
    std::printf("%s: %zu tuning runs, %zu final runs%s\n", printable(c.name).c_str(),
                tried > 1 ? tried * protocol.tuning_seeds.size() : 0, protocol.final_seeds.size(),
                c.padded ? " (learning rates refined)" : "");
    for (const Configuration& configuration : c.configurations) {
      std::printf("  learning rate %-8g %s\n", configuration.lr, printable(settings_text(c, configuration)).c_str());
    }
  }
}

Study open_or_create(const CompareRequest& request, const Source& protocol) {
  if (Study::exists(request.out)) {
    Study study = Study::open(request.out);
    const std::string hash =
        protocol.text.empty() ? study.hash() : protocol_hash(parse_protocol(protocol.text, protocol.file));
    DIOPTER_CHECK(hash == study.hash(), request.out, ": holds a study by another protocol (", study.hash(),
                  ", this one is ", hash, "): choose another folder with --out");
    DIOPTER_CHECK(request.resume || request.join, request.out,
                  ": holds this study already; go on with --resume or choose another folder");
    return study;
  }
  DIOPTER_CHECK(!request.resume && !protocol.text.empty(), request.out, ": holds no study to go on with");
  std::vector<std::string> warnings;
  try {
    Study study = Study::create(request.out, protocol.text, protocol.file, warnings, show_pictures);
    print_warnings(warnings);
    return study;
  } catch (const Error&) {  // nothing of it stays
    fs::remove_all(request.out + "/data");
    if (request.join) throw;  // others may wait for their turn
    fs::remove(request.out + "/" + kLock);
    if (fs::is_empty(request.out)) fs::remove(request.out);
    throw;
  }
}

/// "2/3": the second of three.
std::pair<int, int> shard_of(const std::string& text) {
  const std::size_t slash = text.find('/');
  const auto shard = parse_number(text.substr(0, slash));
  const auto shards = slash == text.npos ? std::nullopt : parse_number(text.substr(slash + 1));
  const auto whole = [](double number) { return number >= 1 && number <= 1e6 && number == std::floor(number); };
  DIOPTER_CHECK(shard && shards && whole(*shard) && whole(*shards) && *shard <= *shards, "--shard ", text,
                ": must be a number, from 1 on, and of how many: 2/3");
  return {static_cast<int>(*shard), static_cast<int>(*shards)};
}

std::optional<Sharing> sharing_of(const CompareRequest& request) {
  if (!request.join) return {};
  const auto [shard, shards] = request.shard.empty() ? std::pair(1, 1) : shard_of(request.shard);
  return Sharing{request.lease, shard, shards};
}

/// As many runs side by side as there are processors, but no more than memory surely has room for; a GPU takes one.
RunnerOptions options_of(const CompareRequest& request) {
  constexpr int kMostByDefault = 4;
  const int processors = thread_count();
  const int fitting = device_from_name(request.device) == Device::cpu ? std::min(processors, kMostByDefault) : 1;
  const int jobs = request.jobs > 0 ? request.jobs : fitting;
  return {jobs, request.threads > 0 ? request.threads : std::max(1, processors / jobs), request.device, request.exact,
          sharing_of(request)};
}

/// The study's folder, made where it is missing and locked: also by the runs, which may outlive this process for a
/// while when it is killed.
std::unique_ptr<FolderLock> lock_study_folder(const std::string& folder, double patience_seconds,
                                              FolderLock::Holders holders) {
  std::error_code error;
  const auto ours = [&] { return fs::exists(folder + "/" + kLock); };
  // Another worker may be about to make it: then it is no longer empty a moment after it had no lock.
  DIOPTER_CHECK(!fs::exists(folder) || ours() || fs::is_empty(folder, error) || ours(), folder,
                ": holds something that is no study; choose another folder");
  fs::create_directories(folder, error);
  DIOPTER_CHECK(!error, folder, ": cannot be made: ", error.message());
  return std::make_unique<FolderLock>(folder, kLock, FolderLock::Children::hold, patience_seconds, holders);
}

void note_start(const CompareRequest& request) {
  append_start(request.out, this_start(device_from_name(request.device), {}));
}

/// A study that nobody else works on. The temporary files of programs that were killed are removed.
Study prepare_alone(const CompareRequest& request, const Source& protocol) {
  remove_temporary_files(request.out);
  Study study = open_or_create(request, protocol);
  take_attempts_back(study);
  return study;
}

/// A study that others may work on, too: one worker after another comes through here.
Study prepare_shared(const CompareRequest& request, const Source& protocol) {
  const FolderLock turn(request.out, kJoiningLock, FolderLock::Children::free, kPreparation);
  DIOPTER_CHECK(turn.problem().empty() || Study::exists(request.out), request.out,
                ": its file system cannot lock files (", turn.problem(),
                "), so the study must be made by one process before others join: start it without --join, and stop it");
  Study study = open_or_create(request, protocol);
  share_unfinished_runs(study);
  note_start(request);
  return study;
}

int run_study(const CompareRequest& request, const Source& protocol) {
  const RunnerOptions options = options_of(request);
  if (!protocol.text.empty()) parse_protocol(protocol.text, protocol.file);  // before a folder is made
  DIOPTER_CHECK(!protocol.text.empty() || Study::exists(request.out), request.out, ": holds no study to go on with");
  const auto lock = lock_study_folder(request.out, request.resume || request.join ? kPatience : 0,
                                      request.join ? FolderLock::Holders::together : FolderLock::Holders::alone);
  const Study study = request.join ? prepare_shared(request, protocol) : prepare_alone(request, protocol);
  RunResults results = study.results();
  const auto total = [&] { return number_of_runs(study.protocol(), results); };
  const auto unfinished = [&] { return static_cast<std::int64_t>(results.size()) < total(); };
  std::printf("%s: %lld runs, %zu of them made; %d side by side\n", request.out.c_str(),
              static_cast<long long>(total()), results.size(), options.jobs);
  print_reading(study.protocol());
  std::fflush(stdout);
  if (unfinished() && !request.join) note_start(request);

  const Interrupt interrupt;
  const std::vector<std::string> failures = make_runs(study, options, results);
  study.write_results(results);
  if (unfinished()) {
    for (const std::string& failure : failures) std::fprintf(stderr, "diopter: %s\n", printable(failure).c_str());
    std::printf("%zu of %lld runs made; go on with the same command%s\n", results.size(),
                static_cast<long long>(total()), request.join ? "" : " and --resume");
    if (!failures.empty()) return 1;
    return Interrupt::requested() ? kInterrupted : 0;  // 0: a shard has made its runs
  }
  if (request.join) discard_attempts(study);
  const std::vector<Score> scores = compare(study.protocol(), results);
  write_file_atomically(request.out + "/table.csv", scores_csv(study.protocol(), scores));
  write_file_atomically(request.out + "/table.json", scores_json(study.protocol(), scores));
  write_file_atomically(request.out + "/report.md", report_markdown(study.protocol(), results, scores));
  write_study_report(study);
  std::printf("\n%s\n\n%s\n%s/report.html, report.md, table.csv, table.json and results.csv have the rest\n",
              printable(study.protocol().title).c_str(), format_scores(study.protocol(), scores).c_str(),
              request.out.c_str());
  return 0;
}

/// One run of the study, in this process.
int make_run(const CompareRequest& request) {
  if (request.threads > 0) set_thread_count(request.threads);
  const Study study = Study::open(request.out);
  const PlannedRun run = find_run(study.protocol(), study.results(), request.run);
  const Interrupt interrupt;
  TrainerCallbacks callbacks;
  callbacks.stop_requested = [] { return Interrupt::requested(); };
  callbacks.save_requested = [] { return Interrupt::save_requested(); };
  callbacks.message = [](const std::string& text) {
    std::fprintf(stderr, "diopter: warning: %s\n", printable(text).c_str());
  };
  callbacks.skipped = [&](const std::string& reason) { callbacks.message("skipped " + reason); };
  const std::string folder = request.run_folder.empty() ? study.run_folder(run.name) : request.run_folder;
  const auto result = study.run(run, folder, device_from_name(request.device), callbacks);
  if (!result) return kInterrupted;
  std::printf("%s: AP %.1f\n", run.name.c_str(), 100 * result->stats.ap);
  return 0;
}

/// The same command, to be given on any machine and in any folder.
std::string shared_command(const CompareRequest& request) {
  const auto full_path = [](const std::string& path) { return fs::absolute(path).lexically_normal().string(); };
  std::vector<std::string> words = {fs::read_symlink("/proc/self/exe"), "compare"};
  if (!request.protocol.empty()) {
    words.push_back(fs::exists(request.protocol) ? full_path(request.protocol) : request.protocol);
  }
  for (const std::string& word :
       {std::string("--join"), std::string("--out"), full_path(request.out), std::string("--device"), request.device,
        std::string("--jobs"), std::to_string(std::max(1, request.jobs)), std::string("--threads"),
        std::to_string(std::max(1, request.threads)), std::string("--lease"), formatted("%g", request.lease)}) {
    words.push_back(word);
  }
  if (request.exact) words.emplace_back("--exact");
  return join(words, " ", shell_word);
}

void print_slurm_script(const CompareRequest& request) {
  const int processors = std::max(1, request.jobs) * std::max(1, request.threads);
  const std::string name = "diopter-" + fs::path(request.out).filename().string();
  const bool gpu = request.device.starts_with("cuda");
  std::fputs(slurm_script({request.slurm_tasks, processors, gpu, shell_word(name), shared_command(request)}).c_str(),
             stdout);
}

int compare_command(CompareRequest& request) {
  if (!request.run.empty()) return make_run(request);
  request.join = request.join || !request.shard.empty();
  const bool shared = request.join || request.slurm_tasks > 0;
  DIOPTER_CHECK(!request.join || !request.resume, "--join goes on with what there is: leave --resume out");
  if (shared && request.out.empty() && Study::exists(request.protocol)) std::swap(request.out, request.protocol);
  const bool given_by_folder = (request.resume || shared) && !request.out.empty() && !request.print && !request.plan;
  DIOPTER_CHECK(!request.protocol.empty() || given_by_folder,
                "compare needs a protocol: a TOML file or the name of a built-in one (see diopter compare --help)");
  const Source protocol = request.protocol.empty() ? Source{} : read_protocol(request.protocol);
  if (request.print) {
    std::fputs(protocol.text.c_str(), stdout);
    return 0;
  }
  if (request.plan) {
    print_plan(parse_protocol(protocol.text, protocol.file));
    return 0;
  }
  if (request.out.empty()) request.out = "study-" + fs::path(request.protocol).stem().string();
  if (request.slurm_tasks > 0) {
    if (!protocol.text.empty()) parse_protocol(protocol.text, protocol.file);
    DIOPTER_CHECK(!protocol.text.empty() || Study::exists(request.out), request.out, ": holds no study to go on with");
    print_slurm_script(request);
    return 0;
  }
  return run_study(request, protocol);
}

std::string names_of_protocols() { return join(protocol_names()); }

}  // namespace

void add_compare_command(Command& program) {
  Command command = program.subcommand(
      "compare", "Compares losses, or any settings, by a protocol: tunes, repeats over seeds, tests",
      "compare quick --jobs 2\n"
      "  diopter compare table1b --print > mine.toml      # a protocol to start one's own from\n"
      "  diopter compare mine.toml --plan\n"
      "  diopter compare mine.toml --out study --resume\n"
      "  diopter compare mine.toml --out study --join     # in several terminals, on several machines\n\n"
      "Built-in protocols: " +
          names_of_protocols() +
          ".\n"
          "The study folder gets report.html, report.md, table.csv (the table), results.csv (every run) and\n"
          "runs/. Ctrl-C lets the runs save and stop; the same command with --resume goes on, also after a\n"
          "crash. docs/comparing.md explains it all.");
  const auto request = std::make_shared<CompareRequest>();
  command.text("protocol", request->protocol, "TOML file, or the name of a built-in protocol").type("PROTOCOL");
  command.text("--out", request->out, "Study folder; default: study-NAME, after the protocol").type("DIR");
  command.number("--jobs", request->jobs, "Runs side by side; default: one on a GPU, else one a processor, 4 at most")
      .range(1, 1024)
      .limits_in_words()
      .type("N")
      .default_in_words();
  command.number("--threads", request->threads, "Threads of each run; default: the processors divided among them")
      .range(1, 1024)
      .limits_in_words()
      .type("N")
      .default_in_words();
  add_device_option(command, request->device);
  command.flag("--resume", request->resume, "Go on with the study in the folder");
  command.flag(
      "--join", request->join,
      "Share the study with all that are started so, on any machine that has the folder: each run is made once");
  command
      .text("--shard", request->shard,
            "As --join, for part I of N of the runs only; waits for nobody who has not begun")
      .type("I/N");
  command
      .number("--lease", request->lease, "Seconds without a sign of life after which others take over a run of --join")
      .range(0.5, 86400.0)
      .limits_in_words()
      .type("SECONDS");
  command.number("--slurm", request->slurm_tasks, "Only print a script for sbatch, an array of N tasks with --join")
      .range(1, 100000)
      .limits_in_words()
      .type("N")
      .default_in_words();
  command.flag("--plan", request->plan, "Only say which runs the protocol makes");
  command.flag("--print", request->print, "Only print the protocol");
  command.text("--run", request->run, "Make only this run of the study in --out, in this process").type("NAME");
  command.text("--in", request->run_folder, "With --run: the folder to make it in, instead of runs/NAME").type("DIR");
  command.action([request, command] {
    request->exact = command.given("--exact");  // add_device_option knows what it does; runs must be told
    return compare_command(*request);
  });
}

}  // namespace diopter
