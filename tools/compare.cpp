// diopter compare: a study of losses, or of any settings, by a protocol fixed beforehand.
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "engine/device.h"
#include "kernels/base/check.h"
#include "kernels/base/files.h"
#include "kernels/base/folder_lock.h"
#include "kernels/base/parallel.h"
#include "kernels/base/text.h"
#include "retinanet/laboratory/comparison.h"
#include "retinanet/laboratory/study.h"
#include "retinanet/report/study_report.h"
#include "tools/command/command.h"
#include "tools/command/environment.h"
#include "tools/command/interrupt.h"
#include "tools/command/progress.h"
#include "tools/compare/child_process.h"
#include "tools/compare/study_runner.h"

namespace diopter {

namespace {

namespace fs = std::filesystem;

constexpr const char* kLock = "lock";  // a folder with this file is one that we made
constexpr double kPatience = 60;       // seconds that runs of a study that was killed get to stop

struct Request {
  std::string protocol, out, run, device = "auto";
  int jobs = 0, threads = 0;  // 0: as many as fit
  bool resume = false, print = false, plan = false, exact = false;
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

void print_plan(const Protocol& protocol) {
  std::printf("%s\nprotocol %s: %lld runs of %lld iterations\n", printable(protocol.title).c_str(),
              protocol_hash(protocol).c_str(), static_cast<long long>(number_of_runs(protocol)),
              static_cast<long long>(protocol.iterations));
  if (protocol.fixed_lr) std::printf("one learning rate for all, fixed\n");
  if (protocol.extra_rates > 0) {
    std::printf("up to %d learning rates more a contestant, where the best is at the edge\n", protocol.extra_rates);
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

Study open_or_create(const Request& request, const Source& protocol) {
  if (Study::exists(request.out)) {
    Study study = Study::open(request.out);
    const std::string hash =
        protocol.text.empty() ? study.hash() : protocol_hash(parse_protocol(protocol.text, protocol.file));
    DIOPTER_CHECK(hash == study.hash(), request.out, ": holds a study by another protocol (", study.hash(),
                  ", this one is ", hash, "): choose another folder with --out");
    DIOPTER_CHECK(request.resume, request.out,
                  ": holds this study already; go on with --resume or choose another folder");
    return study;
  }
  DIOPTER_CHECK(!request.resume, request.out, ": holds no study to go on with");
  std::vector<std::string> warnings;
  try {
    Study study = Study::create(request.out, protocol.text, protocol.file, warnings, show_pictures);
    print_warnings(warnings);
    return study;
  } catch (const Error&) {  // nothing of it stays
    fs::remove_all(request.out + "/data");
    fs::remove(request.out + "/" + kLock);
    if (fs::is_empty(request.out)) fs::remove(request.out);
    throw;
  }
}

/// As many runs side by side as there are processors, but no more than memory surely has room for; a GPU takes one.
RunnerOptions options_of(const Request& request) {
  constexpr int kMostByDefault = 4;
  const int processors = thread_count();
  const int fitting = device_from_name(request.device) == Device::cpu ? std::min(processors, kMostByDefault) : 1;
  const int jobs = request.jobs > 0 ? request.jobs : fitting;
  return {jobs, request.threads > 0 ? request.threads : std::max(1, processors / jobs), request.device, request.exact};
}

/// The study's folder, made where it is missing and locked: also by the runs, which may outlive this process for a
/// while when it is killed. Removes the temporary files of programs that were.
std::unique_ptr<FolderLock> lock_study_folder(const std::string& folder, double patience_seconds) {
  std::error_code error;
  DIOPTER_CHECK(!fs::exists(folder) || fs::exists(folder + "/" + kLock) || fs::is_empty(folder, error), folder,
                ": holds something that is no study; choose another folder");
  fs::create_directories(folder, error);
  DIOPTER_CHECK(!error, folder, ": cannot be made: ", error.message());
  auto lock = std::make_unique<FolderLock>(folder, kLock, FolderLock::Children::hold, patience_seconds);
  remove_temporary_files(folder);
  return lock;
}

int run_study(const Request& request, const Source& protocol) {
  const RunnerOptions options = options_of(request);
  if (!protocol.text.empty()) parse_protocol(protocol.text, protocol.file);  // before a folder is made
  const auto lock = lock_study_folder(request.out, request.resume ? kPatience : 0);
  const Study study = open_or_create(request, protocol);
  RunResults results = study.results();
  const auto total = [&] { return number_of_runs(study.protocol(), results); };
  const auto unfinished = [&] { return static_cast<std::int64_t>(results.size()) < total(); };
  std::printf("%s: %lld runs, %zu of them made; %d side by side\n", request.out.c_str(),
              static_cast<long long>(total()), results.size(), options.jobs);
  std::fflush(stdout);

  if (unfinished()) {
    append_start(request.out, this_start(device_from_name(request.device), {}));
  }

  const Interrupt interrupt;
  const std::vector<std::string> failures = make_runs(study, options, results);
  study.write_results(results);
  if (unfinished()) {
    for (const std::string& failure : failures) std::fprintf(stderr, "diopter: %s\n", printable(failure).c_str());
    std::printf("%zu of %lld runs made; go on with the same command and --resume\n", results.size(),
                static_cast<long long>(total()));
    return failures.empty() ? kInterrupted : 1;
  }
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
int make_run(const Request& request) {
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
  const auto result = study.run(run, device_from_name(request.device), callbacks);
  if (!result) return kInterrupted;
  std::printf("%s: AP %.1f\n", run.name.c_str(), 100 * result->stats.ap);
  return 0;
}

int compare_command(Request& request) {
  if (!request.run.empty()) return make_run(request);
  const bool given_by_folder = request.resume && !request.out.empty() && !request.print && !request.plan;
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
      "  diopter compare mine.toml --out study --resume\n\n"
      "Built-in protocols: " +
          names_of_protocols() +
          ".\n"
          "The study folder gets report.html, report.md, table.csv (the table), results.csv (every run) and\n"
          "runs/. Ctrl-C lets the runs save and stop; the same command with --resume goes on, also after a\n"
          "crash. docs/comparing.md explains it all.");
  const auto request = std::make_shared<Request>();
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
  command.flag("--plan", request->plan, "Only say which runs the protocol makes");
  command.flag("--print", request->print, "Only print the protocol");
  command.text("--run", request->run, "Make only this run of the study in --out, in this process").type("NAME");
  command.action([request, command] {
    request->exact = command.given("--exact");  // add_device_option knows what it does; runs must be told
    return compare_command(*request);
  });
}

}  // namespace diopter
